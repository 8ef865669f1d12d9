"""Why a text becomes what it becomes: which rule, which span, which words of the policy; never the value."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from .flat import merge
from .policy import Action
from .records import Profile
from .rules import shipped_rules
from .scan import KNOWN_VALUE, TOO_MANY, Scanner

if TYPE_CHECKING:
    from .flat import Span
    from .redact import Redactor

REPLACED, KEPT = "replaced", "kept"

SENTENCES = {
    KNOWN_VALUE: "A value that you told is secret",
    TOO_MANY: "The rest of a text in which there is too much to replace",
    "code": "Contents of a hidden file, or a block of code",
    "sanitizer-error": "A value that could not be judged",
}

ACTIONS = {
    Action.HASH: "replaced by a stand-in that is the same for the same value",
    Action.DROP: "not stored",
    Action.LENGTH: "only its length and a stand-in are stored",
    Action.COUNT: "only its lines and bytes are stored",
}


class Finding(NamedTuple):
    """One piece of a text and what happens to it. `start` and `end` are places in the text as it was given."""

    start: int
    end: int
    rule_id: str
    sentence: str
    action: str
    why: str


def explained(redactor: Redactor, text: str, attribute: str | None, after: str) -> list[Finding]:
    """Return the findings, left to right; `redactor.tally` holds what making `after` of `text` counted."""
    policy = redactor.policy
    whole = (0, len(text))
    if policy.profile is Profile.OFF:
        return [Finding(*whole, "policy", "The profile `off`", KEPT, "nothing is looked at")] if text else []
    rule = policy.rule_for(attribute) if attribute is not None else None
    if rule is not None and rule.action in ACTIONS and text:
        sentence = f"The attribute {attribute} under the policy"
        action = KEPT if after == text else REPLACED
        why = ACTIONS[rule.action] if action == REPLACED else "it is a stand-in already, or empty"
        return [Finding(*whole, "policy", sentence, action, why)]
    if rule is not None and rule.action is Action.ALLOW and text:
        return [
            Finding(*whole, "policy", f"The attribute {attribute} under the policy", KEPT, "the allow-list says so")
        ]
    if rule is not None and rule.action is Action.KEEP and after == text and text:
        sentence = f"The attribute {attribute} under the policy"
        return [Finding(*whole, "policy", sentence, KEPT, f"it has the shape `{rule.shape}`")]
    return _scanned(redactor, text)


def _scanned(redactor: Redactor, text: str) -> list[Finding]:
    scanner = redactor.scanner
    sentences = SENTENCES | {rule.id: rule.sentence for rule in scanner.rules}
    counted = Counter[str]()
    for (rule, _where), number in redactor.tally.redactions.items():
        counted[rule] += number
    goes = scanner.spans(text) if counted or redactor.tally.errors else []
    findings = [_replaced(span, sentences) for span in goes]
    for span in goes:
        counted[span.rule] -= 1
    for rule, number in counted.items():
        if number > 0 and rule not in {span.rule for span in goes}:
            why = "inside JSON, or once the rest was replaced"
            findings.append(Finding(0, len(text), rule, sentences.get(rule, rule), REPLACED, why))
    if redactor.tally.errors:
        findings.append(
            Finding(0, len(text), "sanitizer-error", SENTENCES["sanitizer-error"], REPLACED, "judging it failed")
        )
    findings += _kept(redactor, text, goes)
    return sorted(findings)


def _replaced(span: Span, sentences: dict[str, str]) -> Finding:
    why = f"becomes a stand-in of the kind `{span.kind}`" if span.kind else "becomes a marker"
    return Finding(span.start, span.end, span.rule, sentences.get(span.rule, span.rule), REPLACED, why)


def _kept(redactor: Redactor, text: str, goes: list[Span]) -> list[Finding]:
    """Say what a rule claims and stays all the same: the allow-list, or the rule, is why."""
    scanner = redactor.scanner
    sentences = SENTENCES | {rule.id: rule.sentence for rule in scanner.rules}
    findings = [
        Finding(span.start, span.end, span.rule, sentences.get(span.rule, span.rule), KEPT, why)
        for span in set(scanner.found(text))
        if (why := scanner.why_kept(span.rule, text[span.start : span.end]))
    ]
    off = [rule for rule in (*shipped_rules(), *redactor.policy.rules) if rule.id in redactor.policy.rules_off]
    if off:
        idle = Scanner(off, redactor.pseudonyms, scanner.engine)
        sentence_of = {rule.id: rule.sentence for rule in off}
        spans = idle.spans(text)
        findings += [
            Finding(span.start, span.end, span.rule, sentence_of[span.rule], KEPT, "the rule is switched off")
            for span in (merge(spans) if spans else [])
            if not any(gone.start < span.end and span.start < gone.end for gone in goes)
        ]
    return findings
