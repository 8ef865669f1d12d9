"""The status line: quick, silent about what it does not know, and never a failure."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.daemons import clean_env

from telem.agent.statusline import FORMAT, line

if TYPE_CHECKING:
    from pathlib import Path

HEAVY = {"click", "rich", "asyncio", "aiohttp", "pyarrow", "duckdb", "re2", "logging", "telem.agent.cli"}
NOW_S = time.time()
TOLD = {
    "session_id": "s1",
    "model": {"id": "claude-opus-5-5", "display_name": "Opus 5.5"},
    "workspace": {"project_dir": "/src/book"},
    "cost": {"total_cost_usd": 1.234, "total_duration_ms": 1_800_000},
    "context_window": {"used_percentage": 41.6},
}
SUMMARY: dict[str, Any] = {
    "at_s": NOW_S - 10,
    "day": time.strftime("%Y-%m-%d", time.localtime(NOW_S)),
    "today": {"cost_usd": 4.5, "computed_usd": 0.25, "input": 10, "cached": 80, "written": 10, "output": 5},
    "burn_usd_per_h": 2.0,
    "budgets": [{"name": "$10/day", "percent": 47.5}, {"name": "$200/month", "percent": 81.2}],
    "sessions": [{"session_id": "s1", "cost_usd": 1.5, "cached": 3, "input": 1, "written": 0, "branch": "main"}],
}


def test_everything_known() -> None:
    assert (
        line(TOLD, SUMMARY, FORMAT, NOW_S) == "$1.50 session · $4.75 today · $2.00/h · 75 % cached · 81 % of $200/month"
    )
    form = "{model} · {project}@{branch} · {context} · {tokens}"
    assert line(TOLD, SUMMARY, form, NOW_S) == "Opus 5.5 · book@main · 42 % context · 4 tokens"


def test_without_a_summary_the_client_is_believed() -> None:
    """The daemon is down and never ran: its own cost, and what that is an hour."""
    assert line(TOLD, {}, FORMAT, NOW_S) == "$1.23 session · $2.47/h"
    assert line({}, {}, FORMAT, NOW_S) == ""


def test_yesterdays_summary_says_nothing_of_today() -> None:
    old = {**SUMMARY, "at_s": NOW_S - 86_400, "day": "2001-01-01", "sessions": []}
    assert line(TOLD, old, FORMAT, NOW_S) == "$1.23 session · $2.47/h"
    month = [{"name": "$200/month", "percent": 81.2, "period": "month"}]
    old |= {"day": time.strftime("%Y-%m-00", time.localtime(NOW_S)), "budgets": [*SUMMARY["budgets"], *month]}
    assert line(TOLD, old, FORMAT, NOW_S) == "$1.23 session · $2.47/h · 81 % of $200/month"


@pytest.mark.parametrize(("percent", "colour"), [(79, ""), (80, "\x1b[33m"), (100, "\x1b[31m")])
def test_a_budget_gets_a_colour_when_it_is_nearly_used(percent: int, colour: str) -> None:
    summary = {**SUMMARY, "budgets": [{"name": "$1/day", "percent": percent}]}
    text = line({}, summary, "{budget}", NOW_S, colours=True)
    assert text.startswith(colour + str(percent))
    assert "\x1b" not in line({}, summary, "{budget}", NOW_S)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*TOLD, *SUMMARY, "id", "percent"]), inner)
    ),
    max_leaves=10,
)


@given(json_values, json_values)
def test_whatever_it_is_given_it_is_one_line(told: Any, summary: Any) -> None:
    text = line(
        told if isinstance(told, dict) else {},
        summary if isinstance(summary, dict) else {},
        FORMAT,
        NOW_S,
        colours=True,
    )
    assert "\n" not in text


def run(home: Path, stdin: bytes, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "telem", "statusline", "--home", str(home), *arguments]
    env = {**clean_env(), "NO_COLOR": "1"}
    return subprocess.run(command, input=stdin, capture_output=True, timeout=60, check=False, env=env)


@pytest.mark.parametrize("stdin", [b"", b"{", b"\xff\xfe", b"[]", b"null", json.dumps(TOLD).encode()])
def test_the_command_never_fails(home: Path, stdin: bytes) -> None:
    """Nor does it with a summary that is torn."""
    (home / "statusline.json").write_bytes(b'{"today": {"cost_usd"')
    done = run(home, stdin)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode() == ("$1.23 session · $2.47/h\n" if b"session_id" in stdin else "\n")


def test_the_command_reads_the_summary_and_the_format(home: Path) -> None:
    (home / "statusline.json").write_text(json.dumps(SUMMARY))
    assert run(home, json.dumps(TOLD).encode(), "--format", "{today} · {budget}").stdout.decode() == (
        "$4.75 today · 81 % of $200/month\n"
    )


def test_it_imports_next_to_nothing(home: Path) -> None:
    """The client waits for it: what makes other commands slow to start is not imported (times: `bench/start.py`)."""
    (home / "statusline.json").write_text(json.dumps(SUMMARY))
    command = [sys.executable, "-X", "importtime", "-m", "telem", "statusline", "--home", str(home)]
    told = json.dumps(TOLD).encode()
    done = subprocess.run(command, input=told, capture_output=True, timeout=60, check=True, env=clean_env())
    imported = {text.rsplit("|")[-1].strip() for text in done.stderr.decode().splitlines()}
    assert done.stdout
    assert "telem.agent.entry" in imported
    assert not imported & HEAVY
