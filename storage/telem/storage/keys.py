"""The installation's secrets: a key for ids and pseudonyms, a token for the query port. Files of 0600."""

from __future__ import annotations

import hashlib
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
    return _parse(layout.key, _load(layout.key, disk))


def read_key(layout: Layout) -> bytes | None:
    """This installation's key, or None when it has none yet; nothing is made or changed.

    Raises:
        KeyFileError: the file holds something else.
    """
    try:
        return _parse(layout.key, layout.key.read_text(encoding="ascii").strip())
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        return _parse(layout.key, "")


def rotate_key(layout: Layout, disk: Disk, retired: Path | None) -> None:
    """Put a new key in the place of this installation's, whatever that holds.

    Without `retired` the old key is gone, and with it the way to compute an old stand-in from a name: that is why
    one rotates.
    """
    if retired is not None:
        disk.write(retired, layout.key.read_bytes())
    disk.write(layout.key, f"{secrets.token_hex(KEY_BYTES)}\n".encode())


def _parse(path: Path, text: str) -> bytes:
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise KeyFileError(f"{path} does not hold {KEY_BYTES} bytes in hex; restore it, or move it away to start anew")
    return key


def key_id(key: bytes) -> str:
    """Tells whether two machines have one key, and nothing else about it: the key has 256 random bits."""
    return hashlib.blake2b(key, digest_size=8, person=b"telem key id").hexdigest()


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
