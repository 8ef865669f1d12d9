"""The installation's secrets: a key for ids and pseudonyms, a token for the query port. Files of 0600."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from .disk import Disk
    from .layout import Layout

KEY_BYTES = 32


class KeyFileError(ValueError):
    """The key file is not one of ours. Nothing is overwritten: a new key would change every pseudonym."""


def load_key(layout: Layout, disk: Disk) -> bytes:
    """This installation's key; made at first use.

    Raises:
        KeyFileError: the file holds something else.
    """
    text = _load(layout.key, disk)
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise KeyFileError(
            f"{layout.key} does not hold {KEY_BYTES} bytes in hex; restore it, or move it away to start anew"
        )
    return key


def load_token(layout: Layout, disk: Disk) -> str:
    """The token that the query port asks for; made at first use."""
    return _load(layout.token, disk)


def _load(path: Path, disk: Disk) -> str:
    try:
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        text = secrets.token_hex(KEY_BYTES)
        disk.write(path, f"{text}\n".encode())
        return text
