"""A process of its own with the schema for several machines, in ClickHouse's engine: every ready-made question over it.

python -m tests.shared_machine.cluster FOLDER    prints as JSON the rows on each shard, and what is answered wrong

One process stands for two shards: what one has locally is a view of the rows that are sharded to it. Statements lose
`ON CLUSTER` and tables their replication, for there is nobody to pass them on to.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from tests.queries import golden
from tests.queries.answers import variants
from tests.queries.clickhouse import TABLES, Engines
from tests.queries.values import same
from tests.shared_machine.schema import cluster_text

from telem.queries import canned

CONFIG = """<clickhouse>
    <path>{folder}/data/</path>
    <tcp_port>9000</tcp_port>
    <macros><shard>01</shard><replica>one</replica></macros>
    <remote_servers><telemetry>{shards}</telemetry></remote_servers>
</clickhouse>"""
SHARD = "<shard><replica><host>{host}</host><port>9000</port></replica></shard>"
HOSTS = ("127.0.0.1", "localhost")
"""Both are this process: a host that is this one, on the port that is said to be ours, is asked directly."""


def where(folder: Path) -> str:
    """What the engine is opened with."""
    config = folder / "config.xml"
    made = "".join(SHARD.format(host=host) for host in HOSTS)
    config.write_text(CONFIG.format(folder=folder, shards=made), encoding="utf-8")
    return f"{folder}/data?config-file={config}"


def told() -> list[str]:
    """The statements of the file, as one engine can run them."""
    bare = re.sub(r"^--.*$", "", cluster_text(), flags=re.MULTILINE).replace(" ON CLUSTER telemetry", "")
    return [part.strip() for part in re.split(r";\s*\n", bare) if part.strip()]


def over_shards() -> list[str]:
    """The same without replication. What a shard has locally is the part of all rows that is sharded to it."""
    found = []
    spread = r"Distributed\(telemetry, telemetry, (\w+)_local, (.*)\);?$"
    by = dict(re.findall(spread, cluster_text(), re.MULTILINE))
    for statement in told():
        local = re.match(r"CREATE TABLE IF NOT EXISTS (\w+)_local ", statement)
        if local is None:
            found.append(statement)
            continue
        name = local[1]
        bare = re.sub(r"Replicated(\w*MergeTree)\('[^']*', '[^']*'(?:, )?", r"\1(", statement)
        key = "cityHash64(rule)" if by[name] == "rand()" else by[name]
        found.append(bare.replace(f"{name}_local", f"{name}_rows", 1))
        found.append(f"CREATE VIEW {name}_local AS SELECT * FROM {name}_rows WHERE {key} % 2 + 1 = shardNum()")
    return found


class Cluster(Engines):
    """DuckDB over a store, and the cluster over the same rows."""

    suffix = "_rows"


def shards(folder: Path) -> dict[str, Any]:
    """Rows on each shard, and which questions are answered otherwise than by DuckDB."""
    both = Cluster(where(folder), over_shards())
    both.fill(golden.build(folder / "home"), folder)
    counts = "SELECT _shard_num AS shard, count() FROM {} GROUP BY shard ORDER BY shard"
    rows = {table: [int(count) for count in (both.columns(counts.format(table)) or [[], []])[1]] for table in TABLES}
    wrong, answered = {}, 0
    for name, query in canned.load().items():
        bound = query.bind(variants(query)[0], None)
        try:
            ours, theirs = both.ask_duckdb(query, bound), both.ask_clickhouse(query, bound)
        except Exception as error:  # noqa: BLE001 (whatever the engine says is told)
            wrong[name] = str(error)[:1000]
            continue
        answered += bool(ours)
        if len(ours) != len(theirs) or not same(ours, theirs):
            wrong[name] = f"{ours!r} != {theirs!r}"[:1000]
    return {"rows": rows, "answered": answered, "wrong": wrong}


if __name__ == "__main__":
    print(json.dumps(shards(Path(sys.argv[1]))))  # noqa: T201
