"""What trees give for many rows at a time: column by column instead of row by row, to the last bit as LightGBM does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.boosting import parse, raw_scores

_ROWS_AT_ONCE = 16_384
"""Of which a column, four bytes each, stays near the processor while a tree is gone through."""
_FEWEST_ROWS = 1_000
"""Below it going row by row is quicker: a split costs the same for ten rows as for a hundred."""
_MOST_LEAVES = 64
_HIGHEST = np.finfo(np.float32).max
_NUMERICAL_ONLY = {0: False, 2: False, 8: True, 10: True}
"""Kinds of splits by numbers that are gone through here, and whether a missing value has a side of its own (else it is
0); their second bit says that it goes left."""


@dataclass(frozen=True)
class _Split:
    """A row goes right where its column is above the threshold; `missing` says whether it does where that is unknown.

    `left` has a bit for each leaf of the left side, which whoever goes right does not reach.
    """

    column: int
    threshold: np.float32
    missing: bool
    left: np.unsignedinteger[Any]


@dataclass(frozen=True)
class _Tree:
    splits: tuple[_Split, ...]
    leaves: npt.NDArray[np.float64]
    """From the left."""
    one: np.unsignedinteger[Any]
    """1, as a number with a bit for each leaf."""


class TreeScores:
    """Trees of LightGBM's text, and the log-odds that they give.

    Each split is asked of all rows at once and takes leaves away from those that go right; of what is left the
    leftmost leaf is a row's (QuickScorer; Lucchese et al., SIGIR 2015). Values are added up in the order of the trees,
    so that the sums are LightGBM's. Trees that split by categories or have very many leaves are left to it.
    """

    def __init__(self, text: str) -> None:
        self._booster = parse(text)
        self._trees = _read(text)

    def __call__(self, X: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """The log-odds of each row of X (rows × columns, float32, NaN where unknown) before calibration."""
        if self._trees is None or len(X) < _FEWEST_ROWS:
            return raw_scores(self._booster, X)
        parts = [self._some(X[start : start + _ROWS_AT_ONCE]) for start in range(0, len(X), _ROWS_AT_ONCE)]
        return np.concatenate(parts)

    def _some(self, X: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        columns = np.ascontiguousarray(np.minimum(X.T, _HIGHEST))  # what is infinite is known, and no higher
        highest = np.where(np.isnan(columns), np.float32(np.inf), columns)
        # Arrays are made once: to make one takes longer than to fill it.
        rows = len(X)
        total, value = np.zeros(rows), np.empty(rows)
        right, place = np.empty(rows, np.bool_), np.empty(rows, np.intp)
        for tree in self._trees or ():
            one = tree.one
            gone, some = np.zeros((2, rows), one.dtype)
            for split in tree.splits:
                np.greater((highest if split.missing else columns)[split.column], split.threshold, out=right)
                gone |= np.multiply(right.view(np.uint8), split.left, out=some)
            np.copyto(place, np.bitwise_count(gone & ~np.add(gone, one, out=some)))
            total += np.take(tree.leaves, place, out=value, mode="clip")
        return total


def _bits(leaves: int) -> type[np.unsignedinteger[Any]]:
    """The narrowest number with a bit for each leaf."""
    kinds: tuple[type[np.unsignedinteger[Any]], ...] = (np.uint8, np.uint16, np.uint32, np.uint64)
    return next(kind for kind in kinds if 8 * np.dtype(kind).itemsize >= leaves)


def _read(text: str) -> list[_Tree] | None:
    """The trees of a text, None where one of them is of a kind that is not gone through here."""
    trees = []
    for part in text.split("\nend of trees")[0].split("\nTree=")[1:]:
        said = dict(line.split("=", 1) for line in part.splitlines() if "=" in line)
        kinds = [int(kind) for kind in said.get("decision_type", "").split()]
        here = said["num_cat"] == said["is_linear"] == "0" and all(kind in _NUMERICAL_ONLY for kind in kinds)
        if not here or int(said["num_leaves"]) > _MOST_LEAVES:
            return None
        trees.append(_tree(said, kinds))
    return trees


def _tree(said: dict[str, str], kinds: list[int]) -> _Tree:
    left, right = ([int(child) for child in said.get(f"{side}_child", "").split()] for side in ("left", "right"))
    from_left: list[int] = []

    def beneath(child: int) -> list[int]:
        """The places of the leaves beneath a split, or of a leaf (below 0: ~leaf), from the left."""
        if child < 0:
            from_left.append(~child)
            return [len(from_left) - 1]
        held = beneath(left[child])
        bits[child] = sum(1 << place for place in held)
        return held + beneath(right[child])

    bits = [0] * len(kinds)
    beneath(0 if kinds else -1)
    bit = _bits(len(from_left))
    columns = [int(column) for column in said.get("split_feature", "").split()]
    thresholds = [float(threshold) for threshold in said.get("threshold", "").split()]
    splits = tuple(
        _Split(column, _down(threshold), _missing_goes_right(kind, threshold), bit(gone))
        for column, threshold, kind, gone in zip(columns, thresholds, kinds, bits, strict=True)
    )
    values = np.array([float(value) for value in said["leaf_value"].split()])
    return _Tree(splits, values[from_left], bit(1))


def _missing_goes_right(kind: int, threshold: float) -> bool:
    return not kind & 2 if _NUMERICAL_ONLY[kind] else threshold < 0


def _down(threshold: float) -> np.float32:
    """The largest single-precision number that is not above it: what is above the one is above the other."""
    near = np.float32(np.clip(threshold, -_HIGHEST, _HIGHEST))
    return near if float(near) <= threshold else np.nextafter(near, np.float32(-np.inf))
