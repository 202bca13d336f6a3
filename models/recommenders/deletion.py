"""Reasons by deletion: which of the things a customer bought speaks most for a suggestion."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from models.recommenders.history import Floats, History, Rows
from models.recommenders.interactions import Interactions
from models.recommenders.meeting import meetings
from models.recommenders.ranking import rank

TRIED = 3
"""Of how many items of each customer it is tried out what strengths are without them, where no formula says."""
_LEAST = 1e-3
_TRIED_AT_ONCE = 4_000_000


def named(drops: Any, items: Rows, strength: Floats) -> Rows:
    """Per suggestion the item row whose deletion lowers its strength most, −1 where none lowers it by a thousandth.

    `drops` is the (n, items) csr_matrix of `Recommender.drops`, `items` what is suggested. Of equals the suggested item
    itself comes first, then the first by id.
    """
    n = len(items)
    if not n or not drops.nnz:
        return np.full(n, -1)
    drops.sum_duplicates()  # and sorts, so that the first of equals is the first by id
    most = drops.max(axis=1).toarray().ravel()
    row = np.repeat(np.arange(n), np.diff(drops.indptr))
    equal = np.flatnonzero(drops.data == most[row])
    first = equal[np.diff(row[equal], prepend=-1) > 0]
    best = np.full(n, -1)
    best[row[first]] = drops.indices[first]
    itself = np.asarray(drops[np.arange(n), items]).ravel()
    best = np.where(itself >= most, items, best)
    return np.where(most > _LEAST * np.maximum(np.abs(strength), np.finfo(np.float64).tiny), best, -1)


def of_itself(history: History, rows: Rows, items: Rows, drop: Floats) -> Any:
    """`drops` where nothing but the purchases of the suggested item itself bears on its strength."""
    return _itself(history.pattern, rows, items, drop)


def _itself(known: Any, rows: Rows, items: Rows, drop: Floats) -> Any:
    kept = np.asarray(known[rows, items]).ravel() > 0
    place = np.flatnonzero(kept)
    return csr_matrix((drop[kept], (place, items[kept])), shape=(len(rows), known.shape[1]))


def linear(taste: Any, weights: Any, rows: Rows, items: Rows) -> Any:
    """`drops` of strengths taste @ weights: each item's part of the sum. `weights` is a csr_matrix (items, items)."""
    met = meetings(taste, weights, rows, items)
    parts = taste.data[met.entry] * met.weight
    some = np.flatnonzero(parts)
    cells = (met.pair[some], taste.indices[met.entry[some]])
    return csr_matrix((parts[some], cells), shape=(len(rows), taste.shape[1]))


@dataclass(frozen=True)
class Parts:
    """The entries of `drops`, one after the other: of which suggestion, and which item of the history is deleted."""

    drops: Any
    suggestion: Rows
    item: Rows


def of_pairs(weights: Any, rows: Rows | None = None) -> Parts:
    """An entry for every suggestion and item of its history, to be filled; `weights` (n, items) is what it holds yet.

    `rows` says whose history each suggestion has; without it `weights` has a row for each suggestion.
    """
    drops = weights.copy() if rows is None else weights[rows].tocsr()
    suggestion = np.repeat(np.arange(drops.shape[0]), np.diff(drops.indptr))
    return Parts(drops, suggestion, drops.indices.astype(np.int64))


def by_customer(rows: Rows) -> Iterator[tuple[int, slice]]:
    """Of rising rows each one, and where its suggestions are."""
    users, starts = np.unique(rows, return_index=True)
    ends = np.append(starts[1:], len(rows))
    for user, start, end in zip(users, starts, ends, strict=True):
        yield int(user), slice(int(start), int(end))


def alike(held: Interactions, history: History, rows: Rows, items: Rows) -> Any:
    """(n, items) csr_matrix: how like each item of the history is to the suggested one, by common buyers × taste."""
    return linear(history.taste(), held.neighbours, rows, items)


def nearest(held: Interactions, history: History, rows: Rows, items: Rows, most: int) -> Any:
    """(n, items) csr_matrix of ones: for each suggestion the item itself where the customer knows it, and what is most
    like it; at most `most`."""
    itself = _itself(history.known, rows, items, np.full(len(rows), np.finfo(np.float32).max))
    return _kept((alike(held, history, rows, items) + itself).tocsr(), most, held.place)


def shared(likely: Any, rows: Rows, most: int, place: npt.NDArray[np.int64]) -> Any:
    """What is tried of each customer: of `likely` (n, items) the `most` items that are likest to all their suggestions.

    So a customer costs `most` histories, however many suggestions there are.
    """
    users, of = np.unique(rows, return_inverse=True)
    together = csr_matrix((np.ones(len(of)), (of, np.arange(len(of)))), shape=(len(users), len(of)))
    return likely.multiply(_kept((together @ likely).tocsr(), most, place)[of]).tocsr()


def _kept(likely: Any, most: int, place: npt.NDArray[np.int64]) -> Any:
    found = rank(likely, most, place)
    there = found.items >= 0
    row = np.nonzero(there)[0]
    return csr_matrix((np.ones(len(row)), (row, found.items[there])), shape=likely.shape)


Asked = Callable[[History, Rows, Rows], Floats]
"""The strengths of some (row of the history, item row) pairs, −inf where the item may not be suggested."""


def tried(strengths: Asked, candidates: Any, history: History, rows: Rows, items: Rows, strength: Floats) -> Any:
    """`drops` by computing the strengths of histories without one item each.

    `candidates` (n, items) says what is tried for each suggestion. An item that is no longer suggested at all without
    something falls by more than any number.
    """
    suggestion = np.repeat(np.arange(len(rows)), np.diff(candidates.indptr))
    item, width = candidates.indices.astype(np.int64), history.pattern.shape[1]
    asked, of = np.unique(rows[suggestion] * width + item, return_inverse=True)
    if not len(asked):  # nothing is like anything that was bought
        return csr_matrix(candidates.shape)
    less = history.without(asked // width, asked % width)
    drops = strength[suggestion] - strengths(less, of, items[suggestion])
    return csr_matrix((drops, item, candidates.indptr), shape=candidates.shape)


def in_parts(strengths: Callable[[History], Any], history: History, rows: Rows, items: Rows) -> Floats:
    """As `Asked`, from all strengths of some customers at a time."""
    n, width = history.pattern.shape
    found, step = np.full(len(rows), -np.inf), max(1, _TRIED_AT_ONCE // max(width, 1))
    for start in range(0, n, step):
        mine = np.flatnonzero((rows >= start) & (rows < start + step))
        part = history.part(start, min(start + step, n))
        found[mine] = _picked(strengths(part), rows[mine] - start, items[mine])
    return found


def _picked(strengths: Any, rows: Rows, items: Rows) -> Floats:
    """The strengths of some cells, −inf where an item may not be suggested."""
    found = np.asarray(strengths[rows, items], dtype=np.float64).ravel()
    if isinstance(strengths, np.ndarray):
        return found
    return np.where(found != 0, found, -np.inf)
