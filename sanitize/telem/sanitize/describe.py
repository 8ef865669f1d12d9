"""The generated part of `docs/DATA-SANITIZATION.md`: what the shipped rules and the shipped policy say.

A test holds the file against this. To write it anew:

    python -c 'from pathlib import Path; from telem.sanitize.describe import renewed
    path = Path("docs/DATA-SANITIZATION.md"); path.write_text(renewed(path.read_text()))'
"""

from __future__ import annotations

from .policy import Action, shipped_policy
from .pseudonym import KINDS
from .records import Profile
from .rules import FAMILIES, family_rules

BEGIN, END = "<!-- Generated: begin -->", "<!-- Generated: end -->"

TITLES = {
    "keys": "Keys of the makers of models",
    "pem": "Private keys",
    "cloud": "Clouds",
    "code": "Forges, packages and builds",
    "ai": "Tokens that many services share",
    "saas": "Other services",
    "structure": "Secrets by where they stand",
    "assignment": "Secrets by their name",
    "personal": "What points at a person",
}


def sanitization_markdown() -> str:
    """Return the tables of rules, attributes and hidden paths as Markdown."""
    return "\n".join([*_rules(), *_attributes(), *_paths()])


def renewed(text: str) -> str:
    """Return the document with its generated part written anew."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{sanitization_markdown()}\n{END}{after}"


def _rules() -> list[str]:
    families = {family: family_rules(family) for family in FAMILIES}
    count = sum(len(rules) for rules in families.values())
    lines = ["## The rules", "", f"{count} rules. The id of the one that fired stands in the marker.", ""]
    for family, rules in families.items():
        lines += [f"### {TITLES[family]}", "", "| Rule | What it finds | Becomes |", "| --- | --- | --- |"]
        for rule in rules:
            becomes = f"`{rule.kind}:…`" if rule.kind else f"`[REDACTED:{rule.id}]`"
            lines.append(f"| `{rule.id}` | {_cell(rule.sentence)} | {becomes} |")
        lines.append("")
    return lines


def _attributes() -> list[str]:
    policy = shipped_policy(Profile.STANDARD)
    listed = [*policy.exact.items(), *policy.globs]
    lines = ["## The shipped policy", "", "Attributes that stand nowhere here are scanned with every rule.", ""]
    lines += ["| What happens | Attributes |", "| --- | --- |"]
    for action, words in (
        (Action.KEEP, "Kept when the value has the expected shape, else scanned"),
        (Action.HASH, f"Replaced by a stand-in ({', '.join(KINDS)})"),
        (Action.DROP, "Not stored"),
    ):
        names = sorted(name for name, rule in listed if rule.action is action)
        lines.append(f"| {words} | {_codes(names)} |")
    lines.append(f"| Scanned; under `strict` only the length is kept | {_codes(sorted(policy.content))} |")
    return [*lines, ""]


def _paths() -> list[str]:
    code = shipped_policy().code
    return [
        "## Files whose contents never stay",
        "",
        f"Whatever the profile, unless it is `off`: {_codes(code.paths)}.",
        "",
        f"These stay: {_codes(code.paths_kept)}.",
        "",
    ]


def _codes(names: list[str] | tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
