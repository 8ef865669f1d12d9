"""Second opinions: small total functions that say whether a text that has the looks also has the substance.

A rule names the checks its value must pass. They see only the value, never its surroundings.
"""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from math import log2

from .words import WORDS

Validator = Callable[[str], bool]

CARD_DIGITS_MIN, CARD_DIGITS_MAX = 13, 19
IBAN_REST = 1
ENTROPY_LOW = 2.3
"""Eight characters of five kinds; only the likes of `xxxxxxxx` and `aaaa-aaaa` lie below."""
ENTROPY_HIGH = 3.0
"""Words of twenty letters and less lie below."""
DIGIT = re.compile(r"[0-9]")
PORT_DIGITS_MAX = 5
LONG_CHARS_MIN = 24
VERSION_NUMBER_MAX = 31
"""1.7.5.1 is a version, and 8.8.8.8 nobody's home."""
IPV4 = 4
FINGERPRINT_PAIR = 2
"""75:9A:4A:CE:7C:DA:7E:89 is part of the fingerprint of a certificate."""
DOUBLED_DIGIT_MAX = 4
PHONE_KINDS_MIN = 4
PHONE_DIGITS_MIN, PHONE_DIGITS_MAX = 9, 15


def entropy(value: str) -> float:
    """Return the Shannon entropy in bits a character."""
    size = len(value)
    return -sum(n / size * log2(n / size) for n in Counter(value).values()) if size else 0.0


def entropy_low(value: str) -> bool:
    """Accept all but the most monotonous values: a floor that only kills `xxxxxxxx` and `aaaa-aaaa`."""
    return entropy(value) >= ENTROPY_LOW


def entropy_high(value: str) -> bool:
    """Accept what looks drawn at random: for marks so short that words begin with them."""
    return entropy(value) >= ENTROPY_HIGH


def has_digit(value: str) -> bool:
    """Accept a value with at least one digit: random tokens have one, words do not."""
    return DIGIT.search(value) is not None


def has_letter(value: str) -> bool:
    """Accept a value with at least one letter."""
    return any(c.isalpha() for c in value)


def has_digit_or_case(value: str) -> bool:
    """Accept a value with a digit or with both cases: kebab-case words have neither."""
    return has_digit(value) or (value != value.lower() and value != value.upper())


def not_masked(value: str) -> bool:
    """Refuse what was blanked out already: stars, dots, x-es, angle brackets, shell and template variables."""
    bare = value.strip("*.xX-_# \u2022")
    return bool(bare) and not re.search(r"\$\{|\$\(|\{\{|%\(|^\$[A-Za-z_]\w*$|^<[^<>]*>$|^\{[\w.]*\}$|\.\.\.$", value)


def luhn(value: str) -> bool:
    """Accept digits whose Luhn sum is right and which do not all repeat."""
    digits = [int(c) for c in value if c.isdigit()]
    if not CARD_DIGITS_MIN <= len(digits) <= CARD_DIGITS_MAX or len(set(digits)) == 1:
        return False
    odd = digits[-1::-2]
    even = [2 * d - 9 if d > DOUBLED_DIGIT_MAX else 2 * d for d in digits[-2::-2]]
    return (sum(odd) + sum(even)) % 10 == 0


def iban(value: str) -> bool:
    """Accept an account number whose ISO 7064 remainder is 1."""
    compact = re.sub(r"[ -]", "", value).upper()
    turned = compact[4:] + compact[:4]
    if not turned.isalnum():
        return False
    return int("".join(str(int(c, 36)) for c in turned)) % 97 == IBAN_REST


def ssn(value: str) -> bool:
    """Accept a US social security number in an area, group and serial that can be issued."""
    area, group, serial = re.split(r"[- .]", value)
    return area not in {"000", "666"} and area < "900" and group != "00" and serial != "0000"


def phone(value: str) -> bool:
    """Accept a plausible amount of digits that do not all repeat."""
    digits = re.sub(r"\D", "", value)
    return PHONE_DIGITS_MIN <= len(digits) <= PHONE_DIGITS_MAX and len(set(digits)) >= PHONE_KINDS_MIN


def public_ip(value: str) -> bool:
    """Accept an address that the whole world can reach: not private, local, documentation or multicast."""
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return False
    if address.version == IPV4 and max(address.packed) <= VERSION_NUMBER_MAX:
        return False
    if address.version != IPV4 and "::" not in value and max(map(len, value.split(":"))) <= FINGERPRINT_PAIR:
        return False
    return address.is_global and not address.is_multicast


def person(value: str) -> bool:
    """Accept a name of people; refuse the names of machines and of nobody."""
    lower = value.lower()
    return lower not in WORDS.nobody and not lower.endswith("[bot]") and MACHINES.isdisjoint(lower.split())


