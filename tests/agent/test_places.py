"""Where a directory is, against real repositories made by git."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from telem.agent.places import address_of, chapter_of, place_of

GIT = shutil.which("git")
pytestmark = pytest.mark.skipif(GIT is None, reason="git is not here")
NOBODY = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
NAMED = ("-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "protocol.file.allow=always")


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [GIT or "git", *NAMED, *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), **NOBODY},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.fixture
def book(tmp_path: Path) -> Path:
    folder = tmp_path / "book"
    (folder / "docs" / "07-agents").mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main")
    (folder / "docs" / "07-agents" / "a.md").write_text("a")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "begin")
    git(folder, "remote", "add", "other", "https://example.com/other")
    git(folder, "remote", "add", "origin", "git@github.com:Example-Org/The-Book.git")
    return folder


def test_a_directory_in_a_repository(book: Path) -> None:
    """Branch, remote and top are those of git."""
    place = place_of(str(book / "docs" / "07-agents"), {"docs/07-*": "ch07"})
    assert (place.top, place.branch, place.worktree) == (str(book), "main", "")
    assert (place.repository, place.project) == ("https://github.com/example-org/the-book", "the-book")
    assert place.chapter == "ch07"


def test_a_branch_with_slashes_and_a_detached_head(book: Path) -> None:
    """The whole name; none without a branch."""
    git(book, "switch", "-q", "-c", "feature/07/draft")
    assert place_of(str(book)).branch == "feature/07/draft"
    git(book, "switch", "-q", "--detach")
    assert place_of(str(book)).branch == ""


def test_a_linked_worktree(book: Path, tmp_path: Path) -> None:
    """It has a branch and a name of its own; repository and project are those of the main one."""
    git(book, "worktree", "add", "-q", str(tmp_path / "fix"), "-b", "fix-7")
    place = place_of(str(tmp_path / "fix" / "docs"))
    assert (place.branch, place.worktree, place.project) == ("fix-7", "fix", "the-book")
    git(book, "remote", "remove", "origin")
    git(book, "remote", "remove", "other")
    assert place_of(str(tmp_path / "fix")).project == "book"


def test_a_submodule_is_a_repository_of_its_own(book: Path, tmp_path: Path) -> None:
    """Not a worktree of the one around it."""
    other = tmp_path / "tools"
    other.mkdir()
    git(other, "init", "-q", "-b", "trunk")
    git(other, "commit", "-q", "--allow-empty", "-m", "begin")
    git(book, "submodule", "--quiet", "add", str(other), "tools")
    place = place_of(str(book / "tools"))
    assert (place.branch, place.worktree, place.repository) == ("trunk", "", "")


def test_references_in_tables(tmp_path: Path) -> None:
    """There git itself is asked."""
    folder = tmp_path / "tables"
    folder.mkdir()
    try:
        git(folder, "init", "-q", "-b", "main", "--ref-format=reftable")
    except subprocess.CalledProcessError:
        pytest.skip("this git has no reftable")
    assert place_of(str(folder)).branch == "main"


def test_outside_of_a_repository(tmp_path: Path) -> None:
    """The folder's name is the project's, unless it is the home folder, whose name is the user's."""
    place = place_of(str(tmp_path), {f"{tmp_path}": "here"})
    assert (place.project, place.branch, place.repository, place.chapter) == (tmp_path.name, "", "", "here")
    assert place_of(str(Path.home())).project == ""
    assert place_of(str(tmp_path / "gone" / "long ago")).project == "long ago"


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://github.com/Example-Org/Book.git", "https://github.com/example-org/book"),
        ("https://ada:secret@gitlab.com/Group/Sub/Repo", "https://gitlab.com/group/sub/repo"),
        ("git@github.com:Example-Org/Book.git", "https://github.com/example-org/book"),
        ("ssh://git@git.example.com:2222/Team/Repo.git", "https://git.example.com/team/repo"),
        ("/srv/git/local.git", ""),
        ("../book", ""),
        ("file:///srv/git/local.git", ""),
        ("https://[broken", ""),
        ("", ""),
    ],
)
def test_addresses_have_one_form_and_no_credentials(url: str, address: str) -> None:
    """The form in which Claude Code 2.1.330 sends them (seen), so that both join."""
    assert address_of(url) == address


@pytest.mark.parametrize(
    ("pattern", "cwd", "fits"),
    [
        ("book-source/docs/07-*", "/r/book-source/docs/07-agents", True),
        ("book-source/docs/07-*", "/r/book-source/docs/07-agents/images/deep", True),
        ("book-source/docs/07-*", "/r/book-source/docs/08-more", False),
        ("book-source/docs/07-*/", "/r/book-source/docs/07-agents", True),
        ("docs", "/r", False),
        ("/r/docs", "/r/docs/x", True),
        ("~/x", "/r/x", False),
    ],
)
def test_chapters_by_path(pattern: str, cwd: str, fits: bool) -> None:
    """A rule stands for a folder and what is in it."""
    assert chapter_of(cwd, "/r", {pattern: "ch07"}) == ("ch07" if fits else "")
