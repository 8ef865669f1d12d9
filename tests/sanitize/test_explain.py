"""`explain` says which rule, where and why, and never what it found."""

from __future__ import annotations

import json
from typing import Never

import pytest

from telem.sanitize.policy import parse_policy, shipped_policy
from telem.sanitize.redact import Redactor

KEY = b"k" * 32
TOKEN = "ghp_" + "FAKE0a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P"
SHIPPED = Redactor(shipped_policy(), KEY)


def test_pieces_are_named_by_rule_place_and_sentence() -> None:
    text = f"by ada@example.com: {TOKEN}"
    email, token = SHIPPED.explain(text)
    assert (email.start, email.end, email.rule_id, email.action) == (3, 18, "email", "replaced")
    assert text[token.start : token.end] == TOKEN
    assert token.sentence.startswith("GitHub")
    assert "kind `email`" in email.why
    assert TOKEN not in str([email, token])


def test_explaining_counts_nothing() -> None:
    SHIPPED.tally.take()
    SHIPPED.explain(TOKEN)
    assert SHIPPED.tally.take() == ({}, {})


@pytest.mark.parametrize(
    ("attribute", "text", "action", "why"),
    [
        ("user.email", "ada@example.com", "replaced", "stand-in"),
        ("session.id", "e0606052-77ef-4bb9-9a0b-a311468eee7d", "kept", "shape `uuid`"),
        ("enduser.role", "admin", "replaced", "not stored"),
    ],
)
def test_policy_explains_whole_attributes(attribute: str, text: str, action: str, why: str) -> None:
    [finding] = SHIPPED.explain(text, attribute)
    assert (finding.start, finding.end, finding.rule_id, finding.action) == (0, len(text), "policy", action)
    assert why in finding.why


def test_stand_in_is_said_to_be_kept() -> None:
    [finding] = SHIPPED.explain(SHIPPED.sanitized("ada", "user.id"), "user.id")
    assert finding.action == "kept"


def test_what_is_allowed_or_switched_off_is_said_to_be_kept() -> None:
    own = Redactor(
        parse_policy(
            '[allow]\nvalues = ["bob@example.com"]\nemail_domains = ["acme.io"]\npatterns = ["[(]212[)].*"]\n'
            'rules_off = ["github-token"]\nattributes = ["free"]'
        ),
        KEY,
    )
    found = own.explain(f"bob@example.com ada@acme.io, (212) 555-0187; {TOKEN}")
    assert [finding.action for finding in found] == ["kept"] * 4
    whys = " ".join(finding.why for finding in found)
    assert all(word in whys for word in ("the value is", "domain", "fits a pattern", "switched off"))
    assert own.explain(TOKEN, "free")[0].why == "the allow-list says so"


def test_what_is_found_inside_json_is_said_without_a_place() -> None:
    text = json.dumps({"args": ["a", TOKEN[:9] + "\\n"], "file_path": ".env", "content": "x"})
    found = {finding.rule_id: finding for finding in SHIPPED.explain(text, "tool_input")}
    assert found["code"].end == len(text)
    assert found["code"].sentence.startswith("Contents of a hidden file")


def test_harmless_text_and_profile_off_have_nothing_to_explain() -> None:
    assert SHIPPED.explain("hello there") == []
    [finding] = Redactor(shipped_policy("off"), KEY).explain(TOKEN)
    assert finding.action == "kept"


def test_value_that_cannot_be_judged_is_said_to_be_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    redactor = Redactor(shipped_policy(), KEY)

    def broken(_text: str, _note: object) -> Never:
        raise RuntimeError

    monkeypatch.setattr(redactor.scanner, "rest", broken)
    assert "sanitizer-error" in [finding.rule_id for finding in redactor.explain("hello there")]
