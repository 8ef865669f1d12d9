"""Asking: SQL in, tables out; never writes telemetry."""
