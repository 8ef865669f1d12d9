"""Backup and restore: everything comes back, and nothing that is damaged does."""

from __future__ import annotations

import io
import shutil
import tarfile
from typing import TYPE_CHECKING, Any

import orjson
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.conftest import KEY
from tests.otlp import GOLDENS, NOW_NS, golden, logs, numbered, raw
from tests.storage.homes import DAY, asked, home_of, next_segment, parquet, record_names, segment

from telem.sanitize.decode import decode
from telem.sanitize.gate import Gate
from telem.sanitize.policy import shipped_policy
from telem.sanitize.records import Profile, SanitizedBatch, Signal
from telem.sanitize.redact import Redactor
from telem.storage import manifest, origin, tombstones
from telem.storage.archive import ArchiveError, read
from telem.storage.backup import LEFT_OUT, write_backup
from telem.storage.closing import close
from telem.storage.disk import Disk
from telem.storage.keys import key_id, load_key, read_key
from telem.storage.layout import Layout
from telem.storage.restore import NotEmptyError, Purged, check, restore
from telem.storage.verify import verify

if TYPE_CHECKING:
    from pathlib import Path

    from tests.storage.conftest import MakeBatch


LOGS = Signal.LOGS


def backup_of(layout: Layout, **options: Any) -> bytes:
    target = io.BytesIO()
    write_backup(layout, Disk(), target, **options)
    return target.getvalue()


def fill(layout: Layout, batch: MakeBatch) -> Layout:
    """Rows in Parquet and in the journal of all signals, settings, counts."""
    for signal in Signal:
        parquet(layout, 1, batch("a", "b", signal=signal))
        parquet(layout, 2, batch("c", signal=signal), day="2026-02-01")
        segment(layout, 3, batch("d", signal=signal), batch("e", signal=signal))
    layout.config.write_text("log_level = 'debug'\n")
    layout.policy.write_text("profile = 'strict'\n")
    layout.audit.mkdir()
    layout.audit_month("2026-01").write_text("{}\n")
    layout.token.write_text("secret\n")
    (layout.home / "tokens.json").write_text("secret\n")
    (layout.home / "sql_history").write_text("secret\n")
    return layout


@pytest.fixture
def filled(home: Path, batch: MakeBatch) -> Layout:
    """A home of its own for each test."""
    return fill(home_of(home / "one"), batch)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A backup, written once."""
    gate = Gate(Redactor(shipped_policy(Profile.STANDARD), KEY), KEY)

    def make(*names: str, signal: Signal = LOGS) -> SanitizedBatch:
        request = raw(signal, numbered(signal, *names))
        return gate.sanitize(decode(request), gate.request_id(request))

    return backup_of(fill(home_of(tmp_path_factory.mktemp("whole") / "one"), make))


def test_everything_comes_back(filled: Layout, home: Path) -> None:
    """Rows of all signals from both places, settings and rules; the restored folder goes on with the numbering."""
    said = restore(io.BytesIO(backup_of(filled)), home / "two", Disk()).manifest
    restored = Layout(home / "two")
    for signal in Signal:
        assert record_names(restored, signal) == record_names(filled, signal) == ["a", "b", "c", "d", "e"]
        assert asked(restored, f"FROM raw_{signal} ORDER BY id") == asked(filled, f"FROM raw_{signal} ORDER BY id")
        assert next_segment(restored, signal) == 4
        days = said.rows()[signal]
        assert (days["2026-01-31"], days["2026-02-01"], sum(days.values())) == (2, 1, 5)
    assert restored.config.read_bytes() == filled.config.read_bytes()
    assert restored.policy.read_bytes() == filled.policy.read_bytes()
    assert restored.audit_month("2026-01").exists()
    assert (home / "two").stat().st_mode & 0o777 == 0o700
    assert all(path.stat().st_mode & 0o077 == 0 for path in (home / "two").rglob("*"))


def test_every_captured_request_survives(home: Path, gate: Gate) -> None:
    """All columns of all clients' records."""
    layout = home_of(home / "one")
    for number, name in enumerate(GOLDENS, 1):
        request = golden(name)
        made = gate.sanitize(decode(request), gate.request_id(request))
        (parquet if number % 2 else segment)(layout, number, made)
    restore(io.BytesIO(backup_of(layout)), home / "two", Disk())
    for signal in Signal:
        question = f"SELECT * EXCLUDE ingest_day FROM raw_{signal} ORDER BY id"
        rows = asked(layout, question)
        assert rows
        assert asked(Layout(home / "two"), question) == rows


