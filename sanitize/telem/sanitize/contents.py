"""What files held: replaced by language, lines and bytes where the policy says that it never stays.

A map that names a path (`file_path` of Claude Code's tools, `filePath` of their results) and holds contents beside it
loses the contents when the path is one of the hidden, whatever else the policy says. Fenced blocks and the contents of
all tools go only where they were switched off.
"""

from __future__ import annotations

import fnmatch
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .records import Attribute

PATH_KEYS: Final = ("file_path", "filePath", "notebook_path", "path", "filename", "file", "abs_path", "absolute_path")
PATH_ENDS, FILE_ENDS = re.compile(r'ath["\\]').search, re.compile(r'ile(?:name)?["\\]').search
"""How a name of a path ends in JSON, also in JSON that is in a string."""

CONTENT_KEYS: Final = frozenset(
    [
        "content",
        "contents",
        "old_string",
        "new_string",
        "oldString",
        "newString",
        "old_str",
        "new_str",
        "new_source",
        "old_source",
        "file_text",
        "insert_text",
        "text",
        "edits",
        "structuredPatch",
        "structured_patch",
        "originalFile",
        "original_file",
        "patch",
        "diff",
        "output",
        "result",
        "stdout",
        "lines",
        "bash_output",
    ]
)

PATH_CHARS_MAX = 512
"""Of a longer path only the end is compared."""

LANGUAGES: Final = {
    "py": "python", "js": "javascript", "mjs": "javascript", "ts": "typescript", "tsx": "typescript", "rs": "rust",
    "go": "go", "java": "java", "kt": "kotlin", "rb": "ruby", "php": "php", "c": "c", "h": "c", "cpp": "cpp",
    "cs": "csharp", "swift": "swift", "sh": "shell", "ps1": "powershell", "sql": "sql", "md": "markdown",
    "json": "json", "yaml": "yaml", "yml": "yaml", "toml": "toml", "xml": "xml", "html": "html", "css": "css",
    "tf": "hcl", "ipynb": "notebook", "env": "env", "pem": "pem", "key": "pem", "ini": "ini",
}  # fmt: skip
"""Endings whose language is said; of others it is `text`."""

COUNTED = re.compile(r"\[CODE:[\w+#.-]{1,20},\d{1,10} lines?,\d{1,12} bytes\]", re.ASCII)
FENCE = re.compile(
    r"(?:^|(?<=\n)|(?<=\\n))[ \t]{0,3}(```+|~~~+)[ \t]*([\w+#.-]{0,20})[^\n`\\]{0,200}(\n|\\n)", re.ASCII
)
MEMBER = r'(?P<slashes>\\{{0,3}})"(?:{keys})(?P=slashes)"[ \t]*:[ \t]*(?P=slashes)"'
PATH_MEMBER = re.compile(
    MEMBER.format(keys="|".join(PATH_KEYS)) + r'([^"\\]{1,512}(?:\\\\[^"\\]{1,256}){0,32})', re.ASCII
)
CONTENT_MEMBER = re.compile(MEMBER.format(keys="|".join(sorted(CONTENT_KEYS))), re.ASCII)


@dataclass(frozen=True, slots=True)
class CodeSettings:
    """What of code is kept. The defaults keep everything but what hidden paths hold."""

    paths: tuple[str, ...] = ()
    """Globs of paths whose contents never stay; `*` stands for anything, slashes too."""
    paths_kept: tuple[str, ...] = ()
    """Globs of paths that stay although one of the above fits."""
    fenced_lines_max: int = 0
    """Fenced blocks with more lines go; 0 keeps all."""
    drop_tool_contents: bool = False
    """Whether the contents of all files go that tools write, change and read."""


