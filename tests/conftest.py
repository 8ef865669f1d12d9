"""Fixtures that several rooms share: a home to live in, a gate, and running daemons."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from tests.daemons import LiveDaemon

from telem.agent import asking
from telem.agent.config import Config, load
from telem.agent.daemon import Daemon
from telem.queries import run as questions
from telem.sanitize.decode import decode
from telem.sanitize.gate import Gate
from telem.sanitize.policy import shipped_policy
from telem.sanitize.records import Profile
from telem.sanitize.redact import Redactor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from telem.sanitize.records import RawRequest

KEY = bytes(range(32))

# A shell without job control starts background jobs with SIGINT ignored (POSIX, XCU 2.11), and a child inherits that:
# a test that interrupts a command would wait for ever.
for _number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, signal.default_int_handler if _number == signal.SIGINT else signal.SIG_DFL)


def _temporary() -> Path:
    return Path(tempfile.mkdtemp(prefix="telem-"))


@pytest.fixture(autouse=True)
def _ask_oneself() -> Iterator[None]:
    """Commands that ran in this process have decided who answers its questions; the next test decides anew."""
    yield
    questions.use(questions.by_own_children)
    asking._hub = None


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder with a short name, so that even a socket path fits below it."""
    path = _temporary()
    yield path
    shutil.rmtree(path)


@pytest.fixture
def gate() -> Gate:
    """A gate under the shipped policy and a fixed key."""
    return Gate(Redactor(shipped_policy(Profile.STANDARD), KEY), KEY)


@pytest.fixture
def rows_of(gate: Gate) -> Callable[[RawRequest], list[dict[str, Any]]]:
    """Decode and sanitize a request; its rows as dictionaries."""
    return lambda request: [
        orjson.loads(line) for line in gate.sanitize(decode(request), gate.request_id(request)).lines
    ]


def config_for(home: Path, **flags: Any) -> Config:
    """A configuration on free ports, whatever the environment says."""
    ports = {"otlp_http_port": 0, "otlp_grpc_port": 0, "query_port": 0}
    return load({"home": str(home), **ports, **flags}, environ={})


@contextlib.asynccontextmanager
async def running(config: Config) -> AsyncIterator[Daemon]:
    """A daemon in this process and loop."""
    ready = asyncio.Event()
    daemon = Daemon(config, lambda _said: ready.set())
    life = asyncio.create_task(daemon.run())
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait([life, waiting], return_when=asyncio.FIRST_COMPLETED)
    if life.done():
        waiting.cancel()
        await life
    try:
        yield daemon
    finally:
        daemon.stop()
        await life


@pytest.fixture
async def daemon(home: Path) -> AsyncIterator[Daemon]:
    """A daemon in the test's own process and loop."""
    async with running(config_for(home)) as started:
        yield started


@pytest.fixture
def live(home: Path) -> Iterator[LiveDaemon]:
    """A daemon in a process of its own."""
    with LiveDaemon(home) as started:
        yield started


@pytest.fixture(scope="module")
def served() -> Iterator[LiveDaemon]:
    """One daemon for all tests of a module that only talk to it."""
    path = _temporary()
    with LiveDaemon(path, "--body-limit-bytes", str(8 * 1024 * 1024)) as started:
        yield started
    shutil.rmtree(path)
