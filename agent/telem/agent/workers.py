"""Starts the short-lived workers for what is heavy or risky, and hears what came of it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

from .interpreter import PYTHON

WORKER_TIMEOUT_S = 900.0


MEMORY = {
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_TRIM_THRESHOLD_": "65536",
    "MALLOC_MMAP_THRESHOLD_": "65536",
    "DUCKDB_JE_MALLOC_CONF": "dirty_decay_ms:0",
}
"""What a worker frees goes back to the machine at once; without these it held 240 MB in the end rather than 140.
The last one is for DuckDB's own allocator, which it has on Linux."""


def give_memory_back() -> None:
    """Begin this command anew as one that does so too: for a process of the command line that has done nothing yet."""
    if not MEMORY.items() <= os.environ.items():
        os.execve(sys.executable, [*PYTHON, "telem", *sys.argv[1:]], {**os.environ, **MEMORY})


class WorkerError(RuntimeError):
    """A worker failed or took too long; the message is its own."""


async def run_jobs(jobs: list[dict[str, Any]], timeout_s: float = WORKER_TIMEOUT_S) -> list[dict[str, Any]]:
    """Run jobs in one worker, in order; their results in the same order.

    Raises:
        WorkerError: the worker itself died; how far it got is not known.
    """
    process = await asyncio.create_subprocess_exec(
        *PYTHON,
        "telem.storage.worker",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **MEMORY},
    )
    lines = "".join(json.dumps(job) + "\n" for job in jobs).encode()
    try:
        async with asyncio.timeout(timeout_s):
            output, errors = await process.communicate(lines)
    except BaseException as error:
        process.kill()
        await process.wait()
        if isinstance(error, TimeoutError):
            raise WorkerError(f"a worker took longer than {timeout_s:.0f} s and was ended") from error
        raise
    results = [json.loads(line) for line in output.splitlines()]
    if len(results) != len(jobs):
        said = errors.decode("utf-8", "replace").strip().splitlines()
        raise WorkerError(f"a worker ended with status {process.returncode}: {said[-1] if said else 'no message'}")
    return results
