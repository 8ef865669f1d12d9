"""Attributes: policy first, then rules; nothing passes unjudged."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Never

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telem.sanitize.policy import parse_policy, shipped_policy
from telem.sanitize.pseudonym import is_stand_in
from telem.sanitize.redact import CLEAN_VALUES_MAX, DROPPED, FAILED, HANDLERS_MAX, PSEUDONYMS_MAX, Dropped, Redactor

if TYPE_CHECKING:
    from telem.sanitize.records import Attribute

KEY = b"k" * 32
TOKEN = "ghp_" + "FAKE0a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P"
REDACTOR = Redactor(shipped_policy(), KEY)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("session.id", "e0606052-77ef-4bb9-9a0b-a311468eee7d"),
        ("model", "claude-sonnet-4-5"),
        ("request_id", "req_011FAKEefd71b00d1714f4a"),
        ("tool_name", "mcp__toy__shout"),
        ("duration_ms", "26"),
        ("terminal.type", "iTerm.app"),
        ("vcs.repository.url.full", "https://github.com/example-org/book"),
        ("hook_definitions", '[{"type":"command","command":"true"}]'),
        ("cost_usd", 0.018),
        ("success", True),
        ("nothing", None),
        ("gen_ai.response.finish_reasons", ["tool_use"]),
    ],
)
def test_what_clients_send_every_day_is_kept(key: str, value: Attribute) -> None:
    assert REDACTOR.attribute(key, value) == value


@pytest.mark.parametrize(
    "key",
    [
        "user.email",
        "user.id",
        "user.account_uuid",
        "user.account_id",
        "organization.id",
        "host.name",
        "host.id",
        "process.owner",
        "enduser.id",
        "installation.id",
    ],
)
def test_identities_become_stand_ins(key: str) -> None:
    clean = REDACTOR.attribute(key, "ada@example.com")
    assert isinstance(clean, str)
    assert is_stand_in(clean)
    assert REDACTOR.attribute(key, clean) == clean


def test_stand_in_of_an_attribute_is_the_one_in_a_text() -> None:
    stand_in = REDACTOR.attribute("user.email", "ada@example.com")
    assert isinstance(stand_in, str)
    assert REDACTOR.text("by ada@example.com") == f"by {stand_in}"


@pytest.mark.parametrize(
    "key", ["session.id", "model", "request_id", "tool_name", "duration_ms", "decision", "event.timestamp"]
)
@pytest.mark.parametrize("value", [TOKEN, "ada@example.com", "/home/ada/x", "AKIA" + "FAKE234567ABCDEF"])
def test_kept_attribute_is_no_way_past_the_rules(key: str, value: str) -> None:
    clean = REDACTOR.attribute(key, value)
    assert isinstance(clean, str)
    assert value not in clean


def test_json_in_a_string_is_cleaned_inside_and_written_compactly() -> None:
    value = '{"env": {"DB_PASSWORD": "S3cretPw1"}, "n": 1}'
    assert REDACTOR.attribute("tool_input", value) == '{"env":{"DB_PASSWORD":"[REDACTED:assignment]"},"n":1}'


def test_json_in_json_is_cleaned() -> None:
    value = json.dumps({"a": json.dumps({"api_key": "abc123def456"})})
    clean = REDACTOR.attribute("tool_input", value)
    assert isinstance(clean, str)
    assert json.loads(json.loads(clean)["a"]) == {"api_key": "[REDACTED:assignment]"}


@pytest.mark.parametrize("value", ['{"a" : 1,  "b": [1, 2]}', "[1, 2]", '{"a": "\\u00e9"}', "{not json}"])
def test_json_without_a_secret_keeps_its_spelling(value: str) -> None:
    assert REDACTOR.attribute("tool_input", value) == value


def test_json_that_was_cut_off_is_scanned_as_text() -> None:
    value = '{"command":"export API_KEY=abc123def456\\nls","content":"MII'
    assert REDACTOR.attribute("tool_input", value) == value.replace("abc123def456", "[REDACTED:assignment]")


def test_element_after_a_flag_is_what_the_flag_says() -> None:
    args: Attribute = ["node", "cli", "-p", "my token is abc123def456", "--token", "abc123def456", "--model", "x"]
    assert REDACTOR.attribute("process.command_args", args) == [
        "node",
        "cli",
        "-p",
        "my token is [REDACTED:assignment]",
        "--token",
        "[REDACTED:assignment]",
        "--model",
        "x",
    ]


def test_maps_bytes_and_nested_lists_are_walked() -> None:
    value: Attribute = {"a": [{"password": "S3cretPw1"}, b"token=abc123def456", 1, None], TOKEN: "x"}
    assert REDACTOR.attribute("anything", value) == {
        "a": [{"password": "[REDACTED:assignment]"}, b"token=[REDACTED:assignment]", 1, None],
        "[REDACTED:github-token]": "x",
    }


def test_deep_values_are_scanned_as_text() -> None:
    value: Attribute = TOKEN
    for _ in range(40):
        value = [value]
    assert TOKEN not in str(REDACTOR.attribute("anything", value))
    text = "[" * 40 + json.dumps(TOKEN) + "]" * 40
    assert TOKEN not in str(REDACTOR.attribute("anything", text))


def test_names_of_attributes_are_scanned_too() -> None:
    assert REDACTOR.name("session.id") == "session.id"
    assert REDACTOR.name("my.own.tag") == "my.own.tag"
    assert REDACTOR.name(TOKEN) == "[REDACTED:github-token]"


def test_dropped_attribute_is_said_to_be_dropped() -> None:
    redactor = Redactor(parse_policy('[drop]\nattributes = ["gone"]'), KEY)
    assert redactor.attribute("gone", "x") is DROPPED
    assert redactor.attribute("gone", 1) is DROPPED
    assert repr(DROPPED) == "DROPPED"


def test_strict_profile_keeps_lengths_only() -> None:
    redactor = Redactor(shipped_policy("strict"), KEY)
    clean = redactor.attribute("prompt", "hello")
    assert isinstance(clean, str)
    assert json.loads(clean)["length"] == len("hello")
    assert is_stand_in(json.loads(clean)["digest"])
    assert redactor.attribute("prompt", clean) == clean
    assert "hello" not in str(redactor.attribute("process.command_args", ["hello"]))


def test_profile_off_changes_nothing() -> None:
    redactor = Redactor(shipped_policy("off"), KEY)
    for key in ("user.email", "prompt", "unknown"):
        assert redactor.attribute(key, "password=S3cretPw1") == "password=S3cretPw1"
    assert redactor.attribute("x", [TOKEN]) == [TOKEN]
    assert redactor.text(TOKEN) == redactor.name(TOKEN) == TOKEN


def test_rule_can_be_switched_off() -> None:
    policy = replace(shipped_policy(), rules_off=frozenset({"github-token"}))
    assert Redactor(policy, KEY).text(f"see {TOKEN} now") == f"see {TOKEN} now"


def test_tally_counts_rules_and_attributes_and_starts_anew_when_taken() -> None:
    redactor = Redactor(shipped_policy(), KEY)
    redactor.attribute("prompt", f"{TOKEN} ada@example.com")
    redactions, errors = redactor.tally.take()
    assert redactions == {("github-token", "prompt"): 1, ("email", "prompt"): 1}
    assert errors == {}
    assert redactor.tally.take() == ({}, {})


def test_tally_never_holds_the_secret_in_an_unknown_name() -> None:
    redactor = Redactor(shipped_policy(), KEY)
    redactor.attribute(TOKEN, "password=S3cretPw1")
    assert TOKEN not in str(redactor.tally.take())


def test_value_whose_judging_fails_becomes_a_marker(monkeypatch: pytest.MonkeyPatch) -> None:
    redactor = Redactor(shipped_policy(), KEY)

    def broken(_text: str, _limit: int) -> Never:
        raise RuntimeError

    monkeypatch.setattr(redactor.scanner, "_found", broken)
    assert redactor.attribute("prompt", "hello there") == FAILED
    assert redactor.attribute("listing", ["hello there"]) == FAILED
    assert redactor.text("hello there") == FAILED
    assert redactor.tally.errors == {"prompt": 1, "attribute name": 1, "listing": 1, "text": 1}


def test_kept_value_whose_judging_fails_becomes_a_marker(monkeypatch: pytest.MonkeyPatch) -> None:
    redactor = Redactor(shipped_policy(), KEY)

    def broken(_text: str) -> Never:
        raise RuntimeError

    monkeypatch.setattr(redactor.scanner, "_gate", broken)
    assert redactor.attribute("tool_name", "mcp__toy__shout") == FAILED


@given(st.text(alphabet=st.characters(codec=None), max_size=40))
@settings(max_examples=80, deadline=None)
def test_any_value_can_be_stored_as_utf8(value: str) -> None:
    """Lone surrogates are replaced before anything is scanned or hashed."""
    for key in ("prompt", "user.email", "session.id"):
        clean = REDACTOR.attribute(key, value)
        assert isinstance(clean, str)
        clean.encode()


values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False),
        st.binary(max_size=8),
        st.text(max_size=12),
        st.just(TOKEN),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=6,
)


@given(st.sampled_from(["prompt", "tool_input", "user.id", "x", "model"]), values)
@settings(max_examples=100, deadline=None)
def test_judging_any_attribute_twice_is_judging_it_once(key: str, value: Attribute) -> None:
    once = REDACTOR.attribute(key, value)
    assert not isinstance(once, Dropped)
    assert TOKEN not in str(once)
    assert REDACTOR.attribute(key, once) == once


def test_memories_are_bounded() -> None:
    redactor = Redactor(shipped_policy(), KEY)
    for number in range(CLEAN_VALUES_MAX + 10):
        redactor.attribute("duration_ms", str(number))
    for number in range(PSEUDONYMS_MAX + 10):
        redactor.attribute("user.id", str(number))
    assert redactor.attribute("user.id", "") == ""
    for number in range(HANDLERS_MAX + 10):
        redactor.handler(f"tag.{number}")
    assert len(redactor._kept) <= CLEAN_VALUES_MAX
    assert len(redactor._handlers) <= HANDLERS_MAX + 1
    assert len(redactor._names) <= HANDLERS_MAX + len(redactor._known_names()) + 1


@pytest.mark.parametrize("name", ["password", "db.password", "x.api_token", "http.header.x-api-key", "clientSecret"])
def test_a_name_that_promises_a_secret_is_believed(name: str) -> None:
    """At the top as in a map, for a text and for each of a list; the same text elsewhere is no secret."""
    redactor = Redactor(shipped_policy(), KEY)
    secret = "vK9-xTr0ub4dor.Qz7"
    assert redactor.attribute("note", secret) == secret
    assert redactor.attribute(name, secret) == "[REDACTED:assignment]"
    assert redactor.attribute(name, "[REDACTED:assignment]") == "[REDACTED:assignment]"
    assert redactor.attribute(name, [secret]) == ["[REDACTED:assignment]"]
    assert redactor.attribute("outer", {name: [secret]}) == {name: ["[REDACTED:assignment]"]}
    assert redactor.memory(name) == {}


@pytest.mark.parametrize("place", ["note", "body", "list", "map", "json"])
def test_a_card_number_is_found_as_a_number_too(place: str) -> None:
    """In an attribute, a list, a map, and JSON in a string, which stays JSON; a number that is none stays a number."""
    redactor = Redactor(shipped_policy(), KEY)
    for number, kept in ((4111111111111111, "[REDACTED:card-number]"), (4111111111111112, 4111111111111112)):
        value: Any = {"list": [number, 5], "map": {"n": number}, "json": json.dumps({"n": number})}.get(place, number)
        wanted = {"list": [kept, 5], "map": {"n": kept}, "json": kept}.get(place, kept)
        clean = redactor.attribute("note", value)
        if place == "json":
            assert isinstance(clean, str)
            assert json.loads(clean) == {"n": wanted}
        else:
            assert clean == wanted
    assert redactor.attribute("input_tokens", 4111111111111111) == 4111111111111111  # kept: a number is expected there


def test_json_with_many_secrets_stays_json() -> None:
    """What went already must not count as too much to replace."""
    redactor = Redactor(shipped_policy(), KEY)
    secrets = {f"password{n}": f"S3cret{n}Pw" for n in range(500)}
    urls = {f"url{n}": f"postgres://app:s3cr{n}et@db/x" for n in range(350)}
    for items in (secrets, urls):
        clean = redactor.attribute("tool_input", json.dumps(items))
        assert isinstance(clean, str)
        assert len(json.loads(clean)) == len(items)
        assert "et1Pw" not in clean
        assert "s3cr1et" not in clean
        assert redactor.attribute("tool_input", clean) == clean
