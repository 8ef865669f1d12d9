"""`telem-agent setup`: show what would change, ask once, change it; or take it back."""

from __future__ import annotations

import dataclasses
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click
import orjson

from telem.agent import control, program
from telem.agent.errors import AgentError
from telem.agent.homes import default_home
from telem.agent.places import place_of
from telem.storage.disk import Disk

from . import claude, codex, environment, gemini, passing, project
from .files import ClientFile, read_file, refusal, write_file
from .plan import FORM_ERRORS, Editor, Plan, difference
from .record import Record, apply, earlier_endpoints, records, undo
from .variables import Content
from .wanted import Wanted, shown

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

    from telem.agent.config import Config

SCHEMA = 1
CLIENTS: dict[str, ModuleType] = {module.NAME: module for module in (claude, codex, gemini)}

WHEN_TAKEN = (
    "It was left alone. Run setup again with --pass-on to send here, and from here on to that receiver (what is "
    "stored, sanitized, from now on); or with --replace, and it gets nothing any more."
)


class How(NamedTuple):
    """How to go about it: only show, do not ask, answer in JSON."""

    dry: bool = False
    yes: bool = False
    as_json: bool = False


def endpoint(config: Config) -> str:
    """Where the daemon listens for OTLP over HTTP, or will when it is started.

    Raises:
        AgentError: nobody knows, because the port is free to choose and no daemon runs.
    """
    running = control.find(config.layout)
    if running and "otlp_http" in running.endpoints:
        return running.endpoints["otlp_http"]
    if not config.otlp_http_port:
        raise AgentError(
            "the daemon takes any free port and does not run, so its address is not known", "telem-agent start"
        )
    host = "[::1]" if config.bind == "::1" else "127.0.0.1"
    return f"http://{host}:{config.otlp_http_port}"


def wanted(config: Config, content: Content | None, *, replace: bool, pass_on: bool = False) -> Wanted:
    """What the set-up is to be."""
    where = endpoint(config)
    home = "" if config.home == default_home() else str(config.home)
    return Wanted(
        where,
        claude.hook_command(program.path(), home),
        content,
        replace,
        pass_on,
        WHEN_TAKEN,
        earlier_endpoints(records(config.layout)),
    )


def found(environ: Any = os.environ) -> list[str]:
    """The clients that are here: their folder, or their command."""
    return [
        name
        for name, module in CLIENTS.items()
        if module.folder(environ).is_dir() or any(shutil.which(command) for command in module.COMMANDS)
    ]


def setup(
    config: Config, names: Sequence[str], content: Content | None, how: How, *, replace: bool, pass_on: bool = False
) -> bool:
    """Set up the clients named, or all that are here; returns whether none had to be left alone.

    Raises:
        AgentError: there is no client, or nobody to ask.
    """
    chosen = list(names) or found()
    if not chosen:
        raise AgentError(
            "neither Claude Code nor Codex CLI nor Gemini CLI is here",
            "Install one, or name it: telem-agent setup --client claude",
        )
    target = wanted(config, content, replace=replace, pass_on=pass_on)
    plans = [_plan(CLIENTS[name], target) for name in chosen]
    return carry_out(config, [_offered(plan, target, how) for plan in plans], how)


def _offered(plan: Plan, target: Wanted, how: How) -> Plan:
    """Where somebody else receives already and somebody is here to ask: offer to send on to it from here."""
    if not plan.taken or how.dry or how.yes or how.as_json or not sys.stdin.isatty():
        return plan
    click.echo(plan.refused, err=True)
    question = "Take its place, and send on to it from here (what is stored, sanitized, from now on)?"
    if not click.confirm(question, default=False, err=True):
        return plan
    return _plan(CLIENTS[plan.client], dataclasses.replace(target, pass_on=True))


def _plan(module: ModuleType, target: Wanted) -> Plan:
    """What there is to do for one client; that its file cannot be read keeps nothing from the others."""
    try:
        planned: Plan = module.plan(target, os.environ)
    except AgentError as error:
        path = module.settings_path(os.environ)
        return Plan(module.NAME, module.TITLE, ClientFile(path, path, None), module.FORM, refused=str(error))
    return planned


