"""`sanitize` and `identity`: the gate's own judgement on the command line, and the owner's own stand-ins."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest
from tests.daemons import CLI, LiveDaemon, clean_env, journal_rows, telem
from tests.otlp import logs
from tests.wire import ask

from telem.agent import identity_commands
from telem.sanitize.pseudonym import Pseudonyms
from telem.storage.disk import Disk
from telem.storage.keys import load_key
from telem.storage.layout import Layout

if TYPE_CHECKING:
    from pathlib import Path

MAIL = "jane.roe@corp.example.net"
TOKEN = "ghp_" + "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5"


def sanitize(home: Path, *arguments: str, text: str | bytes = "") -> subprocess.CompletedProcess[str]:
    data = text.encode() if isinstance(text, str) else text
    done = subprocess.run(
        [*CLI, "sanitize", "--home", str(home), *arguments],
        input=data,
        capture_output=True,
        timeout=60,
        check=False,
        env=clean_env(),
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.fixture
def keyed(home: Path) -> Path:
    """A home that has its key."""
    load_key(Layout(home), Disk())
    return home


def test_a_text_is_answered_as_it_would_be_stored(keyed: Path) -> None:
    """From the argument, from `-`, and from a pipe; with the stand-ins of the home."""
    stand_in = Pseudonyms(load_key(Layout(keyed), Disk())).of("email", MAIL)
    wanted = f"to {stand_in} with [REDACTED:"
    for done in (
        sanitize(keyed, f"to {MAIL} with {TOKEN}"),
        sanitize(keyed, "-", text=f"to {MAIL} with {TOKEN}\n"),
        sanitize(keyed, text=f"to {MAIL} with {TOKEN}\n"),
    ):
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(wanted)
        assert done.stdout.count("\n") == 1


def test_it_judges_as_the_attribute_that_is_named(keyed: Path) -> None:
    """By the policy of that name."""
    assert sanitize(keyed, "--attr", "user.email", "x@y").stdout.startswith("email:")
    assert sanitize(keyed, "--attr", "model", "claude-opus-4").stdout == "claude-opus-4\n"


def test_it_says_why_and_never_what(keyed: Path) -> None:
    """Span, rule and reason; nothing found is said on standard error."""
    done = sanitize(keyed, "--explain", f"to {MAIL} with {TOKEN}")
    assert done.stdout.startswith(f"3-{3 + len(MAIL)}  email  replaced: ")
    assert len(done.stdout.splitlines()) == 2
    assert all(secret[5:12] not in done.stdout + done.stderr for secret in (MAIL, TOKEN))
    done = sanitize(keyed, "--explain", "nothing in it")
    assert (done.stdout, "nothing found" in done.stderr) == ("", True)


def test_a_home_without_a_key_gets_none(home: Path) -> None:
    """Looking leaves nothing behind."""
    absent = home / "absent"
    assert sanitize(absent, MAIL).stdout.startswith("email:")
    assert not absent.exists()


def test_the_homes_policy_counts(keyed: Path) -> None:
    """A wrong one is said with its file."""
    (keyed / "sanitize.toml").write_text('[allow]\nemail_domains = ["corp.example.net"]\n')
    assert sanitize(keyed, MAIL).stdout == f"{MAIL}\n"
    (keyed / "sanitize.toml").write_text("[allow\n")
    done = sanitize(keyed, MAIL)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{keyed / 'sanitize.toml'}: " in done.stderr


def test_json_lines_are_answered_in_order(keyed: Path) -> None:
    """One for one; what is no JSON string is named and the others are answered."""
    lines = [json.dumps("a"), json.dumps(f"mail\n{MAIL}"), "{}", "not JSON", '"\\ud800 lone"', json.dumps("ü")]
    done = sanitize(keyed, "--jsonl", "-", text="\n".join(lines))
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["line 3 is not a JSON string", "line 4 is not a JSON string"]
    assert (answers[0], answers[3]) == ("a", "ü")
    assert answers[1].startswith("mail\nemail:")
    assert len(answers) == 4


def test_json_lines_are_a_conversation(keyed: Path) -> None:
    """Each line is answered before the next is sent."""
    with subprocess.Popen(
        [*CLI, "sanitize", "--home", str(keyed), "--jsonl", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=clean_env(),
    ) as process:
        assert process.stdin
        assert process.stdout
        for number in range(3):
            process.stdin.write(json.dumps(f"{number} {MAIL}") + "\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline()).startswith(f"{number} email:")
        process.stdin.close()
        assert process.wait(20) == 0


def test_files_are_counted_and_left_alone(keyed: Path) -> None:
    """By rule, with lines, without values."""
    lines = ["nothing", MAIL, "", f"{TOKEN} and {MAIL}", json.dumps({"to": MAIL}), "password: Tr0ub4dor-and-3x9"]
    path = keyed / "some.log"
    path.write_text("\n".join(lines) + "\n")
    done = sanitize(keyed, "--dry-run", str(path))
    assert done.returncode == 0, done.stderr
    assert f"{path}: 5 replacements\n" in done.stdout
    assert "3  email  lines 2, 4, 5\n" in done.stdout
    assert MAIL not in done.stdout
    assert TOKEN[8:20] not in done.stdout
    assert path.read_text() == "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("--dry-run",), 2, "files"),
        (("--dry-run", "/nonexistent"), 1, "/nonexistent cannot be read"),
        (("one", "two"), 2, "in quotes"),
        (("--dry-run", "--explain", "x"), 2, "three different things"),
        (("--jsonl", "-", "x"), 2, "no text"),
    ],
)
def test_wrong_usage_is_said(arguments: tuple[str, ...], status: int, said: str, keyed: Path) -> None:
    """With exit status 2, and what is missing with 1."""
    done = sanitize(keyed, *arguments)
    assert done.returncode == status
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_long_text_is_answered_whole(keyed: Path) -> None:
    """64 KB; how long that takes is measured in `bench/`."""
    text = ("def f(x):\n    return x + 1  # a comment, some words and a number 12345\n" * 1000)[:65_536]
    done = sanitize(keyed, "-", text=text)
    assert done.returncode == 0
    assert done.stdout.rstrip("\n") == text.rstrip("\n")


# -- identity ------------------------------------------------------------------------------------------------------


def test_the_owner_finds_herself(home: Path) -> None:
    """The stand-in that is shown is the one in her rows."""
    with LiveDaemon(home) as live:
        body = logs({"user.email": MAIL, "note": f"from {MAIL}"}).SerializeToString()
        assert ask(live.port("otlp_http"), body).status == 200
        done = telem(home, "identity", MAIL)
    (row,) = journal_rows(home)
    assert done.stdout.strip() == row["user_email"] == row["attributes"]["note"].removeprefix("from ")


def test_a_value_can_be_of_every_kind(keyed: Path) -> None:
    """One line each, unless the kind is told."""
    lines = telem(keyed, "identity", "jane").stdout.splitlines()
    assert {line.partition(":")[0] for line in lines} >= {"user", "account", "org", "host"}
    assert telem(keyed, "identity", "show", "jane", "--kind", "user").stdout.strip() in lines
    assert telem(keyed, "identity", "--kind", "user", "jane").stdout.strip() in lines


def test_git_and_claude_code_are_asked(keyed: Path, tmp_path: Path) -> None:
    """Read only; what they do not know is left out."""
    account = {"emailAddress": MAIL, "accountUuid": "11111111-2222-4333-8444-555555555555", "organizationUuid": 7}
    (tmp_path / ".claude.json").write_text(json.dumps({"oauthAccount": account, "userID": "ab12"}))
    (tmp_path / ".gitconfig").write_text("[user]\n\temail = jane@home.example.org\n")
    env = {"HOME": str(tmp_path), "GIT_CONFIG_NOSYSTEM": "1", "GIT_DIR": str(tmp_path)}
    done = telem(keyed, "identity", env=env)
    assert [line.partition("  ")[0].strip() for line in done.stdout.splitlines()] == [
        "git user.email",
        "Claude Code emailAddress",
        "Claude Code accountUuid",
        "Claude Code userID",
    ]
    assert telem(keyed, "identity", "--kind", "org", env=env).returncode == 1


@pytest.mark.parametrize("text", ["not JSON", "[]", "{}", '{"oauthAccount": 7}'])
def test_a_strange_file_of_claude_code_is_passed_over(text: str, tmp_path: Path) -> None:
    """It is not ours."""
    (tmp_path / ".claude.json").write_text(text)
    assert identity_commands._from_claude(tmp_path) == []
    assert identity_commands._from_claude(tmp_path / "absent") == []


def test_without_a_key_there_is_no_stand_in(home: Path) -> None:
    """And none is made."""
    for arguments in (("identity", "x"), ("identity", "rotate")):
        done = telem(home, *arguments)
        assert (done.returncode, "telem-agent start" in done.stderr) == (1, True)
    assert not (home / "key").exists()


def test_a_rotated_key_gives_other_stand_ins(keyed: Path) -> None:
    """The old key is gone unless it was asked for; the consequence is said."""
    before = telem(keyed, "identity", MAIL).stdout
    done = telem(keyed, "identity", "rotate")
    assert (done.returncode, "do not join" in done.stderr) == (0, True)
    after = telem(keyed, "identity", MAIL).stdout
    assert before != after
    assert list(keyed.glob("key.*")) == []
    assert telem(keyed, "identity", "rotate", "--keep-old").returncode == 0
    (retired,) = keyed.glob("key.*.retired")
    assert retired.stat().st_mode & 0o777 == 0o600
    assert Pseudonyms(bytes.fromhex(retired.read_text())).of("email", MAIL) == after.strip()
    assert telem(keyed, "identity", "rotate", "--keep-old").returncode == 1


def test_a_running_daemon_keeps_its_key(live: LiveDaemon) -> None:
    """Rotating under it would give rows of two keys from one life."""
    before = live.layout.key.read_text()
    done = telem(live.home, "identity", "rotate")
    assert (done.returncode, "telem-agent stop" in done.stderr) == (1, True)
    assert live.layout.key.read_text() == before


def test_answers_come_as_json_too(keyed: Path, tmp_path: Path) -> None:
    assert json.loads(sanitize(keyed, "--json", f"x {TOKEN}").stdout) == {
        "schema": 1,
        "text": "x [REDACTED:github-token]",
    }
    [found] = json.loads(sanitize(keyed, "--explain", "--json", f"x {TOKEN}").stdout)["findings"]
    assert (found["start"], found["end"], found["rule_id"], found["action"]) == (
        2,
        2 + len(TOKEN),
        "github-token",
        "replaced",
    )
    file = tmp_path / "a.txt"
    file.write_text(f"a\n{TOKEN}\n")
    said = json.loads(sanitize(keyed, "--dry-run", "--json", str(file)).stdout)
    assert said["files"] == [{"file": str(file), "replacements": 1, "rules": {"github-token": [2]}}]


def test_a_policy_that_is_off_is_said(keyed: Path) -> None:
    (keyed / "sanitize.toml").write_text('profile = "off"\n')
    done = sanitize(keyed, f"to {MAIL}")
    assert done.stdout == f"to {MAIL}\n"
    assert "OFF" in done.stderr
