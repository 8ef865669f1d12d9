"""`telem-agent sanitize`: what the gate would do to a text, without a daemon and without storing anything.

With the policy and the key of the data folder, so that the stand-ins are the ones in the tables. A folder without a key
gets none: the key is then made up for this one call.
"""

from __future__ import annotations

import json
import secrets
import sys
from collections import defaultdict
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click
import orjson

from telem.sanitize.explain import REPLACED
from telem.sanitize.records import Profile
from telem.sanitize.redact import Redactor, whole
from telem.storage.keys import KEY_BYTES, read_key

from .errors import AgentError
from .policies import OFF_WARNING, load_policy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from .config import Config

PIECE_CHARS = 64 * 1024
"""Files are looked at in pieces of whole lines, so that a large one needs no memory."""

LINES_SHOWN = 20
SCHEMA = 1
"""Version of what `--json` prints."""


def redactor_for(config: Config) -> Redactor:
    """The judge of a data folder."""
    key = read_key(config.layout) or secrets.token_bytes(KEY_BYTES)
    policy = load_policy(config).policy
    if policy.profile is Profile.OFF:
        click.echo(OFF_WARNING, err=True)
    return Redactor(policy, key)


def sanitize(config: Config, texts: Sequence[str], attribute: str | None, *, explain: bool, as_json: bool) -> None:
    """Print a text as it would be stored, or with `explain` what would happen to it and why.

    Raises:
        UsageError: several texts, or none and no pipe.
    """
    if len(texts) > 1:
        raise click.UsageError("give one text, in quotes; files go with --dry-run")
    if not texts and sys.stdin.isatty():
        raise click.UsageError("give a text, or - to read it from standard input")
    text = _input() if not texts or texts[0] == "-" else texts[0]
    redactor = redactor_for(config)
    if explain:
        _explain(redactor, text, attribute, as_json=as_json)
        return
    clean = redactor.sanitized(text, attribute)
    if as_json:
        click.echo(orjson.dumps({"schema": SCHEMA, "text": whole(clean)}))
    else:
        click.echo(clean, nl=not clean.endswith("\n"))


def _input() -> str:
    return sys.stdin.buffer.read().decode("utf-8", "replace")


def _explain(redactor: Redactor, text: str, attribute: str | None, *, as_json: bool) -> None:
    findings = redactor.explain(text, attribute)
    if as_json:
        click.echo(orjson.dumps({"schema": SCHEMA, "findings": [found._asdict() for found in findings]}))
        return
    for found in findings:
        what, why = found.sentence.rstrip("."), found.why.rstrip(".")
        click.echo(f"{found.start}-{found.end}  {found.rule_id}  {found.action}: {what}  ({why})")
    if not findings:
        click.echo("nothing found: it would be stored as it is", err=True)


def sanitize_jsonl(config: Config, source: str, attribute: str | None) -> bool:
    """Answer JSON strings, one a line, each as soon as it is read; returns whether every line was one."""
    redactor = redactor_for(config)
    fine = True
    with click.open_file(source, "rb") as lines:
        for number, line in enumerate(_lines(lines), 1):
            text = _json_string(line)
            if text is None:
                fine = False
                click.echo(f"line {number} is not a JSON string", err=True)
                continue
            sys.stdout.buffer.write(orjson.dumps(whole(redactor.sanitized(text, attribute))) + b"\n")
            sys.stdout.buffer.flush()
    return fine


def _lines(source: IO[bytes]) -> Iterator[bytes]:
    """Lines as they come; iterating over a pipe would wait for a full buffer first."""
    while line := source.readline():
        yield line


def _json_string(line: bytes) -> str | None:
    try:
        value = json.loads(line)  # takes lone surrogates, which JavaScript writes and orjson refuses
    except ValueError:
        return None
    return value if isinstance(value, str) else None


def dry_run(config: Config, paths: Sequence[str], attribute: str | None, *, as_json: bool) -> None:
    """Say how often which rule would fire in files, and in which lines; nothing is written, no value is shown.

    Raises:
        AgentError: a file cannot be read.
    """
    if not paths:
        raise click.UsageError("--dry-run takes the files to look at")
    redactor = redactor_for(config)
    files: list[dict[str, object]] = []
    for path in paths:
        try:
            with Path(path).open(encoding="utf-8", errors="replace") as file:
                found = _count(redactor, file, attribute)
        except OSError as error:
            raise AgentError(f"{path} cannot be read: {error.strerror}") from error
        files.append({"file": path, "replacements": sum(map(len, found.values())), "rules": found})
        if not as_json:
            _tell_counts(path, found)
    if as_json:
        click.echo(orjson.dumps({"schema": SCHEMA, "files": files}))


def _tell_counts(path: str, found: dict[str, list[int]]) -> None:
    count = sum(map(len, found.values()))
    click.echo(f"{path}: {count} replacement{'' if count == 1 else 's'}")
    for rule, lines in sorted(found.items(), key=lambda item: (-len(item[1]), item[0])):
        click.echo(f"  {len(lines):6}  {rule}  {_line_list(lines)}")


def _count(redactor: Redactor, lines: Iterable[str], attribute: str | None) -> dict[str, list[int]]:
    """Rule -> line of each replacement."""
    found: defaultdict[str, list[int]] = defaultdict(list)
    for first, text in _pieces(lines):
        for finding in redactor.explain(text, attribute):
            if finding.action == REPLACED:
                found[finding.rule_id].append(first + text.count("\n", 0, finding.start))
    return found


def _pieces(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Numbered pieces: a line that may be JSON by itself, or lines together, since keys and code have several."""
    kept: list[str] = []
    first, size = 1, 0
    for number, line in enumerate(lines, 1):
        alone = line[:1] in "{[" and line.rstrip()[-1:] in ("}", "]")
        if kept and (alone or size + len(line) > PIECE_CHARS):
            yield first, "".join(kept)
            kept, size = [], 0
        if alone:
            yield number, line.rstrip()
            continue
        if not kept:
            first = number
        kept.append(line)
        size += len(line)
    if kept:
        yield first, "".join(kept)


def _line_list(lines: list[int]) -> str:
    numbers = sorted(set(lines))
    shown = ", ".join(map(str, numbers[:LINES_SHOWN]))
    more = f" and {len(numbers) - LINES_SHOWN} more" if len(numbers) > LINES_SHOWN else ""
    return f"line{'s' if len(numbers) > 1 else ''} {shown}{more}"
