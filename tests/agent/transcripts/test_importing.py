"""The import against a real daemon: what is stored, once, whatever happens in between."""

from __future__ import annotations

import os
import random
import shutil
import signal
import string
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from tests.agent.transcripts.synthetic import Session, totals
from tests.agent.transcripts.test_reading import age
from tests.daemons import CLI, LiveDaemon, clean_env, journal_rows, telem, wait_for
from tests.otlp import REQUESTS

from telem.agent import control
from telem.agent.transcripts.facts import CONTEXT
from telem.agent.transcripts.folders import logs_below
from telem.agent.transcripts.importing import Import, Wish
from telem.agent.transcripts.reading import Reading
from telem.agent.transcripts.records import requests
from telem.agent.transcripts.sending import Door
from telem.queries.commands import ask
from telem.sanitize.records import Signal
from telem.storage import rollups
from telem.storage.closing import close
from telem.storage.disk import Disk
from telem.storage.inventory import parquet_files
from telem.storage.layout import Layout

if TYPE_CHECKING:
    from pathlib import Path

    from telem.agent.transcripts.facts import Fact

COUNTED = """
SELECT sum(requests), sum(tool_calls), sum(prompts), sum(input_tokens), sum(output_tokens), sum(cache_read_tokens),
    sum(cache_creation_tokens)
FROM sessions
"""


def stored(home: Path) -> dict[str, int]:
    """What the tables say, with the names of `totals`."""
    (row,) = ask(Layout(home), COUNTED).rows
    names = ("requests", "tools", "prompts", "input", "output", "read", "written")
    return {name: int(str(value or 0)) for name, value in zip(names, row, strict=True)}


def run_import(home: Path, folder: Path, **wish: Any) -> Any:
    job = Import(Layout(home), Wish((folder,), **wish))
    return job.run(job.logs())


@pytest.fixture
def logs(tmp_path: Path) -> tuple[Path, tuple[Session, ...]]:
    """A folder with three sessions, one of them a fork; all of them at rest."""
    first, second = Session(11).talk(6), Session(12).talk(4)
    second.answer(agent="a0e4290a855d4b814")
    sessions = (first, second, first.fork(13).talk(2))
    for session in sessions:
        age(session.write(tmp_path / "projects" / "-home-dev-book"))
    return tmp_path, sessions


def import_claude(home: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """The command, in a process of its own."""
    command = [*CLI, "import", "claude", *arguments]
    env = {**clean_env(), "TELEM_AGENT_HOME": str(home), **env}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=env)


def export(facts: list[Fact], endpoint: str) -> None:
    """Send facts as if the client had."""
    for body in requests(facts, lambda _place: {"service.name": "claude-code"}, "2.1.330"):
        request = REQUESTS[Signal.LOGS].FromString(body)
        for whole in request.resource_logs:
            whole.scope_logs[0].scope.name = "com.anthropic.claude_code.events"
        door = Door(endpoint)
        door.send(request.SerializeToString())
        door.close()


def all_facts(folder: Path) -> list[Fact]:
    facts: dict[str, Fact] = {}
    for piece in Reading({}).pieces(logs_below([folder])):
        facts |= piece.facts
    return [fact for fact in facts.values() if fact.name != CONTEXT]


def test_an_import_is_complete_and_repeatable(live: LiveDaemon, logs: tuple[Path, tuple[Session, ...]]) -> None:
    """Every request, tool and prompt once, marked as what it is; the second run finds nothing, a new line is found."""
    folder, sessions = logs
    outcome = run_import(live.home, folder)
    assert stored(live.home) == totals(*sessions)
    assert outcome.sessions == 3
    marks = ask(
        Layout(live.home),
        "SELECT DISTINCT source, scope_name, client, project, branch, app_version, prompt, cost_usd FROM events",
    ).rows
    assert marks == (("transcript", "telem-agent.transcript", "claude_code", "book", "main", "2.1.195", None, None),)
    kinds = ask(Layout(live.home), "SELECT DISTINCT event FROM events ORDER BY 1").rows
    assert kinds == (("api_request",), ("tool_result",), ("user_prompt",))
    assert not run_import(live.home, folder).taken
    session = sessions[1]
    session.talk(1)
    session.write(folder / "projects" / "-home-dev-book")
    run_import(live.home, folder)
    assert stored(live.home) == totals(*sessions)


@pytest.mark.parametrize("seed", range(3))
def test_the_union_with_what_was_exported_is_exact(
    live: LiveDaemon, logs: tuple[Path, tuple[Session, ...]], seed: int
) -> None:
    """A random part exported before the import, another one after it: as if everything had come by one way."""
    folder, sessions = logs
    chance = random.Random(seed)
    facts = all_facts(folder)
    before = [fact for fact in facts if chance.random() < 0.4]
    after = [fact for fact in facts if fact not in before and chance.random() < 0.4]
    export(before, live.endpoints["otlp_http"])
    outcome = run_import(live.home, folder)
    assert outcome.exported == len(before)
    assert sum(outcome.taken.values()) == len(facts) - len(before)
    export(after, live.endpoints["otlp_http"])
    assert stored(live.home) == totals(*sessions)
    raw = ask(Layout(live.home), "SELECT count(*) FROM raw_logs WHERE source IS NULL").rows
    assert raw == ((len(before) + len(after),),)


