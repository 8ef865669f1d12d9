"""Texts that could take long: what every rule looks for, nearly, really, escaped, wrapped and mixed.

Repeated to 64 KB they are what `bench/hostile.py` measures; the tests count the steps that a few of them take.
"""

from __future__ import annotations

import base64
import json
import random
import re
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telem.sanitize.rules import Rule


def variants(rule: Rule) -> Iterator[str]:
    """What a rule looks for, nearly looks for, and really finds, in the ways in which it may stand in a text."""
    for trigger in rule.triggers:
        yield from (trigger, trigger + " ", trigger + "a1B2c3D4", trigger + "=", trigger.upper() + "_")
    for example in rule.must_match:
        text = example.text
        yield from (text, text + " ", text + "\n", text + ",", text[: len(text) // 2], text[len(text) // 2 :])
        yield from example.losing
        yield re.sub(r"[0-9]", "x", text)
        yield from (json.dumps(text), json.dumps(json.dumps(text)), json.dumps({"text": text}) + ",")
        yield from (quote(text, safe=""), quote(text), base64.b64encode(text.encode()).decode() + " ")
        yield "".join(f"\\u{ord(c):04x}" for c in text if ord(c) <= 0xFFFF)
        yield text.replace("/", "\\/")
        yield "\x1b[31m" + text + "\x1b[0m"
    yield from (text + "\n" for text in rule.must_not_match)


def mixed(rules: tuple[Rule, ...], count: int, seed: int) -> Iterator[str]:
    """Pieces of several rules put together."""
    source = random.Random(seed)
    every = [piece for rule in rules for piece in variants(rule) if piece]
    for _ in range(count):
        yield "".join(source.sample(every, source.randrange(2, 5)))