def test_the_key_leaves_only_when_asked(filled: Layout, home: Path) -> None:
    """And no token ever does; the backup says which key its rows were made under, by a digest."""
    filled.retired_key("2026-01-01").write_text("old\n")
    key = read_key(filled)
    assert key
    without, with_key = backup_of(filled), backup_of(filled, with_key=True)
    restore(io.BytesIO(without), home / "without", Disk())
    assert not Layout(home / "without").key.exists()
    assert check(io.BytesIO(without)).about["key_id"] == key_id(key)
    restore(io.BytesIO(with_key), home / "with", Disk())
    assert read_key(Layout(home / "with")) == key
    assert Layout(home / "with").retired_key("2026-01-01").exists()
    for data in (without, with_key):
        names = check(io.BytesIO(data)).files
        assert not {name.partition("/")[0] for name in names} & (LEFT_OUT.keys() - {"journal", "parquet"})
        assert b"secret" not in zstandard.ZstdDecompressor().decompressobj().decompress(data)


def test_secrets_of_other_places_stay(filled: Layout, home: Path) -> None:
    """Files that are named like credentials are left out wherever they lie; all others are taken."""
    folder = filled.home / "cursors"
    folder.mkdir()
    for name in ("hub.json", "hub.token", "client.pem", "hub.key", "daily_tokens.parquet"):
        (folder / name).write_text(name)
    names = {name for name in check(io.BytesIO(backup_of(filled))).files if name.startswith("cursors/")}
    assert names == {"cursors/hub.json", "cursors/daily_tokens.parquet"}


def test_a_given_key_is_put_in_place(filled: Layout, home: Path) -> None:
    """For a backup without one, by who kept it elsewhere."""
    restore(io.BytesIO(backup_of(filled)), home / "two", Disk(), filled.key.read_bytes())
    assert read_key(Layout(home / "two")) == read_key(filled)


def test_a_folder_with_anything_in_it_is_refused(filled: Layout, home: Path) -> None:
    """An empty one is fine."""
    target = home / "two"
    target.mkdir()
    (target / "file").touch()
    with pytest.raises(NotEmptyError, match="not empty"):
        restore(io.BytesIO(backup_of(filled)), target, Disk())
    (target / "file").unlink()
    restore(io.BytesIO(backup_of(filled)), target, Disk())
    assert record_names(Layout(target)) == ["a", "b", "c", "d", "e"]


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 1, exclude_max=True), kind=st.sampled_from(["cut", "flip", "drop"]))
def test_a_damaged_backup_restores_nothing(whole: bytes, home: Path, share: float, kind: str) -> None:
    """Cut anywhere, one bit flipped anywhere, a byte lost anywhere: an error, and no folder, not even a hidden one."""
    data = bytearray(whole)
    at = int(share * len(data))
    if kind == "cut":
        del data[at:]
    elif kind == "flip":
        data[at] ^= 1
    else:
        del data[at]
    before = left_in(home)
    try:
        restore(io.BytesIO(bytes(data)), home / "two", Disk())
    except ArchiveError:
        assert left_in(home) == before
    else:  # a bit that nothing reads: every byte that counts was checked
        assert record_names(Layout(home / "two")) == ["a", "b", "c", "d", "e"]
        shutil.rmtree(home / "two")


def rewritten(data: bytes, change: Any) -> bytes:
    """The same archive with the members that `change` makes of its own."""
    source, target = io.BytesIO(zstandard.ZstdDecompressor().decompressobj().decompress(data)), io.BytesIO()
    with tarfile.open(fileobj=source) as old, tarfile.open(fileobj=target, mode="w") as new:
        for info in old:
            file = old.extractfile(info)
            assert file
            for name, body in change(info.name, file.read()):
                info.name, info.size = name, len(body)
                new.addfile(info, io.BytesIO(body))
    return zstandard.ZstdCompressor().compress(target.getvalue())


def _renamed_to(name: str) -> Any:
    return lambda old, body: [(name if old == "config.toml" else old, body)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_renamed_to("../outside"), "no backup of ours does"),
        (_renamed_to("/etc/outside"), "no backup of ours does"),
        (_renamed_to("token"), "no backup of ours does"),
        (_renamed_to("other.toml"), "config.toml is missing"),
        (lambda old, body: [(old, body), *([("more", b"")] if old == "config.toml" else [])], "does not know"),
        (lambda old, body: [(old, body + b"#" if old == "config.toml" else body)], "config.toml is damaged"),
        (lambda old, body: [] if old == "manifest.json" else [(old, body)], "cut off"),
        (lambda old, body: [] if old == "backup.json" else [(old, body)], "no backup of telem-agent"),
        (lambda old, body: [(old, body.replace(b'"format": 1', b'"format": 2'))], "use a newer one"),
        (lambda old, body: [(old, b"[]" if old == "backup.json" else body)], "cannot be read|format None"),
    ],
    ids=["above", "root", "token", "renamed", "added", "changed", "no manifest", "no header", "format", "no object"],
)
def test_a_forged_archive_restores_nothing(whole: bytes, home: Path, change: Any, message: str) -> None:
    """Names that lead elsewhere, files that were added, exchanged or lost, another format."""
    before = left_in(home)
    with pytest.raises(ArchiveError, match=message):
        restore(io.BytesIO(rewritten(whole, change)), home / "two", Disk())
    assert left_in(home) == before
    assert not (home.parent / "outside").exists()


