"""JSON as text: values are set and removed in place, and every other byte stays what it was.

A JSON library reads values and writes them anew, and with that a user's order, indentation, comments and number formats
are gone. Here the text is parsed into a tree that knows where everything stands; an edit replaces or inserts a piece.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

MISSING: Any = object()
"""What `get` answers for a path that is not there."""

DEPTH_LIMIT = 200
_SPACE = re.compile(r"[ \t\r\n]*")
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"')
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])")
_WORD = re.compile(r"(?:true|false|null)(?!\w)")
_COMMENT = re.compile(r"//[^\r\n]*|/\*.*?\*/", re.DOTALL)


class JsonTextError(ValueError):
    """A text that is not JSON; `line` and `column` say where, from 1."""

    def __init__(self, message: str, text: str, at: int) -> None:
        self.line = text.count("\n", 0, at) + 1
        self.column = at - (text.rfind("\n", 0, at) + 1) + 1
        super().__init__(f"line {self.line}, column {self.column}: {message}")


@dataclass(slots=True)
class Node:
    """A value and where it stands. Members of an object have a name; `key_at` is where their entry begins."""

    kind: str  # object, array, scalar
    start: int
    end: int = 0
    name: str | None = None
    key_at: int = 0
    children: list[Node] = field(default_factory=list)

    def child(self, step: str | int) -> Node | None:
        """The member of that name, or the item of that number."""
        if isinstance(step, int):
            return self.children[step] if self.kind == "array" and -1 < step < len(self.children) else None
        return next((node for node in self.children if node.name == step), None) if self.kind == "object" else None


class JsonText:
    """One JSON text; edits answer with a new one.

    Args:
        comments: may it have `//` and `/* */` comments?

    Raises:
        JsonTextError: it is not JSON, or an object has a name twice.
    """

    def __init__(self, text: str, *, comments: bool = False) -> None:
        self.text = text
        self.comments = comments
        self.root = _Parser(text, comments).document()
        self._newline = "\r\n" if "\r\n" in text else "\n"

    def get(self, *path: str | int) -> Any:
        """The value at a path, or MISSING."""
        node = self._find(path)
        return MISSING if node is None else self._value(node)

    def set(self, path: Sequence[str], value: Any) -> JsonText:
        """Set the value of a member, with the objects around it where there are none.

        Raises:
            TypeError: something on the way is no object.
        """
        node = self.root
        for depth, step in enumerate(path):
            if node.kind != "object":
                where = ".".join(path[:depth]) or "the file"
                raise TypeError(f"{where} is not an object, so {step} cannot stand in it")
            found = node.child(step)
            if found is None:
                for outer in reversed(path[depth + 1 :]):
                    value = {outer: value}
                return self._insert(node, step, value)
            node = found
        return self._replace(node.start, node.end, self._dump(value, self._indent_at(node.key_at)))

    def append(self, path: Sequence[str], value: Any) -> JsonText:
        """Put a value at the end of an array, which is made where there is none.

        Raises:
            TypeError: what stands there is no array.
        """
        node = self._find(path)
        if node is None:
            return self.set(path, [value])
        if node.kind != "array":
            raise TypeError(f"{'.'.join(path)} is not a list")
        return self._insert(node, None, value)

    def remove(self, *path: str | int) -> JsonText:
        """Take a member or an item out; what is not there need not go."""
        holder, node = self._find(path[:-1]), self._find(path)
        if holder is None or node is None:
            return self
        if len(holder.children) == 1:
            return self._remove_only(holder, node)
        place = holder.children.index(node)
        if place == 0:
            return self._replace(node.key_at, holder.children[1].key_at, "")
        before = holder.children[place - 1]
        comma = self._comma_after(before.end)  # the one between the two
        gap = self.text[comma + 1 : node.key_at]
        kept = gap[: gap.rfind("\n")] if "\n" in gap else ""  # a comment at the end of the line before
        kept = kept.rstrip("\r") if kept.strip() else ""
        last = place == len(holder.children) - 1
        return self._replace(comma, node.end, kept if last else "," + kept, skip_comma=not last)

    def _remove_only(self, holder: Node, node: Node) -> JsonText:
        before = self.text[holder.start + 1 : node.key_at].rstrip()
        after = self.text[node.end : holder.end - 1]
        if not before and not after.strip():
            return self._replace(holder.start + 1, holder.end - 1, "")
        return self._replace(holder.start + 1 + len(before), node.end, "")

    # -- pieces of text --------------------------------------------------------------------------------------------

    def _find(self, path: Sequence[str | int]) -> Node | None:
        node: Node | None = self.root
        for step in path:
            node = node.child(step) if node else None
        return node

    def _value(self, node: Node) -> Any:
        if node.kind == "object":
            return {child.name: self._value(child) for child in node.children}
        if node.kind == "array":
            return [self._value(child) for child in node.children]
        return json.loads(self.text[node.start : node.end])

    def _replace(self, start: int, end: int, piece: str, *, skip_comma: bool = False) -> JsonText:
        if skip_comma:
            end = self._comma_after(end) + 1
        return JsonText(self.text[:start] + piece + self.text[end:], comments=self.comments)

    def _insert(self, node: Node, name: str | None, value: Any) -> JsonText:
        """Put an entry at the end of an object or array, in the manner of its neighbours."""
        if not node.children:
            return self._insert_first(node, name, value)
        last = node.children[-1]
        gap = self.text[(node.children[-2].end if len(node.children) > 1 else node.start + 1) : last.key_at]
        if "\n" not in gap:
            entry = self._entry(name, value, None, last)
            return self._replace(last.end, last.end, "," + (gap.removeprefix(",") or " ") + entry)
        indent = self._indent_at(last.key_at)
        after = self._end_of_line(last.end)
        piece = "," + self.text[last.end : after] + self._newline + indent + self._entry(name, value, indent, last)
        return self._replace(last.end, after, piece)

    def _insert_first(self, node: Node, name: str | None, value: Any) -> JsonText:
        inside = self.text[node.start + 1 : node.end - 1].rstrip()
        if "\n" not in self.text and node is not self.root and "//" not in inside:
            return self._replace(node.start + 1, node.end - 1, inside + self._entry(name, value, None, None))
        outer = self._indent_at(node.start)
        indent = outer + self._unit()
        piece = f"{inside}{self._newline}{indent}{self._entry(name, value, indent, None)}{self._newline}{outer}"
        return self._replace(node.start + 1, node.end - 1, piece)

    def _entry(self, name: str | None, value: Any, indent: str | None, neighbour: Node | None) -> str:
        text = self._dump(value, indent)
        if name is None:
            return text
        colon = ": "
        if neighbour is not None and neighbour.name is not None:
            between = self.text[neighbour.key_at : neighbour.start]
            between = between[len(_STRING.match(between)[0]) :]  # type: ignore[index]  # a member begins with its name
            colon = between if _SPACE.sub("", between) == ":" and "\n" not in between else colon
        return f"{json.dumps(name, ensure_ascii=False)}{colon}{text}"

    def _dump(self, value: Any, indent: str | None) -> str:
        if indent is None:
            return json.dumps(value, ensure_ascii=False)
        lines = json.dumps(value, ensure_ascii=False, indent=self._unit()).split("\n")
        return (self._newline + indent).join(lines)

    def _unit(self) -> str:
        """What one step of indentation is here; two spaces if nothing says."""
        for node in self.root.children:
            before = self.text[: node.key_at]
            found = before[before.rfind("\n") + 1 :]
            if "\n" in before and found and not found.strip():
                return found
        return "  "

    def _indent_at(self, at: int) -> str:
        line = self.text[self.text.rfind("\n", 0, at) + 1 : at]
        return line[: len(line) - len(line.lstrip(" \t"))]

    def _end_of_line(self, at: int) -> int:
        """Behind the comments that follow on the same line."""
        end = at
        while True:
            blank = re.compile(r"[ \t]*").match(self.text, end)
            comment = _COMMENT.match(self.text, blank.end() if blank else end) if self.comments else None
            if comment is None or "\n" in comment[0]:
                return end
            end = comment.end()

    def _comma_after(self, at: int) -> int:
        parser = _Parser(self.text, self.comments)
        parser.at = at
        parser.space()
        return parser.at


class _Parser:
    def __init__(self, text: str, comments: bool) -> None:
        self.text = text
        self.comments = comments
        self.at = 0

    def document(self) -> Node:
        self.space()
        node = self.value(0)
        self.space()
        if self.at < len(self.text):
            raise self.error("the text should end here")
        return node

    def error(self, message: str, at: int | None = None) -> JsonTextError:
        return JsonTextError(message, self.text, self.at if at is None else at)

    def space(self) -> None:
        while True:
            self.at = _SPACE.match(self.text, self.at).end()  # type: ignore[union-attr]  # it matches nothing too
            if not self.text.startswith(("//", "/*"), self.at):
                return
            if not self.comments:
                raise self.error("a comment, which this client does not accept in JSON")
            found = _COMMENT.match(self.text, self.at)
            if not found:
                raise self.error("a comment that does not end")
            self.at = found.end()

    def value(self, depth: int) -> Node:
        if depth > DEPTH_LIMIT:
            raise self.error(f"more than {DEPTH_LIMIT} levels")
        if self.text.startswith("{", self.at):
            return self._children(Node("object", self.at), "}", depth)
        if self.text.startswith("[", self.at):
            return self._children(Node("array", self.at), "]", depth)
        for pattern in (_STRING, _NUMBER, _WORD):
            if found := pattern.match(self.text, self.at):
                node = Node("scalar", self.at, found.end())
                self.at = node.end
                return node
        raise self.error("a value should stand here" if self.at < len(self.text) else "the text ends too early")

    def _children(self, node: Node, close: str, depth: int) -> Node:
        self.at += 1
        self.space()
        while not self.text.startswith(close, self.at):
            if node.children:
                comma = self.at
                if not self.text.startswith(",", comma):
                    raise self.error(f"a comma or {close} should stand here")
                self.at += 1
                self.space()
                if self.text.startswith(close, self.at):
                    raise self.error(f"a comma before {close}, behind which nothing comes", comma)
            node.children.append(self._child(node, depth))
            self.space()
        self.at += 1
        node.end = self.at
        return node

    def _child(self, holder: Node, depth: int) -> Node:
        begin, name = self.at, None
        if holder.kind == "object":
            found = _STRING.match(self.text, self.at)
            if not found:
                raise self.error("a name in quotes should stand here")
            name = json.loads(found[0])
            if holder.child(name):
                raise self.error(f"{name} stands here a second time")
            self.at = found.end()
            self.space()
            if not self.text.startswith(":", self.at):
                raise self.error("a colon should stand here")
            self.at += 1
            self.space()
        child = self.value(depth + 1)
        child.name, child.key_at = name, begin
        return child
