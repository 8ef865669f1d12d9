"""The sandbox holds: attacks are refused, overloads end, and the next question is answered."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from typing import TYPE_CHECKING

import pytest
from tests.queries import golden, hostile

from telem.queries import gate
from telem.queries.sandbox.frames import Frame, FrameError, Kind, Question, read_frame
from telem.queries.sandbox.pool import Pool
from telem.queries.sandbox.worker import Worker, resident_mb
from telem.queries.table import Limits, Problem, QueryError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from telem.storage.layout import Layout

ON_LINUX = sys.platform == "linux"
SMALL = Limits(rows=100, seconds=20.0, memory_mb=256)


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    return golden.build(tmp_path_factory.mktemp("sandbox") / "home")


@pytest.fixture(scope="module")
def pool(layout: Layout) -> Iterator[Pool]:
    opened = Pool(layout)
    yield opened
    opened.close()


def answered(pool: Pool, sql: str, limits: Limits = SMALL) -> list[Frame]:
    return list(pool.ask(Question(sql, limits=limits)))


def test_a_folder_that_appears_while_a_child_is_asked_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A daemon's first minute: the child's walls were raised before the folders were made."""
    late = golden.build(tmp_path / "home")
    away = (late.home / "parquet").rename(tmp_path / "parquet")
    with contextlib.closing(Pool(late)) as pool:
        answered(pool, "SELECT 1")
        take = pool.take

        def take_and_appear(limits: Limits) -> Worker:
            worker = take(limits)
            if away.exists():
                away.rename(late.home / "parquet")
            return worker

        monkeypatch.setattr(pool, "take", take_and_appear)
        assert any(frame.kind is Kind.DATA for frame in answered(pool, "SELECT count(*) FROM events"))


REFUSALS = {
    Problem.REFUSED,
    Problem.SYNTAX,
    Problem.TOO_LONG,
    Problem.UNKNOWN_TABLE,
    Problem.UNKNOWN_FUNCTION,
}


def test_there_are_attacks_enough() -> None:
    """A list that shrinks is a list that somebody has given up."""
    assert len(set(hostile.attacks())) >= 200
    assert len(set(hostile.OVERLOADS)) >= 20


def test_every_attack_is_refused(pool: Pool, layout: Layout, tmp_path: Path) -> None:
    """In words, without an effect, and the next question is answered."""
    secret = tmp_path / "secret.csv"
    secret.write_text("the-secret\n", encoding="utf-8")
    (layout.home / "parquet" / "link").symlink_to(secret)
    before = sorted(layout.home.rglob("*"))
    for attack in hostile.attacks():
        sql = attack.replace("{home}", str(layout.home)).replace("{secret}", str(secret))
        sql = sql.replace("{url}", "http://127.0.0.1:9")
        with pytest.raises(QueryError) as caught:
            answered(pool, sql)
        assert caught.value.problem in REFUSALS | {Problem.WORKER}, (attack[:200], caught.value)
        assert caught.value.message
        assert "the-secret" not in str(caught.value)
    assert sorted(layout.home.rglob("*")) == before
    assert [frame.kind for frame in answered(pool, "SELECT count(*) FROM events")] == [Kind.HEAD, Kind.DATA, Kind.END]


@pytest.mark.skipif(not ON_LINUX, reason="RLIMIT_AS and Landlock are Linux's; see the sandbox's description")
@pytest.mark.parametrize("overload", hostile.OVERLOADS, ids=lambda sql: sql[7:40])
def test_every_overload_ends(pool: Pool, overload: str) -> None:
    """By its answer, an error or the death of its child: in time, in memory, and the next question is answered."""
    limits = Limits(rows=100, seconds=0.4, memory_mb=256)
    started_s = time.monotonic()
    try:
        answered(pool, overload, limits)
    except QueryError as error:
        ends = (Problem.TIMEOUT, Problem.MEMORY, Problem.TYPE, Problem.FAILED, Problem.WORKER)
        assert error.problem in ends, error  # noqa: PT017
    assert time.monotonic() - started_s < 10
    assert answered(pool, "SELECT 1", limits)[-1].said()["rows"] == 1
    assert pool._warm[0].resident_mb() < 1400


def test_a_child_stays_for_the_next_question(pool: Pool) -> None:
    """A refusal does not cost it its life; a question that was stopped does."""
    answered(pool, "SELECT 1")
    first = pool._warm[0].pid
    with pytest.raises(QueryError, match="parse"):
        answered(pool, "SELEC 1")
    answered(pool, "SELECT 2")
    assert pool._warm[0].pid == first
    with pytest.raises(QueryError, match="longer than"):
        answered(pool, hostile.OVERLOADS[0], Limits(seconds=0.1, memory_mb=256))
    answered(pool, "SELECT 3")
    assert pool._warm[0].pid != first


def test_an_answer_that_nobody_reads_on_ends_its_child(pool: Pool) -> None:
    """There is no way back to the end of such an answer but to read all of it."""
    rows = pool.ask(Question("FROM range(100000000)", limits=Limits(rows=100_000_000, memory_mb=256)))
    assert next(rows).kind is Kind.HEAD
    assert next(rows).kind is Kind.DATA
    rows.close()
    assert answered(pool, "SELECT 1")[-1].said()["rows"] == 1


def test_a_long_answer_does_not_pile_up(layout: Layout) -> None:
    """It is read as it is wanted: neither side ever holds much of it. Time that the reader takes does not count."""
    pool = Pool(layout)
    limits = Limits(rows=1 << 40, seconds=3, memory_mb=128)
    seen = 0
    for number, frame in enumerate(
        pool.ask(Question("SELECT range, repeat('x', 500) FROM range(200000)", limits=limits))
    ):
        if number == 3:
            time.sleep(0.3)
        seen += len(frame.payload)
    assert seen > 100_000_000
    assert pool._warm[0].resident_mb() < 300
    pool.close()


