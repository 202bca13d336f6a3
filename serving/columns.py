"""Finding one user's rows among millions without an index in memory: binary search over sorted columns."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from serving.complements import Key
from serving.manifest import ReleaseError


class SortedRows:
    """A table sorted by one text column, of which the rows of one value are asked for."""

    def __init__(self, by: str, table: pa.Table) -> None:
        self.table = table.combine_chunks() if table.num_rows else table
        self.keys = _Texts(table[by])

    def of(self, key: str) -> list[dict[str, Any]]:
        """The rows of that key in their order; none for an unknown key."""
        start, end = self.keys.span(key)
        rows: list[dict[str, Any]] = self.table.slice(start, end - start).to_pylist() if end > start else []
        return rows


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
    def from_long(cls, users: pa.ChunkedArray, scores: pa.Table, keys: Iterable[Key]) -> Columns:
        """Columns from long scores; `ReleaseError` where a target does not score exactly those users."""
        targets = {}
        for key in keys:
            mine = scores.filter((pc.field("target") == key[0]) & (pc.field("horizon_days") == key[1]))
            mine = mine.take(pc.sort_indices(mine["user_id"]))
            if not _same(mine["user_id"], users):
                raise ReleaseError(f"The scores of {key[0]} are not of the users the release has features of.")
            targets[key] = OneTarget(
                model_version=mine["model_version"][0].as_py() if mine.num_rows else "",
                probability=_numbers(mine["probability"]),
                percentile=_numbers(mine["percentile"]),
                state=mine["state"].combine_chunks().dictionary_encode(),
            )
        return cls(users, targets)

    def __len__(self) -> int:
        return len(self.users)

    @property
    def reference(self) -> Mapping[Key, npt.NDArray[np.float64]]:
        """Sorted probabilities of each target's population, against which percentiles are read."""
        return self._reference

    def row(self, user_id: str) -> int | None:
        """The place of a user among the sorted ids; None for one the release does not know."""
        start, end = self._ids.span(user_id)
        return start if end > start else None

    def of(self, user_id: str) -> list[dict[str, Any]] | None:
        """The scores of one user, one entry per target and horizon; None for an unknown one."""
        row = self.row(user_id)
        return None if row is None else [_entry(key, one, row) for key, one in self.targets.items()]


class _Texts:
    """Sorted texts with binary search; Arrow sorts by UTF-8 bytes, which is the order Python compares texts in."""

    def __init__(self, texts: pa.ChunkedArray) -> None:
        self._texts = pa.chunked_array(texts.chunks, type=texts.type).cast(pa.large_string()).combine_chunks()
        order = self._texts
        if len(order) > 1 and not pc.all(pc.less_equal(order[:-1], order[1:])).as_py():
            raise ReleaseError("A table of the release is not sorted by its id.")

    def span(self, key: str) -> tuple[int, int]:
        texts, positions = self._texts, range(len(self._texts))

        def at(position: int) -> str:
            text: str = texts[position].as_py()
            return text

        start = bisect_left(positions, key, key=at)
        return start, bisect_right(positions, key, lo=start, hi=min(start + 128, len(positions)), key=at)


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
