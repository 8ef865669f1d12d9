"""A stricter policy for what is stored: applied everywhere, counted, and nothing more the second time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
from tests.queries import golden
from tests.storage.test_closing import FIRST
from tests.storage.test_retention import retired

from telem.queries.commands import ask
from telem.sanitize.policy import parse_policy
from telem.sanitize.records import Signal
from telem.sanitize.redact import Redactor
from telem.storage.catalog import publish
from telem.storage.disk import Disk
from telem.storage.inventory import parquet_files
from telem.storage.resanitize import resanitize
from telem.storage.rewrite import pieces

if TYPE_CHECKING:
    from pathlib import Path

    from telem.storage.layout import Layout

DISK = Disk()
STRICTER = """
[drop]
attributes = ["prompt", "user_prompt", "prompt_text", "terminal.type", "duration_ms"]
[hash]
value = ["team"]
"""


def quiet(_done: int, _total: int) -> None:
    """Progress nobody looks at."""


def done(layout: Layout, text: str, *, dry: bool = False) -> dict[str, Any]:
    return resanitize(layout, DISK, Redactor(parse_policy(text), golden.KEY), quiet, dry=dry)


@pytest.fixture
def store(home: Path) -> Layout:
    return retired(home)


def test_the_same_policy_changes_nothing(store: Layout) -> None:
    """What the gate has judged is judged the same again, in every column of every client's records."""
    files = [file.path for signal in Signal for file in parquet_files(store, signal)]
    said = done(store, "")
    assert (said["files"], said["rollup_values"]) == ([], 0)
    assert files == [file.path for signal in Signal for file in parquet_files(store, signal)]


def test_a_stricter_policy_is_applied_everywhere_and_once(store: Layout) -> None:
    """Columns, complete attributes, rollups; the totals stay; a second run finds nothing to do."""
    sums = "SELECT sum(cost_usd), sum(output_tokens), sum(prompts), sum(lines_added), count(*) FROM {}"
    wanted = [ask(store, sums.format(table)).rows for table in ("sessions", "usage_facts WHERE requests = 1")]
    dry = done(store, STRICTER, dry=True)
    assert dry["files"]
    assert ask(store, "SELECT count(*) FROM events WHERE prompt IS NOT NULL").rows != ((0,),)
    said = done(store, STRICTER)
    assert said["files"] == dry["files"]
    assert said["rollup_values"] == dry["rollup_values"] > 0
    publish(store, DISK, FIRST)
    in_parquet = "seg IN (SELECT seg FROM raw_logs WHERE ingest_day < DATE '2026-01-04')"
    for column in ("prompt", "terminal_type", "duration_ms"):
        sql = f"SELECT count(*) FROM events WHERE {column} IS NOT NULL AND {in_parquet}"
        assert ask(store, sql).rows == ((0,),)
    sql = f"SELECT count(*) FROM events WHERE attributes ->> '$.\"terminal.type\"' IS NOT NULL AND {in_parquet}"
    assert ask(store, sql).rows == ((0,),)
    sql = "SELECT DISTINCT team FROM usage_days WHERE team IS NOT NULL AND ingest_day < DATE '2026-01-04'"
    teams: Any = ask(store, sql).rows
    assert teams
    assert all(team.startswith("value:") for (team,) in teams)
    assert [ask(store, sums.format(table)).rows for table in ("sessions", "usage_facts WHERE requests = 1")] == wanted
    again = done(store, STRICTER)
    assert (again["files"], again["rollup_values"]) == ([], 0)


def test_a_secret_that_a_new_rule_knows_is_counted_by_it(store: Layout) -> None:
    """A rule of the owner's own, for what her texts hold."""
    sql = "SELECT max(prompt) FROM events WHERE ingest_day < DATE '2026-01-04' AND length(prompt) < 200"
    ((text,),) = ask(store, sql).rows
    word = max(str(text).split(), key=len)
    rule = f'[[rule]]\nid = "mine"\nsentence = "A word"\nliterals = ["{word}"]\n'
    said = done(store, rule)
    assert said["rules"].get("mine", 0) > 0
    assert done(store, rule)["files"] == []


def test_rows_and_shape_of_files_stay(store: Layout) -> None:
    """As many rows, the same columns and types."""
    before = [(file.first, file.last, pq.read_schema(file.path), pq.read_metadata(file.path).num_rows)
              for signal in Signal for file in parquet_files(store, signal)]  # fmt: skip
    done(store, STRICTER)
    after = [(file.first, file.last, pq.read_schema(file.path), pq.read_metadata(file.path).num_rows)
             for signal in Signal for file in parquet_files(store, signal)]  # fmt: skip
    assert before == after
    assert all(table.num_rows for file in parquet_files(store, Signal.LOGS) for table in pieces(file.path))
