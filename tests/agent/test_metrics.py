"""`/metrics`: off unless asked for, with a token, and read by a real Prometheus where there is one."""

from __future__ import annotations

import http.client
import shutil
import subprocess
import time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from tests.daemons import LiveDaemon
from tests.otlp import logs

from telem.agent.metrics import COUNTERS, Metrics, health, usage
from telem.queries.table import QueryError

if TYPE_CHECKING:
    from pathlib import Path

EMPTY = dict.fromkeys(counter.column for counter in COUNTERS)
STATUS: dict[str, Any] = {
    "started_at_s": 1.5,
    "signals": {
        "logs": dict.fromkeys(
            ("requests", "records", "retried", "refused", "failed", "journal_bytes", "parquet_bytes"), 7
        )
    },
    "sanitizer": {"redactions": {"github-token": 2}},
}


def row(client: str, model: str, **values: Any) -> dict[str, Any]:
    return {**EMPTY, "client": client, "model": model, "sessions": 1, **values}


def scrape(daemon: LiveDaemon, token: str | None) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port("query"), timeout=60)
    connection.request("GET", "/metrics", headers={"Authorization": f"Bearer {token}"} if token else {})
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response.status, text


def test_counters_carry_the_names_prometheus_gives_them() -> None:
    lines = usage(
        [
            row("claude_code", "opus", input_tokens=5, cost_usd=Decimal("0.1")),
            row("claude_code", 'so"nn\\et\n', input_tokens=2, lines_added=3),
            row("claude_code", "", lines_added=4),
        ]
    )
    assert 'claude_code_token_usage_tokens_total{model="opus",type="input"} 5' in lines
    assert 'claude_code_token_usage_tokens_total{model="so\\"nn\\\\et\\n",type="input"} 2' in lines
    assert 'claude_code_lines_of_code_count_total{type="added"} 7' in lines
    assert 'claude_code_cost_usage_USD_total{model="opus"} 0.1' in lines
    assert sum(line.startswith("# TYPE claude_code_token_usage") for line in lines) == 1


def test_health_tells_each_signal_and_rule() -> None:
    lines = health(STATUS)
    assert 'telem_records_total{signal="logs"} 7' in lines
    assert 'telem_redactions_total{rule="github-token"} 2' in lines


async def test_sums_are_asked_for_once_a_minute_and_kept_when_they_fail() -> None:
    asked = []

    async def status() -> dict[str, Any]:
        return STATUS

    async def ask(sql: str) -> list[dict[str, Any]]:
        asked.append(sql)
        if len(asked) == 1:
            raise QueryError("no")
        return [row("codex", "gpt", requests=len(asked))]

    metrics = Metrics(status, ask)
    assert "codex" not in await metrics.text()
    assert 'codex_api_requests_total{model="gpt"} 2' in await metrics.text()
    assert 'codex_api_requests_total{model="gpt"} 2' in await metrics.text()
    assert len(asked) == 2


def test_it_is_off_by_default_and_needs_a_token(home: Path, tmp_path: Path) -> None:
    with LiveDaemon(home) as daemon:
        assert scrape(daemon, (home / "token").read_text().strip())[0] == 404
    with LiveDaemon(tmp_path / "other", "--metrics", "1") as daemon:
        assert scrape(daemon, None)[0] in (401, 403)
        body = logs({"event.name": "api_request", "model": "m", "cost_usd": 0.25, "input_tokens": 3})
        connection = http.client.HTTPConnection("127.0.0.1", daemon.port("otlp_http"))
        connection.request("POST", "/v1/logs", body.SerializeToString(), {"Content-Type": "application/x-protobuf"})
        assert connection.getresponse().status == 200
        connection.close()
        status, text = scrape(daemon, (daemon.home / "token").read_text().strip())
        assert status == 200
        assert 'claude_code_cost_usage_USD_total{model="m"} 0.25' in text
        assert 'telem_records_total{signal="logs"} 1' in text
        if promtool := shutil.which("promtool"):
            done = subprocess.run(
                [promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False
            )
            assert "error" not in (done.stdout + done.stderr).lower()


def test_a_real_prometheus_scrapes_it(home: Path, tmp_path: Path) -> None:
    program = shutil.which("prometheus") or pytest.skip("prometheus is not installed")
    with LiveDaemon(home, "--metrics", "1") as daemon:
        (tmp_path / "prometheus.yml").write_text(
            "global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n  - job_name: telem\n"
            f"    authorization: {{credentials_file: {home / 'token'}}}\n"
            f"    static_configs: [{{targets: ['127.0.0.1:{daemon.port('query')}']}}]\n",
            encoding="utf-8",
        )
        flags = [f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data"]
        process = subprocess.Popen(
            [program, *flags, "--web.listen-address=127.0.0.1:19091"],
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        try:
            assert _value("telem_start_time_seconds") > 1e9
        finally:
            process.terminate()
            process.wait(20)


def _value(query: str) -> float:
    import json

    for _ in range(120):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", 19091, timeout=60)
            connection.request("GET", f"/api/v1/query?query={query}")
            found = json.loads(connection.getresponse().read())["data"]["result"]
            if found:
                return float(found[0]["value"][1])
        except (OSError, ValueError, KeyError):
            pass
        finally:
            connection.close()
        time.sleep(0.5)
    raise AssertionError("Prometheus saw nothing in a minute")
