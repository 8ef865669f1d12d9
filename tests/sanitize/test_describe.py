"""The documents say what the rules and the shipped policy say."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from telem.sanitize.describe import renewed, sanitization_markdown
from telem.sanitize.policy import parse_policy
from telem.sanitize.rules import shipped_rules

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "DATA-SANITIZATION.md").read_text(encoding="utf-8")


def test_generated_part_is_current() -> None:
    assert renewed(TEXT) == TEXT


def test_every_rule_has_a_line() -> None:
    lines = sanitization_markdown()
    assert all(f"| `{rule.id}` | " in lines for rule in shipped_rules())


def test_example_of_a_policy_is_one() -> None:
    [example] = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    policy = parse_policy(example)
    assert policy.rules[0].id == tomllib.loads(example)["rule"][0]["id"]
    assert policy.known_values_env == ("DB_PASSWORD",)
