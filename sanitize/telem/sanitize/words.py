"""The word lists of `rules/words.toml`, read once."""

from __future__ import annotations

import tomllib
from importlib import resources
from typing import NamedTuple


class Words(NamedTuple):
    """Lists of words by which names and values are judged."""

    password: frozenset[str]
    token: frozenset[str]
    key: frozenset[str]
    weak: frozenset[str]
    phrase: frozenset[str]
    code: frozenset[str]
    tails: frozenset[str]
    elsewhere: frozenset[str]
    plain: frozenset[str]
    nobody: frozenset[str]
    file_endings: frozenset[str]
    no_person: frozenset[str]
    settings: frozenset[str]
    objects: frozenset[str]


def _load() -> Words:
    text = (resources.files(__package__) / "rules" / "words.toml").read_text(encoding="utf-8")
    lists = {name: words for table in tomllib.loads(text).values() for name, words in table.items()}
    return Words(**{name: frozenset(words.split()) for name, words in lists.items()})


WORDS = _load()
