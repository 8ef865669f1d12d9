"""Hunt for texts that take long: what every rule looks for, repeated to 64 KB, nearly, really, escaped and mixed.

PYTHONPATH=. python bench/hostile.py [--engine re] [--rule ID] [--mixed 500] [--sample 0] [--seed 1] [--worst 20]
"""

from __future__ import annotations

import argparse
import json
import random
import time

from tests.fuzz.hostile import mixed, variants

from telem.sanitize.engines import HAS_RE2, Engine, Linear, Pure
from telem.sanitize.policy import shipped_policy
from telem.sanitize.redact import Redactor
from telem.sanitize.rules import shipped_rules

CHARS = 65_536
BAR_MS = 50.0
AGAIN_MS = 25.0
"""What takes longer is measured three times: the first time may compile rules and build automata."""


def took_ms(redactor: Redactor, text: str) -> float:
    """CPU milliseconds of judging a text."""
    best = float("inf")
    for _ in range(3):
        start = time.process_time_ns()
        redactor._judge("text", text)  # noqa: SLF001 (without the memory of clean values)
        best = min(best, (time.process_time_ns() - start) / 1e6)
        if best < AGAIN_MS:
            break
    return best


def hunt(engine: Engine, pieces: list[str]) -> list[tuple[float, int, str]]:
    """Return milliseconds, replacements and piece, the worst first."""
    redactor = Redactor(shipped_policy(), b"k" * 32, engine=engine)
    found = []
    for piece in pieces:
        redactor.tally.take()
        text = (piece * (CHARS // len(piece) + 1))[:CHARS]
        found.append((took_ms(redactor, text), sum(redactor.tally.take()[0].values()), piece))
    return sorted(found, reverse=True)


def main() -> None:
    """Print the worst texts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=["re2", "re"], default="re2" if HAS_RE2 else "re")
    parser.add_argument("--rule", help="only this rule's")
    parser.add_argument("--mixed", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sample", type=int, default=0, help="so many of the texts only; 0 is all, and takes minutes")
    parser.add_argument("--worst", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    rules = tuple(rule for rule in shipped_rules() if asked.rule in (None, rule.id))
    every = [piece for rule in rules for piece in variants(rule)] + list(mixed(rules, asked.mixed, asked.seed))
    pieces = list(dict.fromkeys(filter(None, every)))
    if 0 < asked.sample < len(pieces):
        pieces = random.Random(asked.seed).sample(pieces, asked.sample)
    found = hunt(Linear() if asked.engine == "re2" else Pure(), pieces)
    if asked.json:
        print(json.dumps([{"ms": ms, "replacements": count, "piece": piece} for ms, count, piece in found]))
        return
    beyond = sum(ms > BAR_MS for ms, _, _ in found)
    print(f"{asked.engine}: {len(found)} texts of 64 KB, {beyond} of them beyond {BAR_MS:.0f} ms")
    for ms, count, piece in found[: asked.worst]:
        print(f"{ms:8.1f} ms {count:7} replacements  {piece[:80]!r}")


if __name__ == "__main__":
    main()
