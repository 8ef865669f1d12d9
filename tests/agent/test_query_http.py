"""Questions over HTTP, in the manner of ClickHouse, against a running daemon."""

from __future__ import annotations

import base64
import gzip
import http.client
import io
import json
import shutil
import socket
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest
import zstandard
from pyarrow import parquet
from tests.daemons import LiveDaemon, clean_env
from tests.queries import golden, hostile

from telem.queries import formats
from telem.storage.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveDaemon]:
    home = tmp_path_factory.mktemp("sql") / "home"
    golden.build(home)
    with LiveDaemon(home) as started:
        yield started


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


def token_of(daemon: LiveDaemon) -> str:
    return Layout(daemon.home).token.read_text(encoding="ascii").strip()


def ask(
    daemon: LiveDaemon,
    sql: str | bytes | None = None,
    headers: dict[str, str] | None = None,
    method: str = "POST",
    path: str = "/",
    **arguments: str,
) -> Answer:
    """One request with the owner's token, unless headers say something else about it."""
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port("query"), timeout=60)
    known = {"Authorization": f"Bearer {token_of(daemon)}"} | (headers or {})
    url = f"{path}?{urlencode(arguments)}" if arguments else path
    body = sql.encode() if isinstance(sql, str) else sql
    try:
        connection.request(method, url, body, {name: value for name, value in known.items() if value})
        response = connection.getresponse()
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())
    finally:
        connection.close()


def test_the_question_of_the_plan(served: LiveDaemon) -> None:
    """As it stands in every introduction: a GET, ten rows, tabs between the columns."""
    found = ask(served, method="GET", query="SELECT * FROM telemetry_events LIMIT 10")
    assert found.status == 200
    assert found.text.count("\n") == 10
    assert found.headers["content-type"] == "text/tab-separated-values; charset=UTF-8"
    assert found.headers["x-clickhouse-format"] == "TabSeparated"
    assert json.loads(found.headers["x-clickhouse-summary"])["result_rows"] == "10"


@pytest.mark.parametrize("form", [name for name in formats.FORMATS if name != "Null"])
def test_every_format_by_its_name(served: LiveDaemon, form: str) -> None:
    """At the end of the statement, as an argument, and as a header: the same answer."""
    sql = "SELECT 1::BIGINT AS n, 'x' AS s"
    first = ask(served, f"{sql} FORMAT {form}")
    assert first.status == 200
    assert first.headers["x-clickhouse-format"] == form
    assert first.headers["content-type"] == formats.FORMATS[form].media_type
    assert first.body
    others = [ask(served, sql, default_format=form), ask(served, sql, {"X-ClickHouse-Format": form})]
    if form == "Parquet":
        assert parquet.read_table(io.BytesIO(first.body)).to_pylist() == [{"n": 1, "s": "x"}]
    elif "JSON" not in form:  # the longer ones say how long they took
        assert {first.body} == {other.body for other in others}


def test_statement_in_the_url_and_in_the_body(served: LiveDaemon) -> None:
    """One after the other, as ClickHouse does it."""
    assert ask(served, " + 2", query="SELECT 1").text == "3\n"
    assert ask(served, "SELECT 1;  \n").text == "1\n"
    assert ask(served, gzip.compress(b"SELECT 1"), {"Content-Encoding": "gzip"}).text == "1\n"
    assert ask(served, "").text == "Ok.\n"
    assert ask(served, method="HEAD", query="SELECT 1").status == 200


def test_ping_and_root_need_no_token(served: LiveDaemon) -> None:
    """They tell that somebody is there and nothing else."""
    assert ask(served, method="GET", path="/ping", headers={"Authorization": ""}).text == "Ok.\n"
    assert ask(served, method="GET", headers={"Authorization": ""}).text == "Ok.\n"


def test_parameters_are_bound(served: LiveDaemon) -> None:
    """By name and type; a value is a value, whatever it looks like."""
    evil = "'; DROP VIEW events; --"
    assert ask(served, "SELECT {x:String} AS x FORMAT CSV", param_x=evil).text == f'"{evil}"\n'
    assert ask(served, "SELECT {n:UInt8} + {m:Int64}", param_n="2", param_m="40").text == "42\n"
    assert ask(served, "SELECT {l:Array(String)}[2]", param_l="['a', 'b']").text == "b\n"
    assert ask(served, "SELECT {d:DateTime} < now()", param_d="2020-01-01 00:00:00").text == "true\n"
    assert ask(served, "SELECT {x:Nullable(String)} IS NULL", param_x="\\N").text == "true\n"
    assert int(ask(served, "SELECT count(*) FROM {t:Identifier}", param_t="events").text) > 100
    assert ask(served, "SELECT $n::INT + 1", param_n="1").text == "2\n"
    assert ask(served, "SELECT {'a': 1} AS s, '{x:String}' AS t").text == "(1)\t{x:String}\n"


