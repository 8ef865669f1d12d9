"""The user's `sanitize.toml`: layered over what is shipped, refused with a reason, and in force at once."""

from __future__ import annotations

import pytest

from telem.sanitize import own
from telem.sanitize.engines import HAS_RE2, Engine, Linear, Pure
from telem.sanitize.policy import Action, PolicyError, parse_policy
from telem.sanitize.records import Profile
from telem.sanitize.redact import DROPPED, Redactor

KEY = b"k" * 32
ENGINES: list[Engine] = [Linear(), Pure()] if HAS_RE2 else [Pure()]
TOKEN = "ghp_" + "FAKE0a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P"

TICKET = """
[[rule]]
id = "ticket"
sentence = "Our tickets"
pattern = "TCK-([0-9]{6,})"
must_match = ["see «TCK-123456»"]
must_not_match = ["TCK-12"]
"""


def redactor(text: str, engine: Engine | None = None) -> Redactor:
    return Redactor(parse_policy(text), KEY, engine=engine)


def test_what_the_user_does_not_mention_stays_as_shipped() -> None:
    policy = parse_policy('profile = "strict"\n[drop]\nattributes = ["gone"]')
    assert policy.profile is Profile.STRICT
    assert policy.rule_for("gone").action is Action.DROP
    assert policy.rule_for("session.id").action is Action.KEEP
    assert policy.rule_for("prompt").action is Action.LENGTH


def test_what_the_user_says_wins_over_shipped_names_and_the_profile() -> None:
    policy = parse_policy('[scan]\nattributes = ["prompt"]\n[drop]\nattributes = ["user.*"]', "strict")
    assert policy.rule_for("prompt").action is Action.SCAN
    assert policy.rule_for("user.id").action is Action.DROP


def test_named_profile_wins_over_the_one_in_the_text() -> None:
    assert parse_policy('profile = "off"', "strict").profile is Profile.STRICT


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
def test_own_rule_takes_effect_beside_the_shipped_ones(engine: Engine) -> None:
    clean = redactor(TICKET, engine).text(f"TCK-123456 {TOKEN}")
    assert clean == "[REDACTED:ticket] [REDACTED:github-token]"


def test_own_rule_may_name_a_group_literals_triggers_and_a_kind() -> None:
    text = """
[[rule]]
id = "host"
pattern = "host=([a-z]+)"
group = 1
triggers = ["HOST="]
ignore_case = true
kind = "host"
[[rule]]
id = "names"
literals = ["Project (X)", "Ursa+Major"]
"""
    clean = redactor(text).text("host=ada and Project (X), Ursa+Major")
    assert clean.startswith("host=host:")
    assert clean.endswith("and [REDACTED:names], [REDACTED:names]")
    assert redactor(text).text(clean) == clean


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[rule]]\nid = 'X'", "line 2: rule 'X': the id"),
        ("[[rule]]\nid = 'x'", "neither a pattern nor literals"),
        ("[[rule]]\nid = 'email'\npattern = 'x'", "a rule of that id already"),
        ("[[rule]]\nid = 'x'\npattern = 'x'\nbogus = 1", "unknown setting bogus"),
        ("[[rule]]\nid = 'x'\npattern = 'x'\nkind = 'cat'", "no kind 'cat'"),
        ("[[rule]]\nid = 'x'\npattern = 'x'\ngroup = 1", "no group 1"),
        ("[[rule]]\nid = 'x'\npattern = '\u00e9'", "known_values"),
        ("[[rule]]\nid = 'x'\npattern = 'x'\ntriggers = 'x'", "triggers is not a list"),
        (f"[[rule]]\nid = 'x'\npattern = '{'x' * 3000}'", "more than 2000"),
        ("[[rule]]\nid = 'x'\npattern = 'x'\nmust_match = ['y']", "text 1 of must_match"),
        ("[[rule]]\nid = 'x'\npattern = 'x'\nmust_not_match = ['a x b x']", "text 1 of must_not_match"),
        ("[rule]\nid = 'x'", "two brackets"),
        ("[allow]\npatterns = ['(']", r"allow.patterns: '\(' is refused"),
        ("[allow]\nrules_off = ['nonsense']", "line 2: .* no rule 'nonsense'"),
        ("[allow]\nbogus = []", "allow has a setting that does not exist: bogus"),
        ("[code]\nbogus = 1", "code has a setting"),
        ("[code]\nfenced_lines_max = 'x'", "not a number of lines"),
        ("[code]\ndrop_api_bodies = 1", "neither true nor false"),
        ("known_values = ['abc']", "place 1 has 3 characters"),
        ("known_values_file = 1", "known_values_file is not a text"),
        ("known_values = 'x'", "known_values is not a list"),
        ("keep = 1", "keep is not a table"),
        ("allow = 1", "allow is not a table"),
        ("profile = [\n", "not TOML: .*at "),
    ],
)
def test_wrong_settings_are_refused_with_a_reason(text: str, message: str) -> None:
    with pytest.raises(PolicyError, match=message):
        parse_policy(text)


