"""The assignment rule: a name that promises a secret, a separator of any language, a value that keeps the promise.

One rule in place of a hundred "word near a value" patterns. The engine finds the words; names, separators and values
are then read by hand, because quotes, escapes, types and terminators differ in every language an agent writes.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from .effort import NAME as NAME_UNITS
from .effort import VALUE as VALUE_UNITS
from .flat import Flat, Span
from .validators import entropy, has_digit, not_masked, random_text
from .words import WORDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from .effort import Effort
    from .engines import Engine
    from .rules import Rule

NAMES_MAX = 10_000
"""Names whose class is remembered."""

VALUE_CHARS_MAX = 65_536
"""A longer value is cut here; the rest is taken by the next round or is no secret."""

JUDGED_CHARS_MAX = 160
"""Of a longer value only the beginning is judged: it is no more of a secret for what comes then."""

READ_TIMES_MAX = 2
SHORT_CHARS_MAX = 128
"""In `password=password=…` every value is the rest of the text. Once twice the text was read, values are cut and
names inside them passed over."""

NAME_BEFORE = (
    "mot de ", "public ", "api ", "access ", "secret ", "private ", "signing ", "encryption ", "master ", "license ",
    "seed ", "recovery ", "auth ", "client ", "service ", "account ",
)  # fmt: skip
"""What belongs to a name although a blank follows it: the API key."""
NAME_CHARS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-."
NAME_CHARS_MAX = 80

SEPARATOR = re.compile(
    r"""(?P<pair>\\*["']?,?(?:[ \t\r\n]|\\[nrt]){0,40}\\*["']?(?:[a-z]{1,12}:)?[Vv]alue\\*["']?[ \t]*[:=][ \t]*)
    |(?P<nested>\\*["']?[ \t]*[:=]?[ \t]*\{(?:[ \t\r\n]|\\[nrt]){0,20}
       (?:type[ ]*=[ ]*string(?:[ \t\r\n;,]|\\[nrt]){1,20})?
       \\*["']?(?:[Vv]alue|default|secureValue)\\*["']?[ \t]*[:=][ \t]*)
    |(?P<option>[ ]+(?:--body|--value|--secret-string|--plaintext|-b)[ =]\\*["']?(?=[^\s"'\\]))
    |(?P<block>["']?:[ \t]*[|>][+-]?[0-9]?(?:\n|\\n)[ \t]*)
    |(?P<assign>\\*["'`]?[\])}]?[?!]?(?:\*\*|__)?(?:[ \t]|\x7f(?=[:=])|\x1b\[[0-9;]{0,9}m)*
       (?::[ \t]*&?(?:'static[ ])?[A-Za-z_][\w.]*(?:\[[^\]\n]{0,30}\]|<[^>\n]{0,30}>)?
          \??(?:[ \t]*\|[ \t]*\w+){0,8}[ \t]*=(?![=>])
       |[ \t]string[ \t]*=|<<<|===?|!==?|(?:\|\||\?\?|[:+|?])?=(?![=~])>?|:(?![:=])|<-|->(?=[ ]?\\*["'`]))
       (?:\*\*|__)?(?:!!?(?:str|binary)[ ]|<!\[CDATA\[|(?:\r?\n|\\n)[ \t]{0,40}
       (?=\\*["'][^\s"']|[A-Za-z0-9_+/=-]{24,200}(?:\n|\\n|\Z))
       |[ \t]|\\t|\x1b\[[0-9;]{0,9}m)*(?:\{(?=["'`]))?)
    |(?P<tag>(?:\\*["']|(?:[ ][A-Za-z:]{1,20}=["'][^"'<>\n]{0,40}["']){1,3})?
       >(?:<!\[CDATA\[)?(?=[^<\s])|</key>\s{0,20}<string>(?=[^<\s]))
    |(?P<call>\\*["']?\)?[ \t]*(?:\(|\|\||\?\?|\bor\b)[ \t]*(?=\\*["'`]))
    |(?P<comma>\\*["'][ \t]*,[ \t]*(?=\\*["'`]))
    |(?P<table>[ \t]*[|\x7f][ \t]*)
    |(?P<prose>["'`]?(?:[ ]\((?=[A-Za-z0-9_+/=-]{16,500}\))|[ ]for[ ]'[^'\n]{1,100}':[ ]?
       |[ ](?:provided|supplied|given|used):[ \t]*|[ ]\([^()\n]{1,30}\):[ \t]*
       |[ ](?:for|of|to|on|in)[ ][^\n:=]{1,60}?(?:[ ]is[ ]|[ ]is:|:)[ \t]*
       |(?:[ ]|\t|\\t)+(?:(?:will[ ]be|(?:has[ ]been[ ]|was[ ])?(?:set|changed|reset)[ ]to
       |(?:is|was|are)(?:[ ]now)?|of|to)(?:[ ]?:)?
       [ \t]+)?))""",
    re.VERBOSE | re.ASCII,
)
OTHERWISE = re.compile(r"[ \t]*(?:\|\||\?\?|or|\?:)[ \t]*(?=\\*[\"'`])", re.ASCII)
"""`process.env.API_KEY || "…"`"""
ATOM = re.compile(r"(?P<comma>,[ \t]{0,8}(?=\\*[\"']))", re.ASCII)
"""What stands behind `:api_token` in Elixir and Ruby."""
SOON = r"=:<>|\x7f \t?+!{\x1b*"
OPENS = r"\([ \t]*[\\\"'`]|,[ \t]*[\\\"'`]"
BEGINS = (
    rf"(?:[{SOON}]|->|[\"'`]?\\t|{OPENS}|[\\\"'`\])}}]+(?:[{SOON}_-]|{OPENS})|"
    r"[\\\"',\r\n][\\\"',\r\nnrt \t]*(?:[a-z]+:)?[Vv]alue)"
)
"""How all begins that `SEPARATOR` and `ATOM` fit, and little else."""
MAY_BEGIN = re.compile(BEGINS, re.ASCII).match
QUOTE = re.compile(r"(?:[bBrRfFuUN@$]{0,2})(\\{0,7})([\"'`])", re.ASCII)
BARE = re.compile(r"(?:[^\s\"'`\\<\x1b\x00]++|\\(?![nrtu\"'/\\`])|<(?!/))+", re.ASCII)
PAIR_BEGINS = re.compile(r"[&;,|)\]}<]")
"""Looked for first: `re` is twenty times as quick with a single class."""
NEXT_PAIR = re.compile(
    r"[&;,|](?=[ ]?[\w.%-]{1,40}(?:=|%3D|:[ ]))|[),;\]}]{2,}|[,;](?=[{\[(])|"
    r"<(?=[A-Za-z][\w .]{0,20}>)|\]\]>|;(?=[A-Z][\w ]{0,30}=)",
    re.ASCII,
)

CODE_BEGINS = re.compile(
    r"[.~]{0,2}/|[A-Za-z]:[\\/]|\\&|arn:|[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\Z(?<![0-9])|&?[A-Za-z_]+\Z(?<![A-Z])|"
    r"[@<(\[{!#*-]",
    re.ASCII,
)
CODE_CHARS = re.compile(r"[(\[.:>+&|=]")
"""Looked for first: what follows cannot be without one."""
CODE_INSIDE = re.compile(
    r"(?<![\w.])[0-9.]*+[A-Za-z_][\w.]*+\(|(?<!\w)[0-9]*+[A-Za-z_]\w*+\[|"
    r"(?:\$|(?<!\w)[0-9]*+[A-Za-z_])\w*(?:\.[A-Za-z_]\w*)+!?[;,)]*\Z|::|->|=>|://|\+\+|&&|\|\||==[^=]",
    re.ASCII,
)
BARE_CODE = re.compile(r"[A-Za-z_]+(?:_[A-Za-z]+)*[0-9]?\Z", re.ASCII)
SEED = re.compile(r"(?:[a-z]{3,8}[ ,]{1,2}){11,23}[a-z]{3,8}", re.ASCII)
PHRASE = re.compile(r"[a-zA-Z]{3,11}(?: [a-zA-Z]{3,11}){2,23}", re.ASCII)
HUMP = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", re.ASCII)


LETTER, SYMBOL, RISE = (re.compile(pattern) for pattern in (r"[A-Za-z]", r"[^A-Za-z_. -]", r"[a-z][A-Z]"))
"""What `_mixed` looks for, where patterns are quicker than looking at each character: among ASCII."""

LABEL = re.compile(r"(?:pass|base64|hex):|(?:[Bb]earer|[Bb]asic|[Tt]oken)(?:%20|\\u0020)", re.ASCII)
USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}:(?=[^:/]{4,200}\Z)", re.ASCII)
"""`--ks-pass pass:…`, `APP_KEY=base64:…` and `--auth ada:…`: what is secret comes after the label."""
INNER_NAME = re.compile(r"[A-Za-z_][A-Za-z_.-]{1,40}=(?=[^=&\s]{6})", re.ASCII)
SETTING = re.compile(r"[a-z_]{2,40}=[a-z]{1,6}\Z", re.ASCII)
"""`sas_token="sig=…"`: what is secret comes after the inner name."""

NUMBER = re.compile(r"[0-9.,:_-]+", re.ASCII)
PLACE_OR_CALL = re.compile(
    r"arn:|[a-z]+(?:\.[a-z]+)+/[a-z-]+\Z|(?:vault|ssm|env|file|secretsmanager):|[.~]{0,2}/[\w.-]+/|[A-Za-z]+://|"
    r"[A-Za-z_]\w*\(.*\)\Z",
    re.ASCII,
)

CHARS_MIN = {"password": 4, "token": 8, "key": 8, "weak": 8, "random": 30}
"""Shorter values are left alone: `token: abc` is an example, `password: 1234` may be someone's."""

CODE_DIGITS_MIN, CODE_DIGITS_MAX = 3, 8
PHRASE_WORDS_MIN, PHRASE_WORDS_MAX = 3, 24
WEAK_ENTROPY_MIN = 2.5
WORD_CHARS_MIN = 16
SHELL_WORD_CHARS_MIN = 8
PROSE_CHARS_MIN = 6
HUMPS_MIN = 3
HUMP_CHARS_MAX = 5
"""Words in `camelCase` are longer on average."""


PEEK_CHARS, AHEAD_CHARS_MAX = 512, 64
"""Bare words are mostly short, and where they are not, `NEXT_PAIR` looks ahead no further than this."""


MARKER_BEGINS = "[REDACTED:"
MARKER = re.compile(r"\[REDACTED:[a-z0-9-]+\]", re.ASCII)


class Value(NamedTuple):
    """What stands after a separator."""

    start: int
    end: int
    quoted: bool


_classes: dict[str, str] = {}


def secret_class(name: str) -> str:
    """Return `password`, `token`, `key`, `weak` or nothing: what a name promises."""
    known = _classes.get(name)
    if known is None:
        if len(_classes) > NAMES_MAX:
            _classes.clear()
        known = _classes[name] = _classify(name)
    return known


def _classify(name: str) -> str:
    lists = WORDS
    words = [word.lower() for word in HUMP.findall(name)]
    while len(words) > 1 and words[-1].isdigit():
        words.pop()
    if not words or name in {"PWD", "OLDPWD"}:
        return ""
    if name[:2] in {"-D", "-P"}:
        return secret_class(name[2:])  # `-Dtoken=…`
    joined = "".join(words)
    if joined in lists.phrase or words[-1] in lists.phrase:
        return "phrase"
    if words[-1] == "seed":
        return "seed"
    if joined in lists.code:
        return "code"
    said = {*words, joined}
    if "".join(words[-2:]) in lists.key:
        said.discard("primary")  # there is a secondary access key then
    if (words[-1] in lists.tails and joined not in lists.key and joined != "secretid") or lists.elsewhere & said:
        return ""
    parts = {*words, *(a + b for a, b in pairwise(words)), "".join(words[-3:])}
    parts.update(ending for ending in ("password", "passwd", "secret", "apikey") if joined.endswith(ending))
    kinds = [kind for kind in ("password", "token", "key") if not parts.isdisjoint(getattr(lists, kind))]
    if words == ["key"]:
        return "random"  # of which most are no secrets, so only what can be nothing else
    return kinds[0] if kinds else "weak" if words[-1] in lists.weak else ""


def gate(words: str) -> str:
    """Return a pattern for names that hold one of the words, before what may be a separator."""
    return rf"(?i:{words})(?:[A-Z0-9_.-][A-Za-z0-9_.-]*)?{BEGINS}"


def assignments(rule: Rule, rank: int, engine: Engine, effort: Effort) -> Callable[[Flat], Iterable[Span]]:
    """Find the values of names that promise a secret."""
    words = engine.finder(rule.pattern, ignore_case=True, whole=True)

    def find(flat: Flat) -> Iterator[Span]:
        text, done = flat.text, 0
        budget = READ_TIMES_MAX * len(text) + VALUE_CHARS_MAX
        for (at, end), *_ in words(flat):
            if at < done:
                continue
            start, stop = _name(text, at, end)
            done = stop
            if not MAY_BEGIN(text, stop):
                continue
            effort.left -= NAME_UNITS
            if effort.left < 0:
                return
            if text[start - len(MARKER_BEGINS) : start] == MARKER_BEGINS:
                continue  # the name of a rule
            kind = secret_class(text[start:stop].replace(" ", "_"))
            if not kind and text[start - 1 : stop] == ";PWD":
                kind = "password"  # of a database; in a shell it is a folder
            if not kind:
                continue
            effort.left -= VALUE_UNITS
            value, read = _value(text, start, stop, kind, VALUE_CHARS_MAX if budget > 0 else SHORT_CHARS_MAX)
            budget -= read
            if budget < 0:
                done = stop + read
            if value is not None:
                done = max(done, stop, value.start)
                yield Span(value.start, value.end, rule.id, rule.kind, rank)

    return find


def _name(text: str, at: int, end: int) -> tuple[int, int]:
    start = at
    if at and text[at - 1] in NAME_CHARS:
        floor = max(0, at - NAME_CHARS_MAX)
        start = floor + len(text[floor:at].rstrip(NAME_CHARS))
        if start and text[start - 1] == "\\" and text[start] in "nrt" and start < at:
            start += 1
    elif at and text[at - 1] == " " and (lower := text[max(0, at - 16) : at].lower()).endswith(NAME_BEFORE):
        start -= max(len(word) for word in NAME_BEFORE if lower.endswith(word))
    if text[end : end + 1] not in NAME_CHARS:
        return start, end
    after = text[end : end + NAME_CHARS_MAX]
    return start, end + len(after[: len(after) - len(after.lstrip(NAME_CHARS))].rstrip(".-"))


def _value(text: str, start: int, stop: int, kind: str, room: int) -> tuple[Value | None, int]:
    """Return the secret that follows a name, if there is one, and how many characters were read for that."""
    separator = SEPARATOR.match(text, stop) or (ATOM.match(text, stop) if text[start - 1 : start] == ":" else None)
    if separator is None:
        return None, 0
    how = separator.lastgroup or ""
    if kind in {"phrase", "seed"} and (phrase := SEED.match(text, separator.end())):
        return Value(phrase.start(), phrase.end(), quoted=False), len(phrase.group())
    if how == "prose" and WORD.match(text, separator.end()):
        return None, 0  # nearly all there is in prose
    before = text[max(0, start - 2) : start]
    stops = "&#" if before[-1:] in {"?", "&"} else "@" if before == "//" else ""
    value = _read(text, separator.end(), room, stops=stops)
    if value is None:
        return None, 0
    if value.end - value.start < CHARS_MIN.get(kind, 0):
        return None, value.end - value.start
    secret = _judged(text, value, (start, stop), kind, how)
    if secret is None and how == "assign" and not value.quoted and (other := OTHERWISE.match(text, value.end)):
        literal = _read(text, other.end(), SHORT_CHARS_MAX, stops="")
        secret = literal and _judged(text, literal, (start, stop), kind, how)
    return secret, value.end - value.start


def _judged(text: str, value: Value, named: tuple[int, int], kind: str, how: str) -> Value | None:
    start, stop = named
    literal = text[value.start : value.end]
    if how == "prose" and text[start : start + 2] == "--" and text[stop : stop + 1] == " ":
        how = "assign"  # `--auth VALUE`
    if how in {"call", "comma", "tag", "table", "prose", "block"} and not _fits(
        how, kind, literal, quoted=value.quoted
    ):
        return None
    if literal[:1] == "[" and MARKER.match(literal):
        return None  # it went already
    label = LABEL.match(literal) or (USER.match(literal) if kind == "weak" else None)
    if label is not None and label.end() < len(literal):
        value = value._replace(start=value.start + label.end())
        literal = text[value.start : value.end]
    if (inner := INNER_NAME.match(literal)) is not None:
        if kind == "weak":
            return None  # a cookie, and judged as one
        value = value._replace(start=value.start + inner.end())
        literal = text[value.start : value.end]
    if kind == "weak" and SETTING.match(literal):
        return None
    name = text[start:stop]
    if not value.quoted and literal.lower() in name.lower():
        return None  # `self.token_2 = token_2`
    shell = how == "assign" and text[stop : stop + 1] == "=" and name.rpartition("_")[2].isupper()
    return value if is_secret(literal, kind, quoted=value.quoted, shell=shell) else None


WORD = re.compile(r"(?:[A-Za-z]?[a-z]{0,30}|[A-Z]{2,30})[,.;:?]?(?=[ \n]|(?<=\?)\Z)", re.ASCII)
PAIR = re.compile(r"[A-Za-z_]+=[0-9A-Za-z]{0,8}\Z", re.ASCII)
PAIR_OR_NAME = re.compile(rf"{PAIR.pattern}|[a-z]{{2,}}[0-9]{{0,4}}(?:_[a-z]+[0-9]{{0,4}})+\Z", re.ASCII)
"""`password count=7` tells of a password, and names none; nor does `#define hmac_key sha384_key`."""


def _fits(how: str, kind: str, literal: str, *, quoted: bool) -> bool:
    if kind in {"weak", "random"}:
        return how == "comma" and quoted and _mixed(literal)
    if how == "call":
        return quoted
    if how in {"tag", "block"}:
        return True
    if how in {"prose", "table"} and not quoted and (PAIR if kind == "password" else PAIR_OR_NAME).match(literal):
        return False
    return _mixed(literal) and len(literal) >= PROSE_CHARS_MIN and " " not in literal


NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{1,79}", re.ASCII)


def follows(name: str, value: str) -> bool:
    """Tell whether a value is what the name before it in a list promises, as in `("name", "value")`."""
    kind = secret_class(name) if NAME.fullmatch(name) else ""
    return bool(kind) and _fits("comma", kind, value, quoted=True) and is_secret(value, kind, quoted=True)


def _read(text: str, at: int, room: int, *, stops: str) -> Value | None:
    """Read the value at `at`: to the quote that closes it, or to where a bare word ends."""
    limit = min(len(text), at + room)
    quote = QUOTE.match(text, at, limit)
    if quote is not None and (quote.group(1) or text[at] != "\\"):
        return _quoted(text, quote, limit)
    end = _bare_end(text, at, min(limit, at + PEEK_CHARS), stops)
    if end > at + PEEK_CHARS - AHEAD_CHARS_MAX:
        end = _bare_end(text, at, limit, stops)
    word = text[at:end]
    kept = word.rstrip(",;:)]}>|.&" if not word.endswith("...") else ",;")
    return Value(at, at + len(kept), quoted=False) if kept else None


def _bare_end(text: str, at: int, limit: int, stops: str) -> int:
    """Return where a bare word ends: before a blank, before the next pair, or before one of `stops`."""
    bare = BARE.match(text, at, limit)
    if bare is None:
        return at
    end = bare.end()
    place = PAIR_BEGINS.search(text, at, end)
    while place is not None:
        if NEXT_PAIR.match(text, place.start(), end):
            end = place.start()
            break
        place = PAIR_BEGINS.search(text, place.end(), end)
    return min([end, *(i for c in stops if (i := text.find(c, at, end)) >= 0)])


def _quoted(text: str, quote: re.Match[str], limit: int) -> Value | None:
    slashes, mark = quote.groups()
    closing, start = slashes + mark, quote.end()
    if not slashes and text.startswith(mark + mark, start):
        start += 2  # as Python has for more than one line
    end = text.find(closing, start, limit)
    while end >= 0 and not slashes and text[end - 1] == "\\" and text[end - 2 : end] != "\\\\":
        end = text.find(closing, end + 1, limit)
    line = text.find("\n", start, limit if end < 0 else end)
    if line >= 0 or end < 0:
        stop = line if line >= 0 else limit
        bare = BARE.match(text, start, stop)
        end = bare.end() if bare else start
    return Value(start, end, quoted=True) if end > start else None


def is_secret(value: str, kind: str, *, quoted: bool, shell: bool = False) -> bool:
    """Judge a value by what its name promised: is it a literal that could be one?

    `shell` says that it stood in `NAME=value`, where a bare word is a literal and no variable.
    """
    value = value[:JUDGED_CHARS_MAX]
    if kind == "code":
        return value.isdigit() and CODE_DIGITS_MIN <= len(value) <= CODE_DIGITS_MAX
    if kind in {"phrase", "seed"} and " " in value:
        return quoted and len(value.split()) >= PHRASE_WORDS_MIN and not value.endswith((".", ":"))
    if kind in {"phrase", "seed"}:
        kind = "password" if kind == "phrase" else "weak"
    if len(value) < CHARS_MIN[kind] or not not_masked(value) or _plain(value):
        return False
    if kind == "random":
        return random_text(value)
    if ("()" in value or PLACE_OR_CALL.match(value)) and not random_text(value):
        return False
    if kind == "weak":
        return (
            _mixed(value)
            and (not _is_code(value) or _is_base64_word(value))
            and " " not in value
            and entropy(value) > WEAK_ENTROPY_MIN
        )
    if " " in value or NUMBER.fullmatch(value):
        return kind == "password" and (value.isdigit() or (quoted and " " in value and _passphrase(value)))
    return _is_quoted_secret(value, kind) if quoted else _is_bare_secret(value, kind, shell=shell)


def _is_quoted_secret(value: str, kind: str) -> bool:
    return kind == "password" or _mixed(value) or len(value) >= WORD_CHARS_MIN


def _is_bare_secret(value: str, kind: str, *, shell: bool) -> bool:
    long_word = shell and len(value) >= (PROSE_CHARS_MIN if kind == "password" else SHELL_WORD_CHARS_MIN)
    if _is_code(value) and not random_text(value):
        return long_word and value.isalpha()
    if BARE_CODE.match(value) and not shell:
        return (
            kind == "password"
            and _mixed(value)
            and value[-1].isdigit()
            and "_" not in value
            and len(value) >= PROSE_CHARS_MIN
        )
    return _mixed(value) or long_word


def _is_code(value: str) -> bool:
    """Tell whether there is code in a value, or a name, a path or an option."""
    if CODE_BEGINS.match(value) is not None:
        return True
    return CODE_CHARS.search(value) is not None and CODE_INSIDE.search(value) is not None


def _mixed(value: str) -> bool:
    """Tell whether letters meet digits or symbols, or cases alternate as no word does."""
    if value.isascii():
        meets = LETTER.search(value) is not None and SYMBOL.search(value) is not None
        return meets or len(RISE.findall(value)) >= HUMPS_MIN
    letters = any(c.isalpha() for c in value)
    others = any(not c.isalpha() and c not in "_-. " for c in value)
    humps = sum(a.islower() and b.isupper() for a, b in pairwise(value))
    return (letters and others) or humps >= HUMPS_MIN


def _is_base64_word(value: str) -> bool:
    """Tell base64 without a digit from a name in code."""
    humps = sum(a.islower() and b.isupper() for a, b in pairwise(value))
    return value.isalpha() and len(value) >= WORD_CHARS_MIN and humps * HUMP_CHARS_MAX >= len(value)


def _plain(value: str) -> bool:
    words = [word.lower() for word in re.findall(r"[A-Za-z]+", value)]
    if (has_digit(value) if value.isascii() else any(c.isdigit() for c in value)) or not words:
        return value.lower() in WORDS.plain
    return all(word in WORDS.plain or len(set(word)) == 1 for word in words) or (
        words[0] in {"your", "my", "some", "insert", "enter", "replace", "example", "put"} and not value.isalpha()
    )


def _passphrase(value: str) -> bool:
    words = value.split(" ")
    common = sum(word.lower().strip(".,!") in WORDS.plain for word in words)
    if any(_mixed(word) for word in words):
        return len(words) <= PHRASE_WORDS_MIN and common == 0
    return PHRASE_WORDS_MIN <= len(words) <= PHRASE_WORDS_MAX and common == 0 and PHRASE.fullmatch(value) is not None
