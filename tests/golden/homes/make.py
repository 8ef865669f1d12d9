"""Makes the data folder of the present format, as a fixture for all later versions.

    python tests/golden/homes/make.py

Run it once for each released format; what is there already is never made again, for that is its point.
"""

from __future__ import annotations

import shutil
import sys
import tarfile
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[2]))

from tests.otlp import NOW_NS, numbered, raw  # noqa: E402 (the path first)

from telem.sanitize.decode import decode  # noqa: E402
from telem.sanitize.gate import Gate  # noqa: E402
from telem.sanitize.policy import shipped_policy  # noqa: E402
from telem.sanitize.records import Profile, Signal  # noqa: E402
from telem.sanitize.redact import Redactor  # noqa: E402
from telem.storage.disk import Disk  # noqa: E402
from telem.storage.formats import FORMAT, mark_format  # noqa: E402
from telem.storage.journal import Journal  # noqa: E402
from telem.storage.layout import Layout  # noqa: E402
from telem.storage.worker import run  # noqa: E402

KEY = bytes(range(32))
DAY = "2026-09-21"


def main() -> None:
    """Write `format-<n>.tar.gz`: two segments in Parquet, one that is not, of each signal."""
    target = HERE / f"format-{FORMAT}.tar.gz"
    if target.exists():
        sys.exit(f"{target} is there; a released format does not change")
    home = Path(tempfile.mkdtemp()) / "home"
    layout, disk = Layout(home), Disk()
    disk.directory(home)
    disk.write(layout.key, f"{KEY.hex()}\n".encode())
    mark_format(layout, disk)
    gate = Gate(Redactor(shipped_policy(Profile.STANDARD), KEY), KEY)
    for signal in Signal:
        disk.directory(layout.journal(signal))
        for number in (1, 2, 3):
            request = raw(signal, numbered(signal, f"{number}a", f"{number}b"), at_ns=NOW_NS + number)
            journal = Journal(layout, signal, disk, number)
            journal.append([gate.sanitize(decode(request), gate.request_id(request))], 0.0)
            journal.close()
        run({"job": "compact", "home": str(home), "signal": signal.value, "segments": [1, 2], "day": DAY})
    (home / "WORKER").unlink()
    with tarfile.open(target, "w:gz") as tar:
        tar.add(home, "home")
    shutil.rmtree(home.parent)


if __name__ == "__main__":
    main()
