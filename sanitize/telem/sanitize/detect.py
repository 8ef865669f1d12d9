"""Detectors: what a pattern cannot find because it has to read on."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .effort import MATCH
from .flat import Flat, Span
from .heads import Heads, headed
from .validators import has_digit
from .words import WORDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from .effort import Effort
    from .engines import Engine
    from .rules import Rule

BEGIN = re.compile(r"-----BEGIN[ A-Z0-9]{0,40}PRIVATE KEY(?: BLOCK)?-----")
END = re.compile(r"-----END[ A-Z0-9]{0,40}PRIVATE KEY(?: BLOCK)?-----")

ARMOUR = 10
"""Units for what begins or ends a key; some hundred lines are read from there."""

KEY_CHARS_MIN, KEY_CHARS_MAX = 16, 32_768
"""A header with less behind it is a mention; a 16,384-bit RSA key has 12,700 characters, escapes not counted."""

GAP = r"(?:[ \t\r\n\"'+,|>:#*;()-]|\\+[nrt\"'\n]|\d{1,6}(?=[ \t\x7f|:])|\x7f)"
"""What stands between the lines of a key: blanks, quotes, escapes, marks of diffs, line numbers."""

HEADER = r"(?:Proc-Type|DEK-Info|Version|Comment|Hash|Charset)[^\n\\]{0,80}"
LINES = re.compile(rf"(?:{GAP}{{0,24}}(?:{HEADER}|[A-Za-z0-9+/=_]{{32,}}))*", re.ASCII)
LAST = re.compile(rf"{GAP}{{0,24}}((?=[A-Za-z]*[0-9+/=])[A-Za-z0-9+/]{{4,}}={{0,2}})", re.ASCII)
GAP_BACKWARDS = r"(?:[ \t\r\n\"'+,|>:#*;()-]|[nrt\"'\n]\\+|(?<=[ \t\x7f|:])\d{1,6}|\x7f)"
LINES_BACKWARDS = re.compile(rf"(?:{GAP_BACKWARDS}{{1,24}}[A-Za-z0-9+/=]{{16,}})+", re.ASCII)
"""Of the text turned round: from its end there is one way to read it, from its beginning there are many."""


def private_keys(rule: Rule, rank: int, engine: Engine, effort: Effort) -> Callable[[Flat], Iterable[Span]]:
    """Find private keys in armour: whole, escaped, in a diff, without their end or without their beginning."""
    del engine  # one literal and a few anchored steps; nothing to speed up

    def find(flat: Flat) -> Iterator[Span]:
        text, at = flat.text, 0
        for begin in BEGIN.finditer(text):
            effort.left -= ARMOUR
            if effort.left < 0:
                return
            if begin.start() < at:
                continue
            end = END.search(text, begin.end(), begin.end() + KEY_CHARS_MAX)
            following = BEGIN.search(text, begin.end(), begin.end() + KEY_CHARS_MAX)
            if end is not None and (following is None or following.start() > end.start()):
                at = end.end()
            else:
                at = _cut_off(text, begin.end())
            if at - begin.end() >= KEY_CHARS_MIN or end is not None:
                yield Span(begin.start(), at, rule.id, rule.kind, rank)
        for end in END.finditer(text):
            effort.left -= ARMOUR
            if effort.left < 0:
                return
            before = text[max(at, end.start() - KEY_CHARS_MAX) : end.start()]
            if body := LINES_BACKWARDS.match(before[::-1]):
                yield Span(end.start() - len(body.group()), end.end(), rule.id, rule.kind, rank)
            at = max(at, end.end())

    return find


def _cut_off(text: str, start: int) -> int:
    """Return where the lines of a key end that has no end."""
    lines = LINES.match(text, start)
    at = lines.end() if lines else start
    last = LAST.match(text, at)
    return last.end() if last else at


COOKIES = re.compile(
    r"(?:(?i:(?:set-)?cookie)(?:\\*[\"'])?[ \t]*[:=, ]|curl[^\n]{0,200}? -b)"
    r"[ \t]*(?:\\*[\"'])?(?=[A-Za-z0-9_.-]{1,80}=)",
    re.ASCII,
)
HEADERS = headed(Heads(("cookie", "set-cookie", "curl"), before=False), COOKIES, lower=False, ignore_case=True)
COOKIE = re.compile(r"([A-Za-z0-9_.-]{1,80})=([^;\s\"'\\]*)(?:;[ ]?|\Z)?", re.ASCII)
COOKIE_FLAGS = re.compile(r"(?:[A-Za-z-]{1,20};[ ]?){0,8}")
COOKIE_CHARS_MIN = 6
"""A shorter cookie is a setting."""


def cookies(rule: Rule, rank: int, engine: Engine, effort: Effort) -> Callable[[Flat], Iterable[Span]]:
    """Find the values of cookies; their names and the settings beside them stay."""
    del engine

    def find(flat: Flat) -> Iterator[Span]:
        text, at = flat.text, 0
        for (_, end), *_ in HEADERS(flat):
            if end < at:
                continue  # inside the value of another
            at = end
            effort.left -= MATCH
            while effort.left >= 0 and (pair := COOKIE.match(text, at)):
                effort.left -= MATCH
                if _is_secret_cookie(*pair.groups()):
                    yield Span(*pair.span(2), rule.id, rule.kind, rank)
                at = _next_cookie(text, pair.end())

    return find


def _is_secret_cookie(name: str, value: str) -> bool:
    return name.lower() not in WORDS.settings and len(value) >= COOKIE_CHARS_MIN and has_digit(value)


def _next_cookie(text: str, at: int) -> int:
    """Step over settings without a value, such as `HttpOnly`."""
    flag = COOKIE_FLAGS.match(text, at)
    return flag.end() if flag else at