def setup_project(config: Config, tags: dict[str, str], how: How, *, local: bool) -> bool:
    """Set tags for the project around the current directory."""
    plans = [project.plan(_top(), tags, local=local)]
    return carry_out(config, plans, how, "telem-agent setup project --undo")


def take_back_project(config: Config, how: How) -> bool:
    """Undo what was set for the project around the current directory; returns whether all of it went."""
    return take_back(config, [project.NAME], how, _top())


def _top() -> Path:
    here = Path.cwd()
    return Path(place_of(str(here)).top or here)


def carry_out(config: Config, plans: Sequence[Plan], how: How, undo_command: str = "telem-agent setup --undo") -> bool:
    """Show plans, ask, and carry them out.

    Raises:
        AgentError: there is nobody to ask.
    """
    changing = [plan for plan in plans if plan.edits]
    if not how.as_json:
        for plan in plans:
            _show(plan)
    done = False
    if changing and not how.dry:
        _ask(changing, yes=how.yes)
        for plan in changing:
            backup = _applied(config, plan)
            click.echo(f"{plan.title}: {plan.path} is set; as it was before: {backup}", err=True)
        click.echo(f"Take it back at any time: {undo_command}", err=True)
        done = True
    if how.as_json:
        click.echo(orjson.dumps(_said(plans, done=done), option=orjson.OPT_INDENT_2).decode())
    elif done and control.find(config.layout) is None:
        click.echo("The daemon does not run yet: telem-agent start", err=True)
    return not any(plan.refused for plan in plans)


def _applied(config: Config, plan: Plan) -> Path:
    """Change the file; a receiver that loses its place by that is passed on to first."""
    if plan.displaced is None:
        return apply(config.layout, Disk(), plan)
    passing.begin(config, plan.client, plan.displaced)
    try:
        return apply(config.layout, Disk(), plan)
    except (AgentError, OSError):
        passing.end(config, plan.client)
        raise


