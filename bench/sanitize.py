"""Speed of judging, on texts that are seen once: automata built as they go look fast in a loop over one text.

python bench/sanitize.py [--json]
"""

from __future__ import annotations

import json
import random
import statistics
import string
import sys
import sysconfig
import time
from pathlib import Path
from typing import TYPE_CHECKING

from telem.sanitize.engines import HAS_RE2, Engine, Linear, Pure
from telem.sanitize.policy import shipped_policy
from telem.sanitize.redact import Redactor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KEY = b"k" * 32
RECORD_VALUES, PROMPT_CHARS, ROUNDS, WARM_UP = 20, 65_536, 40, 20
TARGETS = {
    "re2": {"record": 200, "prompt": 6_000, "event": 15},
    "re": {"record": 1_000, "prompt": 30_000, "event": 15},
}
"""Microseconds on one of two shared cores."""


class Texts:
    """Cuts the code of the standard library into pieces, none of them twice, and makes up events."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        files = sorted(Path(sysconfig.get_paths()["stdlib"]).glob("[a-z]*/*.py"))
        self._random.shuffle(files)
        self._files = iter(files)
        self._rest = ""

    def code(self, chars: int) -> str:
        """Code of so many characters."""
        while len(self._rest) < chars:
            self._rest += next(self._files).read_text("utf-8", "replace")
        text, self._rest = self._rest[:chars], self._rest[chars:]
        return text

    def record(self) -> list[tuple[str, str]]:
        """Twenty values of 50 to 400 characters, 4.7 KB in all."""
        return [(f"tag.{n}", self.code(self._random.randint(70, 400))) for n in range(RECORD_VALUES)]

    def event(self) -> list[tuple[str, str]]:
        """An event of Claude Code's default telemetry: ids that are new, and words that repeat."""
        r = self._random
        uuid = f"{r.randbytes(4).hex()}-{r.randbytes(2).hex()}-4{r.randbytes(2).hex()[1:]}-8a1b-{r.randbytes(6).hex()}"
        request = "req_011" + "".join(r.choices(string.ascii_letters + string.digits, k=21))
        return [
            ("event.name", "api_request"),
            ("event.timestamp", f"2026-01-01T00:{r.randrange(60):02}:{r.randrange(60):02}.{r.randrange(1000):03}Z"),
            ("event.sequence", str(r.randrange(10_000))),
            ("session.id", "e0606052-77ef-4bb9-9a0b-a311468eee7d"),
            ("prompt.id", uuid),
            ("user.id", "8c2f0e6b" * 8),
            ("user.email", "ada@example.com"),
            ("organization.id", "66666666-7777-4888-8999-aaaaaaaaaaaa"),
            ("user.account_uuid", "11111111-2222-4333-8444-555555555555"),
            ("terminal.type", "iTerm.app"),
            ("model", "claude-sonnet-4-5"),
            ("request_id", request),
            ("input_tokens", str(r.randrange(9_999))),
            ("output_tokens", str(r.randrange(9_999))),
            ("cache_read_tokens", str(r.randrange(99_999))),
            ("cost_usd", f"{r.random():.6f}"),
            ("duration_ms", str(r.randrange(99_999))),
            ("speed", "normal"),
        ]


def _attributes(redactor: Redactor, pairs: list[tuple[str, str]]) -> None:
    """As the gate does it: a look into the memory, then the handler."""
    for key, value in pairs:
        if redactor.memory(key).get(value) is None:
            redactor.handler(key)(value)


def _micros(judge: Callable[[], None], rounds: int) -> float:
    took = []
    for _ in range(rounds):
        start = time.process_time_ns()
        judge()
        took.append((time.process_time_ns() - start) / 1000)
    return statistics.median(took)


def measure(engine: Engine) -> Iterator[tuple[str, float]]:
    """Return what was measured and the microseconds it took, on fresh texts each time."""
    redactor, texts = Redactor(shipped_policy(), KEY, engine=engine), Texts(1)
    for _ in range(WARM_UP):  # rules compile when they are first triggered, and automata grow with what they read
        redactor.text(texts.code(PROMPT_CHARS))
    records = iter([texts.record() for _ in range(ROUNDS * 5)])
    yield "record", _micros(lambda: _attributes(redactor, next(records)), ROUNDS * 5)
    prompts = iter([texts.code(PROMPT_CHARS) for _ in range(ROUNDS)])
    yield "prompt", _micros(lambda: _keep(redactor.text(next(prompts))), ROUNDS)
    events = [texts.event() for _ in range(20_000)]
    for event in events[:1_000]:
        _attributes(redactor, event)
    start = time.process_time_ns()
    for event in events[1_000:]:
        _attributes(redactor, event)
    yield "event", (time.process_time_ns() - start) / 1000 / (len(events) - 1_000)


def _keep(_text: str) -> None:
    """The answer is of no interest here."""


def main() -> None:
    """Print a table, or JSON."""
    engines: list[Engine] = [Linear(), Pure()] if HAS_RE2 else [Pure()]
    found = {engine.name: dict(measure(engine)) for engine in engines}
    if "--json" in sys.argv:
        print(json.dumps(found))
        return
    for engine, times in found.items():
        for what, micros in times.items():
            print(f"{engine:4} {what:8} {micros:10.1f} us   target {TARGETS[engine][what]:>7} us")


if __name__ == "__main__":
    main()
