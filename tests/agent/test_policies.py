"""The owner's policy: read at start, read anew while the daemon runs, never less strict than asked by accident."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from typing import TYPE_CHECKING, Any

import pytest
from tests.conftest import config_for, running
from tests.daemons import LiveDaemon, journal_rows, telem, wait_for
from tests.fakes import FaultyDisk
from tests.otlp import logs, raw
from tests.wire import ask

from telem.agent import audit as audit_module
from telem.agent import policies as policies_module
from telem.agent.policies import OFF_WARNING, load_policy
from telem.queries.run import run
from telem.sanitize.policy import PolicyError
from telem.sanitize.records import Profile, Signal

if TYPE_CHECKING:
    from pathlib import Path

    from telem.agent.daemon import Daemon

PORTS = ("--otlp-http-port", "0", "--otlp-grpc-port", "0", "--query-port", "0")
MAIL = "jane.roe@corp.example.net"


async def store(daemon: Daemon, **attributes: Any) -> None:
    await daemon.ingest.accept(raw(Signal.LOGS, logs(attributes)))


def stored(home: Path) -> list[dict[str, Any]]:
    return [row["attributes"] for row in journal_rows(home)]


def look_twice(daemon: Daemon) -> None:
    """A change counts when it has been left alone from one look to the next."""
    daemon.policy.look()
    daemon.policy.look()


def test_a_home_without_a_file_has_the_shipped_policy(home: Path) -> None:
    """With the profile of the setting, or standard."""
    assert load_policy(config_for(home)).policy.profile is Profile.STANDARD
    assert load_policy(config_for(home, profile="strict")).policy.profile is Profile.STRICT


def test_the_setting_wins_over_the_file(home: Path) -> None:
    """The file's profile counts when the setting is silent."""
    (home / "sanitize.toml").write_text('profile = "strict"\n')
    assert load_policy(config_for(home)).policy.profile is Profile.STRICT
    assert load_policy(config_for(home, profile="standard")).policy.profile is Profile.STANDARD


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"profile = ", "not TOML"),
        (b'profile = "loose"', "no profile 'loose'"),
        (b"\xff", "not UTF-8"),
        (b'known_values_file = "nowhere.txt"', "nowhere.txt: cannot be read"),
    ],
)
def test_a_daemon_does_not_start_with_a_wrong_policy(data: bytes, said: str, home: Path) -> None:
    """Exit status 1, the file and the reason, and no key was made."""
    (home / "sanitize.toml").write_bytes(data)
    done = telem(home, "start", *PORTS)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert said in done.stderr
    assert str(home) in done.stderr
    assert not (home / "key").exists()


async def test_a_changed_policy_is_in_force_without_a_restart(home: Path) -> None:
    """The next request is judged by it; request ids stay, and counts go on."""
    async with running(config_for(home)) as daemon:
        await store(daemon, record="a", note=f"mail {MAIL}")
        before = daemon.ingest.gate.request_id(raw(Signal.LOGS, b"x"))
        (home / "sanitize.toml").write_text('[drop]\nattributes = ["note"]\n')
        look_twice(daemon)
        await store(daemon, record="b", note=f"mail {MAIL}")
        assert daemon.ingest.gate.request_id(raw(Signal.LOGS, b"x")) == before
        status = (await daemon.status())["sanitizer"]
        (home / "sanitize.toml").unlink()
        look_twice(daemon)
        await store(daemon, record="c", note=f"mail {MAIL}")
    first, second, third = stored(home)
    assert first["note"] == third["note"] != f"mail {MAIL}"
    assert "note" not in second
    assert status["redactions"] == {"email": 1}
    assert status["policy_file"] == str(home / "sanitize.toml")


async def test_a_large_request_meets_the_same_policy(home: Path) -> None:
    """It is judged in a thread, by a gate of its own."""
    async with running(config_for(home)) as daemon:
        (home / "sanitize.toml").write_text('[drop]\nattributes = ["note"]\n')
        look_twice(daemon)
        await store(daemon, note="x", long="word " * 250_000)
    (row,) = stored(home)
    assert row.keys() >= {"long"}
    assert "note" not in row


