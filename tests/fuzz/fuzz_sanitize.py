"""Feed the sanitizer whatever comes: it must answer, answer alike in both engines, and leave its own answers alone.

    python tests/fuzz/fuzz_sanitize.py [SECONDS]
    python tests/fuzz/fuzz_sanitize.py --cases 2000     the same ones each time; `make test` runs these

With atheris installed the inputs follow coverage; without it they are random pieces of the rules' own examples.
"""

from __future__ import annotations

import random
import sys
import time

from telem.sanitize.engines import HAS_RE2, Engine, Linear, Pure
from telem.sanitize.policy import shipped_policy
from telem.sanitize.redact import FAILED, Redactor
from telem.sanitize.rules import shipped_rules

ENGINES: list[Engine] = [Linear(), Pure()] if HAS_RE2 else [Pure()]
REDACTORS = [Redactor(shipped_policy(), b"k" * 32, engine=engine) for engine in ENGINES]
SEEDS = [example.text for rule in shipped_rules() for example in rule.must_match]
GLUE = [
    "\\n",
    "\x1b[31m",
    "%3D",
    '"',
    "'",
    "=",
    ": ",
    "\n",
    "://",
    "@",
    "\\",
    "{",
    "}",
    "\u00e9",
    "\ud800",
    "\x00",
    " ",
]


def check(data: bytes) -> None:
    """Judge one input in every engine."""
    text = data.decode("utf-8", "surrogateescape")
    answers = set()
    for redactor in REDACTORS:
        once = redactor.text(text)
        if once == FAILED:
            raise AssertionError(f"failed: {text!r}")
        if redactor.text(once) != once:
            raise AssertionError(f"changes twice: {text!r}")
        answers.add(once)
    if len(answers) != 1:
        raise AssertionError(f"the engines differ: {text!r}")


def random_input(source: random.Random) -> bytes:
    """Put pieces of examples together and break them."""
    text = "".join(
        piece[source.randrange(len(piece) + 1) :] if source.random() < 0.3 else piece
        for piece in (source.choice(SEEDS if source.random() < 0.5 else GLUE) for _ in range(source.randrange(1, 9)))
    )
    at = source.randrange(len(text) + 1)
    return (text[:at] + source.choice(GLUE) + text[at:]).encode("utf-8", "surrogatepass")


def run_cases(cases: int) -> None:
    """Judge so many inputs, the same ones each time."""
    source = random.Random(cases)
    for _ in range(cases):
        check(random_input(source))
    sys.stdout.write(f"{cases} inputs\n")


def run_seconds(seconds: float) -> None:
    """Judge inputs that are new each time."""
    seed = random.SystemRandom().randrange(1 << 32)
    source = random.Random(seed)
    until = time.monotonic() + seconds
    count = 0
    while time.monotonic() < until:
        check(random_input(source))
        count += 1
    sys.stdout.write(f"{count} inputs, seed {seed}\n")


def main() -> None:
    """Run so many cases, until the time is over, or for ever under atheris."""
    if sys.argv[1:2] == ["--cases"]:
        run_cases(int(sys.argv[2]))
        return
    try:
        import atheris  # type: ignore[import-not-found, import-untyped, unused-ignore]
    except ImportError:
        run_seconds(float(sys.argv[1]) if len(sys.argv) > 1 else 10)
    else:
        atheris.Setup(sys.argv, check)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
