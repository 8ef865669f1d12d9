"""The policy says what happens to an attribute, by name."""

from __future__ import annotations

import pytest

from telem.sanitize.policy import SHAPES, Action, PolicyError, parse_policy, shipped_policy
from telem.sanitize.records import Profile


@pytest.mark.parametrize(
    ("key", "action", "shape", "kind"),
    [
        ("session.id", Action.KEEP, "uuid", None),
        ("input_tokens", Action.KEEP, "number", None),
        ("user.email", Action.HASH, None, "email"),
        ("user.id", Action.HASH, None, "user"),
        ("organization.id", Action.HASH, None, "org"),
        ("host.name", Action.HASH, None, "host"),
        ("process.owner", Action.HASH, None, "user"),
        ("prompt", Action.SCAN, None, None),
        ("process.command_args", Action.SCAN, None, None),
        ("never.heard.of", Action.SCAN, None, None),
    ],
)
def test_shipped_policy_decides(key: str, action: Action, shape: str | None, kind: str | None) -> None:
    rule = shipped_policy().rule_for(key)
    assert (rule.action, rule.shape, rule.kind) == (action, shape, kind)


def test_strict_keeps_the_length_of_content_only() -> None:
    policy = shipped_policy("strict")
    assert policy.profile is Profile.STRICT
    assert policy.rule_for("prompt").action is Action.LENGTH
    assert policy.rule_for("session.id").action is Action.KEEP


def test_exact_names_win_over_globs() -> None:
    policy = parse_policy('[drop]\nattributes = ["a.*"]\n[scan]\nattributes = ["a.b"]')
    assert policy.rule_for("a.b").action is Action.SCAN
    assert policy.rule_for("a.c").action is Action.DROP
    assert policy.rule_for("xa.c").action is Action.SCAN


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("keep = ", "not TOML"),
        ("fenced_lines_max = 3", "it belongs to code"),
        ("[code]\nemail_domains = []", "it belongs to allow"),
        ("[code]\nprofile = 'strict'", "it belongs to the beginning"),
        ("[nonsense]", "does not exist: nonsense"),
        ('profile = "lax"', "no profile 'lax'"),
        ('[keep]\nround = ["a"]', "no shape 'round'"),
        ('[hash]\ncat = ["a"]', "no kind 'cat'"),
        ("[drop]\nattributes = 1", "not a list of names"),
        ("[drop]\nattributes = [1]", "not a list of names"),
        ("drop = 1", "drop is not a table"),
    ],
)
def test_wrong_policy_is_refused_with_a_reason(text: str, message: str) -> None:
    with pytest.raises(PolicyError, match=message):
        parse_policy(text)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    "value", ["bob@example.com", "/home/ada/x", "password=hunter2", "ada lovelace\n", "https://a:b@c.d"]
)
def test_no_shape_has_room_for_a_person_or_a_password(shape: str, value: str) -> None:
    assert SHAPES[shape].fullmatch(value) is None


@pytest.mark.parametrize(
    ("shape", "value"),
    [
        ("uuid", "e0606052-77ef-4bb9-9a0b-a311468eee7d"),
        ("id", "req_011FAKEefd71b00d1714f4a"),
        ("id", "a0e4290a855d4b814"),
        ("model", "claude-sonnet-4-5-20250929"),
        ("model", "claude-opus-4-5[1m]"),
        ("model", "gpt-5.2-codex"),
        ("version", "6.1.0-28-amd640"),
        ("tool", "mcp__toy__shout"),
        ("name", "PreToolUse:Bash"),
        ("name", "iTerm.app"),
        ("word", "general-purpose"),
        ("time", "2026-01-01T00:00:00.000Z"),
        ("number", "0.018156"),
        ("number", "undefined"),
        ("event", "gemini_cli.user_prompt"),
        ("ids", "e0606052-77ef-4bb9-9a0b-a311468eee7d########0"),
    ],
)
def test_shapes_fit_what_clients_send(shape: str, value: str) -> None:
    assert SHAPES[shape].fullmatch(value)
