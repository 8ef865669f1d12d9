"""What a text would lose, a structure loses too."""

from __future__ import annotations

import json
from typing import Any

import pytest

from telem.sanitize.policy import shipped_policy
from telem.sanitize.redact import Redactor

REDACTOR = Redactor(shipped_policy(), b"k" * 32)

LOSING: list[tuple[Any, str]] = [
    ({"ssn": 536221234}, "536221234"),
    ({"ssn": "536221234"}, "536221234"),
    ({"social_security_number": 53622123}, "53622123"),
    ({"password": 83748293}, "83748293"),
    ({"otp": 482915}, "482915"),
    (["password", "hunter2blue9"], "hunter2blue9"),
    ([["DB_PASSWORD", "hunter2blue9"], ["LANG", "C"]], "hunter2blue9"),
    (["--token", "a8sd7f6a8sd7f6"], "a8sd7f6a8sd7f6"),
    ([{"name": "DB_PASSWORD", "value": "hunter2blue9"}], "hunter2blue9"),
    ([{"Name": "DB_PASSWORD", "Value": "hunter2blue9"}], "hunter2blue9"),
    ({"key": "api_key", "val": "hunter2blue9xx"}, "hunter2blue9xx"),
    ({"field": "password", "content": "hunter2blue9"}, "hunter2blue9"),
    ({"variable": "API_TOKEN", "data": "a8sd7f6a8sd7f6"}, "a8sd7f6a8sd7f6"),
]
KEEPING: list[Any] = [
    {"input_tokens": 536221234, "session": 123456789, "passed": 17, "key": 12345678},
    ["name", "password", "value"],
    ["token", "tokens", "secret_name"],
    ["password", "username", "email_address2"],
    {"name": "colour", "value": "hunter2blue9"},
    {"password": True, "ssn": None},
    {"assn": 536221234, "lesson": "536221234"},
]


@pytest.mark.parametrize(("value", "secret"), LOSING)
def test_a_name_beside_a_value_in_a_structure_counts(value: Any, secret: str) -> None:
    """As values of an attribute, and as JSON in a string, which stays JSON."""
    once: Any = REDACTOR.attribute("tool_input", value)
    assert secret not in json.dumps(once)
    assert REDACTOR.attribute("tool_input", once) == once
    text = REDACTOR.attribute("tool_input", json.dumps(value))
    assert isinstance(text, str)
    assert secret not in text
    json.loads(text)


@pytest.mark.parametrize("value", KEEPING)
def test_harmless_names_and_values_stay(value: Any) -> None:
    assert REDACTOR.attribute("tool_input", value) == value
    assert REDACTOR.attribute("tool_input", json.dumps(value)) == json.dumps(value)


@pytest.mark.parametrize("name", ["ssn", "user.ssn", "user_ssn", "password", "db.password"])
@pytest.mark.parametrize("value", [536221234, "536221234"], ids=["number", "text"])
def test_an_attribute_is_judged_by_its_name(name: str, value: int | str) -> None:
    kept = REDACTOR.attribute(name, value)
    assert isinstance(kept, str)
    assert kept.startswith("[REDACTED:")
