"""The same settings as files for a shell: `.claude/env-config/*.env`, and what `telem-agent setup --env` prints."""

from __future__ import annotations

from textwrap import wrap

from . import variables
from .variables import CONTENT_FLAGS, EXPORTER, NO_PROXY, TAGS, Content

DEFAULT_ENDPOINT = "http://127.0.0.1:4318"
WIDTH = 118

_FOLDER = ".claude/env-config"


def enabled(endpoint: str = DEFAULT_ENDPOINT) -> str:
    """telemetry-enabled.env: everything that points Claude Code here, with what else could be set."""
    parts = [
        _comment(
            "Points Claude Code at telem-agent on this machine. Generated from the table of variables that "
            "`telem-agent setup` uses. Source it in the shell you start Claude Code from:"
        ),
        _sourcing("telemetry-enabled.env"),
        _comment(
            "Claude Code reads these values once, when it starts. It ignores them in a repository's own settings. "
            "For good, and with branch and folder of every session: telem-agent setup"
        ),
    ]
    for variable in EXPORTER:
        parts += ["", _comment(variable.why), f"{variable.name}={variable.value or endpoint}"]
    parts += [
        "",
        _comment(
            "A proxy cannot reach this machine's loopback. Add hosts of your own behind a comma; this replaces what "
            "was set before."
        ),
        *(f"{name}={','.join(variables.LOOPBACK)}" for name in NO_PROXY),
        "",
        _comment(
            "Tags: keys of your own, which arrive as columns (team, chapter, project, repository, git.branch) or as "
            "attributes. This one variable Claude Code also accepts from a repository's .claude/settings.json:"
        ),
        "#     telem-agent setup project --tag chapter=ch07",
        f"# {TAGS}=team=book,chapter=ch07",
        "",
        "# Spans as well as events and metrics:",
        "# CLAUDE_CODE_ENHANCED_TELEMETRY_BETA=1",
        "# OTEL_TRACES_EXPORTER=otlp",
        "",
        _comment(
            "Content stays off. Without these switches Claude Code sends lengths, names and sizes, and the texts of "
            "API errors. What each one adds is sanitized before it is stored, but what is not sent needs no "
            "sanitizing:"
        ),
        *(f"# {name}=1  {what}" for name, what in CONTENT_FLAGS.items()),
    ]
    return "\n".join(parts) + "\n"


def disabled() -> str:
    """telemetry-disabled.env: takes back what the other one set."""
    ours = {variable.name for variable in EXPORTER} | {
        variable.name for level in Content for variable in variables.CONTENT[level]
    }
    off = {"CLAUDE_CODE_ENABLE_TELEMETRY": "0"} | {f"OTEL_{signal}_EXPORTER": "none" for signal in variables.SIGNALS}
    gone = sorted((ours | set(CONTENT_FLAGS)) - set(off))
    return "\n".join(
        [
            "# Takes back what telemetry-enabled.env set. Source it in the shell you start Claude Code from:",
            _sourcing("telemetry-disabled.env"),
            "# A Claude Code that runs already goes on as it was started. NO_PROXY and your tags are left as they are.",
            "",
            *(f"{name}={value}" for name, value in off.items()),
            *(f"unset {name}" for name in gone),
            "",
        ]
    )


def exports(endpoint: str, content: Content) -> str:
    """Lines for a shell's profile, or for `eval`."""
    values = variables.exporter(endpoint) | variables.content(content)
    return "".join(f"export {name}={value}\n" for name, value in values.items())


def _sourcing(name: str) -> str:
    return f"#\n#     set -a; . {_FOLDER}/{name}; set +a\n#"


def _comment(text: str) -> str:
    return "\n".join(f"# {line}" for line in wrap(text, WIDTH))
