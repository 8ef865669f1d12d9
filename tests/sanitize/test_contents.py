"""What hidden files hold never stays; other code goes where it was switched off; counts stay."""

from __future__ import annotations

import json

import pytest

from telem.sanitize.contents import CONTENT_KEYS, Contents, counts
from telem.sanitize.policy import Policy, parse_policy, shipped_policy
from telem.sanitize.redact import FAILED, Redactor
from telem.sanitize.rows import RowFiller

KEY = b"k" * 32
SECRET = "just words of no shape"
SHIPPED = Redactor(shipped_policy(), KEY)


def judge(text: str) -> Redactor:
    return Redactor(parse_policy(text), KEY)


@pytest.mark.parametrize(
    "path",
    [
        ".env",
        "/srv/app/.env.local",
        "C:\\app\\.env",
        "deploy/secrets/db.txt",
        "/x/Server.PEM",
        "~/.aws/credentials",
        "a/.ssh/id_ed25519",
    ],
)
def test_contents_of_hidden_paths_go_in_every_profile_that_looks(path: str) -> None:
    value = json.dumps({"file_path": path, "content": f"{SECRET}\n{SECRET}\n"})
    clean = SHIPPED.attribute("tool_input", value)
    assert isinstance(clean, str)
    assert SECRET not in clean
    assert json.loads(clean)["content"].endswith(",2 lines,46 bytes]")
    assert SHIPPED.attribute("tool_input", clean) == clean


@pytest.mark.parametrize("path", ["src/app.py", ".env.example", "envoy.md", "id_rsa.pub", "docs/keys.md"])
def test_contents_of_other_paths_stay(path: str) -> None:
    value = json.dumps({"file_path": path, "content": SECRET})
    assert SHIPPED.attribute("tool_input", value) == value


@pytest.mark.parametrize(
    "value",
    [
        json.dumps({"file_path": "/x/.env", "content": SECRET * 9})[:120],
        "[TOOL INPUT: Write]\n" + json.dumps({"file_path": "/x/.env", "content": SECRET}),
        json.dumps({"r": json.dumps({"file_path": "/x/.env", "content": 'say "' + SECRET})})[:-1],
        json.dumps({"type": "text", "file": {"filePath": "/x/.env", "content": SECRET}}),
        json.dumps({"file_path": "/x/.env", "edits": [{"old_string": SECRET, "new_string": SECRET}]}),
        json.dumps({"notebook_path": "/secrets/a.ipynb", "new_source": SECRET, "cell": 3}),
    ],
    ids=["cut", "prefix", "nested", "result", "edits", "notebook"],
)
def test_hidden_contents_go_from_cut_prefixed_and_nested_json(value: str) -> None:
    clean = SHIPPED.attribute("tool_input", value)
    assert isinstance(clean, str)
    assert SECRET not in clean
    assert SHIPPED.attribute("tool_input", clean) == clean


def test_path_and_contents_in_two_attributes_of_one_record_belong_together() -> None:
    clean = RowFiller(SHIPPED).clean({"file_path": "/x/.env", "content": SECRET, "n": 1})
    assert clean == {"file_path": "/x/.env", "content": "[CODE:env,1 line,22 bytes]", "n": 1}
    assert RowFiller(SHIPPED).clean({"file_path": "/x/a.py", "content": SECRET})["content"] == SECRET


def test_record_whose_contents_cannot_be_judged_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    redactor = Redactor(shipped_policy(), KEY)
    monkeypatch.setattr(redactor._contents, "map", None)
    assert redactor.without_contents({"file_path": "/x/.env", "content": SECRET}) == {
        "file_path": FAILED,
        "content": FAILED,
    }


def test_hidden_paths_can_be_added_and_kept() -> None:
    own = judge('[code]\npaths = ["*.csv", "data/**"]\npaths_kept = ["**/test.env"]')
    for path, stays in (("a.csv", False), ("x/data/y", False), ("test.env", True), ("a.txt", True)):
        value = json.dumps({"file_path": path, "content": SECRET})
        assert (own.attribute("tool_input", value) == value) is stays


def test_profile_off_keeps_hidden_contents() -> None:
    off = Redactor(shipped_policy("off"), KEY)
    record = {"file_path": "/x/.env", "content": SECRET}
    assert off.without_contents(record) is record  # type: ignore[arg-type]


BLOCK = "see\n```python\n{}```\nafter"


def test_long_fenced_blocks_go_where_that_is_asked_for() -> None:
    own = judge("[code]\nfenced_lines_max = 2")
    long, short = BLOCK.format("a = 1\n" * 3), BLOCK.format("a = 1\n" * 2)
    assert own.text(long) == BLOCK.format("[CODE:python,3 lines,17 bytes]\n")
    assert own.text(own.text(long)) == own.text(long)
    assert own.text(short) == short
    assert own.text("~~~\n" + "x\n" * 9) == "~~~\n[CODE:text,9 lines,18 bytes]"
    assert SHIPPED.text(long) == long


def test_contents_of_all_tools_go_where_that_is_asked_for() -> None:
    own = judge("[code]\ndrop_tool_contents = true")
    value = json.dumps({"file_path": "a.py", "old_string": "a", "new_string": "b\nc", "replace_all": False})
    assert json.loads(str(own.attribute("tool_input", value))) == {
        "file_path": "a.py",
        "old_string": "[CODE:python,1 line,1 bytes]",
        "new_string": "[CODE:python,2 lines,3 bytes]",
        "replace_all": False,
    }


def test_bodies_of_requests_go_where_that_is_asked_for() -> None:
    own = judge("[code]\ndrop_api_bodies = true")
    assert own.attribute("body", "{}\n{}") == "[CODE:text,2 lines,5 bytes]"
    assert own.attribute("gen_ai.input.messages", "") == ""


def test_strict_drops_code_in_attributes_that_nobody_listed() -> None:
    policy: Policy = shipped_policy("strict")
    assert policy.code.drop_tool_contents
    assert policy.drop_api_bodies
    strict = Redactor(policy, KEY)
    assert SECRET not in str(strict.attribute("mine", {"path": "a.py", "content": SECRET}))


def test_a_map_without_a_path_or_contents_is_not_copied() -> None:
    contents = Contents(shipped_policy().code)
    for items in ({"content": "x"}, {"path": ".env"}, {"path": 1, "content": "x"}):
        assert contents.map(items) is items  # type: ignore[arg-type]
    assert contents.map({"path": ".env", "content": "", "lines": 7}) == {"path": ".env", "content": "", "lines": 7}
    assert "content" in CONTENT_KEYS


def test_counting_twice_is_counting_once() -> None:
    assert counts(counts("a", "python")) == "[CODE:python,1 line,1 bytes]"
