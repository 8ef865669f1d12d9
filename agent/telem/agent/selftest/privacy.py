"""The test of privacy: start a daemon of its own, send the canaries, end it, and search every byte that it wrote.

Before, it is killed, and another one clears up; a backup is made and searched too.
Nothing here asks the sanitizer anything: a sanitizer that is broken, or switched off, makes it fail.
"""

from __future__ import annotations

import gzip
import http.client
import json
import time
from collections import Counter
from dataclasses import dataclass, field
from hashlib import blake2b
from importlib import resources
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from telem.agent import control, grpc
from telem.agent.daemon_commands import as_flags
from telem.agent.errors import AgentError
from telem.queries.run import run as ask_sql
from telem.sanitize.records import Signal
from telem.storage.views import view_names, view_text

from . import leftovers, requests
from .canaries import NAMED_SECRET, Canary, canaries
from .search import Searcher

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from telem.agent.config import Config
    from telem.storage.layout import Layout

TRANSPORTS = {"http/protobuf": (0, 1), "http/json": (2,), "http/protobuf gzip": (3,), "grpc": (4,)}
"""How, and which of every five records. Each canary is in each place once, by one of the ways."""

RECORDS_A_REQUEST = 60
BODY_LIMIT_BYTES = 8 * 1024 * 1024
TYPES = {"http/json": "application/json"}
MEMBERS = {Signal.LOGS: "resourceLogs", Signal.METRICS: "resourceMetrics", Signal.TRACES: "resourceSpans"}
PROTOBUF = "application/x-protobuf"


COUNT = (
    "SELECT (SELECT count(*) FROM raw_logs) + (SELECT count(*) FROM raw_metrics) + (SELECT count(*) FROM raw_traces)"
)


@dataclass(frozen=True, slots=True)
class Finding:
    """A piece of a canary on the disk; never the piece itself."""

    rule: str
    form: str
    source: str
    place: str


@dataclass(slots=True)
class Report:
    """What was sent, what was searched, what was found."""

    canaries: int = 0
    rules: int = 0
    places: dict[str, int] = field(default_factory=dict)
    combinations: int = 0
    records: int = 0
    refused: int = 0
    searched: dict[str, int] = field(default_factory=dict)
    unsearchable: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """Everything arrived, and nothing of it was found."""
        return not self.findings and not self.wrong


def run(config: Config) -> Report:
    """Test in the data folder of `config`, which must be a new one.

    Raises:
        AgentError: the daemon does not start, or does not take what it should.
    """
    began_s = time.monotonic()
    report = Report()
    flock = canaries()
    report.canaries, report.rules = len(flock), len({canary.rule.partition(" in ")[0] for canary in flock})
    said = control.start(["run", *as_flags(config)], config.layout)
    try:
        running = control.Running(said["pid"], said["endpoints"], said["started_at_s"])
        _send(report, flock, running.endpoints)
        _send_what_is_refused(report, flock, running.endpoints)
        control.ask(running, config.layout.token, "POST", "/compact")
        running = _crash(report, flock, config, running)
        control.ask(running, config.layout.token, "POST", "/compact")
        status = orjson.dumps(control.ask(running, config.layout.token, "GET", "/status"))
    finally:
        control.stop(config.layout)
    leftovers.back_up(config.layout)
    _check_rows(report, config.layout)
    _search(report, flock, config.layout, status)
    report.seconds = round(time.monotonic() - began_s, 1)
    return report


# -- sending -------------------------------------------------------------------------------------------------------


def _send(report: Report, flock: list[Canary], endpoints: dict[str, str]) -> None:
    for signal in Signal:
        deal = requests.Deal(flock)
        for transport, turns in TRANSPORTS.items():
            numbers = [number for number in range(len(flock)) if number % 5 in turns]
            for first in range(0, len(numbers), RECORDS_A_REQUEST):
                chosen = numbers[first : first + RECORDS_A_REQUEST]
                request = requests.build(signal, deal, chosen, transport)
                _deliver(signal, transport, request, endpoints)
                report.records += len(chosen) * requests.records_of(signal)
        report.places[signal.value] = len(deal.places)
        report.combinations += deal.count


