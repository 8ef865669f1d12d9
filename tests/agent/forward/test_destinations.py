"""Destinations: what can be used, and what is refused in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from telem.agent.cli import cli
from telem.agent.config import ConfigError
from telem.agent.errors import USAGE_STATUS
from telem.agent.forward import destinations
from telem.agent.forward.destinations import Destination
from telem.storage.disk import Disk
from telem.storage.layout import Layout

if TYPE_CHECKING:
    from pathlib import Path

URL = "https://hub.example.org:8443"


def test_what_is_written_is_what_is_read(home: Path) -> None:
    """Every setting, and texts with quotes in them."""
    layout = Layout(home)
    whole = Destination(
        "team", "otlp", URL, ("logs", "metrics"), "2026-01-31", '/a"b\\c/tök', "", "/h", "/ca", "/cert", "/key", False,
        "cumulative", "drop", ("model", "*_tokens"), ("user.*",), ("api_request",), True,
    )  # fmt: skip
    for one in (whole, Destination("x", url=URL)):
        path = destinations.write(layout, Disk(), one)
        assert path.stat().st_mode & 0o777 == 0o600
        assert destinations.read(layout, one.name) == one
    assert destinations.names(layout) == ["team", "x"]


def test_a_file_of_a_destination_counts_from_the_data_folder(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The daemon may have been started from anywhere; ~ is who runs it."""
    layout = Layout(home)
    monkeypatch.setenv("HOME", "/home/ada")
    destinations.write(layout, Disk(), Destination("x", url=URL, token_file="~/token", ca_file="root.crt"))
    found = destinations.read(layout, "x")
    assert (found.token_file, found.ca_file, found.header_file) == ("/home/ada/token", str(home / "root.crt"), "")


def test_a_file_that_is_named_is_found_from_anywhere(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given relative to where the user is; one that is not there is said at once, and nothing is added."""
    monkeypatch.chdir(tmp_path)
    command = ["forward", "add", "hub", "--home", str(home), "--url", URL, "--token-file", "token"]
    refused = CliRunner().invoke(cli, command)
    assert refused.exit_code == USAGE_STATUS
    assert f"{tmp_path}/token cannot be read" in refused.stderr
    assert destinations.names(Layout(home)) == []
    (tmp_path / "token").write_text("a")
    added = CliRunner().invoke(cli, [*command, "--paused"])
    assert added.exit_code == 0
    assert "forward resume hub" in added.stderr
    assert destinations.read(Layout(home), "hub").token_file == f"{tmp_path}/token"


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("Team", {}, "no name"),
        ("../x", {}, "no name"),
        ("x", {"url": "hub.example.org"}, "begins with https"),
        ("x", {"url": "ftp://hub.example.org"}, "begins with https"),
        ("x", {"url": "http://hub.example.org"}, "--insecure"),
        ("x", {"url": "http://127.0.0.1.example.org"}, "--insecure"),
        ("x", {"url": "https://me:secret@hub.example.org"}, "credentials go into a file"),
        ("x", {"url": URL + "/?token=a"}, "credentials go into a file"),
        ("x", {"kind": "kafka"}, "kind is one of hub, otlp, clickhouse"),
        ("x", {"signals": ("logs", "profiles")}, "no signal 'profiles'"),
        ("x", {"signals": ()}, "no signal is left"),
        ("x", {"token_file": "a", "token_env": "B"}, "not both"),
        ("x", {"cert_key_file": "a"}, "without cert_file"),
        ("x", {"since": "last week"}, "since is a day"),
        ("x", {"content": "some"}, "content is one of keep, drop"),
        ("x", {"temporality": "delta"}, "temporality is one of"),
        ("x", {"database": "a; DROP"}, "database is a name"),
        ("x", {"kind": "clickhouse", "aggregates_only": True}, "are for OTLP"),
    ],
)
def test_what_cannot_be_used_is_refused(name: str, options: dict[str, Any], message: str) -> None:
    """With what is wrong, and what it may be."""
    with pytest.raises(ConfigError, match=message):
        destinations.check(Destination(name, **({"url": URL} | options)))


@pytest.mark.parametrize("url", ["http://127.0.0.1:4318", "http://localhost", "http://[::1]:1", "http://127.9.9.9/x"])
def test_this_machine_needs_no_tls(url: str) -> None:
    """Nobody else is on the way."""
    destinations.check(Destination("x", url=url))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("url = ", "not valid TOML"),
        (f'url = "{URL}"\ncolour = "red"', "there is no 'colour'"),
        (f'url = "{URL}"\nsignals = "logs"', "signals is a list of texts"),
        (f'url = "{URL}"\ninsecure = "yes"', "insecure is true or false"),
        (f'url = "{URL}"\nname = "y"', "there is no 'name'"),
        ("url = 1", "url is a text"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(home: Path, text: str, message: str) -> None:
    """The path, the line's name, and what it may be."""
    layout = Layout(home)
    layout.forward.mkdir()
    (layout.forward / "x.toml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        destinations.read(layout, "x")
    with pytest.raises(ConfigError, match="there are: x"):
        destinations.read(layout, "y")
