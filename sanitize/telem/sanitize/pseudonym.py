"""Stable stand-ins for personal data: the same value and key always give the same name, and nothing leads back.

A stand-in looks like `email:7f3kq2mz5wfq`: its kind, ten base32 digits of a keyed digest and two check digits. The
check digits need no key, so a stand-in made under an older key is still recognised and left alone.
"""

from __future__ import annotations

import re
from base64 import b32encode
from hashlib import blake2b

KEY_BYTES = 32
DIGITS = 10
"""Shown digits of the digest: 50 bits keep a million people apart, and no more is needed to join rows."""

KINDS = ("account", "email", "host", "install", "ip", "org", "path", "person", "phone", "user", "value")
"""Every kind of stand-in there is; a word that is not here is never taken for one."""

STAND_IN = re.compile(r"(?:" + "|".join(KINDS) + r"):[a-z2-7]{12}", re.ASCII)


class Pseudonyms:
    """Keyed BLAKE2b, apart for each kind, so that a user and a host of one name do not share digits."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            msg = f"the pseudonym key has {len(key)} bytes, not {KEY_BYTES}"
            raise ValueError(msg)
        self._key = key

    def of(self, kind: str, value: str) -> str:
        """Return the stand-in of `value`, or `value` itself when it is a stand-in of this kind already."""
        if value.startswith(kind) and is_stand_in(value):
            return value
        digest = blake2b(value.encode("utf-8", "replace"), digest_size=10, key=self._key, person=kind.encode()[:16])
        digits = b32encode(digest.digest()).decode().lower()[:DIGITS]
        return f"{kind}:{digits}{_check(kind, digits)}"


def is_stand_in(value: str) -> bool:
    """Tell whether the whole value is a stand-in: a known kind, the alphabet and the check digits agree."""
    if STAND_IN.fullmatch(value) is None:
        return False
    kind, _, digits = value.partition(":")
    return _check(kind, digits[:DIGITS]) == digits[DIGITS:]


def _check(kind: str, digits: str) -> str:
    return b32encode(blake2b(f"{kind}:{digits}".encode(), digest_size=5).digest()).decode().lower()[:2]
