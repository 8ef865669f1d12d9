"""The end of a segment whose rows are in Parquet: emptied after a grace, removed later.

A query that is under way may have listed the segment and open it only now. So it is first cut to nothing, which reads
as no rows, and its name stays until a day has passed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .inventory import is_left, parquet_files
from .journal import segments

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from telem.sanitize.records import Signal

    from .disk import Disk
    from .layout import Layout

GRACE_S = 900.0
REMOVE_AFTER_S = 86_400.0


def retire(
    layout: Layout, signal: Signal, now_s: float, disk: Disk, age_s: Callable[[Path], float] | None = None
) -> int:
    """Empty the segments that have been in Parquet for the grace, remove those emptied a day ago. Returns how many.

    Args:
        age_s: how long a published file has been there. Without it the file's time is asked, and believed.
    """
    ages_s: dict[int, float] = {}
    folders: dict[int, Path] = {}
    synced: set[Path] = set()
    for file in parquet_files(layout, signal):
        age = age_s(file.path) if age_s else now_s - file.path.stat().st_mtime
        ages_s |= dict.fromkeys(range(file.first, file.last + 1), age)
        folders |= dict.fromkeys(range(file.first, file.last + 1), file.path.parent)
    retired = 0
    for number, path in segments(layout, signal):
        if number not in ages_s:
            continue
        found = path.stat()
        if found.st_size and ages_s[number] >= GRACE_S:
            if folders[number] not in synced:  # its publishing may have failed to, and to take the name back as well
                disk.sync_directory(folders[number])
                synced.add(folders[number])
            _empty(path, disk)
            retired += 1
        elif is_left(path):
            disk.remove(path)  # it is still there because removing it failed too, or a life ended just then
            retired += 1
        elif not found.st_size and now_s - found.st_mtime >= REMOVE_AFTER_S:
            path.unlink(missing_ok=True)
            retired += 1
    return retired


def _empty(path: Path, disk: Disk) -> None:
    """Empty a segment; when it is not sure to stay so, remove it at once, though a query may just be about to open it.

    Its rows could come back with a power cut, when views that were published meanwhile hold them to be gone.
    """
    try:
        disk.empty(path)
    except OSError:
        disk.remove(path)
