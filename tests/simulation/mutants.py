"""The disk with one of its rules removed: each must make the simulation fail, or the rule would be superstition."""

from __future__ import annotations

import ast
import contextlib
import inspect
import sys
import types
from typing import TYPE_CHECKING, Any
from unittest import mock

from telem.agent import keeper, purging
from telem.agent.keeper import Keeper
from telem.storage import catalog, purge, recovery, retire, retries, rollups, worker
from telem.storage import disk as disk_module
from telem.storage.inventory import ParquetFile
from telem.storage.journal import Journal
from telem.storage.rollups import Rollups

if TYPE_CHECKING:
    from collections.abc import Callable
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


BESIDE = (catalog, purge, recovery, retire, rollups)
"""Modules that sync for themselves what another one may have left undone."""

EXPLAINED = {
    "purge._quarantine:1": "only a purge of everything empties quarantine; done again it finds what is left there",
    "purge._settle:1": "a test of its own: test_a_purge_that_is_tried_again_syncs_what_it_finds_done",
    "purge.receipt:1": "an intent that comes back is fulfilled again, and finds nothing",
    "recovery.recover:1": "a test of its own: test_what_an_earlier_life_wrote_counts_only_once_it_is_synced",
}
"""Syncs that no life of the simulation misses, and why."""


def sites_beside() -> list[str]:
    """Every sync of these modules, as `module.function:number`."""
    return [
        f"{module.__name__.rpartition('.')[2]}.{site}"
        for module in BESIDE
        for site in _Remover("", inspect.getsource(module)).walk()
    ]


def without_beside(site: str) -> AbstractContextManager[Any]:
    """The module's function without that sync."""
    name, _, place = site.partition(".")
    module = next(found for found in BESIDE if found.__name__.endswith(f".{name}"))
    remover = _Remover(place, inspect.getsource(module))
    tree = remover.visit(ast.parse(inspect.getsource(module)))
    assert remover.removed == 1
    made: dict[str, Any] = dict(vars(module))
    exec(compile(ast.unparse(ast.fix_missing_locations(tree)), "mutant", "exec"), made)
    function = place.partition(":")[0]
    mutant = types.FunctionType(made[function].__code__, vars(module), function, made[function].__defaults__)
    mutant.__kwdefaults__ = made[function].__kwdefaults__
    return mock.patch.object(module, function, mutant)


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


def _publish_first(layout: Any, disk: Any, cutoff: str) -> bool:
    """Publishing, with the promise after what relies on it."""
    with mock.patch.object(catalog, "write_cutoff"):
        return _PUBLISH(layout, disk, cutoff)


def _all_published(layout: Any, _signal: Any) -> list[ParquetFile]:
    """Every segment is taken to be in Parquet, by a file of a folder that is there."""
    return [ParquetFile(layout.cutoff, "", 1, 1000)]


def _into_closed_days() -> AbstractContextManager[Any]:
    """Nobody asks which days are closed before a file is written."""
    stack = contextlib.ExitStack()
    stack.enter_context(mock.patch.object(worker, "rollups", types.SimpleNamespace(read=lambda _layout: Rollups())))
    stack.enter_context(mock.patch.object(Keeper, "_ingest_day", lambda keeper, _signal: keeper._day))
    return stack


_PUBLISH = catalog.publish

RULES: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "the cutoff is promised before views rely on it": lambda: mock.patch.object(catalog, "publish", _publish_first),
    "a segment is emptied only when its rows are in Parquet": lambda: mock.patch.object(
        retire, "parquet_files", _all_published
    ),
    "the cutoff waits for segments that still hold rows": lambda: mock.patch.object(
        keeper, "days_in_journal", return_value=set()
    ),
    "what was never acknowledged is cut": lambda: mock.patch.object(recovery, "mend", return_value=True),
    "a retry after a restart is known": lambda: mock.patch.object(recovery, "REMEMBER_AT_LEAST", 0),
    "a segment that could not be cut back is no Parquet yet": lambda: mock.patch.object(
        Journal, "_abandon", lambda journal, _: journal.close()
    ),
    "totals that shells rely on go before the rows": lambda: mock.patch.object(rollups, "sweep", return_value=[]),
    "a closed day gets no row any more": _into_closed_days,
    "tombstones are set before rows are taken out": lambda: mock.patch.object(purging, "bury", return_value=""),
    "requests of purged segments are remembered": lambda: mock.patch.object(retries, "keep", return_value=None),
}
"""Rules of order that are no single call."""
