"""Two real daemons: what one has received is forwarded, and is the same at the other."""

from __future__ import annotations

import json
import shutil
import ssl
import subprocess
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

import pytest
from tests.agent.forward.receiver import OK, Receiver, Reply, failure
from tests.daemons import LiveDaemon, telem, wait_for
from tests.otlp import GOLDENS, golden, numbered
from tests.storage.homes import asked
from tests.wire import ask

from telem.agent.forward.cursor import Cursor
from telem.sanitize.records import Encoding, Signal
from telem.storage.disk import Disk

if TYPE_CHECKING:
    from pathlib import Path

    from telem.storage.layout import Layout

LOGS = Signal.LOGS


def forward(home: Path, *arguments: str) -> str:
    """A command of the group, as a user calls it."""
    from tests.daemons import CLI, clean_env

    command = [*CLI, "forward", arguments[0], "--home", str(home), *arguments[1:]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=clean_env())
    assert done.returncode == 0, done.stderr
    return done.stdout


def send(daemon: LiveDaemon, *names: str, signal: Signal = LOGS) -> None:
    assert ask(daemon.port("otlp_http"), numbered(signal, *names), f"/v1/{signal}").status == 200


def send_golden(daemon: LiveDaemon, name: str) -> None:
    request = golden(name)
    kind = "application/json" if request.encoding is Encoding.JSON else "application/x-protobuf"
    assert ask(daemon.port("otlp_http"), request.body, f"/v1/{request.signal}", content_type=kind).status == 200


OWN = "seg, ingest_day, received_at"


def test_a_second_machine_has_the_same_rows_and_totals(live: LiveDaemon, tmp_path: Path) -> None:
    """Every captured record of every client, before and after compaction: ids, columns, attributes, sums."""
    half = len(GOLDENS) // 2
    for name in GOLDENS[:half]:
        send_golden(live, name)
    assert telem(live.home, "compact").returncode == 0
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "sanitize.toml").write_text("noise = 'keep'\n")  # what we kept, it is to keep
    with LiveDaemon(tmp_path / "there", "--accept-row-ids", "1") as there:
        forward(live.home, "add", "team", "--url", there.endpoints["otlp_http"])
        for name in GOLDENS[half:]:
            send_golden(live, name)

        def ids(home: Layout) -> list[object]:
            return [asked(home, f"SELECT DISTINCT id FROM raw_{signal} ORDER BY id") for signal in Signal]

        wait_for(lambda: ids(there.layout) == ids(live.layout))
        for table in ("events", "metrics", "spans"):  # some were captured twice, in both encodings, and have one id
            question = f"SELECT DISTINCT * EXCLUDE ({OWN}) FROM {table} ORDER BY id"
            assert list(map(str, asked(there.layout, question))) == list(map(str, asked(live.layout, question)))
        sums = "sum(cost_usd), sum(input_tokens), sum(output_tokens), count(DISTINCT session_id)"
        totals = f"SELECT {sums} FROM (SELECT DISTINCT ON (id) * FROM api_requests)"
        assert asked(there.layout, totals) == asked(live.layout, totals)
        said = json.loads(forward(live.home, "status", "--json"))
        assert said["destinations"]["team"]["rejected"] == 0


def test_a_destination_that_comes_and_goes_gets_each_row_once(live: LiveDaemon, tmp_path: Path) -> None:
    """Killed and started again in the middle, with rows coming all the while."""
    port_flags = ("--accept-row-ids", "1")
    there = LiveDaemon(tmp_path / "there", *port_flags)
    port = there.port("otlp_http")
    forward(live.home, "add", "team", "--url", there.endpoints["otlp_http"])
    for round_ in range(3):
        for number in range(10):
            send(live, *(f"{round_}-{number}-{index}" for index in range(20)))
        arrived = partial(asked, there.layout, "SELECT id FROM raw_logs LIMIT 1")
        wait_for(arrived)
        there.kill()
        send(live, f"down-{round_}")
        there = LiveDaemon(tmp_path / "there", *port_flags, "--otlp-http-port", str(port))
    with there:
        expected = asked(live.layout, "SELECT id FROM raw_logs ORDER BY id")
        assert len(expected) == 603
        wait_for(lambda: len(asked(there.layout, "SELECT id FROM raw_logs")) >= 603, 60)
        assert asked(there.layout, "SELECT id FROM raw_logs ORDER BY id") == expected


