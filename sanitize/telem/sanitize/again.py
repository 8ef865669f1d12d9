"""Judging once more what is stored, under another policy: by column, distinct value by distinct value (pure).

What the gate left is judged as it would be had it arrived so: markers and stand-ins are recognised and stay, so doing
it twice changes nothing. Nothing comes back that an earlier policy had removed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from .clients import is_event_name
from .columns import BIT, COLUMNS, PROMOTED_BY_SIGNAL, Column, Type
from .lines import dumps
from .policy import Action
from .redact import DROPPED
from .rows import RowFiller

if TYPE_CHECKING:
    from collections.abc import Callable

    from .records import Signal
    from .redact import Redactor

    Judged = Callable[[str], str | None]

_TEXTS = ("scope_name", "scope_version", "severity_text", "otlp_event_name", "metric", "description", "unit", "name",
          "status_message", "trace_state")  # fmt: skip
_MAPS = ("attributes", "resource", "metric_meta")
_PARTS = ("resource_meta", "scope_meta")
_LISTS = ("events", "links", "exemplars")
_UNREADABLE = '{"sanitizer":"could not be judged again"}'


class Again:
    """Judges stored values of one signal."""

    def __init__(self, signal: Signal, redactor: Redactor) -> None:
        self.redactor = redactor
        self._filler = RowFiller(redactor)
        self._promoted = {column.name: column for column in PROMOTED_BY_SIGNAL[signal]}
        self._names = [column.name for column in COLUMNS[signal] if column.type in (Type.TEXT, Type.JSON)]

    def judges(self) -> dict[str, Judged]:
        """By column that holds texts, what judges a value; None: not stored any more."""
        found = {name: self._judge(name) for name in self._names}
        return {name: judge for name, judge in found.items() if judge is not None}

    def dropped(self) -> dict[str, int]:
        """Columns of other types whose attribute is not to be stored, with their bits."""
        gone = {}
        for name, column in self._promoted.items():
            rule = self.redactor.policy.rule_for(column.attributes[0])
            if column.type not in (Type.TEXT, Type.JSON) and rule.action is Action.DROP:
                gone[name] = BIT[name]
        return gone

    def bit(self, column: str) -> int:
        """The bit by which `promoted` says that the column stands for its attribute; 0 for others."""
        return BIT[column] if column in self._promoted else 0

    def _judge(self, name: str) -> Judged | None:
        if column := self._promoted.get(name):
            return self._attribute(column)
        if name in _TEXTS:
            return self.redactor.text
        if name == "body":
            return self._body
        for names, clean in ((_MAPS, self._filler.clean), (_PARTS, self._filler.clean_part), (_LISTS, self._list)):
            if name in names:
                return _json(clean)
        return None

    def _attribute(self, column: Column) -> Judged:
        attribute = column.attributes[0]

        def judge(value: str) -> str | None:
            kept = self.redactor.attribute(attribute, value)
            return None if kept is DROPPED else str(kept)

        return judge

    def _body(self, value: str) -> str | None:
        if is_event_name(value):
            return self.redactor.text(value)
        kept = self.redactor.attribute("body", value)
        return None if kept is DROPPED else str(kept)

    def _list(self, parts: Any) -> list[dict[str, Any]]:
        return [self._filler.clean_part(part) for part in parts]


def _json(clean: Callable[[Any], Any]) -> Judged:
    def judge(value: str) -> str:
        try:
            parsed = orjson.loads(value)
            kept = clean(parsed)
        except Exception:  # noqa: BLE001 (fail closed, whatever it was)
            return _UNREADABLE
        return value if kept == parsed else dumps(kept).decode()

    return judge
