"""One table: what went wrong -> HTTP status, gRPC code, exit code, and what to try. Mapped here and nowhere else.

Exception
├── DecodeError (sanitize)      the request is not OTLP
├── BodyError                   the body cannot be read: too large, broken or unknown compression
├── BusyError                   too much under way
├── OSError                     the medium refuses
│   └── DiskFullError (storage)
├── ConfigError (config)        a setting cannot be used
├── FormatError (storage)       a newer program wrote the folder
├── LockedError (storage)       another daemon has this directory
├── KeyFileError (storage)      the key file is not one of ours
├── PolicyError, RuleError, PatternError, NoiseError (sanitize)
├── RollupError (storage)       what sums up closed days cannot be used
├── IntentError, TombstoneError (storage)  what is to be purged, or was, cannot be read
├── SegmentError (storage)      a purge has to wait until the journal is in Parquet files
├── ArchiveError (storage)      a backup that is none, or is damaged
├── NotEmptyError (storage)     a backup cannot be restored over something
├── QueryError (queries)        a question that has no answer
├── FrameError (queries)        a child that answers questions said what it may not
├── BudgetError (everyday)      a budget that cannot be understood
├── WorkerError (workers)       a worker failed
├── JsonTextError, TomlTextError (setup)  a client's settings are not JSON or TOML
├── PortError                   a port is taken
└── AgentError                  anything else the command line has to say
"""

from __future__ import annotations

import errno
from dataclasses import dataclass

from telem.queries.table import QueryError
from telem.sanitize.records import DecodeError
from telem.storage.disk import DiskFullError

from .config import ConfigError


class BodyError(ValueError):
    """A request body that cannot be read. `status` is the HTTP status it deserves."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class BusyError(RuntimeError):
    """More is under way than we want to hold in memory; the client should try again soon."""


class AgentError(RuntimeError):
    """Something the user has to know; `hint` says what to do next."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class PortError(AgentError):
    """A port cannot be listened on."""


@dataclass(frozen=True, slots=True)
class Answer:
    """How a failure is told to a client. `retry` asks it to send the same request again, soon."""

    http_status: int
    grpc_code: str
    retry: bool = False


ANSWERS: tuple[tuple[type[Exception], Answer], ...] = (
    (DecodeError, Answer(400, "INVALID_ARGUMENT")),
    (BusyError, Answer(503, "UNAVAILABLE", retry=True)),
    (DiskFullError, Answer(503, "UNAVAILABLE", retry=True)),
    (OSError, Answer(503, "UNAVAILABLE", retry=True)),
    (Exception, Answer(503, "UNAVAILABLE", retry=True)),
)
"""First match counts. Never 500: clients drop what it answers, and retry a 503."""

USAGE_STATUS = 2
FAILED_STATUS = 1

EXPECTED = (QueryError, RuntimeError, OSError, ValueError)
"""What the command line says in a line; anything else is a defect of ours and shows its traceback."""

EXPECTED_OF_REQUESTS = (DecodeError, BodyError, BusyError, OSError)
"""What a request may end with without a word in our log; anything else is a defect of ours."""

HINTS = {
    "LockedError": "Stop it with: telem-agent stop",
    "DestinationError": "What a destination may be told: telem-agent forward add --help",
    "ConfigError": "The settings and their defaults: telem-agent settings",
    "PolicyError": "Mend the file, or move it away to use the shipped policy alone.",
    "DiskFullError": "Free some space; the daemon goes on by itself.",
    "PermissionError": "Give yourself the right to it, or choose another folder with --home.",
}
"""By the class's name: importing them all here would cost every command the sanitizer's start, 0.1 s."""

READ_ONLY_HINT = "It is mounted read-only: mount it so that it may be written, or choose another folder with --home."


def answer(error: Exception) -> Answer:
    """How to answer a client whose request failed with `error`."""
    if isinstance(error, BodyError):
        return Answer(error.status, "INVALID_ARGUMENT")
    return next(found for kind, found in ANSWERS if isinstance(error, kind))


def exit_status(error: Exception) -> int:
    """Exit status of the command line: 2 for how it was called, 1 for everything else."""
    return USAGE_STATUS if isinstance(error, ConfigError) else FAILED_STATUS


def hint(error: Exception) -> str:
    """What the user can try; empty when we do not know."""
    if isinstance(error, AgentError):
        return error.hint
    if isinstance(error, OSError) and error.errno == errno.EROFS:
        return READ_ONLY_HINT
    return next((HINTS[kind.__name__] for kind in type(error).__mro__ if kind.__name__ in HINTS), "")
