"""What becomes of an attribute."""

from __future__ import annotations

from typing import TypeAlias

Rare: TypeAlias = "tuple[bool, str | None, object]"
"""Whether the column is another attribute's and is filled only if it is empty; the name and the value under which the
attribute stays, if it does."""

Verdict: TypeAlias = "tuple[str | None, object, int, Rare | None]"
"""The column that the attribute fills, and with what; the bits of the columns that represent it; and what most have no
need of. A plain tuple: Python unpacks it faster than a named one."""

NOTHING: Rare = (False, None, None)
"""It fills no column and does not stay: it was dropped, or its bit says everything."""

AS_TEXT = 64
"""Where the bits of `promoted_as_text` begin; those of `promoted` are below."""

LOST = 128
"""Where the bits of attributes begin whose column does not say all, so that they stay as well."""

SAME = (1 << AS_TEXT) - 1
"""The bits of `promoted`."""

TOGETHER = ("file_path", "prompt_text")
"""Attributes that decide about others, or others about them: what becomes of them depends on the whole record."""