@pytest.mark.skipif(not HAS_RE2, reason="no re2 here")
@pytest.mark.parametrize("pattern", ["x(?=y)", "(?<!a)b", r"(a)\\1", "a{20,12000}", "((a{900}){900})", "(unclosed"])
def test_what_re2_has_not_is_refused_and_the_rule_is_named(pattern: str) -> None:
    with pytest.raises(PolicyError, match=r"rule mine: the pattern is refused: .*RE2"):
        parse_policy(f'[[rule]]\nid = "mine"\npattern = "{pattern}"')


@pytest.mark.parametrize(
    ("pattern", "fine"),
    [
        ("ACME-[0-9]{32}", True),
        ("ACME-[0-9]{8,64}", True),
        ("(?:a|b)x?", True),
        ("a+", False),
        ("(a|b){3}", False),
        ("a{2,}", False),
        ("(?=a)b", False),
        ("[a]{0,60}[b]{0,60}", False),
    ],
)
def test_without_re2_only_bounded_patterns_are_taken(pattern: str, fine: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own, "HAS_RE2", False)
    monkeypatch.setattr("telem.sanitize.engines.HAS_RE2", False)
    text = f"[[rule]]\nid = 'mine'\npattern = '{pattern}'"
    if fine:
        assert redactor(text, Pure()).text("nothing here") == "nothing here"
    else:
        with pytest.raises(PolicyError, match="without google-re2"):
            parse_policy(text)


def test_too_many_rules_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own, "RULES_MAX", 0)
    with pytest.raises(PolicyError, match="more than 0"):
        parse_policy(TICKET)


def test_broken_pattern_is_refused_without_re2_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own, "HAS_RE2", False)
    monkeypatch.setattr("telem.sanitize.engines.HAS_RE2", False)
    with pytest.raises(PolicyError, match="rule mine: the pattern is refused"):
        parse_policy("[[rule]]\nid = 'mine'\npattern = '(a'")


def test_allow_lists_keep_by_value_pattern_domain_rule_and_attribute() -> None:
    judge = redactor("""
[allow]
values = ["bob@example.com"]
patterns = ["ghp_FAKE.*"]
email_domains = ["ACME.io"]
attributes = ["build.*"]
rules_off = ["phone"]
""")
    text = f"bob@example.com ada@acme.io {TOKEN} (212) 555-0187"
    assert judge.text(text) == text
    assert judge.attribute("build.tag", "eve@evil.example") == "eve@evil.example"
    assert judge.attribute("build.list", ["eve@evil.example"]) == ["eve@evil.example"]
    assert judge.attribute("other", "eve@evil.example") != "eve@evil.example"


def test_attribute_may_be_counted() -> None:
    judge = redactor('[count]\nattributes = ["log"]')
    clean = judge.attribute("log", "a\nb\n")
    assert clean == "[CODE:text,2 lines,4 bytes]"
    assert judge.attribute("log", clean) == clean
    assert judge.attribute("log", ["a"]) == "[CODE:text,1 line,5 bytes]"
    assert judge.attribute("log", 5) == 5


def test_sanitized_is_what_the_gate_would_store() -> None:
    judge = redactor('[drop]\nattributes = ["gone"]')
    assert judge.sanitized(TOKEN) == "[REDACTED:github-token]"
    assert judge.sanitized("x", "gone") == ""
    assert judge.attribute("gone", "x") is DROPPED
    assert judge.sanitized("ada", "user.id").startswith("user:")
