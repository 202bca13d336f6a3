"""Finding one user's rows among millions without an index in memory: binary search over sorted columns."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from serving.complements import Key
from serving.manifest import ReleaseError
from warehouse.streamed import row_groups

_CODES = pa.dictionary(pa.int32(), pa.string())
_OF_USER = ("user_id", "probability", "percentile", "state", "model_version")
TEXTS_OF_SCORES = ("target", "state", "model_version")
"""The columns of long scores to read as codes: few values each."""
_NO_SCORES = pa.schema(
    [
        ("user_id", pa.string()),
        *((name, pa.float64()) for name in _OF_USER[1:3]),
        *((name, _CODES) for name in _OF_USER[3:]),
    ]
).empty_table()


class SortedRows:
    """A table sorted by one text column, of which the rows of one value are asked for.

    Texts repeat, so a column of them is held as numbers of its values, and the column sorted by as the row where each
    of its values begins: 20 suggestions of a customer take 560 bytes.
    """

    def __init__(self, by: str, table: pa.Table) -> None:
        self._take(by, {name: table[name] for name in table.column_names})

    @classmethod
    def read(cls, by: str, path: Path, schema: pa.Schema, columns: Sequence[str] | None = None) -> SortedRows:
        """Those of a Parquet file of that schema, or some columns of them, a row group at a time."""
        wanted = list(columns or schema.names)
        texts = [name for name in wanted if pa.types.is_string(schema.field(name).type)]
        kinds = pa.schema([(name, _CODES if name in texts else schema.field(name).type) for name in wanted])
        chunks: dict[str, list[pa.Array]] = {name: [] for name in wanted}
        for group in row_groups(path, wanted, texts):
            for name, column in zip(wanted, group.cast(kinds).columns, strict=True):
                chunks[name] += column.chunks
        made = cls.__new__(cls)
        made._take(by, {name: pa.chunked_array(chunks.pop(name), kinds.field(name).type) for name in wanted})
        pa.default_memory_pool().release_unused()
        return made

    def _take(self, by: str, columns: dict[str, pa.ChunkedArray]) -> None:
        """Makes the columns its own, one after the other, so that most are held once."""
        self.by = by
        of = _in_one_piece(_as_codes(columns.pop(by)))
        codes = of.indices.to_numpy() if len(of) else np.empty(0, np.int64)
        starts = np.flatnonzero(np.diff(codes, prepend=-1))
        self.keys = _Texts(of.dictionary.take(pa.array(codes[starts])), strictly=True)
        self._starts = np.append(starts, len(of))
        self._columns: dict[str, pa.Array] = {}
        for name in list(columns):
            column = columns.pop(name)
            self._columns[name] = _in_one_piece(_as_codes(column) if pa.types.is_string(column.type) else column)

    def __len__(self) -> int:
        return int(self._starts[-1])

    def of(self, key: str) -> list[dict[str, Any]]:
        """The rows of that key in their order; none for an unknown key."""
        place = self.keys.place(key)
        if place is None:
            return []
        start, end = self._starts[place], self._starts[place + 1]
        columns = [_plain(column.slice(start, end - start)).to_pylist() for column in self._columns.values()]
        names = (self.by, *self._columns)
        return [dict(zip(names, (key, *row), strict=True)) for row in zip(*columns, strict=True)]

    def values(self, name: str) -> pa.Array:
        """The different values of a column, in no order."""
        return self.keys.texts if name == self.by else pc.unique(self._columns[name])


@dataclass(frozen=True)
class OneTarget:
    """The scores of one target and horizon, aligned with the users."""

    model_version: str
    probability: npt.NDArray[np.float64]
    percentile: npt.NDArray[np.float64]
    state: pa.DictionaryArray


class Columns:
    """The scores of a release as columns aligned with its users; NaN inside stands for null."""

    def __init__(self, users: pa.ChunkedArray, targets: Mapping[Key, OneTarget]) -> None:
        self.users = users
        self.targets = dict(targets)
        self._ids = _Texts(users)
        self._reference = {key: _sorted_known(one.probability) for key, one in targets.items()}

    @classmethod
    def from_long(cls, users: pa.ChunkedArray, scores: Iterable[pa.Table], keys: Iterable[Key]) -> Columns:
        """Columns from long scores in chunks, sorted by user; `ReleaseError` where a target scores other users."""
        found: dict[Key, list[pa.Table]] = {key: [] for key in keys}
        for chunk in scores:
            for key, parts in found.items():
                mine = (pc.field("target") == key[0]) & (pc.field("horizon_days") == key[1])
                parts.append(chunk.filter(mine).select(_OF_USER))
        targets = {}
        for key, parts in found.items():
            mine = pa.concat_tables(parts).unify_dictionaries() if parts else _NO_SCORES
            if not _same(mine["user_id"], users):
                raise ReleaseError(f"The scores of {key[0]} are not of the users the release has features of.")
            targets[key] = OneTarget(
                model_version=mine["model_version"][0].as_py() if mine.num_rows else "",
                probability=_numbers(mine["probability"]),
                percentile=_numbers(mine["percentile"]),
                state=mine["state"].combine_chunks(),
            )
            parts.clear()
        return cls(users, targets)

    def __len__(self) -> int:
        return len(self.users)

    @property
    def reference(self) -> Mapping[Key, npt.NDArray[np.float64]]:
        """Sorted probabilities of each target's population, against which percentiles are read."""
        return self._reference

    def row(self, user_id: str) -> int | None:
        """The place of a user among the sorted ids; None for one the release does not know."""
        return self._ids.place(user_id)

    def of(self, user_id: str) -> list[dict[str, Any]] | None:
        """The scores of one user, one entry per target and horizon; None for an unknown one."""
        row = self.row(user_id)
        return None if row is None else [_entry(key, one, row) for key, one in self.targets.items()]


