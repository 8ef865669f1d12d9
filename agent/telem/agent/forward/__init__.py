"""Forwarding: what a machine's owner allows, to a hub, an OTLP backend or ClickHouse; in processes of its own."""
