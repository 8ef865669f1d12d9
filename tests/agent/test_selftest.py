"""`selftest privacy` finds nothing here, and would find it: a broken sanitizer, and each spelling of a secret."""

from __future__ import annotations

import base64
import json
import subprocess
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from tests.daemons import CLI, clean_env

from telem.agent.selftest.canaries import Canary, canaries
from telem.agent.selftest.requests import Deal, build
from telem.agent.selftest.search import Searcher, run_chars
from telem.sanitize.decode import decode
from telem.sanitize.records import Encoding, RawRequest, Signal
from telem.sanitize.rules import shipped_rules

if TYPE_CHECKING:
    from pathlib import Path

SECRET = 'q8Zr+Wk2/Ty6"Lm9é=Xd>>>???ü~~~Nc1'
BROKEN = """
import telem.sanitize.redact as redact
redact.Redactor.text = lambda self, value: value
"""


def selftest(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*CLI, "selftest", "privacy", *arguments],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        env=clean_env() | (env or {}),
    )


def test_nothing_of_what_is_sent_is_found(tmp_path: Path) -> None:
    """All rules, signals, transports and places; every file that was written is among the searched ones."""
    done = selftest("--json", "--keep", str(tmp_path / "kept"))
    said = json.loads(done.stdout)
    assert (said["findings"], said["wrong"]) == ([], [])
    assert (done.returncode, said["passed"]) == (0, True)
    assert said["combinations"] > 10_000
    assert min(said["places"].values()) > 40
    assert said["refused"] > 50
    assert len(said["unsearchable"]) <= 2
    searched = " ".join(said["searched"])
    for name in (
        "status",
        "daemon.log",
        "journal/logs",
        "parquet/traces",
        "(rows)",
        "telemetry.duckdb",
        "sanitizer_audit",
        "quarantine/",
        "selftest-backup.tar.zst/",
        "start.log",
    ):
        assert name in searched
    assert "Traceback" not in (tmp_path / "kept" / "logs" / "daemon.log").read_text(encoding="utf-8")
    written = {
        path.relative_to(tmp_path / "kept").as_posix() for path in (tmp_path / "kept").rglob("*") if path.is_file()
    }
    assert written <= set(said["searched"])
    refused = selftest("--keep", str(tmp_path / "kept"))
    assert (refused.returncode, "is not empty" in refused.stderr) == (1, True)


def test_a_broken_sanitizer_is_found_out(tmp_path: Path) -> None:
    """One function that lets texts pass, and it fails, naming rules and places, never a value."""
    (tmp_path / "sitecustomize.py").write_text(BROKEN)
    done = selftest("--json", env={"PYTHONPATH": str(tmp_path)})
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    found = json.loads(done.stdout)["findings"]
    columns = {finding["place"].partition(" ")[0] for finding in found if "journal/logs" in finding["source"]}
    assert {"scope_name", "severity_text"} <= columns
    assert {finding["source"].partition("/")[0] for finding in found} >= {"journal", "parquet"}
    assert not any(secret in done.stdout for canary in canaries() for secret in canary.secrets if len(secret) > 12)


def test_every_rule_has_a_canary() -> None:
    """Unless what it takes is too short to be searched for."""
    sent = {canary.rule for canary in canaries()}
    unsent = {rule.id for rule in shipped_rules() if rule.must_match} - sent
    longest = {
        rule.id: max(len(piece) for example in rule.must_match for piece in example.losing)
        for rule in shipped_rules()
        if rule.id in unsent
    }
    assert all(size < 6 for size in longest.values()), longest


@pytest.mark.parametrize("signal", list(Signal))
def test_every_canary_comes_to_every_place(signal: Signal) -> None:
    """With as many records as canaries, each place has had each of them; and it is OTLP."""
    flock = [Canary(f"r{number}", f"secret-{number}", (f"secret-{number}",)) for number in range(7)]
    deal = Deal(flock)
    request = build(signal, deal, range(28), "x")
    assert decode(RawRequest(signal, Encoding.PROTOBUF, request.SerializeToString(), 1)).groups
    assert deal.count >= len(deal.places) * 7


SPELLED = (
    SECRET,
    json.dumps(SECRET),
    json.dumps(json.dumps(SECRET)),
    quote(SECRET, safe=""),
    SECRET.encode().hex(),
    SECRET.encode().hex().upper(),
    "".join(f"\\u{ord(char):04x}" for char in SECRET),
    *(base64.b64encode(b"x" * shift + SECRET.encode()).decode() for shift in range(3)),
    *(base64.urlsafe_b64encode(b"x" * shift + SECRET.encode()).decode() for shift in range(3)),
    SECRET[3 : 3 + run_chars(SECRET)],
    SECRET[-run_chars(SECRET) :],
    base64.b64encode(b"yy" + SECRET[5 : 5 + run_chars(SECRET)].encode()).decode(),
    SECRET[7 : 7 + run_chars(SECRET)].encode().hex(),
)


@pytest.mark.parametrize("spelled", SPELLED, ids=[str(number) for number in range(len(SPELLED))])
def test_each_spelling_and_each_half_is_found(spelled: str) -> None:
    """Wherever it stands in a file."""
    searcher = Searcher([Canary("rule", SECRET, (SECRET,))], ["harmless"])
    for around in (b"", b"\x00\x01", b"some text before it, "):
        (hit, *_) = searcher.hits(around + spelled.encode() + around)
        assert hit.spelling.rule == "rule"


def test_less_than_half_is_not_a_finding() -> None:
    """Nor what stands in harmless text too."""
    searcher = Searcher([Canary("rule", SECRET, (SECRET,))], [])
    assert searcher.hits(b"x" + SECRET[: run_chars(SECRET) - 1].encode() + b"x") == []
    shared = Searcher([Canary("rule", "user-name-here", ("user-name-here",))], ["the user-name-here stays"])
    assert shared.hits(b'{"a": "user-name-here"}') == []
    assert shared.unsearchable() == ["rule"]
