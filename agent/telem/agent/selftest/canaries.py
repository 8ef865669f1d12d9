"""The fake secrets: examples of what each shipped rule says it catches, some of them wrapped, and some of our own.

They come from the rules' own examples, so a rule that is added is tried without a word here.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from urllib.parse import quote

from telem.sanitize.rules import shipped_rules

RUN_CHARS_MIN = 6
"""A shorter piece occurs in harmless bytes too, so it cannot be searched for."""

EXAMPLES_A_RULE = 2

EVERY_WRAPPED = 12
"""Every so many-th token is also sent wrapped; how it is wrapped does not depend on whose token it is."""


@dataclass(frozen=True, slots=True)
class Canary:
    """A text to send, and the pieces of it that must not be found."""

    rule: str
    text: str
    secrets: tuple[str, ...]
    has_token: bool = False
    """A token of a provider, which goes even where the policy keeps words of its shape."""


EXTRA = (
    Canary("home-directory", "open /home/zebulonquist/work/plan.md", ("zebulonquist",)),
    Canary("home-directory", r"open C:\Users\zebulonquist\plan.md", ("zebulonquist",)),
    Canary("email", "write to zebulon.quist@mail.corp-example.net today", ("zebulon.quist",)),
)

NAMED_SECRET = "vK9-xTr0ub4dor.Qz7"  # noqa: S105 (made up: it is there to be looked for)
"""No rule knows it by its looks: it goes because of the name beside it."""


def canaries() -> list[Canary]:
    """All of them."""
    found = list(EXTRA)
    tokens = []
    for rule in shipped_rules():
        mine = []
        for example in rule.must_match:
            secrets = tuple(piece for piece in example.losing if len(piece) >= RUN_CHARS_MIN)
            if secrets:
                mine.append(Canary(rule.id, example.text, secrets, rule.find == "token"))
        found += mine[:EXAMPLES_A_RULE]
        if rule.find == "token":
            tokens += mine[:1]
    for token in tokens[::EVERY_WRAPPED]:
        found += _wrapped(token)
    return found


def _wrapped(token: Canary) -> list[Canary]:
    text = token.text
    wraps = {
        "base64": base64.b64encode(text.encode()).decode(),
        "percent": "".join(f"%{byte:02X}" for byte in text.encode()),
        "url": quote(text, safe=""),
        "escaped": "".join(f"\\u{ord(char):04x}" for char in text),
        "JSON": json.dumps({"data": [text]}),
        "JSON in JSON": json.dumps({"data": json.dumps([text])}),
    }
    return [Canary(f"{token.rule} in {name}", f"see {wrap}", token.secrets) for name, wrap in wraps.items()]
