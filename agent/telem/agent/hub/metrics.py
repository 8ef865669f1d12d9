"""A hub's `/metrics`: its own health, and the team's counters, of groups of the minimum size only (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from telem.agent.metrics import COUNTERS, health, usage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telem.queries.team import Gathered

_OWN = (
    ("telem_hub_members", "gauge", "members", "Members in the register."),
    ("telem_hub_agents_awake", "gauge", "awake", "Members' agents that are running."),
    ("telem_hub_requests_total", "counter", "requests", "Telemetry requests passed on since the start."),
    ("telem_hub_failed_total", "counter", "failed", "Of these, those that were not stored."),
    ("telem_hub_refused_total", "counter", "refused", "Requests without a valid token."),
)


def hub_text(said: Mapping[str, Any], gathered: Gathered) -> str:
    """All series of a hub."""
    lines = health(said)
    for name, kind, member, sentence in _OWN:
        lines += [f"# HELP {name} {sentence}", f"# TYPE {name} {kind}", f"{name} {said[member]}"]
    return "\n".join([*lines, *usage(_rows(gathered))]) + "\n"


def _rows(gathered: Gathered) -> list[dict[str, Any]]:
    """The team's figures as the counters want them: by client, and by model for all clients together."""
    wanted = {counter.column for counter in COUNTERS}
    rows = []
    for row in gathered.rows:
        if row.dimension not in ("client", "model"):
            continue
        client, model = (row.value, "") if row.dimension == "client" else ("team", row.value)
        name = client.strip("()") or "other"
        rows.append({"client": name, "model": model, **{column: row.measures[column] for column in wanted}})
    return rows