def mailbox(value: str) -> bool:
    """Accept an address of a person: not a service account of a forge, not a file, not a version of a package."""
    local, _, domain = value.lower().partition("@")
    top = domain.rpartition(".")[2]
    if top in WORDS.file_endings or local in WORDS.no_person or local.startswith(("noreply+", "no-reply")):
        return False
    return not domain.startswith(("noreply.", "users.noreply.")) or "+" in local


def not_code(value: str) -> bool:
    """Refuse calls, member accesses, variables and paths where a literal was expected."""
    return CODE_LIKE.search(value) is None or random_text(value)


def random_text(value: str) -> bool:
    """Tell whether a value that begins like a path is base64: long, of both cases and digits, and of no words."""
    if RANDOM.fullmatch(value) is None:
        return False
    turns = sum(a.islower() != b.islower() for a, b in pairwise(value))
    return turns * RANDOM_CHARS_A_TURN >= len(value) and has_digit(value) and entropy(value) >= RANDOM_ENTROPY_MIN


def not_mailbox(value: str) -> bool:
    """Refuse an e-mail address, which is no password."""
    return re.fullmatch(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)*", value) is None


def not_flag(value: str) -> bool:
    """Refuse the rest of a long option where `-p` and a value without a blank between them were expected."""
    return value.partition("=")[0] not in FLAG_RESTS


def not_port(value: str) -> bool:
    """Refuse a bare number of up to five digits, as in `-u 1000:1000`, and the names of groups."""
    return not (value.isdigit() and len(value) <= PORT_DIGITS_MAX) and value not in WORDS.nobody


def not_nobody(value: str) -> bool:
    """Refuse the accounts of machines as passwords: `postgres:postgres@localhost` is everybody's."""
    return value.lower() not in WORDS.nobody


def not_plain(value: str) -> bool:
    """Refuse the words that examples are made of: `user:password@host`."""
    return any(word not in WORDS.plain for word in re.findall(r"[a-z0-9]+", value.lower())) or not has_letter(value)


def credential(value: str) -> bool:
    """Accept what can follow Bearer or Basic in running text: with a digit, padded, or long and of both cases."""
    if value.startswith("realm="):
        return False
    return has_digit(value) or value.endswith("=") or (len(value) >= LONG_CHARS_MIN and has_digit_or_case(value))


def not_address(value: str) -> bool:
    """Refuse the tail of an IPv6 address."""
    return re.fullmatch(r"[0-9A-Fa-f:./%]*", value) is None


def not_git(value: str) -> bool:
    """Refuse `git`, the user of every forge."""
    return value not in WORDS.no_person


def not_route(value: str) -> bool:
    """Refuse a port and the path after it, where a password in a URL was expected."""
    return re.match(r"[0-9]{2,5}/|/", value) is None


def not_member(value: str) -> bool:
    """Refuse calls and members of an object where the name of an account was expected; `ada.lovelace` is one."""
    return not_code(value) or (DOTTED.fullmatch(value) is not None and value.partition(".")[0] not in WORDS.objects)


def not_page(value: str) -> bool:
    """Refuse the last part of a path that is a file or a page rather than a person."""
    return value.rpartition(".")[2].lower() not in WORDS.file_endings


FLAG_RESTS = frozenset(
    ["ass", "assword", "asswd", "assphrase", "ort", "rofile", "roject", "rotocol", "rompt", "arallel"]
)
"""`-password` and other long options that begin with a single dash, less that and the p."""
DOTTED = re.compile(r"[a-z]{1,20}\.[a-z]{1,30}", re.ASCII)

MACHINES = frozenset(
    {
        *("github", "gitlab", "dependabot", "renovate", "actions", "bot", "copilot", "codex", "gemini"),
        *("opus", "sonnet", "haiku", "code", "public", "users"),
    }
)
"""Words in the names of programs that commit, and in those of folders beside people's homes."""

RANDOM = re.compile(r"[A-Za-z0-9+/_-]{30,}={0,2}", re.ASCII)
RANDOM_CHARS_A_TURN = 4
"""Cases and digits change at every second character of base64, and at every sixth of a path."""
RANDOM_ENTROPY_MIN = 4.2

CODE_LIKE = re.compile(
    r"(?<!\w)[0-9]*+[A-Za-z_]\w*+\(|\A[A-Za-z_]\w*(?:\.[A-Za-z_]+)+\Z|\A[$/~]|\A\./|::|->|\A\{|\A<|\A%[A-Za-z]\w*%\Z",
    re.ASCII,
)


VALIDATORS: dict[str, Validator] = {
    function.__name__.replace("_", "-"): function
    for function in (
        credential,
        entropy_high,
        entropy_low,
        has_digit,
        has_digit_or_case,
        has_letter,
        iban,
        luhn,
        mailbox,
        not_address,
        not_code,
        not_flag,
        not_git,
        not_mailbox,
        not_masked,
        not_member,
        not_nobody,
        not_page,
        not_plain,
        not_port,
        not_route,
        person,
        phone,
        public_ip,
        ssn,
    )
}
"""The checks a rule may name."""
