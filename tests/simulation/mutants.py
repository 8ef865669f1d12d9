"""The product with one of its syncs removed: each must make the simulation fail, or it would be superstition."""

from __future__ import annotations

import ast
import contextlib
import inspect
import sys
import types
from typing import TYPE_CHECKING, Any

from telem.storage import catalog, purge, recovery, retire, rollups, worker
from telem.storage import disk as disk_module

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

SOURCE = inspect.getsource(disk_module)
SYNCS = ("sync_descriptor", "sync_directory", "sync_file")


def sites() -> list[str]:
    """Every place where something is synced, as `function:number`."""
    return list(_Remover("").walk())


def without(site: str) -> types.ModuleType:
    """The module with the sync at that place removed."""
    remover = _Remover(site)
    tree = remover.visit(ast.parse(SOURCE))
    assert remover.removed == 1
    return _module(ast.unparse(ast.fix_missing_locations(tree)))


BESIDE = (catalog, purge, recovery, retire, rollups, worker)
"""Modules that sync for themselves what another one may have left undone."""

EXPLAINED = {
    "purge.receipt:1": "an intent that comes back is fulfilled again, and finds nothing",
    "rollups.sweep:1": "a test of its own: test_totals_go_only_once_those_in_force_are_there_to_stay",
    "worker._settle:1": "likewise: test_a_name_that_was_taken_back_stays_away_once_its_rows_are_written_elsewhere",
    "recovery._make_sure:1": "for folders of programs that did not say by its mode that a segment was being written",
}
"""Syncs that no life of the simulation misses, and why."""


def sites_beside() -> list[str]:
    """Every sync of these modules, as `module.function:number`."""
    return [
        f"{module.__name__.rpartition('.')[2]}.{site}"
        for module in BESIDE
        for site in _Remover("", inspect.getsource(module)).walk()
    ]


def without_beside(site: str) -> AbstractContextManager[None]:
    """The module's function without that sync."""
    name, _, place = site.partition(".")
    module = next(found for found in BESIDE if found.__name__.endswith(f".{name}"))
    remover = _Remover(place, inspect.getsource(module))
    tree = remover.visit(ast.parse(inspect.getsource(module)))
    assert remover.removed == 1
    made: dict[str, Any] = {}
    exec(compile(ast.unparse(ast.fix_missing_locations(tree)), "mutant", "exec"), dict(vars(module)), made)
    name = place.partition(":")[0]
    return recoded(getattr(module, name), made[name].__code__)


@contextlib.contextmanager
def recoded(function: types.FunctionType, code: types.CodeType) -> Iterator[None]:
    """The function with other code in it, for all who have imported it."""
    kept, function.__code__ = function.__code__, code
    try:
        yield
    finally:
        function.__code__ = kept


def _module(source: str) -> types.ModuleType:
    made = types.ModuleType("telem.storage.mutant")
    made.__package__ = "telem.storage"
    sys.modules[made.__name__] = made
    exec(compile(source, "mutant", "exec"), made.__dict__)
    for name in ("DiskFullError", "CannotExchangeError", "LockedError"):
        setattr(made, name, getattr(disk_module, name))  # others catch these by their class
    return made


class _Remover(ast.NodeTransformer):
    def __init__(self, site: str, source: str = SOURCE) -> None:
        self._site = site
        self._source = source
        self._function = ""
        self._count = 0
        self.found: list[str] = []
        self.removed = 0

    def walk(self) -> list[str]:
        self.visit(ast.parse(self._source))
        return self.found

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
        self._function, self._count = node.name, 0
        return self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> Any:
        call = node.value
        if not isinstance(call, ast.Call):
            return node
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        if name not in SYNCS:
            return node
        self._count += 1
        place = f"{self._function}:{self._count}"
        self.found.append(place)
        if place != self._site:
            return node
        self.removed += 1
        return ast.copy_location(ast.Pass(), node)