def test_a_child_that_is_killed_is_replaced(pool: Pool) -> None:
    """By the system, for its memory, or by anybody."""
    answered(pool, "SELECT 1")
    os.kill(pool._warm[0].pid, signal.SIGKILL)
    time.sleep(0.05)
    assert answered(pool, "SELECT 2")[-1].said()["rows"] == 1
    worker = pool._warm[0]
    asked = worker.ask(Question(hostile.OVERLOADS[0], limits=SMALL))
    os.kill(worker.pid, signal.SIGKILL)
    with pytest.raises(QueryError, match="ended"):
        list(asked)
    assert answered(pool, "SELECT 3")[-1].said()["rows"] == 1


def test_an_idle_child_ends_and_so_does_one_without_a_parent(layout: Layout) -> None:
    """Its memory is given back; nothing is left behind, whatever it was busy with."""
    pool = Pool(layout)
    answered(pool, "SELECT 1")
    pid = pool._warm[0].pid
    assert pool.reap(idle_s=60) == 1
    assert pool.reap(idle_s=0) == 0
    assert resident_mb(pid) == 0
    worker = Worker(layout, SMALL)
    asked = worker.ask(Question(hostile.OVERLOADS[0], limits=Limits(seconds=60, memory_mb=256)))
    worker._send(Question(hostile.OVERLOADS[0], limits=Limits(seconds=60, memory_mb=256)).frame())
    time.sleep(0.4)
    os.close(os.dup(worker._writing))
    os.close(worker._writing)
    assert worker._process.wait(5) == 0
    worker._writing = os.open(os.devnull, os.O_WRONLY)
    asked.close()
    worker.kill()


def test_a_folder_that_appears_later_can_be_read(tmp_path: Path) -> None:
    """Walls are raised around what is there; a child from before is replaced."""
    home = tmp_path / "home"
    home.mkdir()
    layout = type(golden.empty(tmp_path / "other"))(home)
    pool = Pool(layout)
    assert b"[[0]]" in answered(pool, "SELECT count(*) FROM events")[1].payload
    golden.build(home)
    assert b"[[0]]" not in answered(pool, "SELECT count(*) FROM events")[1].payload
    pool.close()


@pytest.mark.skipif(not ON_LINUX, reason="Landlock and RLIMIT_AS are Linux's")
def test_the_operating_system_holds_where_nothing_else_does(layout: Layout, tmp_path: Path) -> None:
    """In a child without a gate and without DuckDB's locks, Landlock alone keeps files and network closed."""
    import subprocess

    secret = tmp_path / "secret"
    secret.write_text("x", encoding="utf-8")
    code = f"""
import os, socket, sys
from telem.queries.sandbox.walls import raise_walls
print(raise_walls([{str(layout.home / "parquet")!r}], 1600), flush=True)
import duckdb
connection = duckdb.connect()
print(connection.execute("SELECT count(*) FROM glob('{layout.home}/parquet/**/*.parquet')").fetchone()[0] > 0)
def tries(name, action):
    try:
        action()
    except BaseException as error:
        print(name, type(error).__name__)
    else:
        print(name, "HOLE")
run = connection.execute
tries("read", lambda: open({str(secret)!r}))
tries("sql", lambda: run("FROM read_text('{secret}')").fetchall())
tries("key", lambda: open({str(layout.key)!r}))
tries("write", lambda: open({str(layout.home / "parquet" / "x")!r}, "w"))
tries("copy", lambda: run("COPY (SELECT 1) TO '{layout.home}/parquet/x.csv'"))
tries("unlink", lambda: os.unlink({str(next(layout.home.rglob("*.parquet")))!r}))
tries("exec", lambda: os.execv("/bin/true", ["true"]))
tries("connect", lambda: socket.create_connection(("127.0.0.1", 9), 1))
tries("bind", lambda: socket.create_server(("127.0.0.1", 0)))
tries("memory", lambda: bytearray(2 << 30))
"""
    layout.key.write_bytes(b"secret")
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60, cwd="/"
    )
    assert "HOLE" not in done.stdout, done.stdout
    assert done.stdout.count("\n") == 12, done.stdout + done.stderr
    assert "connect PermissionError" in done.stdout or "'landlock': 3" in done.stdout


def test_the_list_of_functions_is_duckdbs() -> None:
    """It holds nothing that this DuckDB lacks, and none of those that reach out or keep something."""
    import duckdb

    rows = duckdb.connect().execute("SELECT DISTINCT function_name FROM duckdb_functions()").fetchall()
    if duckdb.__version__.startswith("2."):
        assert gate.functions() - {row[0] for row in rows} == set()
    dangerous = {"write_log", "sleep_ms", "pg_sleep", "setseed", "nextval", "getvariable", "current_setting", "stats"}
    assert gate.functions() & dangerous == set()


def test_frames_that_are_none_are_told() -> None:
    """A pipe that ends within one, a kind there is not, a length that cannot be."""
    whole = Frame(Kind.DATA, b"abc").packed()
    for broken in (whole[:2], whole[:-1], b"\xff" + whole[1:], b"\x05\xff\xff\xff\xff"):
        parts = iter([broken])
        with pytest.raises(FrameError):
            read_frame(lambda _size, parts=parts: next(parts, b""))  # type: ignore[misc]
    assert read_frame(lambda _size: b"") is None