async def test_a_wrong_change_keeps_the_old_policy_and_is_said(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    """In the log once, in status until it is mended."""
    (home / "sanitize.toml").write_text('[drop]\nattributes = ["note"]\n')
    async with running(config_for(home)) as daemon:
        (home / "sanitize.toml").write_text("[drop\n")
        with caplog.at_level(logging.ERROR):
            for _ in range(4):
                daemon.policy.look()
        assert [record.levelname for record in caplog.records] == ["ERROR"]
        assert "sanitize.toml" in (await daemon.status())["sanitizer"]["policy_error"]
        await store(daemon, record="a", note="x")
        (home / "sanitize.toml").write_text('[drop]\nattributes = ["other"]\n')
        look_twice(daemon)
        assert (await daemon.status())["sanitizer"]["policy_error"] is None
        await store(daemon, record="b", note="x")
    assert [row.get("note") for row in stored(home)] == [None, "x"]


async def test_a_file_that_is_being_saved_is_left_alone(home: Path) -> None:
    """An editor empties it first, or takes it away for a moment: neither may loosen the policy."""
    (home / "sanitize.toml").write_text('profile = "strict"\n')
    async with running(config_for(home)) as daemon:
        for step in ("", None, 'profile = "strict" # more\n'):
            if step is None:
                (home / "sanitize.toml").unlink()
            else:
                (home / "sanitize.toml").write_text(step)
            daemon.policy.look()
            assert daemon.ingest.gate.redactor.policy.profile is Profile.STRICT
        daemon.policy.look()
        assert daemon.ingest.gate.redactor.policy.profile is Profile.STRICT


def test_known_values_come_from_a_file_and_the_environment(home: Path) -> None:
    """Named in the policy, read by the agent; the file is beside the policy."""
    (home / "sanitize.toml").write_text('known_values_file = "known.txt"\nknown_values_env = ["MY_WORD", "UNSET"]\n')
    (home / "known.txt").write_text("correcthorse\n\n")
    loaded = load_policy(config_for(home), {"MY_WORD": "batterystaple"})
    assert set(loaded.policy.known_values) == {"correcthorse", "batterystaple"}
    assert [os.path.basename(path) for path, _ in loaded.stamp] == ["sanitize.toml", "known.txt"]  # noqa: PTH119


async def test_a_change_of_the_known_values_is_seen(home: Path) -> None:
    """Though the policy itself stays as it is."""
    (home / "sanitize.toml").write_text('known_values_file = "known.txt"\n')
    (home / "known.txt").write_text("correcthorse\n")
    async with running(config_for(home)) as daemon:
        (home / "known.txt").write_text("correcthorse\nbatterystaple\n")
        look_twice(daemon)
        await store(daemon, note="the batterystaple goes")
    assert "batterystaple" not in str(stored(home))


def test_the_running_daemon_looks_by_itself(home: Path) -> None:
    """Within a few seconds, from one process to another."""
    with LiveDaemon(home) as live:
        (home / "sanitize.toml").write_text("[drop\n")
        wait_for(lambda: "CANNOT BE USED" in telem(home, "status").stdout)
        (home / "sanitize.toml").write_text('profile = "off"\n')
        wait_for(lambda: OFF_WARNING in telem(home, "status").stdout)
        assert json.loads(live.layout.daemon.read_text())["profile"] == "off"
        assert OFF_WARNING in telem(home, "start", *PORTS).stdout
        assert "CANNOT BE USED" not in telem(home, "status").stdout
    assert OFF_WARNING in (home / "logs" / "daemon.log").read_text()


def test_off_is_loud_from_the_start(home: Path) -> None:
    """Where it is started, in status and in the log."""
    done = telem(home, "start", "--profile", "off", *PORTS)
    try:
        assert OFF_WARNING in done.stdout
        assert OFF_WARNING in telem(home, "status").stdout
        assert OFF_WARNING in telem(home, "logs").stdout
    finally:
        telem(home, "stop")


def test_a_missing_file_of_known_values_is_named(home: Path) -> None:
    """With the policy that names it."""
    (home / "sanitize.toml").write_text('known_values_file = "/nonexistent/known"\n')
    with pytest.raises(PolicyError, match=r"sanitize\.toml: /nonexistent/known: cannot be read: No such file"):
        load_policy(config_for(home))


async def test_counts_are_shown_by_rule_and_attribute(home: Path) -> None:
    """And written to the table, once, at the latest at the end."""
    async with running(config_for(home)) as daemon:
        await store(daemon, record="a", note=f"mail {MAIL}", other=f"{MAIL} and {MAIL}")
        status = (await daemon.status())["sanitizer"]
        assert status["redactions"] == {"email": 3}
        assert status["redactions_by_attribute"] == {"email": {"note": 1, "other": 2}}
        assert (status["errors"], status["errors_by_attribute"]) == (0, {})
        assert status["engine"] in ("re2", "re")
        await daemon.audit.write()
        await daemon.audit.write()
        await store(daemon, record="b", note=f"mail {MAIL}")
    table = run(daemon.layout, "SELECT rule, attribute, count FROM sanitizer_audit ORDER BY ALL")
    assert table.rows == (("email", "note", 2), ("email", "other", 2))


async def test_errors_are_counted_by_attribute(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the rule `sanitizer-error`."""
    async with running(config_for(home)) as daemon:
        scanner = daemon.ingest.gate.redactor.scanner
        real = scanner.rest
        monkeypatch.setattr(scanner, "rest", lambda text, *rest: 1 / 0 if "new" in text else real(text, *rest))
        await store(daemon, note="something new")
        status = (await daemon.status())["sanitizer"]
        assert status["errors_by_attribute"].get("note") == 1
    table = run(daemon.layout, "SELECT count FROM sanitizer_audit WHERE rule = 'sanitizer-error'")
    assert table.rows == ((1,),)


async def test_counts_that_cannot_be_written_wait(home: Path) -> None:
    """A full disk loses none of them."""
    async with running(config_for(home)) as daemon:
        await store(daemon, note=f"mail {MAIL}")
        real, daemon.audit._disk = daemon.audit._disk, FaultyDisk("write", 1)
        await daemon.audit.write()
        daemon.audit._disk = real
        assert run(daemon.layout, "FROM sanitizer_audit").rows == ()
    assert len(run(daemon.layout, "FROM sanitizer_audit").rows) == 1


async def test_counts_are_written_every_minute(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a loop of their own: a long compaction does not hold them up."""
    monkeypatch.setattr(audit_module, "EVERY_S", 0.05)
    async with running(config_for(home)) as daemon:
        await store(daemon, note=f"mail {MAIL}")
        for _ in range(100):
            await asyncio.sleep(0.05)
            if run(daemon.layout, "FROM sanitizer_audit").rows:
                return
    raise AssertionError("not written")


def test_names_of_attributes_are_clean_in_counts(home: Path) -> None:
    """A secret in a name stands neither in status nor in the table."""
    with LiveDaemon(home) as live:
        assert ask(live.port("otlp_http"), logs({f"to {MAIL}": f"mail {MAIL}"}).SerializeToString()).status == 200
        assert MAIL not in telem(home, "status", "--json").stdout
    assert MAIL not in "".join(path.read_text() for path in live.layout.audit.iterdir())
    assert run(live.layout, "FROM sanitizer_audit").rows


async def until(what: Any, seconds: float = 10.0) -> None:
    end = asyncio.get_running_loop().time() + seconds
    while not what():
        assert asyncio.get_running_loop().time() < end
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("told", [True, False])
async def test_a_change_is_noticed_with_and_without_word_from_the_system(
    told: bool, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within moments, though nobody looks for hours; where the system says nothing, at the next look."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise OSError(28, "no space left for watches")

    monkeypatch.setattr(policies_module, "LOOK_EVERY_S", 3_600.0)
    monkeypatch.setattr(policies_module, "SETTLE_S", 0.1)
    if not told:
        monkeypatch.setattr("watchfiles.awatch", refuse)
    async with running(config_for(home)) as daemon:
        await asyncio.sleep(0.3)  # the watch is set up in a thread
        for profile in (Profile.STRICT, Profile.STANDARD):
            (home / "sanitize.toml").write_text(f'profile = "{profile}"\n')
            await until(lambda profile=profile: daemon.ingest.gate.redactor.policy.profile is profile)
