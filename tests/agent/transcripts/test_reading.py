"""Reading logs that repeat themselves, grow, shrink, are torn, or are being written at this moment."""

from __future__ import annotations

import json
import os
import random
import time
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.agent.transcripts.synthetic import Session, totals

from telem.agent.transcripts import reading
from telem.agent.transcripts.facts import CONTEXT
from telem.agent.transcripts.folders import config_folders, identity, in_order, logs_below
from telem.agent.transcripts.reading import Reading

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from telem.agent.transcripts.facts import Fact
    from telem.agent.transcripts.progress import Place

OLD_S = 3600.0


def age(path: Path, seconds: float = OLD_S) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


def read(folder: Path, known: dict[str, Place] | None = None, **options: Any) -> tuple[dict[str, Fact], Reading]:
    """All facts below a folder, the first of each key, as an import would hand them over."""
    places = {} if known is None else known
    run = Reading(places, **options)
    facts: dict[str, Fact] = {}
    for piece in run.pieces(in_order(log for log in logs_below([folder]) if run.has_news(log))):
        facts = {**{key: fact for key, fact in piece.facts.items() if fact.name != CONTEXT}, **facts}
        places.update(piece.places)
    return facts, run


def counted(facts: dict[str, Fact]) -> dict[str, int]:
    """The same sums as `totals`."""
    requests = [fact.values for fact in facts.values() if fact.name == "api_request"]
    names = {"input": "input_tokens", "output": "output_tokens", "read": "cache_read_tokens"}
    names["written"] = "cache_creation_tokens"
    return {
        "requests": len(requests),
        "tools": sum(fact.name == "tool_result" for fact in facts.values()),
        "prompts": sum(fact.name == "user_prompt" for fact in facts.values()),
        **{name: sum(int(values[attribute]) for values in requests) for name, attribute in names.items()},
    }


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10_000), size=st.integers(1, 60))
def test_everything_is_counted_once_wherever_pieces_end(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, seed: int, size: int
) -> None:
    """Growing answers, forks and lines written twice, in pieces of any size."""
    monkeypatch.setattr(reading, "PIECE_FACTS", size)
    folder = tmp_path_factory.mktemp("logs")
    first = Session(seed).talk(4)
    again = random.Random(seed).sample(first.lines, 5)
    first.lines += again
    fork = first.fork(seed + 1).talk(2)
    for session in (first, fork):
        age(session.write(folder))
    facts, run = read(folder)
    assert counted(facts) == totals(first, fork)
    assert not run.left_out


def test_a_log_that_grows_is_read_on(tmp_path: Path) -> None:
    """Also when it was cut in the middle of an answer and between a tool's use and its result."""
    session = Session(5).talk(6)
    path = session.write(tmp_path)
    data = path.read_bytes()
    known: dict[str, Place] = {}
    facts: dict[str, Fact] = {}
    for end in [*sorted(random.Random(5).sample(range(len(data)), 25)), len(data)]:
        path.write_bytes(data[:end])
        found, _ = read(tmp_path, known)
        facts = {**found, **facts}
    age(path)
    facts = {**read(tmp_path, known)[0], **facts}
    assert counted(facts) == totals(session)
    assert {str(fact.values.get("tool_name")) for fact in facts.values() if fact.name == "tool_result"} <= {
        "Bash", "Read", "Edit", "Grep", "mcp__toy__shout",
    }  # fmt: skip
    assert not read(tmp_path, known)[1].lines


def test_an_answer_under_way_is_left_for_the_next_time(tmp_path: Path) -> None:
    """Its last line, with all of its output, has not been written yet; once the log rests it is taken as it is."""
    session = Session(2)
    session.prompt()
    session.answer(tools=2)
    started = [line for line in session.lines if line["type"] == "assistant"][:1]
    session.lines = [session.lines[0], *started]
    path = session.write(tmp_path)
    known: dict[str, Place] = {}
    assert [fact.name for fact in read(tmp_path, known)[0].values()] == ["user_prompt"]
    age(path)
    assert "api_request" in [fact.name for fact in read(tmp_path, known)[0].values()]


def test_young_lines_are_left_when_asked_to(tmp_path: Path) -> None:
    """Their client may be about to export them itself."""
    session = Session(3)
    session.prompt()
    session.now = session.now.now(session.now.tzinfo)
    session.prompt()
    age(session.write(tmp_path))
    known: dict[str, Place] = {}
    assert len(read(tmp_path, known, settle_s=60)[0]) == 1
    assert len(read(tmp_path, known)[0]) == 1


def test_a_clock_that_was_wrong_holds_nothing_up(tmp_path: Path) -> None:
    """Lines and files of the future are read like others."""
    session = Session(4)
    session.now = session.now.now(session.now.tzinfo).replace(year=2099)
    session.prompt()
    session.answer(tools=1)
    session.lines[1]["message"]["stop_reason"] = None
    age(session.write(tmp_path), -86_400)
    facts, _ = read(tmp_path, settle_s=60)
    assert counted(facts) == totals(session)


