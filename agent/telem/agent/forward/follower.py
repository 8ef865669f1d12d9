"""Follows the stored rows of one machine for one destination: reads, judges, sends, and moves the cursor.

Order: an answer, then the ids durable, then the next rows. What a crash interrupts is sent again, once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any

from telem.sanitize.records import Signal
from telem.storage.sequence import JournalTail, next_unit, parquet_rows, reserved

from . import aggregates
from .clickhouse import ClickHouseEncoder, table_of
from .cumulative import Cumulative
from .cursor import PENDING_MAX, Cursor, now
from .encode import Encoder
from .sender import Answer, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from telem.storage.disk import Disk
    from telem.storage.layout import Layout
    from telem.storage.sequence import Row, Unit

    from .cursor import Done
    from .destinations import Destination
    from .outgoing import Outgoing

BATCH_ROWS = 1_000
INSERT_ROWS = 10_000
"""Of one insert into ClickHouse, which prefers few large ones."""

BODY_LIMIT_BYTES = 8 * 1024 * 1024
"""Of one request before compression; a longer one is halved. Receivers take 64 MiB, and some only 4 after gzip."""

REFUSED_MAX = 32
"""So many single records refused one after the other, and none taken: it is not the records."""

FAULTS_MAX = 8
"""A request that is answered with 500 so often in a row is taken for refused."""


def yesterday() -> str:
    """The last day that is over, in UTC."""
    return (datetime.now(UTC).date() - timedelta(days=1)).isoformat()


def _rows_of(signal: Signal, unit: Unit) -> Iterator[list[Row]]:
    """All rows of a unit, in chunks."""
    return parquet_rows(signal, unit) if unit.in_parquet else iter(JournalTail(unit.path).read, [])


@dataclass
class DeliveryError(Exception):
    """Nothing more can be sent now; the answer says whether later or not until somebody looks."""

    answer: Answer


class Follower:
    """One destination.

    Args:
        send: takes a signal and a request's body, answers what came of it.
        is_stopping: asked between requests.
    """

    def __init__(
        self,
        layout: Layout,
        disk: Disk,
        destination: Destination,
        outgoing: Outgoing,
        send: Callable[[Signal, Any], Answer],
        agent_id: str,
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._layout = layout
        self._outgoing = outgoing
        self._send = send
        self._is_stopping = is_stopping
        self._aggregates_only = destination.aggregates_only
        self._agent_id = agent_id
        self.cursor = Cursor(layout, disk, destination.name)
        self._signals = [Signal.LOGS] if self._aggregates_only else [Signal(name) for name in destination.signals]
        said_id = "" if destination.kind == "hub" else agent_id  # a hub is told in a header, and by the token
        self._in_clickhouse = destination.kind == "clickhouse"
        self._encoders: dict[Signal, Encoder | ClickHouseEncoder] = {
            signal: ClickHouseEncoder(signal, layout.cursors)
            if self._in_clickhouse
            else Encoder(signal, with_row_ids=destination.with_row_ids(signal), agent_id=said_id)
            for signal in self._signals
        }
        self._cumulative: Cumulative | None = None
        if destination.temporality == "cumulative" and Signal.METRICS in self._signals:
            self._cumulative = Cumulative(self.cursor.series_path, disk)
        self._tails: dict[Signal, tuple[JournalTail, Done]] = {}
        self._under_way = {signal: self.cursor.under_way(signal) for signal in self._signals if self._in_clickhouse}
        self._refused_in_a_row = 0

    def run(self) -> int:
        """Send all there is by now; returns how many rows were delivered.

        Raises:
            DeliveryError: the destination does not take them now.
        """
        before = sum(self.cursor.state.sent.values())
        if self._aggregates_only:
            self._send_days()
            return sum(self.cursor.state.sent.values()) - before
        for signal in self._signals:
            self._resume(signal)
            for number in list(self.cursor.state.pending.get(signal.value, ())):
                self._take_late(signal, number)
            while not self._is_stopping() and self._take_next(signal):
                pass
        return sum(self.cursor.state.sent.values()) - before

    def _send_days(self) -> None:
        """Totals of the days that are over, each day once."""
        state = self.cursor.state
        if state.day >= yesterday():
            return
        for day, rows in aggregates.of_days(self._layout, state.day, self._agent_id):
            if self._is_stopping():
                return
            leaving = self._outgoing.rows(Signal.LOGS, rows)
            taken = sum(
                self._send_rows(Signal.LOGS, leaving[start : start + BATCH_ROWS])
                for start in range(0, len(leaving), BATCH_ROWS)
            )
            state.sent["days"] = state.sent.get("days", 0) + taken
            state.day, state.sent_at, state.failures, state.faults, state.error = day, now(), 0, 0, ""
            self.cursor.save()
        state.day = yesterday()
        self.cursor.save()

    def _take_next(self, signal: Signal) -> bool:
        """Deal with the next unit; False when there is nothing more by now."""
        position = self.cursor.state.segment.get(signal.value, 1)
        unit = next_unit(self._layout, signal, position)
        if unit is None:
            return False
        if unit.first != position:
            self._move(signal, position, unit.first)
        if unit.in_parquet:
            done = self.cursor.done(signal, unit.first)
            finished = self._deliver_all(signal, parquet_rows(signal, unit), done)
        else:
            finished = self._deliver_tail(signal, unit)
        if not finished or not unit.is_closed:
            return False
        self._move(signal, unit.first, unit.last + 1)
        return True

    def _take_late(self, signal: Signal, number: int) -> None:
        """A number that was empty when we passed it: an import may have published its rows since."""
        unit = next_unit(self._layout, signal, number, only=number)
        if unit is not None and self._deliver_all(signal, parquet_rows(signal, unit), self.cursor.done(signal, number)):
            self.cursor.state.pending[signal.value].remove(number)
            self.cursor.save()
            self.cursor.done(signal, number).remove()

    def _move(self, signal: Signal, old: int, new: int) -> None:
        """Everything before segment `new` is done."""
        state = self.cursor.state
        state.segment[signal.value] = new
        pending = [*state.pending.get(signal.value, ()), *reserved(self._layout, signal, old, new)]
        state.pending[signal.value] = pending[-PENDING_MAX:]
        self.cursor.save()
        self.cursor.done(signal, old).remove()
        self._tails.pop(signal, None)

    def _deliver_tail(self, signal: Signal, unit: Unit) -> bool:
        known = self._tails.get(signal)
        if known is None or known[0].path != unit.path:
            known = self._tails[signal] = JournalTail(unit.path), self.cursor.done(signal, unit.first)
        tail, done = known
        try:
            return self._deliver_all(signal, iter(tail.read, []), done)
        except BaseException:
            self._tails.pop(signal, None)  # what was read and not delivered is read again
            raise

    def _deliver_all(self, signal: Signal, chunks: Iterator[list[Row]], done: Done) -> bool:
        """Deliver what was not yet; False when asked to stop before the end."""
        for chunk in chunks:
            fresh = [row for row in chunk if row["id"] not in done.ids]
            leaving = self._outgoing.rows(signal, fresh)
            for rows in self._batches(signal, leaving):
                if self._is_stopping():
                    self._tails.pop(signal, None)
                    return False
                self._deliver(signal, rows, done)
        return True

    def _batches(self, signal: Signal, rows: list[Row]) -> Iterator[list[Row]]:
        """Rows for one request each; of an insert it is noted first what is in it."""
        if not self._in_clickhouse:
            yield from (rows[start : start + BATCH_ROWS] for start in range(0, len(rows), BATCH_ROWS))
            return
        for _, of_table in groupby(
            sorted(rows, key=lambda row: table_of(signal, row)), lambda row: table_of(signal, row)
        ):
            while batch := list(islice(of_table, INSERT_ROWS)):
                self.cursor.begin(signal, [row["id"] for row in batch])
                yield batch

    def _resume(self, signal: Signal) -> None:
        """Insert once more what was under way when we ended: the same rows in the same order, so with the same token.

        They are looked for where they are now: by then the segment may have become a part of a Parquet file.
        """
        under_way = self._under_way.pop(signal, [])
        state = self.cursor.state
        late = [next_unit(self._layout, signal, one, only=one) for one in state.pending.get(signal.value, ())]
        for unit in filter(None, [*late, next_unit(self._layout, signal, state.segment.get(signal.value, 1))]):
            if not under_way:
                return
            done = self.cursor.done(signal, unit.first)
            if done.ids.intersection(under_way):  # they are noted together, after the answer; a crash tore the note
                done.add(under_way)
                return
            wanted = dict.fromkeys(under_way)
            found = {row["id"]: row for chunk in _rows_of(signal, unit) for row in chunk if row["id"] in wanted}
            if rows := self._outgoing.rows(signal, [found[one] for one in wanted if one in found]):
                self._deliver(signal, rows, done)
                return

    def _deliver(self, signal: Signal, rows: list[Row], done: Done) -> None:
        cumulative = self._cumulative if signal is Signal.METRICS else None
        sent: Sequence[Row] = rows
        if cumulative:
            rows = [row for row in rows if row["id"] not in cumulative.contained]
            sent = cumulative.apply(rows)
        taken = self._send_rows(signal, sent)
        if cumulative and rows:
            cumulative.keep(rows)
        done.add(row["id"] for row in rows)
        state = self.cursor.state
        state.sent[signal.value] = state.sent.get(signal.value, 0) + taken
        state.sent_at, state.failures, state.faults, state.error = now(), 0, 0, ""
        self.cursor.save()

    def _send_rows(self, signal: Signal, rows: Sequence[Row]) -> int:
        """Send rows, in halves where the destination does not take them together; returns how many it has."""
        if not rows:
            return 0
        body = self._encoders[signal].request(rows)
        if len(body) > BODY_LIMIT_BYTES and len(rows) > 1:
            return self._halves(signal, rows)
        answer = self._send(signal, body)
        if answer.verdict is Verdict.DELIVERED:
            self._refused_in_a_row = 0
            if answer.rejected:
                self._note_partial(signal, answer)
            return len(rows) - min(len(rows), answer.rejected)
        faulty = answer.status == 500 and self.cursor.state.faults >= FAULTS_MAX  # noqa: PLR2004 (its status)
        if answer.verdict is not Verdict.REFUSED and not faulty:
            raise DeliveryError(answer)
        if len(rows) > 1:
            return self._halves(signal, rows)
        self._refused_in_a_row += 1
        if self._refused_in_a_row > REFUSED_MAX:
            raise DeliveryError(
                Answer(Verdict.STOP, f"it refuses every record: {answer.message}", status=answer.status)
            )
        self.cursor.reject(signal, dict(rows[0]), answer.status, answer.message)
        return 0

    def _halves(self, signal: Signal, rows: Sequence[Row]) -> int:
        middle = len(rows) // 2
        return self._send_rows(signal, rows[:middle]) + self._send_rows(signal, rows[middle:])

    def _note_partial(self, signal: Signal, answer: Answer) -> None:
        """It took the request and not all of its records, without saying which: they cannot be sent again."""
        self.cursor.state.rejected += answer.rejected
        self.cursor.state.error = f"{answer.rejected} {signal} rejected: {answer.message}"
        self.cursor.state.error_at = now()

    def retry(self) -> int:
        """Send once more what was refused; returns how many rows were taken.

        Raises:
            DeliveryError: the destination does not take anything now.
        """
        entries = self.cursor.rejected()
        left, taken = list(entries), 0
        for entry in entries:
            row = self._find(Signal(entry["signal"]), int(entry["segment"]), entry["id"])
            left.remove(entry)
            rows = self._outgoing.rows(Signal(entry["signal"]), [row]) if row else []
            if rows:  # else it was purged or has expired meanwhile
                self.cursor.keep_rejected(left)
                sent = self._send_rows(Signal(entry["signal"]), rows)
                taken += sent
                if not sent:
                    left = self.cursor.rejected()
            self.cursor.keep_rejected(left)
        return taken

    def _find(self, signal: Signal, segment: int, row_id: str) -> Row | None:
        for chunk in self._chunks(signal, segment):
            for row in chunk:
                if row["id"] == row_id:
                    return row
        return None

    def _chunks(self, signal: Signal, segment: int) -> Iterator[list[Row]]:
        unit = next_unit(self._layout, signal, segment, only=segment) or next_unit(self._layout, signal, segment)
        if unit is None or unit.first != segment:
            return iter(())
        return _rows_of(signal, unit)

    def preview(self, limit: int) -> Iterator[tuple[Signal, list[Row]]]:
        """The rows that would leave next, as they would leave; nothing is sent and nothing moves."""
        if self._aggregates_only:
            days = aggregates.of_days(self._layout, self.cursor.state.day, self._agent_id)
            yield from ((Signal.LOGS, self._outgoing.rows(Signal.LOGS, rows)[:limit]) for _, rows in islice(days, 1))
            return
        for signal in self._signals:
            found: list[Row] = []
            position = self.cursor.state.segment.get(signal.value, 1)
            while len(found) < limit and (unit := next_unit(self._layout, signal, position)):
                done = self.cursor.done(signal, unit.first)
                for chunk in _rows_of(signal, unit):
                    found += self._outgoing.rows(signal, [row for row in chunk if row["id"] not in done.ids])
                    if len(found) >= limit:
                        break
                position = unit.last + 1
            if found:
                yield signal, found[:limit]

    def body(self, signal: Signal, rows: Sequence[Row]) -> Any:
        """The request that would carry these rows."""
        sent: Sequence[Any] = rows
        if self._cumulative and signal is Signal.METRICS:
            sent = self._cumulative.apply(list(rows))
        return self._encoders[signal].request(sent)
