"""JSON and TOML as text: edits change what they say and nothing else."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telem.agent.setup.jsontext import MISSING, JsonText, JsonTextError
from telem.agent.setup.tomltext import TomlText, TomlTextError

NAMES = st.text(max_size=6)
VALUES: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)
INDENTS = st.sampled_from([None, 0, 1, 2, 4, "\t", 3])


@given(
    st.dictionaries(NAMES, VALUES, max_size=4),
    INDENTS,
    st.booleans(),
    st.lists(NAMES, min_size=1, max_size=3),
    VALUES,
)
def test_setting_and_removing(document: dict[str, Any], indent: Any, crlf: bool, path: list[str], value: Any) -> None:
    """Only what was set is another; what was added and is taken out leaves the values that were there."""
    text = json.dumps(document, indent=indent, ensure_ascii=False)
    text = text.replace("\n", "\r\n") if crlf else text
    before = JsonText(text)
    try:
        after = before.set(path, value)
    except TypeError:
        return
    wanted: Any = json.loads(text)
    place = wanted
    for step in path[:-1]:
        place = place.setdefault(step, {})
    place[path[-1]] = value
    assert json.loads(after.text) == wanted
    if before.get(path[0]) is MISSING:
        assert json.loads(after.remove(path[0]).text) == document
        if document:
            assert after.remove(path[0]).text == text
    assert ("\r\n" in text) <= ("\n" not in after.text.replace("\r\n", ""))


@given(st.lists(VALUES, max_size=4), INDENTS, VALUES)
def test_appending_and_removing(items: list[Any], indent: Any, value: Any) -> None:
    """A list grows at its end, and any of its items can go."""
    text = JsonText(json.dumps({"list": items}, indent=indent)).append(("list",), value)
    assert json.loads(text.text) == {"list": [*items, value]}
    for number in range(len(items) + 1):
        left = [*items, value]
        del left[number]
        assert json.loads(text.remove("list", number).text) == {"list": left}


def test_comments_stay_where_they_are() -> None:
    """Also the one behind the last value, which gets a comma."""
    text = '{\n  // first\n  "a": 1, /* one */\n  "b": 2 // two\n  // end\n}\n'
    after = JsonText(text, comments=True).set(("c",), 3)
    assert after.text == '{\n  // first\n  "a": 1, /* one */\n  "b": 2, // two\n  "c": 3\n  // end\n}\n'
    assert after.remove("c").text == text
    assert after.set(("a",), 9).text == after.text.replace("1", "9")
    only = JsonText("{ // nothing yet\n}", comments=True)
    assert only.set(("a",), 1).remove("a").text == only.text


def test_neighbours_are_imitated() -> None:
    """Indentation, spaces around the colon, everything on one line, tabs."""
    assert JsonText('{"a":1}').set(("b",), 2).text == '{"a":1, "b":2}'
    assert JsonText('{\n\t"a" : {}\n}').set(("a", "b"), 2).text == '{\n\t"a" : {\n\t\t"b": 2\n\t}\n}'
    assert JsonText('{\n   "a": {"x": 1}\n}').set(("a", "y"), 2).text == '{\n   "a": {"x": 1, "y": 2}\n}'
    assert JsonText('{\n   "a": 1\n}').set(("b", "c"), 2).text == '{\n   "a": 1,\n   "b": {\n      "c": 2\n   }\n}'


@pytest.mark.parametrize(
    ("text", "line", "column", "said"),
    [
        ('{\n  "a": 1,\n}', 2, 9, "a comma before }"),
        ('{"a": [1, 2,]}', 1, 12, "a comma before ]"),
        ('{\n  // why\n  "a": 1\n}', 2, 3, "a comment"),
        ('{"a": 1 "b": 2}', 1, 9, "a comma or }"),
        ('{"a" 1}', 1, 6, "a colon"),
        ("{'a': 1}", 1, 2, "a name in quotes"),
        ('{"a": 1, "a": 2}', 1, 10, "a second time"),
        ('{"a": nope}', 1, 7, "a value"),
        ('{"a": 01}', 1, 7, "a value"),
        ('{"a": 1} x', 1, 10, "should end"),
        ('{"a": "\x01"}', 1, 7, "a value"),
        ('{"a": ', 1, 7, "ends too early"),
        ("[" * 300, 1, 202, "levels"),
    ],
)
def test_what_is_no_json_is_refused_with_its_place(text: str, line: int, column: int, said: str) -> None:
    """Line and column count from 1, as editors do."""
    with pytest.raises(JsonTextError, match=said) as raised:
        JsonText(text)
    assert (raised.value.line, raised.value.column) == (line, column)


def test_what_is_in_the_way_is_named() -> None:
    """A value where an object should be is not thrown away."""
    with pytest.raises(TypeError, match="env is not an object"):
        JsonText('{"env": "x"}').set(("env", "A"), "1")
    with pytest.raises(TypeError, match="hooks is not a list"):
        JsonText('{"hooks": {}}').append(("hooks",), 1)


TOML = '# mine\nmodel = "x"   # why\n\n[otel]   # here\nenvironment = "dev"\n\n[profiles.a]\nb = [ 1,\n  2 ]\n'


def test_toml_keeps_everything_else() -> None:
    """Comments, order, blanks; a key that was added can go again."""
    after = TomlText(TOML).set(("otel", "exporter"), {"otlp-http": {"endpoint": "http://x/v1/logs"}})
    assert tomllib.loads(after.text)["otel"]["exporter"] == {"otlp-http": {"endpoint": "http://x/v1/logs"}}
    assert [line for line in TOML.splitlines() if line not in after.text.splitlines()] == []
    assert tomllib.loads(after.remove("otel", "exporter").text) == tomllib.loads(TOML)


@pytest.mark.parametrize("text", ["", 'a = 1\r\n[b]\r\nc = "d"\r\n', "a = 1", "[x]\n"])
def test_toml_gets_a_table(text: str) -> None:
    """At its end, with the line ends it has; and loses it again."""
    after = TomlText(text).set(("otel", "log_user_prompt"), False)
    assert tomllib.loads(after.text) == {**tomllib.loads(text), "otel": {"log_user_prompt": False}}
    assert after.text.startswith(text)
    assert ("\r\n" in text) <= ("\n" not in after.text.replace("\r\n", ""))
    assert tomllib.loads(after.remove("otel", "log_user_prompt").text) == tomllib.loads(text)


def test_what_is_no_toml_is_refused_with_its_place() -> None:
    """Line and column."""
    with pytest.raises(TomlTextError, match="line 2"):
        TomlText("a = 1\nb = = 2\n")
    with pytest.raises(TypeError, match="otel is not a table"):
        TomlText("otel = 1\n").set(("otel", "a"), 1)