@pytest.mark.parametrize(
    ("sql", "arguments", "status", "code", "words"),
    [
        ("SELEC 1", {}, 400, 62, "failed at position 1 (line 1, col 1)"),
        ("SELECT 1,\n  FROM FROM events", {}, 400, 62, "(line 2, col 8)"),
        ("SELECT nothing FROM events", {}, 404, 47, "position 8"),
        ("SELECT {a:Int8}, nothing FROM events", {"param_a": "1"}, 404, 47, "position 18"),
        ("SELECT * FROM evnts", {}, 404, 60, "Did you mean events?"),
        ("SELECT foo(1)", {}, 404, 46, "no function foo"),
        ("SELECT 'x'::INTEGER", {}, 400, 53, "TRY_CAST"),
        ("SELECT 1 FORMAT XML", {}, 404, 73, "JSONEachRow"),
        ("SELECT 1", {"default_format": "Foo"}, 404, 73, "Unknown format Foo"),
        ("SELECT 1", {"max_rows": "1"}, 404, 115, "max_execution_time"),
        ("SELECT 1 SETTINGS bla = 1", {}, 404, 115, "bla"),
        ("SELECT 1", {"max_result_rows": "many"}, 404, 115, "many"),
        ("SELECT 1", {"compress": "1"}, 501, 48, "compress"),
        ("SELECT 1", {"database": "other"}, 404, 81, "other"),
        ("SELECT {a:Int8}", {}, 400, 456, "param_a"),
        ("SELECT {a:Foo}", {"param_a": "1"}, 404, 50, "Foo"),
        ("SELECT 1", {"param_a": "1"}, 400, 456, "no parameter a"),
        ("SELECT " + "1+" * 60_000 + "1", {}, 413, 266, "65536"),
        ("DROP VIEW events", {}, 403, 497, "DROP"),
        ("SELECT * FROM range(10)", {"max_result_rows": "5"}, 400, 396, "more than 5 rows"),
        ("SELECT count(*) FROM range(1000000000) a, range(1000) b", {"max_execution_time": "0.2"}, 408, 159, "0.2 s"),
        ("SELECT error('mine')", {}, 400, 36, "mine"),
    ],
)
def test_errors_have_a_code_and_a_place(
    served: LiveDaemon, sql: str, arguments: dict[str, str], status: int, code: int, words: str
) -> None:
    """In ClickHouse's shape and, where there is one, with its number."""
    found = ask(served, sql, None, **arguments)
    assert (found.status, found.headers["x-clickhouse-exception-code"]) == (status, str(code))
    assert found.text.startswith(f"Code: {code}. DB::Exception: ")
    assert words in found.text


def test_rows_beyond_the_limit_can_be_left_out(served: LiveDaemon) -> None:
    """When the client says so."""
    found = ask(served, "FROM range(10)", max_result_rows="5", result_overflow_mode="break")
    assert found.text == "0\n1\n2\n3\n4\n"
    assert (
        ask(served, "FROM range(9) FORMAT TSV SETTINGS max_result_rows = 3, result_overflow_mode = 'break'").text
        == "0\n1\n2\n"
    )


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": ""},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Bearer "},
        {"Authorization": "Basic !!!"},
        {"Authorization": "", "X-ClickHouse-User": "default", "X-ClickHouse-Key": "wrong"},
    ],
)
def test_without_the_token_it_says_what_to_do(served: LiveDaemon, headers: dict[str, str]) -> None:
    """And answers nothing."""
    found = ask(served, "SELECT 1", headers)
    assert (found.status, found.headers["x-clickhouse-exception-code"]) == (401, "516")
    assert "telem-agent token" in found.text
    assert ask(served, "SELECT 1", headers, path="/status", method="GET").status == 401


def test_every_way_to_give_the_token(served: LiveDaemon) -> None:
    """As a bearer, as ClickHouse's key, as a basic login, as an argument."""
    token = token_of(served)
    login = base64.b64encode(f"anybody:{token}".encode()).decode()
    for headers in ({"X-ClickHouse-Key": token}, {"X-ClickHouse-User": "x", "X-ClickHouse-Key": token}):
        assert ask(served, "SELECT 1", {"Authorization": "", **headers}).text == "1\n"
    assert ask(served, "SELECT 1", {"Authorization": f"Basic {login}"}).text == "1\n"
    assert ask(served, "SELECT 1", {"Authorization": ""}, user="x", password=token).text == "1\n"


def test_web_pages_are_refused(served: LiveDaemon) -> None:
    """Before anything is read, whatever token they know."""
    assert ask(served, "SELECT 1", {"Origin": "https://example.com"}).status == 403
    assert ask(served, "SELECT 1", {"Host": "example.com"}).status == 403
    assert ask(served, "SELECT 1", {"Sec-Fetch-Site": "cross-site"}).status == 403
    assert ask(served, "SELECT 1", method="OPTIONS").status == 405
    assert "access-control-allow-origin" not in ask(served, "SELECT 1", add_http_cors_header="1").headers


