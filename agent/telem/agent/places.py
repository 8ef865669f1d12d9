"""Where a directory is: branch, repository, worktree, project, chapter.

Read from git's own files, because starting git takes longer than everything else a hook does; git is asked only when
they do not say it (a repository that keeps its references in tables).
"""

from __future__ import annotations

import fnmatch
import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

GIT_TIMEOUT_S = 0.5
FILE_LIMIT_BYTES = 1 << 20
_REFTABLE_BRANCH = ".invalid"
"""What HEAD names in a repository whose references lie in tables."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a directory is; what is not known is empty."""

    cwd: str
    top: str = ""
    branch: str = ""
    repository: str = ""
    worktree: str = ""
    project: str = ""
    chapter: str = ""


def place_of(cwd: str, chapters: Mapping[str, str] | None = None) -> Place:
    """Everything known of the place of a directory, which need not exist any more."""
    cwd = os.path.normpath(cwd)
    top, git = _find_git(cwd)
    chapter = chapter_of(cwd, top, chapters or {})
    if not git:
        return Place(cwd, chapter=chapter, project="" if cwd == os.path.expanduser("~") else os.path.basename(cwd))
    common = _common(git)
    repository = address_of(_remote(os.path.join(common, "config")))
    linked = common != git
    return Place(
        cwd,
        top,
        _branch(git, top),
        repository,
        os.path.basename(top) if linked else "",
        _name(repository) or _folder_name(common, top),
        chapter,
    )


def chapter_of(cwd: str, top: str, chapters: Mapping[str, str]) -> str:
    """The chapter of the first rule that fits the directory or one above it.

    A pattern stands for a path below the top of the repository; one that begins with `/` or `~` for a path of the
    machine. `*` stands for anything within a name and across.
    """
    for pattern, chapter in chapters.items():
        absolute = pattern.startswith(("/", "~"))
        if not absolute and not top:
            continue
        wanted = os.path.expanduser(pattern).rstrip("/")
        path = cwd if absolute else os.path.relpath(cwd, top)
        while path not in ("", "/", "."):
            if fnmatch.fnmatchcase(path, wanted):
                return chapter
            path = os.path.dirname(path)
    return ""


def address_of(url: str) -> str:
    """The address of a remote without credentials and in one form, as Claude Code writes it; empty for a local path.

    `git@github.com:Org/Book.git` and `https://name:secret@github.com/Org/Book` are both `https://github.com/org/book`.
    """
    text = url.strip()
    if "://" not in text:
        host, colon, path = text.partition(":")
        if not colon or "/" in host:
            return ""
        text = f"ssh://{host}/{path}"
    try:
        parts = urlsplit(text)
    except ValueError:
        return ""
    path = parts.path.strip("/").removesuffix(".git")
    if not parts.hostname or not path or parts.scheme == "file":
        return ""
    return f"https://{parts.hostname}/{path}".lower()


def _find_git(cwd: str) -> tuple[str, str]:
    """The top of the working tree around a directory, and its git directory; both empty outside of one."""
    path = cwd
    while True:
        candidate = os.path.join(path, ".git")
        if os.path.isdir(candidate):
            return path, candidate
        if os.path.isfile(candidate):  # a linked worktree or a submodule: a line that says where
            said = _read(candidate).strip().removeprefix("gitdir:").strip()
            return (path, os.path.normpath(os.path.join(path, said))) if said else ("", "")
        above = os.path.dirname(path)
        if above == path:
            return "", ""
        path = above


def _common(git: str) -> str:
    """The git directory that all worktrees of a repository share."""
    said = _read(os.path.join(git, "commondir")).strip()
    return os.path.normpath(os.path.join(git, said)) if said else git


def _branch(git: str, top: str) -> str:
    head = _read(os.path.join(git, "HEAD")).strip()
    if not head.startswith("ref: refs/heads/"):
        return ""
    branch = head.removeprefix("ref: refs/heads/")
    return branch if branch != _REFTABLE_BRANCH else _ask_git(top)


def _ask_git(top: str) -> str:
    command = ["git", "-C", top, "symbolic-ref", "--quiet", "--short", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=GIT_TIMEOUT_S, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _remote(config: str) -> str:
    """The address of `origin`, else of the first remote."""
    found: dict[str, str] = {}
    name = ""
    for line in _read(config).splitlines():
        text = line.strip()
        if text.startswith("["):
            name = text[len('[remote "') : -len('"]')] if text.startswith('[remote "') and text.endswith('"]') else ""
        elif name:
            key, equals, value = text.partition("=")
            if equals and key.strip().lower() == "url":
                found.setdefault(name, value.strip().strip('"'))
    return found.get("origin") or next(iter(found.values()), "")


def _name(repository: str) -> str:
    return repository.rpartition("/")[2]


def _folder_name(common: str, top: str) -> str:
    """Name of the folder of the main worktree, or of a bare repository."""
    folder = os.path.dirname(common) if os.path.basename(common) == ".git" else common
    return os.path.basename(folder).removesuffix(".git") or os.path.basename(top)


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(FILE_LIMIT_BYTES)
    except OSError:
        return ""
