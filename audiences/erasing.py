"""Lists of a workspace without some users: audiences, and exports that lie in its folder."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from audiences.exports.cells import unquote
from audiences.exports.writing import write_table
from audiences.publishing import MANIFEST
from warehouse.errors import RepriseError
from warehouse.files import atomic_directory, atomic_file, exchange, sha256, write_text
from warehouse.workspace import Workspace

_BOM = "\ufeff"
_SUFFIXES = (".csv", ".parquet", ".jsonl")
_OURS = frozenset({"user_id", "as_of", "release"})
"""The columns every list of ours has, audiences and exports alike."""


def audience_folders(workspace: Workspace) -> list[Path]:
    """Every audience that was built."""
    return sorted(path.parent for path in workspace.audiences.glob(f"*/*/{MANIFEST}"))


def held(folder: Path, users: Collection[str]) -> int:
    """How many of them are in an audience."""
    return _count(pq.read_table(folder / "audience.parquet", columns=["user_id"]), users)


def without(folder: Path, users: Collection[str]) -> None:
    """Writes an audience anew without them; its manifest counts them under `erased`."""
    told: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    audience = pq.read_table(folder / "audience.parquet")
    kept = _others(audience, users)
    arms = pc.value_counts(_theirs(audience, users).column("arm")).to_pylist() if "arm" in audience.column_names else []
    counts = told["counts"]
    for arm in arms:
        counts[arm["values"]] -= arm["counts"]
        counts["left"] -= arm["counts"]
    counts["erased"] = counts.get("erased", 0) + audience.num_rows - kept.num_rows
    fresh = folder.with_name(f".writing-erased-{folder.name}")
    shutil.rmtree(fresh, ignore_errors=True)
    with atomic_directory(fresh) as made:
        for name in told["files"]:
            write_table(kept, made / name, Path(name).suffix, told["csv_mode"])
            told["files"][name] = sha256(made / name)
        write_text(made / MANIFEST, json.dumps(told, ensure_ascii=False, indent=2) + "\n")
    exchange(fresh, folder)
    shutil.rmtree(fresh)


def lists_of(workspace: Workspace, users: Collection[str], inputs: Collection[Path]) -> Iterator[tuple[Path, bool]]:
    """Files in the workspace outside its own folders that list one of them by user_id, and whether they are ours.

    `inputs` are the user's own files (resolved), which are not looked at.
    """
    own = {workspace.store, workspace.snapshots, workspace.models, workspace.releases, workspace.audiences}
    own |= {workspace.exposures}
    for path in sorted(workspace.root.rglob("*")):
        if path.suffix not in _SUFFIXES or not path.is_file() or path.resolve() in inputs or own & set(path.parents):
            continue
        found = _List.read(path)
        if found is not None and found.without(users).rows < found.rows:
            yield path, found.names >= _OURS or _manifest_of(path).exists()


def rewrite(path: Path, users: Collection[str]) -> None:
    """Writes an export of ours anew without them, and its manifest where it has one; other lines stay as they are."""
    found = _List.read(path)
    if found is None:
        raise RepriseError(f"{path} cannot be read any more.", hint="Delete it if it is not needed.")
    kept = found.without(users)
    with atomic_file(path) as temporary:
        kept.write(temporary)
        digest = sha256(temporary)
    beside = _manifest_of(path)
    if beside.exists():
        told: dict[str, Any] = json.loads(beside.read_text(encoding="utf-8")) | {"rows": kept.rows, "sha256": digest}
        write_text(beside, json.dumps(told, ensure_ascii=False, indent=2) + "\n")


@dataclass(frozen=True)
class _List:
    """A file with a column user_id: a table, or the lines of a text as they stand there, each with its id."""

    names: frozenset[str]
    table: pa.Table | None
    head: str = ""
    lines: tuple[tuple[str, str], ...] = ()

    @property
    def rows(self) -> int:
        return len(self.lines) if self.table is None else self.table.num_rows

    @classmethod
    def read(cls, path: Path) -> _List | None:
        """The list in a file; None where it is none, or none that can be read."""
        try:
            if path.suffix == ".parquet":
                table = pq.read_table(path)
                return cls(frozenset(table.column_names), table) if "user_id" in table.column_names else None
            with path.open(encoding="utf-8", newline="") as file:
                text = file.read()
            return cls._of_json(text) if path.suffix == ".jsonl" else cls._of_csv(text)
        except (pa.ArrowException, OSError, UnicodeDecodeError, ValueError, csv.Error, KeyError, TypeError):
            return None

    @classmethod
    def _of_json(cls, text: str) -> _List:
        rows = [(json.loads(line), line) for line in text.splitlines(keepends=True)]
        names = frozenset(name for row, _ in rows for name in row)
        return cls(names, None, "", tuple((str(row["user_id"]), line) for row, line in rows))

    @classmethod
    def _of_csv(cls, text: str) -> _List | None:
        head, *lines = _records(text)
        names = [unquote(name) for name in next(csv.reader([head.removeprefix(_BOM)]))]
        if "user_id" not in names:
            return None
        place, safe = names.index("user_id"), head.startswith(_BOM)
        ids = [next(csv.reader([line]))[place] for line in lines]
        pairs = zip((unquote(one) for one in ids) if safe else ids, lines, strict=True)
        return cls(frozenset(names), None, head, tuple(pairs))

    def without(self, users: Collection[str]) -> _List:
        """The same list without them."""
        if self.table is not None:
            return replace(self, table=_others(self.table, users))
        return replace(self, lines=tuple(pair for pair in self.lines if pair[0] not in users))

    def write(self, path: Path) -> None:
        if self.table is not None:
            pq.write_table(self.table, path, compression="zstd")
            return
        with path.open("w", encoding="utf-8", newline="") as file:
            file.write(self.head)
            file.writelines(line for _, line in self.lines)


def _records(text: str) -> list[str]:
    """The records of a CSV as they stand there: a line end inside quotes ends none."""
    found, waiting = [], ""
    for line in text.splitlines(keepends=True):
        waiting += line
        if waiting.count('"') % 2 == 0:
            found.append(waiting)
            waiting = ""
    return [*found, waiting] if waiting else found


def _manifest_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.manifest.json")


def _hits(table: pa.Table, users: Collection[str]) -> pa.ChunkedArray:
    ids = table.column("user_id").cast(pa.string())
    return pc.is_in(ids, value_set=pa.array(sorted(users), pa.string()))


def _count(table: pa.Table, users: Collection[str]) -> int:
    return int(pc.sum(_hits(table, users)).as_py() or 0)


def _theirs(table: pa.Table, users: Collection[str]) -> pa.Table:
    return table.filter(_hits(table, users))


def _others(table: pa.Table, users: Collection[str]) -> pa.Table:
    return table.filter(pc.invert(_hits(table, users)))
