"""Laptops, a hub and the network between them, each in a network namespace of its own (Linux, as root).

A laptop reaches `ADDRESS` through the router. Behind it is the other side; or, while the router has that address
itself, whoever listens in the router's namespace: a box on the way. So connections break, stall and end up elsewhere as
they do in life, under TLS that nobody on the way can open without a certificate that the laptop trusts.

    laptop 10.99.N.2 ──── router 10.99.N.1 … 10.99.3.1 ──── 10.99.3.2 and ADDRESS, the other side
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

ADDRESS = "10.99.9.9"
BEHIND = "10.99.3.2"
"""The other side's own address, by which a box on the way reaches it."""

FOLDER = Path("/run/netns")
CLONE_NEWNET = 0x40000000


class Namespace:
    """A network of its own. What is to happen in it is run in a thread that lives there, or by `within`."""

    def __init__(self, name: str) -> None:
        self.name = f"telem-{os.getpid()}-{name}"
        self.within = ("ip", "netns", "exec", self.name)
        ip("netns", "add", self.name)
        self._thread = ThreadPoolExecutor(1, self.name, _enter, (FOLDER / self.name,))
        self.ip("link", "set", "lo", "up")

    def ip(self, *words: str) -> None:
        """A command of iproute2, in here."""
        ip("-n", self.name, *words)

    def run(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Call it in here; sockets that it makes belong here."""
        return self._thread.submit(function, *args, **kwargs).result()

    def close(self) -> None:
        self._thread.shutdown()
        ip("netns", "delete", self.name)


def _enter(path: Path) -> None:
    with path.open() as file:
        if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"cannot enter {path}")


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, timeout=60)


class Net:
    """The router, and who hangs on it."""

    def __init__(self, *laptops: str) -> None:
        with contextlib.ExitStack() as stack:
            self.router = self._made(stack, "net")
            self.there = self._made(stack, "there")
            self.laptops = {name: self._made(stack, name) for name in laptops}
            self.router.run(Path("/proc/sys/net/ipv4/ip_forward").write_text, "1")
            self._cable(self.there, "there", 3)
            self.there.ip("addr", "add", f"{ADDRESS}/32", "dev", "lo")
            self.reach()
            for number, name in enumerate(laptops, 10):
                self._cable(self.laptops[name], name, number)
            self._stack = stack.pop_all()

    @staticmethod
    def _made(stack: contextlib.ExitStack, name: str) -> Namespace:
        made = Namespace(name)
        stack.callback(made.close)
        return made

    def _cable(self, end: Namespace, name: str, number: int) -> None:
        end.ip("link", "add", "eth0", "type", "veth", "peer", "name", name, "netns", self.router.name)
        self.router.ip("addr", "add", f"10.99.{number}.1/24", "dev", name)
        self.router.ip("link", "set", name, "up")
        end.ip("addr", "add", f"10.99.{number}.2/24", "dev", "eth0")
        self._up(end, number)

    @staticmethod
    def _up(end: Namespace, number: int) -> None:
        end.ip("link", "set", "eth0", "up")
        end.ip("route", "replace", "default", "via", f"10.99.{number}.1")

    def pull(self, *names: str) -> None:
        """Pull laptops' cables."""
        for name in names or self.laptops:
            self.laptops[name].ip("link", "set", "eth0", "down")

    def plug(self, *names: str) -> None:
        """Put them in again."""
        for number, name in enumerate(self.laptops, 10):
            if not names or name in names:
                self._up(self.laptops[name], number)

    def reach(self) -> None:
        """Let packets find the other side."""
        self.router.ip("route", "replace", f"{ADDRESS}/32", "via", BEHIND)

    def lose(self, how: str) -> None:
        """Let the router drop what goes there: `blackhole` without a word, `unreachable` with one."""
        self.router.ip("route", "replace", how, f"{ADDRESS}/32")

    @contextlib.contextmanager
    def boxed(self) -> Iterator[None]:
        """Let the router itself have the address: what goes there ends up with whoever listens there, or is refused."""
        self.router.ip("addr", "add", f"{ADDRESS}/32", "dev", "lo")
        try:
            yield
        finally:
            self.router.ip("addr", "delete", f"{ADDRESS}/32", "dev", "lo")

    @contextlib.contextmanager
    def slowly(self, rate: str, mtu: int) -> Iterator[None]:
        """Narrow lines with short queues, which lose packets, and a passage for small packets only."""
        shape = ("rate", rate, "burst", "3000", "limit", "6000")
        for laptop in self.laptops.values():
            tc(laptop, "replace", "dev", "eth0", "root", "tbf", *shape)
        self.router.ip("link", "set", "there", "mtu", str(mtu))
        self.there.ip("link", "set", "eth0", "mtu", str(mtu))
        try:
            yield
        finally:
            for laptop in self.laptops.values():
                tc(laptop, "delete", "dev", "eth0", "root")
            self.router.ip("link", "set", "there", "mtu", "1500")
            self.there.ip("link", "set", "eth0", "mtu", "1500")

    def close(self) -> None:
        self._stack.close()


def tc(where: Namespace, *words: str) -> None:
    subprocess.run(["tc", "-n", where.name, "qdisc", *words], check=True, capture_output=True, timeout=60)


def needed() -> None:
    """Skip the test, with the reason, where there can be no namespaces."""
    if sys.platform != "linux":
        pytest.skip("network namespaces are Linux's")
    if os.geteuid() != 0:
        pytest.skip("only root may make network namespaces")
    for program in ("ip", "tc", "openssl"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    name = f"telem-{os.getpid()}-probe"
    try:
        ip("netns", "add", name)
        ip("-n", name, "link", "add", "one", "type", "veth", "peer", "name", "two")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no network namespaces here: {error.stderr.decode().strip()}")
    finally:
        with contextlib.suppress(subprocess.CalledProcessError):
            ip("netns", "delete", name)