def test_a_manifest_that_counts_other_rows_is_refused(whole: bytes, home: Path) -> None:
    """The rows in each file are counted again before it is believed."""

    def change(old: str, body: bytes) -> list[tuple[str, bytes]]:
        if old != "manifest.json":
            return [(old, body)]
        said = orjson.loads(body)
        said["files"]["journal/logs/s-000000000003.ndjson"]["days"] = {"2026-01-31": 7}
        return [(old, orjson.dumps(said))]

    with pytest.raises(ArchiveError, match="the manifest says 7"):
        restore(io.BytesIO(rewritten(whole, change)), home / "two", Disk())


def test_other_files_are_no_backups() -> None:
    """Whatever they are."""
    for data in (
        b"",
        b"hello",
        zstandard.ZstdCompressor().compress(b"hello"),
        zstandard.ZstdCompressor().compress(b""),
    ):
        with pytest.raises(ArchiveError):
            read(io.BytesIO(data), lambda _name: None)


def test_tar_and_zstd_read_it_too(whole: bytes) -> None:
    """The form is open: no program of ours is needed to get at the files."""
    raw = zstandard.ZstdDecompressor().decompressobj().decompress(whole)
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        names = tar.getnames()
    assert (names[0], names[-1]) == ("backup.json", "manifest.json")
    assert "journal/logs/s-000000000003.ndjson" in names


def test_what_was_purged_since_stays_out(home: Path, gate: Gate) -> None:
    """Of a backup that nobody knew of: told by the tombstones of the folder it was made of, also under another key."""
    layout = home_of(home / "one")
    for number, sessions in enumerate((("gone", "here"), ("here", "gone", "here")), 1):
        records = [{"event.name": "user_prompt", "session.id": name, "n": number} for name in sessions]
        request = raw(LOGS, logs(*records, time_ns=NOW_NS))
        made = gate.sanitize(decode(request), gate.request_id(request))
        (parquet if number % 2 else segment)(layout, number, made)
    manifest.note(layout, LOGS, DAY, Disk())
    close(layout, "2026-02-01", Disk())
    old = backup_of(layout)
    tombstones.add(layout, Disk(), load_key(layout, Disk()), "session", "gone")
    purged = Purged(tombstones.said_by(layout.tombstones), origin.read(layout))
    done = restore(io.BytesIO(old), home / "two", Disk(), purged=[purged])
    two = Layout(home / "two")
    assert done.left_out == 3  # two rows and a sum
    assert asked(two, "SELECT session_id, count(*) FROM raw_logs GROUP BY 1") == [("here", 3)]
    assert b"gone" not in b"".join(path.read_bytes() for path in two.home.rglob("*") if path.is_file())
    assert (verify(two, deep=True).damaged, next_segment(two)) == ([], 3)
    assert tombstones.read(two, load_key(two, Disk())).holds("session", "gone")
    other = Purged(purged.said, origin.Origin("other"))
    assert restore(io.BytesIO(old), home / "three", Disk(), purged=[other]).left_out == 0
    tombstones.add_before(layout, Disk(), load_key(layout, Disk()), 1 << 60)
    purged = Purged(tombstones.said_by(layout.tombstones))
    restore(io.BytesIO(old), home / "four", Disk(), purged=[purged])
    assert asked(Layout(home / "four"), "SELECT count(*) FROM raw_logs") == [(0,)]
    later = restore(io.BytesIO(backup_of(layout)), home / "five", Disk(), purged=[purged])
    assert later.left_out == 0  # what came after a purge of a time, stays


def test_a_restored_folder_is_another_one_and_knows_whose_it_was(filled: Layout, home: Path) -> None:
    """Days up to the backup are its parent's, later ones its own; also over two restorings."""
    mine = origin.read(filled)
    restore(io.BytesIO(backup_of(filled, with_key=True)), home / "two", Disk())
    two = origin.read(Layout(home / "two"))
    restore(io.BytesIO(backup_of(Layout(home / "two"))), home / "three", Disk())
    three = origin.read(Layout(home / "three"))
    assert len({mine.id, two.id, three.id}) == 3
    assert three.of_day("2026-01-01") == two.of_day("2026-01-01") == mine.id
    assert (two.of_day("2999-01-01"), three.of_day("2999-01-01")) == (two.id, three.id)
    assert three.shared_until(mine) == mine.shared_until(three) == two.past[0].until
    assert (mine.shared_until(mine), mine.shared_until(origin.Origin("x"))) == (origin.ALWAYS, "")
    assert mine.has(mine.id, "2999-01-01")
