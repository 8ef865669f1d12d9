"""What a purge says of backups and exports, before and after."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from telem.storage import copies
from telem.storage.intent import DELETE, LEAVE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from telem.storage.copies import Copy

SHOWN_MAX = 20
_WOULD = {
    copies.REWRITTEN: "{rows} such rows, would be rewritten without them",
    copies.DELETED: "would be deleted",
    copies.MISSING: "is not there any more",
    copies.UNTOUCHED: "holds none",
    copies.LEFT: "would be left: {why}",
    copies.SUMS: "would be left: {why}; export it anew afterwards",
}
_DID = {
    copies.REWRITTEN: "rewritten without {rows} such rows",
    copies.DELETED: "deleted",
    copies.MISSING: "is not there any more",
    copies.UNTOUCHED: "holds none",
    copies.LEFT: "LEFT AS IT IS: {why}",
    copies.SUMS: "left, {why}; export it anew",
}


def tell(there: Sequence[Copy], mode: str, *, before: bool) -> None:
    """Say which copies there are and what becomes of them.

    Args:
        before: nobody has looked into them yet.
    """
    if not there:
        return
    if not before:
        click.echo("Backups and exports that were written:", err=True)
        _list([copy.said() for copy in there], _WOULD)
        return
    what = {DELETE: "are deleted if they hold such rows", LEAVE: "stay as they are"}
    click.echo(f"Backups and exports {what.get(mode, 'are rewritten if they hold such rows')}:", err=True)
    for copy in there[-SHOWN_MAX:]:
        click.echo(f"  {copy.path} ({copy.kind} of {copy.at[:10]})", err=True)
    _more(len(there) - SHOWN_MAX)


def tell_done(done: Sequence[dict[str, Any]]) -> None:
    """Say what became of them."""
    _list(done, _DID)


def _list(found: Sequence[dict[str, Any]], words: dict[str, str]) -> None:
    gone = [copy for copy in found if copy["done"] == copies.MISSING]
    here = [copy for copy in found if copy["done"] != copies.MISSING]
    for copy in _worst_first(here)[:SHOWN_MAX]:
        click.echo(
            f"  {copy['path']} ({copy['kind']} of {copy['at'][:10]}): {words[copy['done']].format(**copy)}", err=True
        )
    _more(len(here) - SHOWN_MAX)
    if gone:
        click.echo(
            f"  {len(gone)} others are not where they were written (last: {gone[-1]['path']}); where they are now, "
            "they hold what they held, and import-archive and restore leave such rows out",
            err=True,
        )


def _worst_first(found: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    order = (copies.LEFT, copies.SUMS, copies.REWRITTEN, copies.DELETED, copies.UNTOUCHED)
    return sorted(found, key=lambda copy: order.index(copy["done"]))


def _more(count: int) -> None:
    if count > 0:
        click.echo(f"  and {count} more (--json lists all)", err=True)