def test_days_of_which_only_sums_are_kept_are_left_out(
    live: LiveDaemon, logs: tuple[Path, tuple[Session, ...]]
) -> None:
    """Exported and expired since: nobody can tell what is in the sums. Sessions of which there is nothing are taken."""
    folder, sessions = logs
    known = sessions[0].id
    there = [fact for fact in all_facts(folder) if fact.session_id == known]
    export(there, live.endpoints["otlp_http"])
    wanted = stored(live.home)
    assert telem(live.home, "compact").returncode == 0
    live.stop()
    layout = Layout(live.home)
    later = (datetime.now(UTC) + timedelta(days=2)).date().isoformat()
    totals_now = close(layout, later, Disk())
    for kind in Signal:
        totals_now = rollups.give_up(totals_now, kind, later, 0.0)
    rollups.write(layout, Disk(), totals_now)
    for file in parquet_files(layout, Signal.LOGS):
        file.path.unlink()
        layout.segment(Signal.LOGS, file.first).write_bytes(b"")
    assert stored(live.home) == wanted
    outcome = run_import(live.home, folder)
    assert outcome.summed == len(there)
    assert stored(live.home) == totals(*sessions)
    assert run_import(live.home, folder).summed == 0


def test_an_exported_session_learns_where_it_worked(live: LiveDaemon, tmp_path: Path) -> None:
    """From its log, where no hook told it; the branch that was switched to in mid-session counts from then on."""
    session = Session(41).talk(2)
    half = len(session.lines)
    session.talk(2)
    for line in session.lines[half:]:
        line["gitBranch"] = "fix-7"
    age(session.write(tmp_path))
    export(all_facts(tmp_path), live.endpoints["otlp_http"])
    by_branch = "SELECT branch, project, count(*) FROM api_requests GROUP BY ALL ORDER BY 1"
    assert ask(Layout(live.home), by_branch).rows == ((None, None, len(session.requests)),)
    outcome = run_import(live.home, tmp_path)
    assert (outcome.taken, outcome.placed) == ({}, 2)
    rows = ask(Layout(live.home), by_branch).rows
    assert [row[:2] for row in rows] == [("fix-7", "book"), ("main", "book")]
    assert stored(live.home) == totals(session)
    again = run_import(live.home, tmp_path)
    assert (again.taken, again.placed) == ({}, 0)


def test_what_older_clients_exported_without_ids_is_recognized(
    live: LiveDaemon, logs: tuple[Path, tuple[Session, ...]]
) -> None:
    """By session and tokens; tools of such a session are left out, as nothing tells one from another."""
    folder, sessions = logs
    nameless = []
    for fact in all_facts(folder):
        values = dict(fact.values)
        for name in (
            "request_id",
            "tool_use_id",
            "message.uuid",
            "cache_creation_5m_tokens",
            "cache_creation_1h_tokens",
        ):
            values.pop(name, None)
        if fact.name == "user_prompt":
            values["prompt.id"] = "p"
        nameless.append(fact._replace(values=values))
    export([fact for fact in nameless if fact.name != "user_prompt"], live.endpoints["otlp_http"])
    outcome = run_import(live.home, folder)
    assert outcome.taken == {"user_prompt": totals(*sessions)["prompts"]}
    assert stored(live.home) == totals(*sessions)


def test_a_killed_import_goes_on_where_it_stopped(live: LiveDaemon, tmp_path: Path) -> None:
    """Killed at any moment, also between the daemon's answer and the note of it: nothing is missing, nothing double."""
    sessions = [Session(seed).talk(40) for seed in range(25)]
    for session in sessions:
        age(session.write(tmp_path))
    killed_on_the_way = 0
    for pause_s in (0.0, 0.003, 0.01, 0.02):
        rows = len(journal_rows(live.home))
        command = [sys.executable, "-c", KILLABLE, str(live.home), str(tmp_path)]
        process = subprocess.Popen(command, env=clean_env())
        wait_for(lambda: len(journal_rows(live.home)) > rows or process.poll() is not None)  # noqa: B023 (awaited here)
        time.sleep(pause_s)
        process.send_signal(signal.SIGKILL)
        killed_on_the_way += process.wait(20) == -signal.SIGKILL
    assert killed_on_the_way
    run_import(live.home, tmp_path)
    assert stored(live.home) == totals(*sessions)
    assert len(journal_rows(live.home)) == sum(totals(*sessions)[name] for name in ("requests", "tools", "prompts"))


KILLABLE = """
import sys
from pathlib import Path
from telem.agent.transcripts import reading
from telem.agent.transcripts.importing import Import, Wish
from telem.storage.layout import Layout
reading.PIECE_FACTS = 300
job = Import(Layout(Path(sys.argv[1])), Wish((Path(sys.argv[2]),)))
job.run(job.logs())
"""


