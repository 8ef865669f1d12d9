"""Searching bytes for pieces of secrets, as they are and in the spellings that hide them from a plain search.

A hit is a run of as many characters as `run_chars` says, of any part of a secret. Every six bytes of the data are
looked up among six bytes here and there of each spelling, so close together that no such run lies between them; where
they are known, the bytes around them are compared.
"""

from __future__ import annotations

import base64
import json
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .canaries import Canary

GRAM = 6
HITS_A_SOURCE = 50
"""More say nothing more."""


EDGE_BITS = {8: 0, 4: 0, 6: 10}
"""Bits of a run that its first and last base64 digit share with what stands beside it."""


class Spelling(NamedTuple):
    """One way in which a secret may stand in a file."""

    rule: str
    form: str
    data: bytes
    run: int  # so many characters of the secret, in a row, are a finding
    secret: bytes
    bits: int  # of the secret in each byte of the spelling; 0 where that differs from byte to byte
    lead: int = 0  # bits before the secret

    @property
    def stride(self) -> int:
        """Of the six bytes at every so many-th place, one lies in any run that is a finding, wherever it begins."""
        wanted = self.run if not self.bits else (self.run * 8 - EDGE_BITS[self.bits]) // self.bits
        return max(1, wanted - GRAM + 1)

    def is_finding(self, size: int) -> bool:
        """Whether so many bytes of the spelling tell enough of the secret."""
        return size >= self.run if not self.bits else size * self.bits >= self.run * 8 - EDGE_BITS[self.bits]

    def covered(self, start: int, end: int) -> bytes:
        """The part of the secret that a part of the spelling tells."""
        first, last = start * self.bits - self.lead, end * self.bits - self.lead
        return self.secret[max(0, -(-first // 8)) : max(0, last // 8)]


class Hit(NamedTuple):
    """A run of a secret."""

    spelling: Spelling
    start: int
    end: int


def run_chars(secret: str) -> int:
    """How many characters of a secret in a row are too many: half of it, but six at least and never more than 24."""
    return max(GRAM, min(24, len(secret) // 2))


def spellings(rule: str, secret: str) -> Iterator[Spelling]:
    """The secret itself, escaped, percent-encoded, in hex and in base64 wherever in the text it began."""
    run = run_chars(secret)
    data = secret.encode()
    yield Spelling(rule, "as it is", data, run, data, 8)
    escaped = json.dumps(secret)[1:-1]
    others = {
        "escaped": escaped,
        "escaped twice": json.dumps(escaped)[1:-1],
        "percent-encoded": quote(secret, safe=""),
        "escaped in hex": "".join(f"\\u{ord(char):04x}" for char in secret),
    }
    for form, text in others.items():
        if text != secret:
            yield Spelling(rule, form, text.encode(), run * len(text) // len(secret), data, 0)
    yield Spelling(rule, "hex", data.hex().encode(), run, data, 4)
    yield Spelling(rule, "hex", data.hex().upper().encode(), run, data, 4)
    for shift in range(3):
        coded = base64.b64encode(bytes(shift) + data).rstrip(b"=")
        for text64 in {coded, coded.replace(b"+", b"-").replace(b"/", b"_")}:
            yield Spelling(rule, "base64", text64, run, data, 6, 8 * shift)


class Searcher:
    """Knows all spellings of all secrets.

    Args:
        harmless: texts that may be on the disk. A run that stands in one of them proves nothing; it is not a hit.
    """

    def __init__(self, canaries: Iterable[Canary], harmless: Iterable[str]) -> None:
        pairs = {(secret, canary.rule) for canary in canaries for secret in canary.secrets}
        known = dict(sorted(pairs, reverse=True))
        self.spellings = [spelling for secret, rule in known.items() for spelling in spellings(rule, secret)]
        self.secrets = len(known)
        texts = list(harmless)
        escaped = [json.dumps(text) for text in texts]
        self._harmless = "\0".join([*texts, *escaped, *map(json.dumps, escaped)]).encode()
        self._places: defaultdict[bytes, list[tuple[int, int]]] = defaultdict(list)
        for number, spelling in enumerate(self.spellings):
            for at in range(0, len(spelling.data) - GRAM + 1, spelling.stride):
                self._places[spelling.data[at : at + GRAM]].append((number, at))

    def unsearchable(self) -> list[str]:
        """Rules of secrets of which every run stands in a harmless text, so that none could be told from it."""
        found = []
        for spelling in self.spellings:
            data, run = spelling.data, spelling.run
            runs = (data[at : at + run] for at in range(max(1, len(data) - run + 1)))
            if spelling.form == "as it is" and all(part in self._harmless for part in runs):
                found.append(spelling.rule)
        return found

    def hits(self, data: bytes) -> list[Hit]:
        """Runs of secrets in `data`."""
        places = self._places
        found: list[Hit] = []
        end = 0
        for at in [at for at in range(len(data) - GRAM + 1) if data[at : at + GRAM] in places]:
            hit = self._longest(data, at) if at >= end else None
            if hit is not None:
                found.append(hit)
                end = hit.end
                if len(found) >= HITS_A_SOURCE:
                    break
        return found

    def _longest(self, data: bytes, at: int) -> Hit | None:
        best: Hit | None = None
        for number, start in self._places[data[at : at + GRAM]]:
            spelling = self.spellings[number]
            before = 0
            while before < min(at, start) and data[at - before - 1] == spelling.data[start - before - 1]:
                before += 1
            after = GRAM
            limit = min(len(data) - at, len(spelling.data) - start)
            while after < limit and data[at + after] == spelling.data[start + after]:
                after += 1
            if best is not None and at + after <= best.end:
                continue
            first, last = start - before, start + after
            told = spelling.covered(first, last) if spelling.bits else spelling.data[first:last]
            if spelling.is_finding(last - first) and told not in self._harmless:
                best = Hit(spelling, at - before, at + after)
        return best