def test_bad_lines_cost_nothing_but_themselves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes that are no UTF-8, cut JSON, other JSON, a line too long, a line without its end."""
    monkeypatch.setattr(reading, "LINE_LIMIT_BYTES", 10_000)
    session = Session(7).talk(5)
    lines = session.write(tmp_path).read_bytes().splitlines(keepends=True)
    path = tmp_path / f"{session.id}.jsonl"
    long = b'{"type":"user","x":"' + b"y" * 35_000 + b'"}\n'
    bad = [b'\xff\xfe"user"\n', b'{"type":"user"\n', b'["user"]\n', b"\n", b"\x00" * 50 + b"\n", long]
    chance = random.Random(1)
    for each in bad:
        lines.insert(chance.randrange(len(lines)), each)
    path.write_bytes(b"".join(lines) + b'{"type":"assist')
    age(path)
    facts, run = read(tmp_path)
    assert counted(facts) == totals(session)
    assert run.left_out == {"line cannot be read": 3, "line too long": 1}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(0, 1_000),
    st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=40), st.integers(0, 60)), min_size=1, max_size=8),
)
def test_any_damage_costs_only_the_lines_it_hit(
    tmp_path_factory: pytest.TempPathFactory, seed: int, damage: list[tuple[float, bytes, int]]
) -> None:
    """Bytes overwritten, cut out and put in anywhere: no failure, and what stands in whole lines is read."""
    folder = tmp_path_factory.mktemp("logs")
    session = Session(seed).talk(3)
    path = session.write(folder)
    data = path.read_bytes()
    for place, put_in, cut_out in damage:
        at = int(place * len(data))
        data = data[:at] + put_in + data[at + cut_out :]
    path.write_bytes(data)
    age(path)
    facts, run = read(folder)
    whole = {line for line in data.split(b"\n") if line}
    intact = [line for line in session.lines if json.dumps(line, separators=(",", ":")).encode() in whole]
    for line in intact:
        if line["type"] == "assistant":
            assert f"r:{line['message']['id']}:{line['requestId']}" in facts
    assert run.left_out.keys() <= {"line cannot be read"}


def test_a_log_that_shrank_or_was_replaced_is_read_again(tmp_path: Path) -> None:
    """Its beginning says whether it is the same one."""
    one, other = Session(1).talk(3), Session(2).talk(3)
    path = one.write(tmp_path)
    known: dict[str, Place] = {}
    read(tmp_path, known)
    other.write(tmp_path).replace(path)
    assert counted(read(tmp_path, known)[0]) == totals(other)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert read(tmp_path, known)[0]


def test_links_lead_nowhere_twice(tmp_path: Path) -> None:
    """Loops of links, a link to a log, one to nothing; what is no log is left alone."""
    session = Session(1).talk(1)
    path = session.write(tmp_path / "projects" / "a")
    (tmp_path / "projects" / "loop").symlink_to(tmp_path)
    (tmp_path / "projects" / "self").symlink_to("self")
    (tmp_path / "projects" / "again.jsonl").symlink_to(path)
    (tmp_path / "projects" / "gone.jsonl").symlink_to("nothing")
    (tmp_path / "projects" / "notes.txt").write_text("no log")
    assert len(logs_below([tmp_path, tmp_path / "projects"])) == 1


def test_a_log_that_cannot_be_opened_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is counted, and the others are read."""
    sessions = [Session(seed).talk(1) for seed in (1, 2)]
    paths = [session.write(tmp_path) for session in sessions]
    logs = in_order(logs_below([tmp_path]))
    paths[0].unlink()
    run = Reading({})
    facts = {key: fact for piece in run.pieces(logs) for key, fact in piece.facts.items()}
    assert counted(facts)["requests"] == len(sessions[1].requests)
    assert run.left_out == {"log cannot be read": 1}


def test_the_fork_is_read_after_its_source(tmp_path: Path) -> None:
    """Even when the source was written to later."""
    source = Session(1).talk(1)
    fork = Session(2)
    fork.now = source.now
    fork.add("queue-operation")
    fork.lines += source.lines
    paths = [source.write(tmp_path), fork.write(tmp_path)]
    age(paths[1])
    assert [log.path for log in in_order(logs_below([tmp_path]))] == paths


def test_configuration_folders(tmp_path: Path) -> None:
    """The variable wins and may be a list; without it both places are looked at; a link to one is not another one."""
    for name in (".claude", ".config/claude", "work"):
        (tmp_path / name / "projects").mkdir(parents=True)
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to("work")
    home = {"HOME": str(tmp_path)}
    real = tmp_path.resolve()
    assert config_folders(home) == [real / ".config/claude", real / ".claude"]
    given_ = f"{tmp_path}/work, {tmp_path}/link,{tmp_path}/empty,{tmp_path}/nothing"
    assert config_folders({**home, "CLAUDE_CONFIG_DIR": given_}) == [real / "work"]
    assert config_folders({**home, "XDG_CONFIG_HOME": f"{tmp_path}/nothing"}) == [real / ".claude"]


def test_the_user_is_whom_the_client_would_export(tmp_path: Path) -> None:
    """From the folder's own file, else from the one beside it; a broken file says nothing."""
    folder = tmp_path / ".claude"
    folder.mkdir()
    assert identity(folder) == {}
    (tmp_path / ".claude.json").write_text('{"userID": "abc", "oauthAccount": {"emailAddress": "ada@example.com"}}')
    assert identity(folder) == {"user.id": "abc", "user.email": "ada@example.com"}
    (folder / ".claude.json").write_text("{")
    assert identity(folder)["user.id"] == "abc"
    (folder / ".claude.json").write_text('{"userID": "own", "oauthAccount": 7}')
    assert identity(folder) == {"user.id": "own"}
