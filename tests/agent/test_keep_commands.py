"""Backup, restore, import and export as a user calls them, beside a running daemon."""

from __future__ import annotations

import io
import json
import shlex
import subprocess
import threading
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from tests.daemons import CLI, LiveDaemon, clean_env, telem, wait_for
from tests.otlp import GOLDENS, golden, logs, numbered
from tests.postgres import postgresql, programs
from tests.wire import ask

from telem.sanitize.records import Encoding, Signal
from telem.storage import exports
from telem.storage.layout import Layout
from telem.storage.restore import check

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
LOGS = Signal.LOGS


def piped(home: Path, *arguments: str, data: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    """A command whose output is not text."""
    command = [*CLI, arguments[0], "--home", str(home), *arguments[1:]]
    return subprocess.run(command, capture_output=True, timeout=60, check=False, env=clean_env(), input=data)


def count(home: Path, table: str = "raw_logs") -> int:
    done = telem(home, "query", "--sql", f"SELECT count(*) AS n FROM {table}", "--format", "json")
    assert done.returncode == 0, done.stderr
    return int(json.loads(done.stdout)["rows"][0][0] if "rows" in done.stdout else json.loads(done.stdout)[0]["n"])


def send(daemon: LiveDaemon, *names: str, signal: Signal = LOGS) -> None:
    assert ask(daemon.port("otlp_http"), numbered(signal, *names), f"/v1/{signal}").status == 200


@pytest.fixture(scope="module")
def captured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveDaemon]:
    """A daemon that has received every captured request, half of it Parquet by now."""
    with LiveDaemon(tmp_path_factory.mktemp("captured") / "home") as daemon:
        for number, name in enumerate(GOLDENS):
            request = golden(name)
            kind = "application/json" if request.encoding is Encoding.JSON else "application/x-protobuf"
            path = f"/v1/{request.signal}"
            assert ask(daemon.port("otlp_http"), request.body, path, content_type=kind).status == 200
            if number == len(GOLDENS) // 2:
                assert telem(daemon.home, "compact").returncode == 0
        yield daemon


def test_a_backup_of_a_running_daemon_restores_to_the_same_answers(captured: LiveDaemon, tmp_path: Path) -> None:
    """Through a file, with what it holds as JSON; a daemon starts over the restored folder."""
    file, there = tmp_path / "b.tar.zst", tmp_path / "there"
    done = telem(captured.home, "backup", str(file), "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["schema"], said["with_key"], said["bytes"]) == (1, False, file.stat().st_size)
    assert sum(said["rows"]["logs"].values()) == count(captured.home)
    listed = telem(there, "restore", "--dry-run", str(file))
    assert listed.returncode == 0
    assert "logs" in listed.stdout
    assert not there.exists()
    restored = telem(there, "restore", str(file))
    assert restored.returncode == 0, restored.stderr
    assert "another stand-in" in restored.stderr
    with LiveDaemon(there) as daemon:
        assert count(there) == count(captured.home)
        send(daemon, "new")
        assert count(there) == count(captured.home) + 1
    again = telem(there, "restore", str(file))
    assert again.returncode == 1
    assert "not empty" in again.stderr


def test_a_backup_goes_through_a_pipe(captured: LiveDaemon, tmp_path: Path) -> None:
    """From one machine's standard output into another's standard input, with the key."""
    made = piped(captured.home, "backup", "--with-key", "-")
    assert made.returncode == 0, made.stderr
    assert check(io.BytesIO(made.stdout)).about["with_key"]
    done = piped(tmp_path / "there", "restore", "-", data=made.stdout)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "there" / "key").read_bytes() == captured.layout.key.read_bytes()


def test_backups_taken_under_load_hold_a_whole_number_of_requests(live: LiveDaemon, tmp_path: Path) -> None:
    """Everything acknowledged before, nothing torn, nothing twice, while rows come in and become Parquet."""
    stop, sent = threading.Event(), [0]

    def load() -> None:
        while not stop.is_set():
            send(live, *(f"r{sent[0]}-{number}" for number in range(10)))
            sent[0] += 1
            if sent[0] % 25 == 0:
                telem(live.home, "compact")

    thread = threading.Thread(target=load)
    thread.start()
    try:
        for number in range(4):
            before = sent[0]
            file = tmp_path / f"{number}.tar.zst"
            assert telem(live.home, "backup", str(file)).returncode == 0
            there = tmp_path / f"there-{number}"
            assert telem(there, "restore", str(file)).returncode == 0
            done = telem(
                there, "query", "--sql", "SELECT count(*), count(DISTINCT id) FROM raw_logs", "--format", "csv"
            )
            rows, ids = map(int, done.stdout.splitlines()[1].split(","))
            assert rows == ids
            assert rows % 10 == 0
            assert before * 10 <= rows <= sent[0] * 10 + 10
    finally:
        stop.set()
        thread.join()