def test_ctrl_c_keeps_what_was_handed_over(live: LiveDaemon, tmp_path: Path) -> None:
    """It says so in a line, and the next run goes on."""
    sessions = [Session(seed).talk(60) for seed in range(40)]
    for session in sessions:
        age(session.write(tmp_path))
    env = {**clean_env(), "TELEM_AGENT_HOME": str(live.home)}
    command = [*CLI, "import", "claude", str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
    wait_for(lambda: journal_rows(live.home) or process.poll() is not None)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    if process.returncode:  # else it was done before it heard
        assert process.returncode == 1
        assert "Run it again" in errors
        assert "Traceback" not in errors
    run_import(live.home, tmp_path)
    assert stored(live.home) == totals(*sessions)


def test_a_log_that_was_removed_is_forgotten(live: LiveDaemon, logs: tuple[Path, tuple[Session, ...]]) -> None:
    """Where it was read up to; what was in it is not imported again should it come back."""
    folder, sessions = logs
    run_import(live.home, folder)
    paths = [log.path for log in logs_below([folder])]
    kept = paths[0].read_bytes()
    paths[0].unlink()
    sessions[2].talk(1)
    sessions[2].write(folder / "projects" / "-home-dev-book")
    run_import(live.home, folder)
    known = orjson.loads((Layout(live.home).transcripts / "logs.json").read_bytes())["logs"]
    assert str(paths[0]) not in known
    paths[0].write_bytes(kept)
    run_import(live.home, folder)
    assert stored(live.home) == totals(*sessions)


def test_an_import_that_lost_its_memory_asks_the_store(
    live: LiveDaemon, logs: tuple[Path, tuple[Session, ...]]
) -> None:
    """Somebody removed `transcripts/`: what is stored is not stored again."""
    folder, sessions = logs
    run_import(live.home, folder)
    shutil.rmtree(Layout(live.home).transcripts)
    assert not run_import(live.home, folder).taken
    assert stored(live.home) == totals(*sessions)


def test_without_a_daemon_one_runs_for_the_import(home: Path, logs: tuple[Path, tuple[Session, ...]]) -> None:
    """On ports of its own, and gone afterwards."""
    folder, sessions = logs
    run_import(home, folder)
    assert control.find(Layout(home)) is None
    assert stored(home) == totals(*sessions)


def test_the_command_says_what_it_did(home: Path, logs: tuple[Path, tuple[Session, ...]]) -> None:
    """A dry run counts and writes nothing; then for real; as JSON; and what is wrong is said in words."""
    folder, sessions = logs
    (folder / ".claude.json").write_text('{"userID": "abc", "oauthAccount": {"emailAddress": "ada@example.com"}}')
    env = {"CLAUDE_CONFIG_DIR": str(folder)}
    dry = orjson.loads(import_claude(home, "--dry-run", "--json", **env).stdout)
    assert (dry["schema"], dry["dry_run"], dry["taken"]["api_request"]) == (1, True, totals(*sessions)["requests"])
    assert not list(home.iterdir())
    done = import_claude(home, **env)
    assert done.returncode == 0
    assert f"imported {dry['taken']['api_request']:,} requests" in done.stdout
    assert f"{totals(*sessions)['output']:,} output" in done.stdout
    again = orjson.loads(import_claude(home, "--json", **env).stdout)
    assert (again["taken"], again["logs_unchanged"]) == ({}, 3)
    users = ask(Layout(home), 'SELECT DISTINCT "user" FROM events').rows
    assert len(users) == 1
    assert str(users[0][0]).startswith("email:")
    missing = import_claude(home, str(folder / "nothing"))
    assert (missing.returncode, "there is no" in missing.stderr) == (1, True)
    nowhere = import_claude(home, CLAUDE_CONFIG_DIR=str(home))
    assert (nowhere.returncode, "no session logs" in nowhere.stderr) == (1, True)


@pytest.mark.parametrize(("profile", "expected"), [("standard", "[REDACTED"), ("strict", None)])
def test_prompts_come_as_the_policy_lets_them(home: Path, tmp_path: Path, profile: str, expected: str | None) -> None:
    """Asked for, their text is stored as if exported: without secrets, and under `strict` not at all."""
    secret = "ghp_" + "".join(random.Random(7).choices(string.ascii_letters + string.digits, k=36))  # made up
    session = Session(1)
    session.add("user", message={"role": "user", "content": f"Use {secret} please"})
    age(session.write(tmp_path))
    with LiveDaemon(home, "--profile", profile):
        run_import(home, tmp_path, with_prompts=True)
        (row,) = ask(Layout(home), "SELECT prompt, prompt_length FROM user_prompts").rows
    assert row[1] == len(f"Use {secret} please")
    assert (expected or "") in str(row[0])
    assert secret.encode() not in b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())


def test_one_import_at_a_time(home: Path, logs: tuple[Path, tuple[Session, ...]]) -> None:
    """The second one is told who is at it."""
    job = Import(Layout(home), Wish((logs[0],)))
    job.disk.directory(Layout(home).transcripts)
    with_lock = job.disk.lock(job.progress.lock)
    done = import_claude(home, str(logs[0]))
    with_lock.release()
    assert done.returncode == 1
    assert str(os.getpid()) in done.stderr
