"""Which version this is, without `importlib.metadata`, whose imports take longer than all else `--version` does."""

from __future__ import annotations

import os
import sys

_PREFIX, _SUFFIX = "telem_agent-", ".dist-info"


def version() -> str:
    """The installed version, from the name of the folder that every installer makes (PEP 376)."""
    for folder in sys.path:
        try:
            names = os.listdir(folder or ".")  # noqa: PTH208 (without pathlib's import)
        except OSError:
            continue
        for name in names:
            if name.startswith(_PREFIX) and name.endswith(_SUFFIX):
                return name[len(_PREFIX) : -len(_SUFFIX)]
    from importlib import metadata

    return metadata.version("telem-agent")
