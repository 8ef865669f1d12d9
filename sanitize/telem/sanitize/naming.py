"""Names in structures: which of a structure's values a name stands beside, as it would in the same text (pure)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .assign import follows, secret_class

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .records import Attribute

NAMES = ("name", "key", "k", "field", "variable", "var", "parameter", "param", "header")
VALUES = frozenset({"value", "val", "v", "content", "data", "text", "default"})
"""Members of a map that say together what one would: `{"name": "DB_PASSWORD", "value": "…"}`."""

SOCIAL_SECURITY = re.compile(r"(?:\A|[^a-z])ssn(?:\Z|[^a-z])|social[ _.-]?security", re.ASCII | re.IGNORECASE)
SSN_DIGITS = 9

FLAG = re.compile(r"-+([^=]+)", re.ASCII)


def pair_name(items: Mapping[str, Attribute]) -> str:
    """Return the name that a map gives to its value in a member of its own, or nothing."""
    lower = {key.lower(): item for key, item in items.items()} if len(items) > 1 else {}
    if VALUES.isdisjoint(lower):
        return ""
    return next((name for key in NAMES if isinstance(name := lower.get(key), str)), "")


def is_value(key: str) -> bool:
    """Tell whether a member holds the value that another one names."""
    return key.lower() in VALUES


def name_after(item: Attribute, following: Attribute) -> str:
    """Return the name that an item of a list gives to the one after it: a flag's, or one that a secret follows."""
    if not isinstance(item, str):
        return ""
    if flag := FLAG.fullmatch(item):
        return flag.group(1)
    return item if isinstance(following, str) and follows(item, following) else ""


def is_social_security(name: str, value: Attribute) -> bool:
    """Tell whether a value is the digits of a social security number by its name."""
    return (
        isinstance(value, str)
        and len(value) == SSN_DIGITS
        and value.isdecimal()
        and SOCIAL_SECURITY.search(name) is not None
    )


def number_as_text(name: str, value: int) -> str:
    """Return a number as it would stand in a text behind a name that tells something; nothing for other names."""
    if SOCIAL_SECURITY.search(name):
        return f"ssn: {value:0{SSN_DIGITS}}"
    return f'"{name}": {value}' if secret_class(name) else ""
