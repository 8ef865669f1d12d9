"""The hub's TLS, over real connections: own certificates, renewed ones, and those that clients have to show."""

from __future__ import annotations

import http.client
import shutil
import ssl
import subprocess
from typing import TYPE_CHECKING

import pytest
from tests.agent.hub.test_hub import LiveHub, forward
from tests.conftest import config_for
from tests.daemons import LiveDaemon, wait_for

from telem.agent.errors import AgentError
from telem.agent.hub.certificate import context_for

if TYPE_CHECKING:
    from pathlib import Path

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl to make certificates")


def certificate(folder: Path, name: str = "hub", *addresses: str) -> tuple[Path, Path]:
    """A certificate and its key, for these addresses."""
    names = ",".join(f"IP:{address}" for address in addresses or ("127.0.0.1",))
    chain, key = folder / f"{name}.pem", folder / f"{name}-key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", f"/CN={name}", "-addext", f"subjectAltName={names}", "-keyout", str(key), "-out", str(chain)],
        check=True, capture_output=True,
    )  # fmt: skip
    return chain, key


def flags_of(chain: Path, key: Path) -> tuple[str, ...]:
    return ("--mode", "hub", "--hub-listen", "127.0.0.1:0", "--hub-cert", str(chain), "--hub-cert-key", str(key))


def shown(port: int) -> str:
    """The certificate that a new connection is shown."""
    return ssl.get_server_certificate(("127.0.0.1", port), timeout=30).strip()


@needs_openssl
def test_a_renewed_certificate_is_taken_over_without_a_restart(home: Path, tmp_path: Path) -> None:
    """By new connections; open ones go on, and a pair that is none changes nothing."""
    chain, key = certificate(tmp_path)
    first = chain.read_text().strip()
    with LiveDaemon(home, *flags_of(chain, key)) as daemon:
        port = LiveHub(home, daemon).url.port or 0
        context = ssl.create_default_context(cafile=str(chain))
        connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=60)
        connection.request("GET", "/ping")
        assert connection.getresponse().read() == b"Ok.\n"
        assert shown(port) == first
        other, other_key = certificate(tmp_path, "renewed")
        shutil.copy(other, chain)  # not its key yet
        wait_for(lambda: "stays what it was" in (home / "logs" / "daemon.log").read_text())
        assert shown(port) == first
        shutil.copy(other_key, key)
        wait_for(lambda: shown(port) == other.read_text().strip())
        connection.request("GET", "/ping")
        assert connection.getresponse().read() == b"Ok.\n"
        connection.close()


@needs_openssl
def test_members_show_a_certificate_where_one_is_asked_for(home: Path, tmp_path: Path) -> None:
    """A forwarder with it gets in, one without is told, and neither trusts a hub whose authority it was not given.

    When the authority changes, who had one of the former gets in no longer, without a restart; a broken one changes
    nothing.
    """
    chain, key = certificate(tmp_path)
    own, own_key = certificate(tmp_path, "ada")
    other, _ = certificate(tmp_path, "other")
    authority = tmp_path / "authority.pem"
    shutil.copy(own, authority)
    with LiveDaemon(home, *flags_of(chain, key), "--hub-client-ca", str(authority)) as daemon:
        hub = LiveHub(home, daemon)
        token = tmp_path / "token"
        token.write_text(hub.add("ada")[0])
        laptop = tmp_path / "laptop"
        common = ("--home", str(laptop), "--url", hub.url.geturl(), "--token-file", str(token))
        trust, mine = ("--ca-file", str(chain)), ("--cert-file", str(own), "--cert-key-file", str(own_key))
        for name, flags, words in (
            ("with", (*trust, *mine), ""),
            ("without", trust, "certificate"),
            ("doubting", mine, "not trusted"),
        ):
            assert forward("add", name, *common, *flags).returncode == 0
            tested = forward("test", name, "--home", str(laptop))
            assert (tested.returncode == 0) is (name == "with"), tested
            assert words in tested.stdout.lower()
        authority.write_text("nothing")
        wait_for(lambda: f"authority {authority} cannot be used" in (home / "logs" / "daemon.log").read_text())
        assert forward("test", "with", "--home", str(laptop)).returncode == 0
        shutil.copy(other, authority)
        wait_for(lambda: forward("test", "with", "--home", str(laptop)).returncode == 1)
        assert "certificate" in forward("test", "with", "--home", str(laptop)).stdout.lower()


@pytest.mark.parametrize("flags", [{}, {"hub_cert": "/nowhere/chain.pem"}])
def test_beyond_this_machine_only_with_tls(home: Path, flags: dict[str, str]) -> None:
    with pytest.raises(AgentError, match=r"without TLS|cannot be used"):
        context_for(config_for(home, hub_listen="0.0.0.0:0", **flags), "0.0.0.0")
    assert context_for(config_for(home, hub_behind_proxy=1), "0.0.0.0") is None