def test_ingest_does_not_notice_a_destination_that_hangs(live: LiveDaemon) -> None:
    """Answers take no longer, and the daemon stops as quickly."""
    gate = threading.Event()
    with Receiver(lambda _request: Reply(wait=gate)) as receiver:
        forward(live.home, "add", "slow", "--url", receiver.url)
        send(live, "first")
        wait_for(lambda: receiver.requests)
        took = []
        for number in range(50):
            began = time.perf_counter()
            send(live, f"r{number}")
            took.append(time.perf_counter() - began)
        assert sorted(took)[25] < 0.25
        began = time.monotonic()
        assert live.stop() == 0
        assert time.monotonic() - began < 8
        gate.set()


def test_a_stopped_destination_is_shouted_about(live: LiveDaemon) -> None:
    """In status, in `forward status` by its exit status, and in the log; after resume all arrives."""
    with Receiver(lambda _request: failure(401)) as receiver:
        forward(live.home, "add", "hub", "--url", receiver.url)
        send(live, "a")
        wait_for(lambda: Cursor(live.layout, Disk(), "hub").paused)
        wait_for(lambda: "FORWARDING TO hub HAS STOPPED" in telem(live.home, "status").stdout)
        receiver.script = lambda _request: OK
        forward(live.home, "resume", "hub")
        wait_for(lambda: receiver.names() == ["a"])
        forward(live.home, "pause", "hub")
        time.sleep(1.5)
        send(live, "b")
        time.sleep(3)
        assert receiver.names() == ["a"]
        forward(live.home, "remove", "hub", "--yes")
        assert list(live.layout.cursors.iterdir()) == []
        assert json.loads(forward(live.home, "list", "--json"))["destinations"] == []


def test_preview_shows_what_leaves_and_sends_nothing(live: LiveDaemon) -> None:
    """The very request; and `test` sends one without records."""
    send(live, "one", "two")
    with Receiver() as receiver:
        given = ("--url", receiver.url, "--deny", "record.name", "--since", "2100-01-01", "--paused")
        forward(live.home, "add", "hub", *given)
        assert forward(live.home, "preview", "hub") == ""
        path = live.layout.forward / "hub.toml"
        path.write_text(path.read_text().replace("2100", "2000"))
        shown = forward(live.home, "preview", "hub", "-n", "1")
        said = json.loads(shown)
        (record,) = said["request"]["resourceLogs"][0]["scopeLogs"][0]["logRecords"]
        assert {pair["key"] for pair in record["attributes"]} == {"telem.row_id"}
        assert forward(live.home, "test", "hub").count("taken") == 3
        assert [request.records for request in receiver.requests] == [[], [], []]
        forward(live.home, "resume", "hub")
        wait_for(lambda: len(receiver.requests) > 3)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl to make certificates with")
def test_certificates_are_checked(live: LiveDaemon, tmp_path: Path) -> None:
    """An unknown one is told nothing, and the reason is said; one of a given authority is fine."""
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    made = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        str(key),
        "-out",
        str(cert),
        "-days",
        "2",
    ]
    made += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(made, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    send(live, "a")
    with Receiver(tls=context) as receiver:
        forward(live.home, "add", "hub", "--url", receiver.url)
        wait_for(lambda: "certificate is not trusted" in Cursor(live.layout, Disk(), "hub").state.error)
        assert receiver.requests == []
        forward(live.home, "remove", "hub", "--yes")
        forward(live.home, "add", "hub", "--url", receiver.url, "--ca-file", str(cert))
        wait_for(lambda: receiver.names() == ["a"])
