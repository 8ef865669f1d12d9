"""The house stays tidy: walls, sizes, and one place for each dangerous thing."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.daemons import clean_env

ROOT = Path(__file__).parents[1]
ROOMS = ("agent", "queries", "storage", "sanitize")
FILES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 500


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def users_of(*texts: str) -> set[str]:
    """Files of the rooms in which one of the texts occurs."""
    return {str(path.relative_to(ROOT)) for path in FILES if any(text in text_of(path) for text in texts)}


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_holds_its_readme_and_its_package(room: str) -> None:
    """And `telem` is a namespace: an `__init__.py` in it would hide the other rooms."""
    names = {path.name for path in (ROOT / room).iterdir()} - {"__pycache__", ".DS_Store"}
    assert names - {"examples.sh"} == {"README.md", "telem"}
    assert not (ROOT / room / "telem" / "__init__.py").exists()


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_stay_short(path: Path) -> None:
    """What does not fit on a screen or two is two things."""
    text = text_of(path)
    assert len(text.splitlines()) <= FILE_LINES_MAX
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    long = {node.name: (node.end_lineno or 0) - node.lineno + 1 for node in functions}
    assert {name: lines for name, lines in long.items() if lines > FUNCTION_LINES_MAX} == {}


def test_only_the_gate_makes_sanitized_batches() -> None:
    """So whether something was sanitized is a question for the type checker."""
    assert users_of("SanitizedBatch(") == {"sanitize/telem/sanitize/gate.py"}


def test_only_the_disk_syncs_and_renames() -> None:
    """What must survive a power cut goes through one file, in which a test can put faults."""
    disk = "storage/telem/storage/disk.py"
    assert users_of("os.fsync", "os.fdatasync", "F_FULLFSYNC") == {disk}
    assert users_of("os.replace", "os.rename") <= {disk}


def test_only_one_file_imports_grpc() -> None:
    """It can then be exchanged, and is not imported by a command that does not need it."""
    found = {
        str(path.relative_to(ROOT))
        for path in FILES
        for node in ast.walk(ast.parse(text_of(path)))
        if (isinstance(node, ast.Import) and any(name.name.split(".")[0] == "grpc" for name in node.names))
        or (isinstance(node, ast.ImportFrom) and node.level == 0 and (node.module or "").split(".")[0] == "grpc")
    }
    assert found == {"agent/telem/agent/grpc.py"}


def test_every_process_of_ours_begins_without_the_modules_of_the_users_folder() -> None:
    """`-m` looks there first, unless `-P` goes before it."""
    for path in FILES:
        for node in ast.walk(ast.parse(text_of(path))):
            if isinstance(node, ast.List | ast.Tuple | ast.Call):
                items = node.args if isinstance(node, ast.Call) else node.elts
                said = [item.value if isinstance(item, ast.Constant) else None for item in items]
                assert "-m" not in said or said[said.index("-m") - 1] == "-P", f"{path}:{node.lineno}"


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("telem.agent.daemon", {"duckdb", "pyarrow", "numpy", "pandas"}),
        ("telem.agent.cli", {"duckdb", "pyarrow", "grpc", "aiohttp", "google.protobuf"}),
        ("telem.storage.worker", {"aiohttp", "grpc"}),
        ("telem.sanitize.gate", {"asyncio", "socket", "subprocess", "duckdb", "aiohttp"}),
    ],
)
def test_a_process_imports_only_what_it_needs(module: str, absent: set[str]) -> None:
    """The daemon has no database in it, the command line starts quickly, the sanitizer has no way out."""
    code = f"import {module}, sys; print(*sys.modules)"
    env = {name: value for name, value in clean_env().items() if not name.startswith("COVERAGE")}  # it imports much
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    assert absent & set(done.stdout.split()) == set()


def test_every_exception_of_the_house_has_a_place_in_the_table() -> None:
    """errors.py draws the tree; each class of ours stands in it, or below one that does."""
    bases: dict[str, list[str]] = {}
    for path in FILES:
        for node in ast.walk(ast.parse(text_of(path))):
            if isinstance(node, ast.ClassDef) and node.name.endswith("Error"):
                bases[node.name] = [ast.unparse(base) for base in node.bases]
    table = ast.get_docstring(ast.parse(text_of(ROOT / "agent/telem/agent/errors.py"))) or ""

    def has_place(name: str) -> bool:
        return name in re.findall(r"\w+", table) or any(has_place(base) for base in bases.get(name, ()))

    assert len(bases) > 5
    assert [name for name in bases if not has_place(name)] == []
