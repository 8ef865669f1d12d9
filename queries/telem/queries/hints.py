"""What to say to somebody who named what there is not (pure)."""

from __future__ import annotations

import difflib

from telem.storage.views import view_names


def tables_hint(wanted: str) -> str:
    """Which tables there are, and which one was probably meant."""
    near = difflib.get_close_matches(wanted, view_names(), n=1)
    meant = f"Did you mean {near[0]}? " if near else ""
    return f"{meant}Tables: {', '.join(sorted(view_names()))}."