def _crash(report: Report, flock: list[Canary], config: Config, running: control.Running) -> control.Running:
    """Kill the daemon with a request in its journal that is then damaged, a whole one and a torn one; start another."""
    deal = requests.Deal(flock)
    chosen = list(range(min(RECORDS_A_REQUEST, len(flock))))
    for name in ("damaged", "whole"):
        request = requests.build(Signal.LOGS, deal, chosen, name)
        _deliver(Signal.LOGS, "http/protobuf", request, running.endpoints)
    report.records += len(chosen) * requests.records_of(Signal.LOGS)  # the other one is put aside
    leftovers.kill(config.layout, running.pid)
    leftovers.damage(config.layout)
    said = control.start(["run", *as_flags(config)], config.layout)
    if not config.layout.quarantine.is_dir() or not any(config.layout.quarantine.iterdir()):
        report.wrong.append("a damaged request was not put aside")
    return control.Running(said["pid"], said["endpoints"], said["started_at_s"])


def _deliver(signal: Signal, transport: str, request: Any, endpoints: dict[str, str]) -> None:
    if transport == "grpc":
        answer = _grpc(endpoints, signal, request.SerializeToString())
        if answer != "OK":
            raise AgentError(f"the daemon answered {answer} to {signal} over gRPC")
        return
    body = requests.as_json(request) if transport == "http/json" else request.SerializeToString()
    headers = {"Content-Type": TYPES.get(transport, PROTOBUF)}
    if transport.endswith("gzip"):
        body, headers["Content-Encoding"] = gzip.compress(body, 1), "gzip"
    status = _post(endpoints["otlp_http"], f"/v1/{signal}", body, headers)
    if status != http.client.OK:
        raise AgentError(f"the daemon answered {status} to {signal} over {transport}")


def _post(endpoint: str, path: str, body: bytes, headers: dict[str, str], method: str = "POST") -> int:
    url = urlsplit(endpoint)
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=30)
    try:
        connection.request(method, path, body, headers)
        return connection.getresponse().status
    except OSError:  # it hung up on a body that it does not want
        return http.client.REQUEST_ENTITY_TOO_LARGE
    finally:
        connection.close()


def _grpc(endpoints: dict[str, str], signal: Signal, message: bytes) -> str:
    method = next(name for name, known in grpc.METHODS.items() if known is signal)
    return grpc.export(urlsplit(endpoints["otlp_grpc"]).netloc, method, message)


