"""The guard: programs on this machine pass, web pages do not."""

from __future__ import annotations

import pytest

from telem.agent.guard import Guard

GUARD = Guard(4318, ["hub.example"])


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.0.0.1:4318", "localhost:4318", "LocalHost", "[::1]:4318", "hub.example:4318", "HUB.example"],
)
def test_our_names_pass_with_our_port_or_none(host: str) -> None:
    """Exporters send exactly these."""
    assert GUARD.refusal({"Host": host}) is None


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "localhost:4317",
        "localhost.evil.example",
        "127.0.0.2",
        "0.0.0.0",
        "::1",
        "localhost:4318:1",
        "hub.example.",
        " localhost",
    ],
)
def test_other_names_are_refused(host: str) -> None:
    """A name that resolves to us is not a name of ours: that is how rebinding works."""
    assert GUARD.refusal({"Host": host})


def test_a_missing_host_is_refused() -> None:
    """HTTP/1.0 without one could come from anywhere."""
    assert GUARD.refusal({})


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "https://localhost:4318", "http://localhost:1", "", "file://"]
)
def test_foreign_origins_are_refused(origin: str) -> None:
    """Programs send none; pages cannot choose theirs."""
    assert GUARD.refusal({"Host": "localhost", "Origin": origin})


def test_our_own_origin_passes() -> None:
    """A page that we served ourselves."""
    assert (
        GUARD.refusal({"Host": "localhost", "Origin": "http://localhost:4318", "Sec-Fetch-Site": "same-origin"}) is None
    )


@pytest.mark.parametrize(
    ("site", "passes"),
    [("none", True), ("same-origin", True), ("same-site", False), ("cross-site", False), ("", False)],
)
def test_fetch_metadata_decides_when_there_is_no_origin(site: str, passes: bool) -> None:
    """Images and links of a page have no Origin, but say where they come from."""
    assert (GUARD.refusal({"Host": "localhost", "Sec-Fetch-Site": site}) is None) == passes