def _ask(changing: Sequence[Plan], *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise AgentError("nobody is here to ask, so nothing was changed", "Say it with --yes, or look with --dry-run.")
    what = "this change" if len(changing) == 1 else f"these {len(changing)} changes"
    if not click.confirm(f"Make {what}?", default=True, err=True):
        click.echo("Nothing was changed.", err=True)
        sys.exit(1)


def _show(plan: Plan) -> None:
    if plan.refused:
        click.echo(f"{plan.title}: left alone. {plan.refused}", err=True)
        if plan.hint:
            click.echo(f"  {plan.hint}", err=True)
        return
    if not plan.edits:
        click.echo(f"{plan.title}: {plan.path} is set up already.", err=True)
        return
    click.echo(difference(plan))
    click.echo(f"\n{plan.title} will send {plan.sends}.", err=True)
    if plan.displaced:
        click.echo(f"  What is stored of it is passed on to {shown(plan.displaced.url)}, sanitized.", err=True)
    for level, sends in getattr(CLIENTS.get(plan.client), "SENDS", {}).items():
        if sends != plan.sends:
            click.echo(f"  With --content {level}: {sends}.", err=True)
    for note in plan.notes:
        click.echo(f"  {note}", err=True)


def _said(plans: Sequence[Plan], *, done: bool) -> dict[str, Any]:
    states = [
        {
            "client": plan.client,
            "path": str(plan.path),
            "state": _state(plan, done=done),
            "refused": plan.refused or None,
            "hint": plan.hint or None,
            "diff": difference(plan) if plan.edits else "",
            "sends": plan.sends,
            "notes": list(plan.notes),
        }
        for plan in plans
    ]
    return {"schema": SCHEMA, "clients": states}


def _state(plan: Plan, *, done: bool) -> str:
    if plan.refused:
        return "refused"
    if not plan.edits:
        return "unchanged"
    return "changed" if done else "would change"


def take_back(config: Config, names: Sequence[str], how: How, below: Path | None = None) -> bool:
    """Undo what set-ups changed, the latest first, or those of them below a folder; returns whether all of it went.

    Where there is no record at all (the data folder was removed), what setup would have put there is taken out.

    Raises:
        AgentError: there is nobody to ask.
    """
    known = records(config.layout)
    mine = [
        record
        for record in reversed(known)
        if (not names or record.client in names) and (below is None or record.path.is_relative_to(below))
    ]
    left = [] if known or below else leftovers(names)
    for record in mine:
        click.echo(f"{record.client}: {record.path}, set {record.at}", err=True)
    for plan in left:
        click.echo(f"{plan.client}: {plan.path}, of a set-up of which there is no record", err=True)
        click.echo(difference(plan), err=True)
    if not mine and not left:
        click.echo("There is nothing to take back.", err=True)
    elif not how.dry:
        _ask_back(yes=how.yes)
    done = [] if how.dry else [_undone(config, record) for record in mine] + [_forgotten(plan) for plan in left]
    if how.as_json:
        said = [{"client": client, "taken_back": well, "text": text} for client, well, text in done]
        click.echo(orjson.dumps({"schema": SCHEMA, "clients": said}, option=orjson.OPT_INDENT_2).decode())
    return all(well for _, well, _ in done)


def _ask_back(*, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise AgentError("nobody is here to ask, so nothing was changed", "Say it with --yes.")
    click.confirm("Take these back?", default=True, abort=True, err=True)


def _undone(config: Config, record: Record) -> tuple[str, bool, str]:
    try:
        text = undo(config.layout, Disk(), record)
    except (AgentError, OSError) as error:
        click.echo(f"{error}\n  {getattr(error, 'hint', '')}", err=True)
        return record.client, False, str(error)
    click.echo(text, err=True)
    passing.end(config, record.client)
    return record.client, True, text


def _forgotten(plan: Plan) -> tuple[str, bool, str]:
    try:
        write_file(Disk(), plan.file, plan.file.encode(plan.after))
    except (AgentError, OSError) as error:
        click.echo(str(error), err=True)
        return plan.client, False, str(error)
    text = f"{plan.path}: what setup puts there is taken out"
    click.echo(text, err=True)
    return plan.client, True, text


def leftovers(names: Sequence[str]) -> list[Plan]:
    """What a set-up that left no record has put into clients' settings.

    Our hook in Claude Code's settings proves that there was one. Without it, settings in the form that setup gives them
    may be the user's own, and are looked at only in clients that were named.
    """
    plans = []
    for name in names or (CLIENTS if _was_here() else ()):
        module = CLIENTS.get(name)
        if module is None:
            continue
        try:
            file = read_file(module.settings_path(os.environ))
            editor = Editor(module.FORM, file.text)
            module.forget(editor)
        except (AgentError, TypeError, *FORM_ERRORS):
            continue  # nothing of ours can be in a file that is none
        if editor.edits and not refusal(file):
            plans.append(Plan(name, module.TITLE, file, module.FORM, tuple(editor.edits), editor.now.text))
    return plans


def _was_here() -> bool:
    try:
        hooks = Editor(claude.FORM, read_file(claude.settings_path(os.environ)).text).get("hooks")
    except (AgentError, *FORM_ERRORS):
        return False
    found = hooks if isinstance(hooks, dict) else {}
    return any(True for event in claude.HOOK_EVENTS for _ in claude.hooks_of_ours(found.get(event)))


def print_settings(config: Config, names: Sequence[str], content: Content | None) -> None:
    """What to put into the settings by hand, for those who keep them elsewhere."""
    target = wanted(config, content, replace=False)
    for name in names or found() or list(CLIENTS):
        module = CLIENTS[name]
        comment = "#" if name == "codex" else "//"
        click.echo(f"{comment} {module.TITLE}: {module.settings_path(os.environ)}")
        click.echo(module.command_shown(target))


def print_env(config: Config, content: Content | None) -> None:
    """The same as lines for a shell."""
    click.echo(environment.exports(endpoint(config), content or Content.NONE), nl=False)
