"""The ground the rules walk on: a text as plain ASCII, one character for each of the original's, and spans in it.

Both engines agree on ASCII. Characters beyond it become DEL, so offsets hold, no rule can be fooled by a Unicode class
and lone surrogates never reach an encoder.
"""

from __future__ import annotations

import re
from typing import NamedTuple

OTHER = "\x7f"
"""Stands for any character that is not ASCII; not a letter, not a blank, part of a value."""


class Flat(NamedTuple):
    """An ASCII view of a text, as characters and as bytes, with equal offsets."""

    text: str
    data: bytes


class Span(NamedTuple):
    """A piece of the text that must go, the rule that says so, and the kind of stand-in it gets, if any."""

    start: int
    end: int
    rule: str
    kind: str
    rank: int


_new = tuple.__new__


def flatten(text: str) -> Flat:
    """Return the ASCII view of `text`. Question marks take a detour, as the codec replaces with them."""
    if text.isascii():
        return _new(Flat, (text, text.encode("ascii")))  # without what a named tuple does on the way
    data = text.replace("?", "\x1a").encode("ascii", "replace")
    data = data.replace(b"?", b"\x7f").replace(b"\x1a", b"?")
    return Flat(data.decode("ascii"), data)


ANSI_END = re.compile(r"(?:\x1b|\^\[|\\u001[bB]|\\x1[bB]|\\033|\\e)\[[0-9;]{0,12}m\Z", re.ASCII)
ESCAPED_END = re.compile(
    r"(?:\\[nrtfvb0]|\\[0-7]{3}|(?:^|[^A-Za-z0-9])u00[0-9A-Fa-f]{2}|%[0-9A-Fa-f]{2}|\\u00[0-9A-Fa-f]{2}|\\x[0-9A-Fa-f]{2})\Z",
    re.ASCII,
)


def starts_word(text: str, at: int) -> bool:
    r"""Tell whether a token may begin at `at`: no letter or digit before it, or one that ends an escape.

    The n of a JSON `\n`, the m of a colour and the D of `%3D` are letters that belong to what came before.
    """
    if at == 0 or not text[at - 1].isalnum():
        return True
    before = text[max(0, at - 24) : at]
    if "\\" not in before and "%" not in before and "[" not in before and "u00" not in before:
        return False
    return ESCAPED_END.search(before) is not None or (before[-1] == "m" and ANSI_END.search(before) is not None)


def merge(spans: list[Span]) -> list[Span]:
    """Join overlapping secrets, named by the rule of the best rank; drop personal data that overlaps a secret.

    In `postgres://ada:secret@example.com` the password is a secret and no part of an e-mail address. If personal data
    is left over, the next round sees it.
    """
    spans.sort()
    merged = [spans[0]]
    for span in spans[1:]:
        last = merged[-1]
        if span.start >= last.end:
            merged.append(span)
        elif bool(span.kind) != bool(last.kind):
            merged[-1] = last if span.kind else span
        else:
            best = span if span.rank < last.rank else last
            merged[-1] = Span(last.start, max(last.end, span.end), best.rule, best.kind, best.rank)
    return merged
