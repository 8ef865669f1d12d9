"""Batches, as the storage's tests make them."""

from __future__ import annotations

from tests.storage.conftest import batch

__all__ = ["batch"]
