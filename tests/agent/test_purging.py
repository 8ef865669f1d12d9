"""`telem-agent purge`, with a daemon that goes on receiving, and without one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.conftest import config_for, running
from tests.daemons import telem
from tests.otlp import logs, metrics, raw

from telem.agent.policies import load_policy
from telem.queries.commands import ask
from telem.sanitize.pseudonym import Pseudonyms
from telem.sanitize.records import Signal
from telem.storage import exports, intent
from telem.storage.disk import Disk
from telem.storage.keys import read_key

if TYPE_CHECKING:
    from pathlib import Path

    from telem.agent.daemon import Daemon

LOGS, METRICS = Signal.LOGS, Signal.METRICS
MAIL = "ada@example.com"


def event(session: str, **more: Any) -> dict[str, Any]:
    return {"event.name": "user_prompt", "session.id": session, **more}


async def fill(daemon: Daemon) -> None:
    for number in range(3):
        who = {"user.email": MAIL} if number == 1 else {}
        for session in ("gone", "here"):
            await daemon.ingest.accept(raw(LOGS, logs(event(session, n=number, **who))))
            await daemon.ingest.accept(raw(METRICS, metrics(event(session, n=number, **who))))
        if number == 0:
            await daemon.keeper.compact_now()


def sessions(daemon: Daemon, signal: Signal = LOGS) -> dict[str, int]:
    rows: Any = ask(daemon.layout, f"SELECT session_id, count(*) FROM raw_{signal} GROUP BY 1").rows
    return dict(rows)


def every_byte(home: Path) -> bytes:
    return b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())


async def test_a_session_goes_while_the_daemon_runs_and_does_not_come_back(home: Path) -> None:
    """From Parquet and journal, in every signal; what is sent of it later is answered and not stored."""
    async with running(config_for(home)) as daemon:
        await fill(daemon)
        intent.note(daemon.layout, Disk(), intent.target_of("session", "gone"))
        said = await daemon.purging.purge()
        assert said["rows"] == {"logs": 3, "metrics": 3}
        assert [sessions(daemon, signal) for signal in (LOGS, METRICS)] == [{"here": 3}, {"here": 3}]
        assert sessions(daemon) == {"here": 3}
        await daemon.ingest.accept(raw(LOGS, logs(event("gone", late=1), event("here", late=1))))
        assert sessions(daemon) == {"here": 4}
        assert daemon.audit.dropped()["purged"] == {"claude_code user_prompt": 1}
        assert b'"gone"' not in every_byte(home)
    async with running(config_for(home)) as daemon:
        await daemon.ingest.accept(raw(LOGS, logs(event("gone", later=1))))
        assert sessions(daemon) == {"here": 4}


async def test_a_purge_that_was_interrupted_is_finished_at_the_next_start(home: Path) -> None:
    """By itself."""
    async with running(config_for(home)) as daemon:
        await fill(daemon)
    intent.note(daemon.layout, Disk(), intent.target_of("session", "gone"))
    async with running(config_for(home)) as daemon:
        await daemon.purging.purge()  # waits for the one that the start began, if it has
        assert intent.noted(daemon.layout) is None
        assert sessions(daemon) == {"here": 3}


async def test_a_person_goes_by_her_address_without_a_daemon(home: Path, tmp_path: Path) -> None:
    """Counted first, asked, taken out; copies are named; her address and stand-in are kept nowhere."""
    async with running(config_for(home)) as daemon:
        await fill(daemon)
    layout = daemon.layout
    key = read_key(layout)
    assert key
    stand_in = Pseudonyms(key).of("email", MAIL)
    copy = tmp_path / "copy.jsonl"
    copy.write_text(f'{{"user_email": "{stand_in}"}}\n')
    exports.complete(layout, Disk(), exports.record(layout, Disk(), "export", str(copy), format="jsonl"))
    Disk().directory(layout.quarantine)
    (layout.quarantine / "piece.damaged").write_bytes(b'{"user_email":"%b"}\n{"id":"torn' % stand_in.encode())
    dry = json.loads(telem(home, "purge", "--user", MAIL, "--dry-run", "--json").stdout)
    assert dry["found"] == {"logs": 2, "metrics": 2, "traces": 0}
    assert dry["quarantined"] == 2
    assert [(found["rows"], found["done"]) for found in dry["copies"]] == [(1, "rewritten")]
    asked = telem(home, "purge", "--user", MAIL)
    assert asked.returncode == 1  # nobody answers the question
    assert "Quarantine: 2 damaged" in asked.stderr
    assert intent.noted(layout) is None
    done = telem(home, "purge", "--user", MAIL, "--yes", "--json", "--delete-copies")
    assert json.loads(done.stdout)["rows"] == {"logs": 2, "metrics": 2}, done.stderr
    assert json.loads(done.stdout)["quarantined"] == 2
    assert not list(layout.quarantine.iterdir())
    assert not copy.exists()
    assert dict(ask(layout, "SELECT session_id, count(*) FROM raw_logs GROUP BY 1").rows) == {"gone": 2, "here": 2}  # type: ignore[arg-type]
    (receipt,) = layout.receipts.iterdir()
    for text in (receipt.read_text(), layout.tombstones.read_text()):
        assert stand_in not in text
        assert MAIL not in text


@pytest.mark.parametrize(
    "flags", [(), ("--session", "a", "--all"), ("--before", "yesterday"), ("--user", "Ada Lovelace")]
)
async def test_what_cannot_be_meant_is_refused(home: Path, flags: tuple[str, ...]) -> None:
    """With status 2, before anything is touched."""
    async with running(config_for(home)):
        pass
    assert telem(home, "purge", *flags, "--yes").returncode == 2


async def test_what_is_stored_is_judged_again_with_and_without_a_daemon(home: Path) -> None:
    """Counted, asked, done; a second time there is nothing to do; the journal's last hour too."""
    async with running(config_for(home)) as daemon:
        await daemon.ingest.accept(raw(LOGS, logs(event("s", prompt="meet Agent Orange", team="blue"))))
        layout = daemon.layout
        layout.policy.write_text('known_values = ["Agent Orange"]\n')
        said = await daemon.purging.sanitize(load_policy(daemon.config).job(daemon.config, dry=False))
        assert (len(said["files"]), said["rules"]) == (1, {"known-value": 1})
        prompts: Any = ask(layout, "SELECT prompt FROM events").rows
        assert prompts == (("meet [REDACTED:known-value]",),)
        assert b"Orange" not in b"".join(path.read_bytes() for path in layout.journal(LOGS).iterdir())
    layout.policy.write_text('[drop]\nattributes = ["team"]\n')
    dry = json.loads(telem(home, "sanitize", "--stored", "--dry-run", "--json").stdout)
    assert len(dry["files"]) == 1
    assert telem(home, "sanitize", "--stored").returncode == 1  # nobody answers the question
    assert telem(home, "sanitize", "--stored", "--yes").returncode == 0
    assert ask(layout, "SELECT team FROM events").rows == ((None,),)
    again = json.loads(telem(home, "sanitize", "--stored", "--yes", "--json").stdout)
    assert (again["files"], again["rollup_values"]) == ([], 0)
    assert telem(home, "sanitize", "--stored", "text").returncode == 2