class _Texts:
    """Sorted texts with binary search; Arrow sorts by UTF-8 bytes, which is the order Python compares texts in."""

    def __init__(self, texts: pa.ChunkedArray | pa.Array, strictly: bool = False) -> None:
        chunked = pa.chunked_array([texts]) if isinstance(texts, pa.Array) else texts
        self.texts = chunked.cast(pa.large_string()).combine_chunks()
        right = pc.less if strictly else pc.less_equal
        if len(self.texts) > 1 and not pc.all(right(self.texts[:-1], self.texts[1:])).as_py():
            raise ReleaseError("A table of the release is not sorted by its id.")

    def place(self, key: str) -> int | None:
        """Where the first text equal to `key` is; None where there is none."""
        texts, positions = self.texts, range(len(self.texts))

        def at(position: int) -> str:
            text: str = texts[position].as_py()
            return text

        place = bisect_left(positions, key, key=at)
        return place if place < len(positions) and at(place) == key else None


def _as_codes(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column if pa.types.is_dictionary(column.type) else column.cast(pa.string()).dictionary_encode()


def _in_one_piece(column: pa.ChunkedArray) -> pa.Array:
    return column.unify_dictionaries().combine_chunks()


def _plain(column: pa.Array) -> pa.Array:
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def _numbers(column: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    numbers: npt.NDArray[np.float64] = column.combine_chunks().to_numpy(zero_copy_only=False)
    return numbers


def _sorted_known(numbers: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.sort(numbers[~np.isnan(numbers)])


def _same(left: pa.ChunkedArray, right: pa.ChunkedArray) -> bool:
    return bool(left.cast(pa.string()).equals(right.cast(pa.string())))


def _entry(key: Key, one: OneTarget, row: int) -> dict[str, Any]:
    return {
        "target": key[0],
        "horizon_days": key[1],
        "probability": _finite(one.probability[row]),
        "percentile": _finite(one.percentile[row]),
        "state": one.state[row].as_py(),
        "model_version": one.model_version,
    }


def _finite(number: np.float64) -> float | None:
    value = float(number)
    return value if value == value and abs(value) != float("inf") else None


def sorted_table(directory: Path, name: str, schema: pa.Schema) -> SortedRows:
    """A table of a release by customer; without rows where the release has none of it."""
    path = directory / "tables" / f"{name}.parquet"
    return (
        SortedRows.read("entity_id", path, schema) if path.exists() else SortedRows("entity_id", schema.empty_table())
    )