def _send_what_is_refused(report: Report, flock: list[Canary], endpoints: dict[str, str]) -> None:
    """Canaries in all that the daemon must not take: an error path writes too, into logs."""
    door, query = endpoints["otlp_http"], endpoints["query"]
    texts = [canary.text for canary in flock]
    junk = "\n".join(texts).encode()
    large = junk * (BODY_LIMIT_BYTES // len(junk) + 1)
    answers = []
    for signal in Signal:
        path = f"/v1/{signal}"
        cut = requests.build(signal, requests.Deal(flock), range(20), "cut").SerializeToString()[:-7]
        member = MEMBERS[signal]
        for content_type, body, encoding in (
            (PROTOBUF, junk, ""),
            (PROTOBUF, b"\x0a" + junk, ""),
            (PROTOBUF, cut, ""),
            ("application/json", junk, ""),
            ("application/json", json.dumps({member: texts}).encode()[:-2], ""),
            ("application/json", json.dumps({member: texts}).encode(), ""),
            ("application/json", json.dumps({member: [{"resource": {"attributes": texts}}]}).encode(), ""),
            (PROTOBUF, junk, "gzip"),
            (PROTOBUF, gzip.compress(junk, 1)[:-9], "gzip"),
            (PROTOBUF, large, ""),
            (PROTOBUF, gzip.compress(large, 1), "gzip"),
        ):
            headers = {"Content-Type": content_type} | ({"Content-Encoding": encoding} if encoding else {})
            answers.append(_post(door, path, body, headers))
        report.refused += _grpc(endpoints, signal, cut) != "OK"
        report.refused += _grpc(endpoints, signal, junk) != "OK"
        report.refused += _grpc(endpoints, signal, large) != "OK"
    for text in texts[::8]:
        inline = quote(text, safe=" /+=:;,.@{}[]()<>?&!")
        answers.append(_post(door, "/" + quote(text), b"", {"Content-Type": PROTOBUF}))
        answers.append(_post(door, "/v1/logs", b"", {"Content-Type": PROTOBUF, "Origin": inline, "User-Agent": inline}))
        answers.append(_post(door, "/v1/logs", b"", {"Content-Type": PROTOBUF, "Host": inline}))
        answers.append(_post(door, "/v1/logs", b"x", {"Content-Type": inline}))
        answers.append(_post(door, "/v1/logs", b"x", {"Content-Type": PROTOBUF, "Content-Encoding": inline}))
        answers.append(_post(query, "/" + quote(text), b"", {"Authorization": f"Bearer {inline}"}, "GET"))
    taken = [answer for answer in answers if answer < http.client.BAD_REQUEST]
    report.refused += len(answers) - len(taken)
    if taken:
        report.wrong.append(f"{len(taken)} requests were taken that are no OTLP")


# -- searching -----------------------------------------------------------------------------------------------------


def _check_rows(report: Report, layout: Layout) -> None:
    """What is not on the disk cannot be found there: all that was sent must have arrived."""
    stored = ask_sql(layout, COUNT).rows[0][0]
    if stored != report.records:
        report.wrong.append(f"{report.records} records were sent, {stored} are stored")


def _search(report: Report, flock: list[Canary], layout: Layout, status: bytes) -> None:
    named = Canary("assignment", NAMED_SECRET, (NAMED_SECRET,))
    searcher = Searcher([*flock, named], _harmless(flock))
    report.unsearchable = sorted(set(searcher.unsearchable()))
    seen: Counter[Finding] = Counter()
    for source, piece in _written(layout, status):
        report.searched[source] = report.searched.get(source, 0) + len(piece)
        for hit in searcher.hits(piece):
            seen[Finding(hit.spelling.rule, hit.spelling.form, source, _place(piece, hit.start))] += 1
    report.findings = sorted(seen, key=lambda finding: (finding.source, finding.rule, finding.place))


def _harmless(flock: list[Canary]) -> list[str]:
    """Texts that may be on the disk: what surrounds the secrets, and what the program itself says."""
    texts = [view_text(name) for name in view_names()]
    texts += [(resources.files("telem.sanitize") / "policy.toml").read_text(encoding="utf-8")]
    texts += [f"[REDACTED:{canary.rule}]" for canary in flock]
    texts.append("".join(map(chr, range(32, 127))))  # the numbers of a dictionary's entries, in Parquet
    for canary in flock:
        text = canary.text
        for secret in canary.secrets:
            text = text.replace(secret, "\0")
        if text != canary.text:  # else it is wrapped
            texts.append(text)
    return texts


def _written(layout: Layout, status: bytes) -> Iterator[tuple[str, bytes]]:
    """Every byte below the data folder, with its file; Parquet also as rows, and a backup as what is in it."""
    known: set[bytes] = set()
    yield "status", status
    for path in sorted(path for path in layout.home.rglob("*") if path.is_file()):
        source = _source(layout.home, path)
        data = path.read_bytes()
        known.add(blake2b(data).digest())
        yield source, path.name.encode() + b"\n" + data
        if path.suffix == ".parquet":
            yield f"{source} (rows)", _rows(data)
    for name, data in leftovers.unpacked(layout.home / leftovers.BACKUP):
        new = blake2b(data).digest() not in known  # the others have been searched as they lie
        yield f"{leftovers.BACKUP}/{name}", name.encode() + (b"\n" + data if new else b"")
        if new and name.endswith(".parquet"):
            yield f"{leftovers.BACKUP}/{name} (rows)", _rows(data)


def _rows(data: bytes) -> bytes:
    rows = pq.ParquetFile(pa.BufferReader(data)).read().to_pylist()
    return b"\n".join(orjson.dumps(row, default=str) for row in rows)


def _source(home: Path, path: Path) -> str:
    return path.relative_to(home).as_posix()


def _place(data: bytes, at: int) -> str:
    """The column in which a hit lies, and the record's own name, if the data are rows."""
    start = data.rfind(b"\n", 0, at) + 1
    end = data.find(b"\n", at)
    line = data[start : end if end >= 0 else len(data)]
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        return f"byte {at}"
    if not isinstance(row, dict):
        return f"byte {at}"
    before = line[: at - start]
    column = max((name for name in row if f'"{name}":'.encode() in before), key=lambda name: _last(before, name))
    attributes = row.get("attributes")
    attributes = orjson.loads(attributes) if isinstance(attributes, str) else attributes
    case = attributes.get(requests.CASE, "") if isinstance(attributes, dict) else ""
    return f"{column} of {case}" if case else column


def _last(before: bytes, name: str) -> int:
    return before.rfind(f'"{name}":'.encode())
