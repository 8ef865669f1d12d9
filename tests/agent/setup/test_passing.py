"""Taking the place of another receiver, and sending on to it what comes: with a real daemon and a real receiver."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

import pytest
from tests.agent.setup.conftest import YES
from tests.daemons import CLI, LiveDaemon, clean_env, wait_for
from tests.otlp import logs

from telem.agent.config import load
from telem.agent.setup import commands, passing
from telem.agent.setup.commands import CLIENTS
from telem.agent.setup.record import records
from telem.agent.setup.wanted import Displaced

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from telem.agent.config import Config


class Receiver(ThreadingHTTPServer):
    """Somebody's backend; remembers paths and one header."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.got: list[tuple[str, str | None]] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        assert isinstance(self.server, Receiver)
        self.server.got.append((self.path, self.headers.get("X-Team-Key")))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its name in the library)
        """Say nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def pass_on(config: Config, client: str) -> bool:
    return commands.setup(config, [client], None, YES, replace=False, pass_on=True)


def test_what_arrives_here_arrives_there(account: Path, live: LiveDaemon, receiver: Receiver) -> None:
    """From then on, with the headers the client had; undo ends it, and the client sends there itself again."""
    settings = account / ".claude" / "settings.json"
    settings.parent.mkdir()
    env = {
        "CLAUDE_CODE_ENABLE_TELEMETRY": "1",
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
        "OTEL_EXPORTER_OTLP_HEADERS": "X-Team-Key=open sesame",
    }
    before = json.dumps({"env": env}).encode()
    settings.write_bytes(before)
    config = load({"home": str(live.home)}, {})
    assert pass_on(config, "claude")
    found = json.loads(settings.read_text())["env"]
    assert found["OTEL_EXPORTER_OTLP_ENDPOINT"] == live.endpoints["otlp_http"]
    body = logs({"event.name": "api_request", "cost_usd": 0.1}).SerializeToString()
    headers = {"Content-Type": "application/x-protobuf"}
    with urlopen(Request(f"{live.endpoints['otlp_http']}/v1/logs", body, headers), timeout=60) as answer:
        assert answer.status == 200
    wait_for(lambda: ("/v1/logs", "open sesame") in receiver.got, 60)
    secret = config.layout.setup / "before-claude.headers"
    assert secret.stat().st_mode & 0o777 == 0o600
    assert commands.take_back(config, [], YES)
    assert settings.read_bytes() == before
    assert not secret.exists()
    listed = [*CLI, "forward", "list", "--json", "--home", str(live.home)]
    done = subprocess.run(listed, capture_output=True, text=True, check=True, env=clean_env())
    assert json.loads(done.stdout)["destinations"] == []


def test_codex_and_gemini_are_passed_on_too(account: Path, config: Config, receiver: Receiver) -> None:
    """To the base of the address they had."""
    codex, gemini = (CLIENTS[name].settings_path(os.environ) for name in ("codex", "gemini"))
    codex.parent.mkdir()
    gemini.parent.mkdir()
    codex.write_text(
        f'[otel.exporter.otlp-http]\nendpoint = "{receiver.url}/x/v1/logs"\nprotocol = "json"\n'
        'headers = { "X-Team-Key" = "k" }\n'
    )
    gemini.write_text(
        json.dumps({"telemetry": {"enabled": True, "otlpEndpoint": receiver.url, "otlpProtocol": "http"}})
    )
    for client, url in (("codex", f"{receiver.url}/x"), ("gemini", receiver.url)):
        assert pass_on(config, client)
        text = (config.layout.forward / f"before-{client}.toml").read_text()
        assert json.dumps(url) in text
    assert (config.layout.setup / "before-codex.headers").read_text() == "X-Team-Key: k\n"


@pytest.mark.parametrize(("answer", "displaced"), [(b"y\ny\n", True), (b"n\n", False)])
def test_in_a_terminal_it_is_offered(account: Path, config: Config, answer: bytes, displaced: bool) -> None:
    """And nothing is taken from anybody who does not say yes."""
    settings = account / ".claude" / "settings.json"
    settings.parent.mkdir()
    env = {"CLAUDE_CODE_ENABLE_TELEMETRY": "1", "OTEL_EXPORTER_OTLP_ENDPOINT": "https://otel.example.com"}
    settings.write_text(json.dumps({"env": env}))
    ours, theirs = pty.openpty()
    command = [*CLI, "setup", "--home", str(config.home), "--client", "claude"]
    with subprocess.Popen(command, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        os.write(ours, answer)
        said = process.communicate(timeout=60)[0].decode()
    for descriptor in (ours, theirs):
        os.close(descriptor)
    assert "Take its place" in said
    assert ("otel.example.com" not in settings.read_text()) is displaced, said
    assert (config.layout.forward / "before-claude.toml").exists() is displaced


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("gRPC", {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "speaks HTTP"),
    ("no address", {"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4317"}, "no address"),
]


@pytest.mark.parametrize(("name", "more", "said"), REFUSED, ids=[name for name, *_ in REFUSED])
def test_who_cannot_be_sent_to_keeps_its_place(
    account: Path, config: Config, name: str, more: dict[str, str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """And it is said why."""
    settings = account / ".claude" / "settings.json"
    settings.parent.mkdir()
    env = {"CLAUDE_CODE_ENABLE_TELEMETRY": "1", "OTEL_EXPORTER_OTLP_ENDPOINT": "https://otel.example.com", **more}
    settings.write_text(json.dumps({"env": env}))
    before = settings.read_bytes()
    assert not pass_on(config, "claude")
    assert said in capsys.readouterr().err
    assert settings.read_bytes() == before
    assert records(config.layout) == []


def test_a_failed_change_leaves_no_destination(account: Path, config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither without the other."""
    settings = account / ".claude" / "settings.json"
    settings.parent.mkdir()
    env = {"CLAUDE_CODE_ENABLE_TELEMETRY": "1", "OTEL_EXPORTER_OTLP_ENDPOINT": "https://otel.example.com"}
    settings.write_text(json.dumps({"env": env}))

    def fail(*_: object) -> None:
        raise OSError("told to fail")

    monkeypatch.setattr(commands, "apply", fail)
    with pytest.raises(OSError, match="told to fail"):
        pass_on(config, "claude")
    assert not passing.end(config, "claude")
    assert passing.obstacle(Displaced("https://otel.example.com")) == ""
