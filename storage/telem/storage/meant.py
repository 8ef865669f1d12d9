"""Which rows are meant to go: by session, user or time, in every form that rows have. For purging and restoring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from telem.sanitize.tombs import SESSION, USER, USER_COLUMNS

from .intent import ALL, BEFORE
from .views import quote

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .intent import Target

SUMMED_USERS = ("user", "user_id", "account_id")


@dataclass(frozen=True, slots=True)
class Meant:
    """Rows of these sessions, of these users, or of before a time; or all.

    Args:
        users: stand-ins.
        before_us: rows that happened earlier; 0 for none.
    """

    sessions: frozenset[str] = frozenset()
    users: frozenset[str] = frozenset()
    before_us: int = 0
    everything: bool = False

    def __bool__(self) -> bool:
        return self.everything or bool(self.sessions or self.users or self.before_us)

    @property
    def values(self) -> frozenset[str]:
        """Texts one of which stands in every row that is meant for whose it is."""
        return self.sessions | self.users


def of(target: Target) -> Meant:
    """What a purge means."""
    return Meant(
        frozenset({target.value} if target.kind == SESSION else ()),
        frozenset({target.value} if target.kind == USER else ()),
        target.before_us if target.kind == BEFORE else 0,
        target.kind == ALL,
    )


def where(meant: Meant) -> str:
    """SQL condition for rows of raw tables; NULL for what is not known."""
    return _condition(meant, USER_COLUMNS)


def where_summed(meant: Meant) -> str:
    """SQL condition for rows of the rollups."""
    return _condition(meant, SUMMED_USERS)


def where_series(meant: Meant) -> str:
    """SQL condition for what running totals had reached: needed by what they add later, whenever that was."""
    return _condition(Meant(meant.sessions, meant.users, 0, meant.everything), SUMMED_USERS)


def _condition(meant: Meant, users: Iterable[str]) -> str:
    if meant.everything:
        return "true"
    found = [f"time < make_timestamptz({meant.before_us})"] if meant.before_us else []
    if meant.sessions:
        found.append(_is_in("session_id", meant.sessions))
    if meant.users:
        found += [_is_in(column, meant.users) for column in users]
    return " OR ".join(found) or "false"


def _is_in(column: str, values: Iterable[str]) -> str:
    return f'"{column}" IN ({", ".join(map(quote, sorted(values)))})'


def without(table: pa.Table, meant: Meant) -> pa.Table:
    """The table without them."""
    if meant.everything:
        return table.slice(0, 0)
    gone: Any = pa.array([False] * table.num_rows)
    for column, values in (("session_id", meant.sessions), *((column, meant.users) for column in USER_COLUMNS)):
        if values:
            hit = pc.is_in(table[column], value_set=pa.array(sorted(values), pa.string()))
            gone = pc.or_(gone, pc.fill_null(hit, pa.scalar(value=False)))  # type: ignore[arg-type]  # arrays both
    if meant.before_us:
        limit = pa.scalar(meant.before_us, pa.timestamp("us", "UTC"))
        hit = pc.less(table["time"].cast(pa.timestamp("us", "UTC")), limit)
        gone = pc.or_(gone, pc.fill_null(hit, pa.scalar(value=False)))  # type: ignore[arg-type]  # likewise
    return table.filter(pc.invert(gone))


def is_meant(line: bytes, meant: Meant) -> bool:
    """Does a line of a segment, whole or damaged, belong to them?"""
    if meant.everything:
        return True
    named = any(value.encode() in line for value in meant.values)
    if not named and not meant.before_us:
        return False
    try:
        row = orjson.loads(line)
    except ValueError:
        return named
    if not isinstance(row, dict):
        return named
    if meant.before_us and isinstance(row.get("time"), int) and row["time"] < meant.before_us:
        return True
    return row.get("session_id") in meant.sessions or any(row.get(column) in meant.users for column in USER_COLUMNS)
