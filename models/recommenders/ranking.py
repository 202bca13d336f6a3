"""From strengths to lists: the best k, in one total order, never padded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from models.recommenders.history import stretches

_DIGITS = 6
_GROUP = 64
_LONG = 2048
_SORTED_AT_ONCE = 500_000
_FEW, _LARGEST = 500, 2**62
DIGIT = 10.0**-_DIGITS
"""The last digit to which computed strengths count."""


@dataclass(frozen=True)
class Ranked:
    """One list of items per row, best first.

    `items` (n, k) int32 are item rows, −1 beyond the end of a list; `strength` (n, k) float64 is finite, 0 beyond
    the end; `counts` (n,) says how long each list is. Within a list no item is there twice, and the order is
    total: strength descending, popularity descending, id ascending.
    """

    items: npt.NDArray[np.int32]
    strength: npt.NDArray[np.float64]
    counts: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.counts)

    @classmethod
    def joined(cls, parts: list[Ranked], k: int) -> Ranked:
        """The lists of all parts, one after another."""
        if not parts:
            return cls(np.empty((0, k), np.int32), np.empty((0, k)), np.empty(0, np.int32))
        return cls(
            np.concatenate([p.items for p in parts]),
            np.concatenate([p.strength for p in parts]),
            np.concatenate([p.counts for p in parts]),
        )


def rank(
    strengths: Any,
    k: int,
    place: npt.NDArray[np.int64],
    blocked: Any = None,
    rounded: bool = False,
) -> Ranked:
    """The best `k` items of every row.

    `strengths` is a csr_matrix (only its entries may be suggested) or a float64 array that is overwritten (−inf:
    may not be suggested), both (n, items); `place` (items,) breaks ties; `blocked` is a csr_matrix (n, items)
    whose entries are left out. `rounded`: strengths are computed, so they count to six digits, that ties do not hang
    on the last bit, and only where they are above 0.
    """
    n = strengths.shape[0]
    if not isinstance(strengths, np.ndarray):
        return _rank_csr(strengths, k, place, blocked, rounded)
    if blocked is not None:
        strengths[blocked.nonzero()] = -np.inf
    rows, columns = _candidates(np.ascontiguousarray(strengths), k, DIGIT if rounded else 0.0)
    return rank_entries(rows, columns, strengths[rows, columns], n, k, place, rounded=rounded)


def counted(strengths: Any) -> Any:
    """Strengths to six digits, −inf where that is not above 0."""
    digits = np.round(strengths, _DIGITS)
    return np.where(digits > 0, digits, -np.inf)


def _rank_csr(strengths: Any, k: int, place: npt.NDArray[np.int64], blocked: Any, rounded: bool) -> Ranked:
    most = k + (int(np.diff(blocked.indptr).max(initial=0)) if blocked is not None else 0)
    some = _likely(strengths.data, strengths.indptr, most, DIGIT if rounded else 0.0)
    rows = np.searchsorted(strengths.indptr, some, side="right") - 1
    columns, values = strengths.indices[some], strengths.data[some]
    return rank_entries(rows, columns, values, strengths.shape[0], k, place, blocked, rounded)


def _likely(values: Any, indptr: Any, k: int, margin: float) -> npt.NDArray[np.int64]:
    """The places of entries at least as strong as the k-th of their row, less a margin: to sort them all takes longer.

    Short rows are laid side by side, those of about the same length; long ones are gone through one by one.
    """
    starts, lengths = indptr[:-1].astype(np.int64), np.diff(indptr).astype(np.int64)
    floor = np.full(len(lengths), -np.inf)
    widths = np.where(lengths > 2 * k, 1 << np.ceil(np.log2(np.maximum(lengths, 1))).astype(np.int64), 0)
    for width in np.unique(widths[(widths > 0) & (widths <= _LONG)]):
        alike = np.flatnonzero(widths == width)
        for some in np.array_split(alike, 1 + len(alike) * int(width) // _SORTED_AT_ONCE):
            there = np.arange(width) < lengths[some][:, None]
            beside = np.where(there, values[np.where(there, starts[some][:, None] + np.arange(width), 0)], -np.inf)
            floor[some] = np.partition(beside, width - k, axis=1)[:, width - k]
    short = np.flatnonzero(widths <= _LONG)
    places = stretches(starts[short], lengths[short])
    found = [places[values[places] >= np.repeat(floor[short] - margin, lengths[short])]]
    for row in np.flatnonzero(widths > _LONG):
        mine = values[starts[row] : starts[row] + lengths[row]]
        found.append(starts[row] + _candidates(mine[None], k, margin)[1])
    return np.concatenate(found)


def _candidates(strengths: npt.NDArray[np.floating[Any]], k: int, margin: float) -> tuple[Any, Any]:
    """Entries at least as strong as the k-th of their row, less a margin: all that can be in the list, ties included.

    Only groups of columns that reach it are looked into.
    """
    if k < 1 or not strengths.size:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    body, rest = _grouped(strengths, k)
    peaks = body.max(axis=1)
    floor = np.maximum(_kth(peaks, k) - margin, np.finfo(strengths.dtype).min)
    rows, group = np.nonzero(peaks >= floor[:, None])
    found, step = np.nonzero(body[rows, :, group] >= floor[rows, None])
    last_rows, last = np.nonzero(rest >= floor[:, None])
    _, size, groups = body.shape
    columns = np.concatenate([step * groups + group[found], groups * size + last])
    return np.concatenate([rows[found], last_rows]), columns


def floors(strengths: npt.NDArray[np.floating[Any]], k: int) -> npt.NDArray[np.floating[Any]]:
    """For each row what its k-th largest is at least; its smallest is, where there are fewer."""
    if not strengths.size:
        return np.full(len(strengths), -np.inf)
    return _kth(_grouped(strengths, k)[0].max(axis=1), k)


def _grouped(strengths: Any, k: int) -> tuple[Any, Any]:
    """(rows, size, groups), where columns a stride apart form a group, and the few columns that are left over.

    The k-th largest of the groups' maxima is at most the k-th largest value, so one pass over the array is enough.
    """
    n, columns = strengths.shape
    size = max(1, min(_GROUP, columns // (4 * k)))
    groups = columns // size
    return strengths[:, : groups * size].reshape(n, size, groups), strengths[:, groups * size :]


def _kth(values: npt.NDArray[Any], k: int) -> npt.NDArray[Any]:
    """The k-th largest of each row; the smallest where there are fewer."""
    columns = values.shape[1]
    found = np.partition(values, columns - k, axis=1)[:, columns - k] if k < columns else values.min(axis=1)
    return np.asarray(found)


def _entries_among(rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int32], blocked: Any) -> npt.NDArray[np.bool_]:
    width = blocked.shape[1]
    blocked_rows, blocked_columns = blocked.nonzero()
    return np.isin(rows * width + columns, blocked_rows.astype(np.int64) * width + blocked_columns)


def rank_entries(
    rows: Any,
    columns: Any,
    values: Any,
    n: int,
    k: int,
    place: npt.NDArray[np.int64],
    blocked: Any = None,
    rounded: bool = False,
) -> Ranked:
    """As `rank`, of n customers from entries in any order: their rows, item rows and strengths, each there once."""
    if rounded:
        values = counted(values)
    keep = np.isfinite(values)
    if blocked is not None:
        keep &= ~_entries_among(rows, columns, blocked)
    rows, columns, values = rows[keep], columns[keep], values[keep]
    order = _order(rows, n, values, place[columns], len(place))
    rows, columns, values = rows[order], columns[order], values[order]
    starts = np.searchsorted(rows, np.arange(n + 1))
    position = np.arange(len(rows)) - starts[rows]
    keep = position < k
    ranked = Ranked(np.full((n, k), -1, np.int32), np.zeros((n, k)), np.minimum(np.diff(starts), k).astype(np.int32))
    ranked.items[rows[keep], position[keep]] = columns[keep]
    ranked.strength[rows[keep], position[keep]] = values[keep]
    return ranked


def _order(rows: Any, n: int, values: Any, places: Any, items: int) -> Any:
    """The order by row, then strength, the highest first, then place."""
    if len(rows) < _FEW or n * len(rows) * items >= _LARGEST:
        return np.lexsort((_short(places, items), -values, _short(rows, n)))
    # Many are sorted quicker as one whole number each; no two are the same, so any way of sorting will do.
    falling = np.argsort(-values)
    steps = np.empty(len(rows), np.int64)
    steps[falling] = np.concatenate([[0], np.cumsum(np.diff(values[falling]) != 0)])
    return np.argsort((rows.astype(np.int64) * len(rows) + steps) * items + places)


def _short(numbers: Any, below: int) -> Any:
    """The same in two bytes where that is room enough: such are sorted in one go."""
    return numbers.astype(np.uint16) if below <= np.iinfo(np.uint16).max else numbers


def fitting(allowed: npt.NDArray[np.bool_], items: int) -> None:
    """`ValueError` where there is not one truth value per item."""
    if allowed.shape != (items,):
        raise ValueError(f"allowed has shape {allowed.shape}; expected one truth value per item: {items}")


def only(strengths: Any, allowed: npt.NDArray[np.bool_] | None) -> Any:
    """Leaves the allowed items; a strength of the others becomes −inf."""
    if allowed is None:
        return strengths
    fitting(allowed, strengths.shape[1])
    if isinstance(strengths, np.ndarray):
        strengths[:, ~allowed] = -np.inf
    else:
        strengths.data = np.where(allowed[strengths.indices], strengths.data, -np.inf)
    return strengths


def marked(lists_of_rows: Sequence[npt.ArrayLike], items: int) -> Any:
    """The (n, items) csr_matrix with ones at the item rows of each list; rows that are no item are left out."""
    lists = [np.asarray(rows, dtype=np.int64) for rows in lists_of_rows]
    owner = np.repeat(np.arange(len(lists)), [len(r) for r in lists])
    columns = np.concatenate([np.empty(0, np.int64), *lists])
    known = (columns >= 0) & (columns < items)
    return csr_matrix((np.ones(known.sum()), (owner[known], columns[known])), shape=(len(lists), items))
