"""Where a data folder lies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.conftest import config_for, running

from telem.agent import mounts

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_the_innermost_mount_counts_and_macos_spells_its_own(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk on a network drive is a disk."""
    assert mounts.file_system_of(home, {"/": "nfs", str(home.resolve()): "ext4"}) == "ext4"
    assert mounts._mac_mount("//ada@nas/h on /Volumes/my h (smbfs, nodev)") == ("/Volumes/my h", "smbfs")
    monkeypatch.setattr(mounts, "mounts", lambda: {"/": "cifs"})
    assert mounts.network_of(home) == "cifs"


async def test_a_daemon_on_a_network_file_system_says_so(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In its log and in `status`; it works as well as that file system lets it."""
    monkeypatch.setattr(mounts, "mounts", lambda: {"/": "nfs4"})
    async with running(config_for(home)) as daemon:
        assert [
            message for message in (await daemon.status())["recovery"] if str(home) in message and "nfs4" in message
        ]
