"""Many literals as one pattern."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def tree(words: Iterable[str]) -> str:
    """Return a pattern for any of the words, the longest first, as a prefix tree: `re` then tries one branch only."""
    heads: dict[str, list[str]] = {}
    for word in words:
        heads.setdefault(word[:1], []).append(word[1:])
    branches = []
    for head, tails in sorted(heads.items()):
        if not head:
            continue
        rest = tree(tails) if any(tails) else ""
        branches.append(re.escape(head) + rest)
    body = branches[0] if len(branches) == 1 else "|".join(branches)
    if "" in heads:
        return f"(?:{body})?" if body else ""
    return body if len(branches) == 1 else f"(?:{body})"
