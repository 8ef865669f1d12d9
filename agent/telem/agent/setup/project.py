"""Tags of one project, in its `.claude/settings.json`.

`OTEL_RESOURCE_ATTRIBUTES` is the one variable of the exporter that Claude Code accepts from there.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from telem.agent.errors import AgentError

from .files import read_file, refusal
from .jsontext import MISSING
from .plan import FORM_ERRORS, Editor, Plan
from .variables import TAGS, tags_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

NAME, TITLE = "project", "the project"
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,127}")
_SAFE = " !#$&'()*+-./:<>?@[]^_`{|}~"
"""What stands in a tag's value as it is; the rest is percent-encoded, as the specification of the variable asks."""


def plan(top: Path, tags: Mapping[str, str], *, local: bool = False) -> Plan:
    """What there is to do for a project's tags; an empty value takes the tag away."""
    path = top / ".claude" / ("settings.local.json" if local else "settings.json")
    file = read_file(path)
    try:
        editor = Editor("json", file.text)
        _set_tags(editor, tags)
    except (*FORM_ERRORS, TypeError) as error:
        return Plan(NAME, TITLE, file, "json", refused=f"{path}: {error}", hint="Mend it there, then run it again.")
    if why := refusal(file) if editor.edits else "":
        return Plan(NAME, TITLE, file, "json", refused=why, hint="Make it writable, or put the tags in by hand.")
    sends = f"{', '.join(f'{key}={value}' for key, value in tags.items() if value)} with every record from this project"
    return Plan(NAME, TITLE, file, "json", tuple(editor.edits), editor.now.text, sends)


def _set_tags(editor: Editor, tags: Mapping[str, str]) -> None:
    found = editor.get("env", TAGS)
    said = {} if found is MISSING else {key: unquote(value) for key, value in tags_of(str(found)).items()}
    now = {key: value for key, value in {**said, **tags}.items() if value}
    if now:
        editor.set(("env", TAGS), ",".join(f"{key}={quote(value, safe=_SAFE)}" for key, value in now.items()))
    else:
        editor.remove(("env", TAGS))


def pairs(texts: Sequence[str]) -> dict[str, str]:
    """Tags from what the command line gave.

    Raises:
        AgentError: one is not KEY=VALUE.
    """
    found = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not _KEY.fullmatch(key.strip()):
            raise AgentError(f"a tag is KEY=VALUE with a key of letters, digits, dots and dashes; this is {text!r}")
        found[key.strip()] = value.strip()
    return found
