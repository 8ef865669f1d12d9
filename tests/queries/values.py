"""Values of answers, brought to what two engines, or an answer and its file, can agree on."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from typing import Any

RELATIVE, ABSOLUTE = 1e-9, 1.5e-6
"""What the order of a floating point sum may change, and through it the sixth decimal place of a rounded one."""


def plain(value: Any) -> Any:
    """Numbers as numbers, times in UTC, an empty list as nothing."""
    if isinstance(value, bool | None | str):
        return value
    if isinstance(value, dt.datetime):
        return (value if value.tzinfo else value.replace(tzinfo=dt.UTC)).astimezone(dt.UTC).isoformat()
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return [plain(item) for item in value] or None
    if isinstance(value, Decimal | int | float):
        return None if math.isnan(value) else float(value)
    return value


def same(one: Any, other: Any) -> bool:
    """Equal, up to what the order of a floating point sum may change."""
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=RELATIVE, abs_tol=ABSOLUTE)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)
