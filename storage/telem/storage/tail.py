"""What is behind the last whole batch of a segment: torn, or damaged?

A batch is one write, and is acknowledged when all of it is on the medium. What a crash tears is therefore the
beginning of a batch: whole rows, and then perhaps a part of a line. Whatever else stands there may have been
acknowledged, and was damaged since. Zeros are what a power cut leaves of blocks that were not written.
"""

from __future__ import annotations

import orjson

_ROW, _COMMIT = b'{"seg":', b'{"commit":'


def is_doubtful(tail: bytes) -> bool:
    """May it have been acknowledged, for all that can be seen? Else it is the beginning of a batch and no more."""
    written = tail.rstrip(b"\0").removeprefix(b"\n")
    *lines, rest = written.split(b"\n")
    return not (all(map(_is_row, lines)) and _is_begun(rest))


def _is_row(line: bytes) -> bool:
    if not line.startswith(_ROW):
        return False
    try:
        orjson.loads(line)
    except ValueError:
        return False
    return True


def _is_begun(line: bytes) -> bool:
    """The beginning of a row or of a commit line, whose end is missing."""
    if line.startswith(_COMMIT):
        return b"}}" not in line
    return _ROW.startswith(line[: len(_ROW)]) or _COMMIT.startswith(line[: len(_COMMIT)])
