"""The MCP server as a client of the SDK sees it: a process of its own, over standard input and output."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from tests.queries import golden

from telem.agent.cli import cli

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from telem.storage.layout import Layout

mcp = pytest.importorskip("mcp", reason="the SDK is an extra")


WHO = mcp.types.Implementation(name="tests\x1b jane", version="1.0")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    return golden.build(tmp_path_factory.mktemp("mcp") / "home")


@contextlib.asynccontextmanager
async def connected(store: Layout) -> AsyncIterator[Any]:
    server = mcp.StdioServerParameters(command=sys.executable, args=["-m", "telem", "mcp", "--home", str(store.home)])
    async with mcp.Client(mcp.stdio_client(server), client_info=WHO) as client:
        yield client


async def call(client: Any, tool: str, **arguments: Any) -> tuple[str, bool]:
    result = await client.call_tool(tool, arguments)
    return "\n".join(part.text for part in result.content), bool(result.is_error)


async def test_a_session(store: Layout) -> None:
    """Everything a coding agent does with it, in one session: a process takes a second to start."""
    async with connected(store) as client:
        await use(client)


async def use(client: Any) -> None:
    tools = (await client.list_tools()).tools
    assert {tool.name for tool in tools} == {"list_tables", "describe_table", "list_queries", "run_query", "run_sql"}
    assert all(tool.annotations.read_only_hint for tool in tools)

    assert "api_requests: Answered requests" in (await call(client, "list_tables"))[0]
    assert "cost_usd DECIMAL(18,9) [USD]" in (await call(client, "describe_table", name="events"))[0]
    assert "There is no table nothing" in (await call(client, "describe_table", name="nothing"))[0]
    assert "cost-analysis: Cost analysis." in (await call(client, "list_queries"))[0]

    text, failed = await call(client, "run_query", name="cost-analysis", params={"by": "client"})
    assert not failed
    assert "| claude_code |" in text
    assert "3 rows" in text
    text, failed = await call(client, "run_query", name="cost-analysis", params={"by": "moon"})
    assert failed
    assert "Choices: model" in text
    assert (await call(client, "run_query", name="SELECT 1"))[1]

    text, failed = await call(client, "run_sql", sql="SELECT event FROM events ORDER BY time", limit=2)
    assert not failed
    assert "there are more" in text
    assert text.count("\n|") == 3
    text, failed = await call(client, "run_sql", sql="SELECT * FROM events WHERE time >= '2999-01-01'")
    assert not failed
    sql = "SELECT DISTINCT via, address FROM access_log WHERE statement LIKE '%ORDER BY time%'"
    text, failed = await call(client, "run_sql", sql=sql)
    assert not failed
    assert "| mcp | tests jane 1.0 |" in text


STATEMENTS = (
    "DROP VIEW events",
    "COPY events TO '/tmp/x'",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT 1; SELECT 2",
)


async def test_only_questions(store: Layout) -> None:
    """What is no question is refused in words, and the next one is answered."""
    async with connected(store) as client:
        for sql in STATEMENTS:
            text, failed = await call(client, "run_sql", sql=sql)
            assert failed, sql
            assert text
            assert "42" in (await call(client, "run_sql", sql="SELECT 41 + 1 AS n"))[0]


def test_without_the_sdk(monkeypatch: pytest.MonkeyPatch, store: Layout) -> None:
    """The error says what to install."""
    monkeypatch.setitem(sys.modules, "mcp.server.mcpserver", None)
    result = CliRunner().invoke(cli, ["mcp", "--home", str(store.home)])
    assert result.exit_code == 1
    assert "pip install" in result.output
