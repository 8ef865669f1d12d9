"""A process with ClickHouse's engine behind HTTP: transport only. Prints its port; ends with its standard input.

python clickhouse_front.py FOLDER [CUT…]    after storing, hang up instead of answering the inserts of these numbers
"""

from __future__ import annotations

import os
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from chdb.session import Session

FOLDER = Path(sys.argv[1])
CUT = {int(word) for word in sys.argv[2:]}
PASSWORD = "s3cret"
session: Any = Session(str(FOLDER / "data"))  # type: ignore[no-untyped-call]  # chdb has no types
inserts = [0]
one_at_a_time = threading.Lock()


class Front(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        said = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        if self.headers["X-ClickHouse-Key"] != PASSWORD:
            self.answer(403, b"Code: 516. DB::Exception: Authentication failed", 516)
            return
        try:
            with one_at_a_time:
                data = self.insert(said, body) if "query" in said else self.run(said, body.decode())
                number = inserts[0]
        except Exception as error:  # noqa: BLE001 (whatever the engine says is the answer)
            code = int((re.search(r"Code: (\d+)", str(error)) or [0, 0])[1])
            self.answer(404 if code in (60, 81) else 500, str(error).encode(), code)
            return
        if "query" in said and number in CUT:
            self.close_connection = True
            return
        self.answer(200, data, 0)

    def run(self, said: dict[str, str], query: str) -> bytes:
        if "database" in said:
            session.query(f"USE {said['database']}")
        return str(session.query(query, "JSONEachRow")).encode()

    def insert(self, said: dict[str, str], body: bytes) -> bytes:
        inserts[0] += 1
        table, columns = re.fullmatch(r"INSERT INTO (\w+) \((.*)\) FORMAT Parquet", said["query"]).groups()  # type: ignore[union-attr]
        path = FOLDER / f"insert-{inserts[0]}.parquet"
        path.write_bytes(body)
        session.query(f"USE {said['database']}")
        token = said["insert_deduplication_token"]
        session.query(
            f"INSERT INTO {table} ({columns}) SETTINGS insert_deduplicate = 1, insert_deduplication_token = '{token}' "
            f"SELECT {columns} FROM file('{path}', Parquet)"
        )
        return b""

    def answer(self, status: int, body: bytes, code: int) -> None:
        self.send_response(status)
        self.send_header("X-ClickHouse-Summary", "{}")
        if code:
            self.send_header("X-ClickHouse-Exception-Code", str(code))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


address = os.environ.get("FRONT_HOST", "127.0.0.1"), int(os.environ.get("FRONT_PORT", "0"))
server = ThreadingHTTPServer(address, Front)  # a connection that lies idle keeps nobody waiting
server.daemon_threads = True
print(server.server_port, flush=True)  # noqa: T201
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
server.shutdown()
session.close()