class Contents:
    """Finds contents that must not stay."""

    def __init__(self, settings: CodeSettings) -> None:
        self.settings = settings
        self._hidden = _any_of(settings.paths)
        self._kept = _any_of(settings.paths_kept)
        self.active = bool(settings.paths or settings.fenced_lines_max or settings.drop_tool_contents)

    def hides(self, path: str) -> bool:
        """Tell whether the contents of `path` never stay."""
        path = "/" + path[-PATH_CHARS_MAX:].replace("\\", "/").lower()
        return self._hidden.match(path) is not None and self._kept.match(path) is None

    def goes(self, path: str) -> bool:
        """Tell whether the contents of `path` go, hidden or not."""
        return self.settings.drop_tool_contents or self.hides(path)

    def map(self, items: dict[str, Attribute]) -> dict[str, Attribute]:
        """Return the map without the contents of the file it names, or the map itself."""
        path = next((item for key in PATH_KEYS if isinstance(item := items.get(key), str) and item), "")
        if not path or CONTENT_KEYS.isdisjoint(items) or not self.goes(path):
            return items
        language = language_of(path)
        return {
            key: counts(item if isinstance(item, str) else json.dumps(item, default=repr), language)
            if key in CONTENT_KEYS and item and not isinstance(item, (bool, int, float))
            else item
            for key, item in items.items()
        }

    def text(self, value: str) -> str:
        """Return a text without its long fenced blocks, and without contents in JSON that was cut off."""
        if self.settings.fenced_lines_max and ("```" in value or "~~~" in value):
            value = self._unfenced(value)
        if '"' in value and (PATH_ENDS(value) or FILE_ENDS(value)):
            value = self._members(value)
        return value

    def _unfenced(self, value: str) -> str:
        pieces: list[str] = []
        at = 0
        while (fence := FENCE.search(value, at)) is not None:
            mark, language, line_end = fence.groups()
            end = value.find(line_end + mark, fence.end() - len(line_end))
            stop = len(value) if end < 0 else max(end, fence.end())
            block = value[fence.end() : stop]
            keeps = block.count(line_end) + 1 <= self.settings.fenced_lines_max or COUNTED.fullmatch(block.strip())
            pieces += (value[at : fence.end()], block if keeps else counts(block, language, line_end))
            closing = stop + len(line_end + mark) if end >= 0 else stop
            pieces.append(value[stop:closing])
            at = closing
        return "".join(pieces) + value[at:]

    def _members(self, value: str) -> str:
        """Empty the contents in a text that holds JSON, whole or cut off, if a path in it goes."""
        path = next((found for match in PATH_MEMBER.finditer(value) if self.goes(found := match.group(2))), "")
        if not path or CONTENT_MEMBER.search(value) is None:
            return value
        pieces: list[str] = []
        at = 0
        while (member := CONTENT_MEMBER.search(value, at)) is not None:
            end = _string_end(value, member.end(), len(member.group("slashes")))
            inner = value[member.end() : end]
            pieces += (value[at : member.end()], counts(inner, language_of(path), "\\n") if inner else "")
            at = end
        return "".join(pieces) + value[at:]


def counts(content: str, language: str = "", line_end: str = "\n") -> str:
    """Return what is said about contents in their place: language, lines and bytes."""
    if COUNTED.fullmatch(content):
        return content
    lines = content.count(line_end) + (0 if content.endswith(line_end) else 1)
    word = "line" if lines == 1 else "lines"
    return f"[CODE:{language.lower() or 'text'},{lines} {word},{len(content.encode('utf-8', 'replace'))} bytes]"


def language_of(path: str) -> str:
    """Return the language that the ending of a path tells, or `text`."""
    return LANGUAGES.get(path.rpartition(".")[2].lower(), "text")


def _string_end(value: str, start: int, slashes: int) -> int:
    """Return where the JSON string ends that began before `start` behind so many backslashes, or the text does.

    A quote inside it has more of them, and every backslash in front of that is doubled once for each level.
    """
    end = value.find('"', start)
    while end >= 0:
        before = end
        while before > start and value[before - 1] == "\\":
            before -= 1
        if (end - before) % (2 * (slashes + 1)) == slashes:
            return end - slashes
        end = value.find('"', end + 1)
    return len(value)


def _any_of(globs: tuple[str, ...]) -> re.Pattern[str]:
    """Compile globs to one pattern; `fnmatch` writes them such that no path takes long."""
    patterns = [fnmatch.translate(_rooted(glob.lower().replace("\\", "/"))) for glob in globs]
    return re.compile("|".join(patterns) if patterns else r"(?!)")


def _rooted(glob: str) -> str:
    return glob if glob.startswith(("/", "*")) else "*/" + glob.removeprefix("~/")