def test_an_import_beside_a_running_daemon(captured: LiveDaemon, live: LiveDaemon, tmp_path: Path) -> None:
    """The daemon hands the numbers out and goes on; twice adds nothing; after a restart nothing has changed."""
    file = tmp_path / "b.tar.zst"
    assert telem(captured.home, "backup", str(file)).returncode == 0
    send(live, "before")
    dry = telem(live.home, "import-archive", str(file), "--dry-run", "--json")
    assert json.loads(dry.stdout)["files"] == []
    done = telem(live.home, "import-archive", str(file))
    assert done.returncode == 0, done.stderr
    assert "another key" in done.stderr
    send(live, "after")
    expected = count(captured.home) + 2
    assert count(live.home) == expected
    again = json.loads(telem(live.home, "import-archive", str(file), "--json").stdout)
    assert set(again["added"].values()) == {0}
    telem(live.home, "compact")
    live.stop()
    with LiveDaemon(live.home) as daemon:
        send(daemon, "later")
        telem(live.home, "compact")
        assert count(live.home) == expected + 1
        assert {entry["kind"] for entry in exports.known(live.layout)} == {"import"}


def test_an_import_into_the_folder_of_a_stopped_daemon(captured: LiveDaemon, live: LiveDaemon, tmp_path: Path) -> None:
    """The numbering goes on behind it."""
    file = tmp_path / "b.tar.zst"
    assert telem(captured.home, "backup", str(file)).returncode == 0
    send(live, "before")
    live.kill()
    assert telem(live.home, "import-archive", str(file)).returncode == 0
    with LiveDaemon(live.home) as daemon:
        send(daemon, "after")
        wait_for(lambda: count(live.home) == count(captured.home) + 2)


def test_rows_that_were_not_sanitized_are_when_they_are_imported(live: LiveDaemon, tmp_path: Path) -> None:
    """A machine with the profile off has stored a token as it came."""
    token = "ghp_" + "a1B2" * 9
    with LiveDaemon(tmp_path / "off", "--profile", "off") as other:
        send(other, token)
        done = telem(other.home, "backup", str(tmp_path / "b"), env={"TELEM_AGENT_PROFILE": "off"})
        assert done.returncode == 0, done.stderr
    done = telem(live.home, "import-archive", str(tmp_path / "b"))
    assert done.returncode == 0, done.stderr
    assert count(live.home) == 1
    done = telem(live.home, "export", "--format", "jsonl", "-")
    assert token not in done.stdout
    assert "[REDACTED" in done.stdout


