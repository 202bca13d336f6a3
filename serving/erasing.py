"""A release without some users: the same answers for everybody else, to the bit, under the same name.

The folder is made anew beside the old one, with a manifest of its own, and the two change places in one step; what
serves it notices and takes up the new one.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from models.recommenders.interactions import Interactions
from models.recommenders.plain_arrays import read_arrays, write_arrays
from serving.manifest import ReleaseError, check_files, write_manifest
from warehouse.files import atomic_directory, exchange

_RECOMMENDER = "recommender.npz"
_OF_ENTITIES = ("features", "golden", "scores", "suggestions")


@dataclass(frozen=True)
class Gone:
    """Whom a release is to forget: `users` by user_id, `entities` by the key of its rows; users are both as a rule."""

    users: frozenset[str]
    entities: frozenset[str]


def holds(directory: Path, gone: Gone, key: bytes | None) -> int:
    """How many rows of a release are theirs; `ReleaseError` where it is damaged or not signed with the key."""
    check_files(directory, key)
    return sum(_held(path, gone) for path in _parquets(directory)) + _customers_held(directory, gone)


def without(directory: Path, gone: Gone, key: bytes | None) -> None:
    """Makes the release anew without them; who reads it meanwhile reads the old one or the new one, whole."""
    manifest = check_files(directory, key)
    fresh = directory.with_name(f".writing-erased-{directory.name}")
    shutil.rmtree(fresh, ignore_errors=True)
    with atomic_directory(fresh) as folder:
        for name in manifest["files"]:
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if name == _RECOMMENDER:
                _write_recommender(directory / name, target, gone)
            elif name.endswith(".parquet") and _held(directory / name, gone):
                _write_rows(directory / name, target, gone)
            else:
                shutil.copyfile(directory / name, target)
        write_manifest(folder, manifest["release"], date.fromisoformat(manifest["as_of"]), key)
    exchange(fresh, directory)
    shutil.rmtree(fresh)


def _parquets(directory: Path) -> list[Path]:
    return sorted(directory.rglob("*.parquet"))


def _columns(path: Path, names: Collection[str], gone: Gone) -> list[tuple[str, frozenset[str]]]:
    """The columns of a file that tell whose a row is, each with the ids to look for."""
    if path.stem in _OF_ENTITIES:
        return [(name, gone.entities) for name in ("entity_id", "user_id") if name in names]
    found = [("entity_id", gone.entities)] if "entity_id" in names else []
    return [*found, *([("user_id", gone.users)] if "user_id" in names else [])]


def _theirs(table: pa.Table, path: Path, gone: Gone) -> pa.ChunkedArray | pa.Array:
    hit = pa.repeat(pa.scalar(False), table.num_rows)
    for name, ids in _columns(path, table.column_names, gone):
        hit = pc.or_(hit, pc.is_in(table.column(name), value_set=_texts(ids)))
    return hit


def _named(table: pa.Table, gone: Gone) -> pa.ChunkedArray:
    return pc.is_in(table.column("referred_by"), value_set=_texts(gone.users))


def _texts(ids: Collection[str]) -> pa.Array:
    return pa.array(sorted(ids), pa.string())


def _held(path: Path, gone: Gone) -> int:
    """The rows of a file that are theirs, or name them."""
    count = 0
    with pq.ParquetFile(path) as file:
        names = file.schema_arrow.names
        wanted = [name for name in ("entity_id", "user_id", "referred_by") if name in names]
        for group in range(file.num_row_groups if wanted else 0):
            table = file.read_row_group(group, columns=wanted)
            hit = _theirs(table, path, gone)
            if "referred_by" in names:
                hit = pc.or_(hit, _named(table, gone))
            count += pc.sum(hit).as_py() or 0
    return count


def _write_rows(source: Path, target: Path, gone: Gone) -> None:
    """The rows of others, a row group at a time, every value as it was."""
    with pq.ParquetFile(source) as file, pq.ParquetWriter(target, file.schema_arrow, compression="zstd") as writer:
        for group in range(file.num_row_groups):
            table = file.read_row_group(group)
            table = table.filter(pc.invert(_theirs(table, source, gone)))
            if "referred_by" in table.column_names:
                place = table.column_names.index("referred_by")
                emptied = pc.if_else(_named(table, gone), None, table.column(place))
                table = table.set_column(place, table.schema.field(place), emptied)
            if table.num_rows:
                writer.write_table(table)


def _customers_held(directory: Path, gone: Gone) -> int:
    path = directory / _RECOMMENDER
    if not path.exists():
        return 0
    held = Interactions.from_arrays(read_arrays(path)).user_ids.cast(pa.string())
    return int(pc.sum(pc.is_in(held, value_set=_texts(gone.entities))).as_py() or 0)


def _write_recommender(source: Path, target: Path, gone: Gone) -> None:
    """The histories of others, each under its own id as before; items and what was learnt of them stay."""
    arrays = read_arrays(source)
    held = Interactions.from_arrays(arrays)
    learnt = {name: array for name, array in arrays.items() if name not in held.arrays()}
    write_arrays(target, learnt | held.without(gone.entities).arrays())


def unreadable(directory: Path, key: bytes | None) -> ReleaseError | None:
    """Why a release cannot be read, if it cannot: whom it holds is then not known."""
    try:
        check_files(directory, key)
    except ReleaseError as error:
        return error
    return None


def release_folders(releases: Path) -> list[Path]:
    """All releases, published or not."""
    if not releases.is_dir():
        return []
    return sorted(path for path in releases.iterdir() if path.is_dir() and not path.name.startswith("."))