def test_answers_are_packed_when_they_are_long(served: LiveDaemon) -> None:
    """As the client accepts it: zstd, gzip, or not at all. Short ones are not."""
    sql = "SELECT range, 'the same text' FROM range(50000)"
    plain = ask(served, sql)
    assert "content-encoding" not in plain.headers
    packed = ask(served, sql, {"Accept-Encoding": "gzip, deflate"})
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    packed = ask(served, sql, {"Accept-Encoding": "gzip, zstd"})
    assert packed.headers["content-encoding"] == "zstd"
    assert zstandard.ZstdDecompressor().decompressobj().decompress(packed.body) == plain.body
    assert "content-encoding" not in ask(served, "SELECT 1", {"Accept-Encoding": "gzip"}).headers
    assert "content-encoding" not in ask(served, sql, {"Accept-Encoding": "gzip;q=0"}).headers


def test_a_long_answer_comes_as_it_is_made(served: LiveDaemon) -> None:
    """In pieces, all of them, and neither process holds much of it."""
    found = ask(served, "SELECT range, repeat('x', 100) FROM range(300000)")
    assert found.headers["transfer-encoding"] == "chunked"
    assert found.text.count("\n") == 300_000
    whole = ask(served, "SELECT range, repeat('x', 100) FROM range(10000)", wait_end_of_query="1")
    assert "content-length" in whole.headers
    with open(f"/proc/{served.pid}/statm", encoding="ascii") as file:  # noqa: PTH123
        assert int(file.read().split()[1]) * 4096 < 200 << 20


def test_an_error_in_the_middle_does_not_look_like_the_end(served: LiveDaemon) -> None:
    """The answer ends as a broken one, and says why."""
    sql = "SELECT CASE WHEN range = 250000 THEN error('halfway') ELSE repeat('x', 100) END FROM range(300000)"
    connection = http.client.HTTPConnection("127.0.0.1", served.port("query"), timeout=60)
    connection.request("POST", "/", sql, {"Authorization": f"Bearer {token_of(served)}"})
    response = connection.getresponse()
    assert response.status == 200
    with pytest.raises(http.client.IncompleteRead) as caught:
        response.read()
    assert b"Code: 36. DB::Exception: halfway" in caught.value.partial
    connection.close()
    assert ask(served, "SELECT 1").text == "1\n"


def test_who_hangs_up_takes_the_question_along(served: LiveDaemon) -> None:
    """Its child is ended; others are answered at once."""
    for _ in range(4):
        with socket.create_connection(("127.0.0.1", served.port("query"))) as client:
            sql = b"SELECT count(*) FROM range(1000000000) a, range(1000) b"
            head = f"POST / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token_of(served)}\r\n"
            client.sendall(f"{head}Content-Length: {len(sql)}\r\n\r\n".encode() + sql)
            time.sleep(0.3)
    started_s = time.monotonic()
    assert ask(served, "SELECT 1").text == "1\n"
    assert time.monotonic() - started_s < 5


def test_many_at_once_are_answered_one_after_another(served: LiveDaemon) -> None:
    """A few run, the others wait for their turn."""
    found: list[str] = []
    questions = [
        threading.Thread(
            target=lambda n=number: found.append(ask(served, f"SELECT {n}, sum(range) FROM range(3000000)").text)
        )
        for number in range(10)
    ]
    for question in questions:
        question.start()
    for question in questions:
        question.join()
    assert sorted(int(text.split()[0]) for text in found) == list(range(10))


def names_in(home: Path) -> list[Path]:
    """What lies in a folder, without what its daemon notes of each question and what it is just publishing."""
    return sorted(path for path in home.rglob("*") if "access" not in path.name and not path.name.startswith(".tmp-"))


def test_every_attack_is_refused_over_http(served: LiveDaemon, tmp_path: Path) -> None:
    """With a code and a reason; and the next question is answered."""
    secret = tmp_path / "secret.csv"
    secret.write_text("the-secret\n", encoding="utf-8")
    before = names_in(served.home)
    with socket.create_server(("127.0.0.1", 0)) as trap:
        trap.settimeout(0.1)
        url = f"http://127.0.0.1:{trap.getsockname()[1]}"
        for attack in hostile.attacks():
            sql = attack.replace("{home}", str(served.home)).replace("{secret}", str(secret)).replace("{url}", url)
            if not sql.strip():
                continue
            found = ask(served, sql)
            assert found.status in (400, 403, 404, 413, 500), (attack[:200], found.text)
            assert found.text.startswith("Code: "), (attack[:200], found.text)
            assert "the-secret" not in found.text
        with pytest.raises(TimeoutError):
            trap.accept()
    assert names_in(served.home) == before
    assert int(ask(served, "SELECT count(*) FROM events").text) > 100


@pytest.mark.skipif(shutil.which("curl") is None, reason="the examples are curl's")
def test_the_examples_of_the_contract_work(served: LiveDaemon) -> None:
    """Every one, with curl, as a user would copy it."""
    script = Path(__file__).parents[2] / "queries" / "examples.sh"
    done = subprocess.run(
        ["sh", str(script), served.endpoints["query"]],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=clean_env() | {"TELEM_TOKEN": token_of(served)},
    )
    assert done.returncode == 0, done.stderr
    assert "== All of them" in done.stderr
    assert "PAR1" in done.stdout