def test_what_leaves_is_noted(captured: LiveDaemon, tmp_path: Path) -> None:
    """Path, time and range, so that a purge can name it; also what was not finished."""
    file = tmp_path / "events.csv"
    done = telem(captured.home, "export", "--since", "2020-01-01", "--until", "2100-01-01", str(file), "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    entry = exports.known(captured.layout)[-1]
    assert (entry["kind"], entry["path"], entry["table"]) == ("export", str(file), "events")
    assert (entry["since"], entry["until"]) == ("2020-01-01T00:00:00+00:00", "2100-01-01T00:00:00+00:00")
    assert entry["rows"] == said["rows"] == count(captured.home, "events") > 0
    assert entry["finished"]
    telem(captured.home, "export", str(tmp_path / "missing" / "events.csv"))
    assert "finished" not in exports.known(captured.layout)[-1]


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("export", "--table", "nothing", "a.csv"), 1, "no table nothing"),
        (("export", "events.txt"), 2, "--format is needed"),
        (("export", "--signal", "logs", "--table", "events", "a.csv"), 2, "not both"),
        (("export", "--since", "yesterday", "a.csv"), 1, "cannot be 'yesterday'"),
        (("restore", "nowhere.tar.zst", "--dry-run"), 1, "No such file"),
        (("import-archive", __file__), 1, "no"),
        (("import-archive", __file__, "--map-user", "a=b"), 1, "stand-ins"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(
    captured: LiveDaemon, arguments: tuple[str, ...], status: int, said: str
) -> None:
    """With the exit status of its kind, and nothing noted as left."""
    before = len(exports.known(captured.layout))
    done = telem(captured.home, *arguments)
    assert done.returncode == status, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert len(exports.known(captured.layout)) == before


def test_a_backup_of_nothing_is_refused(tmp_path: Path) -> None:
    """A mistyped folder must not look like a good backup."""
    done = telem(tmp_path / "none", "backup", str(tmp_path / "b"))
    assert done.returncode == 1
    assert "there is no telemetry" in done.stderr
    assert list(tmp_path.iterdir()) == []


def one_liners(language: str) -> list[str]:
    """The commands that docs/EXPORT.md shows under a heading."""
    text = (ROOT / "docs" / "EXPORT.md").read_text(encoding="utf-8")
    part = text.split(f"\n## {language}", 1)[1].split("\n## ", 1)[0]
    blocks = part.split("```sh\n")[1:]
    return [block.split("```", 1)[0].strip() for block in blocks]


@pytest.mark.skipif(programs() is None, reason="there is no PostgreSQL (initdb) on this machine")
def test_the_documented_lines_take_an_export_into_postgresql(captured: LiveDaemon, tmp_path: Path) -> None:
    """Run as they stand in the document, on a real server, twice: every row once, JSON and money as such."""
    folder = programs()
    assert folder
    odd = logs({"event.name": "user_prompt", "prompt": 'a "b", \\ \n\tç \x00 😀', "empty": "", "n": {"a": "\x00"}})
    assert ask(captured.port("otlp_http"), odd.SerializeToString()).status == 200
    with postgresql(folder) as socket:
        bin_folder = tmp_path / "bin"
        bin_folder.mkdir()
        for name, command in (("telem-agent", [*CLI]), ("psql", [str(folder / "psql")])):
            script = bin_folder / name
            script.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
            script.chmod(0o755)
        env = clean_env() | {"PGHOST": str(socket), "PGUSER": "postgres", "TELEM_AGENT_HOME": str(captured.home)}
        env["PATH"] = f"{bin_folder}:{env['PATH']}"
        lines = one_liners("PostgreSQL")
        assert len(lines) >= 2
        for line in [*lines, lines[-1]]:
            done = subprocess.run(
                ["/bin/sh", "-ec", line], capture_output=True, text=True, env=env, cwd=tmp_path, check=False, timeout=60
            )
            assert done.returncode == 0, line + done.stdout + done.stderr
            assert "ERROR" not in done.stderr, done.stderr
        assert asked_of(env, "SELECT count(*), count(DISTINCT id) FROM events") == f"{count(captured.home)}|" * 2
        total = asked_of(env, "SELECT sum(cost_usd)::text FROM events")
        mine = telem(captured.home, "query", "--sql", "SELECT sum(cost_usd) FROM events", "--format", "csv")
        assert Decimal(total.rstrip("|")) == Decimal(mine.stdout.splitlines()[1])
        found = asked_of(
            env, "SELECT prompt, attributes->>'empty', attributes#>>'{n,a}' FROM events WHERE prompt LIKE 'a%'"
        )
        assert found == 'a "b", \\ \n\tç \ufffd 😀||\ufffd|'


def asked_of(env: dict[str, str], sql: str) -> str:
    done = subprocess.run(["psql", "-Atc", sql], capture_output=True, text=True, env=env, check=True)
    return done.stdout.removesuffix("\n") + "|"


def test_the_lines_for_mongodb_are_documents_with_an_id(captured: LiveDaemon) -> None:
    """What mongoimport reads: one JSON object a line, strict JSON, with the id that `_id` is made from."""
    (line, *_) = one_liners("MongoDB")
    assert "mongoimport" in line
    done = piped(captured.home, "export", "--format", "jsonl")
    rows: list[dict[str, Any]] = [orjson.loads(row) for row in done.stdout.splitlines()]
    assert len({row["id"] for row in rows}) == len(rows) == count(captured.home)
    assert all(isinstance(row["attributes"], dict) for row in rows)


def test_restored_homes_have_the_layout_of_any_other(captured: LiveDaemon, tmp_path: Path) -> None:
    """The registry comes along, so that a later purge still knows what was written."""
    file = tmp_path / "b"
    assert telem(captured.home, "backup", str(file)).returncode == 0
    assert telem(tmp_path / "there", "restore", str(file), "--json").returncode == 0
    assert exports.known(Layout(tmp_path / "there"))[-1]["path"] == str(file)
