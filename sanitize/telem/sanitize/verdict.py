"""What becomes of an attribute."""

from __future__ import annotations

from typing import TypeAlias

Verdict: TypeAlias = "tuple[str, str | None, object, int, bool, str | None, object]"
"""The attribute's name as it came; the column it fills, and with what; the bits of the columns that represent it;
whether that column is another's and is filled only if it is empty; the name and the value under which the attribute
stays, if it does. A plain tuple: Python unpacks it faster than a named one."""

AS_TEXT = 64
"""Where the bits of `promoted_as_text` begin; those of `promoted` are below."""

SAME = (1 << AS_TEXT) - 1
"""The bits of `promoted`."""
