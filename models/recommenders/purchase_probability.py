"""How likely a customer buys an item within so many days: calibrated, so that customers compare, and items too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.sparse import identity

from models.boosting import BoostingSettings, boost
from models.calibration import Calibration
from models.recommenders.cutting import cut_before
from models.recommenders.history import Floats, History, Rows
from models.recommenders.interactions import Interactions
from models.recommenders.pair_features import Items, Matrix, features, names
from models.recommenders.plain_arrays import needed
from models.recommenders.ranking import rank
from models.tree_scores import TreeScores
from warehouse.errors import DataProblemError

COLUMNS = (*names(()), "evidence", "nearest")
"""What the trees see of a pair: `pair_features`, the first stage's strength, and the likeness of the item to the most
alike one that the customer has."""

_WINDOWS = 3
_CUSTOMERS, _LISTED, _AT_RANDOM = 1_000, 20, 10
_ITEMS, _TAKERS = 100, 200
_FEWEST = 50
"""Purchases in a window below which there is nothing to learn from it, or to calibrate by."""
_PAIRS_AT_ONCE = 50_000
_SETTINGS = BoostingSettings(rounds=60, learning_rate=0.12, num_leaves=8)


class Evidence:
    """A first stage over all customers: what each one's history says for an item, by one product of a sparse matrix.

    Strength: Σ over the customer's items of taste × likeness to the item (cosine of buyers; 1 to itself).
    """

    def __init__(self, held: Interactions) -> None:
        self.held = held

    @cached_property
    def likeness(self) -> Any:
        """(items, items) csr_matrix."""
        return (self.held.neighbours + identity(self.held.shape[1], format="csr")).tocsr()

    @cached_property
    def _taste(self) -> Any:
        return self.held.everybody().taste()

    def of(self, item_row: int) -> Floats:
        """Per user row the strength for one item; 0 where nothing speaks for it."""
        return np.asarray(self._taste @ self.likeness[[item_row]].toarray().ravel(), dtype=np.float64)

    def strongest(self, item_row: int, n: int) -> Rows:
        """At most n user rows, those whose history says most for the item first; ties by id."""
        strength = self.of(item_row)
        rows = np.flatnonzero(strength > 0)
        return rows[np.lexsort((rows, -strength[rows]))[:n]]

    def columns(self, history: History, pairs: tuple[Rows, Rows]) -> list[Floats]:
        """Of (row of the history, item row) pairs: the strength, and the likeness of the most alike item held."""
        users, items = pairs
        likeness = self.likeness[items]
        held = history.pattern[users].multiply(likeness).tocsr()
        nearest = held.max(axis=1).toarray().ravel() if held.shape[0] else np.zeros(0)
        strength = history.taste()[users].multiply(likeness).sum(axis=1)
        return [np.asarray(strength, dtype=np.float64).ravel(), np.asarray(nearest, dtype=np.float64)]


@dataclass(frozen=True)
class _Window:
    """Pairs of one past window and whether they were bought in it."""

    X: Matrix
    bought: Floats


class PurchaseProbability:
    """P(a customer buys an item in the `horizon_days` after the cutoff), for customers with a purchase before it.

    Trees (log loss) over what is known of customer and item, grown on past windows, each strictly after all that its
    columns were counted from, then calibrated on the latest closed window, which the trees have not seen. A window
    gives two kinds of pairs, those that are asked for later: of some customers the items that speak to them, and of
    some items the customers they speak to; with each some at random, that the rest of the world is known too.
    """

    def __init__(self, horizon_days: int, trees: str, calibration: Calibration) -> None:
        self.horizon_days = horizon_days
        self.calibration = calibration
        self._text = trees
        self._trees = TreeScores(trees)

    @classmethod
    def fit(cls, held: Interactions, horizon_days: int, seed: int = 7) -> Self | None:
        """Learns from the windows before the cutoff of `held`; None where fewer than two of them hold enough sales."""
        random = np.random.default_rng(seed)
        windows = [window for window in _windows(held, horizon_days, random) if window.bought.sum() >= _FEWEST]
        if len(windows) < 2 or min(window.bought.mean() for window in windows) == 1:
            return None
        latest, *earlier = windows
        X = np.concatenate([window.X for window in earlier])
        trees = boost(X, np.concatenate([window.bought for window in earlier]), _SETTINGS).text
        calibration = Calibration.fit(TreeScores(trees)(latest.X), latest.bought)
        return cls(horizon_days, trees, calibration)

    def of(self, asked: Pairs) -> Floats:
        """The probability of every pair; NaN for customers without a purchase, of whom the trees know nothing."""
        parts = [np.zeros(0)]
        for X, known in asked.columns():
            parts.append(np.where(known, self.calibration.apply(self._trees(X)), np.nan))
        return np.concatenate(parts)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """All of it as plain arrays; `from_arrays` takes it back."""
        calibration = self.calibration
        return {
            "probability_horizon": np.array([self.horizon_days]),
            "probability_calibration": np.array([calibration.shift, calibration.low, calibration.high]),
            "probability_trees": np.frombuffer(self._text.encode(), np.uint8),
            "probability_columns": np.frombuffer(",".join(COLUMNS).encode(), np.uint8),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Self | None:
        """What `arrays` gave, None where nothing was learnt; `DataProblemError` where it is not whole."""
        if "probability_trees" not in arrays:
            return None
        horizon, map_ = needed(arrays, "probability_horizon"), needed(arrays, "probability_calibration")
        text, columns = (
            bytes(needed(arrays, f"probability_{name}")).decode("utf-8", "replace") for name in ("trees", "columns")
        )
        whole = horizon.shape == (1,) and map_.shape == (3,) and np.isfinite(map_).all() and map_[1:].min() > 0
        if not whole or not text.startswith("tree\n") or columns != ",".join(COLUMNS):
            raise DataProblemError("The arrays of the purchase probability are damaged, or of another version.",
                                   hint="Publish anew.")  # fmt: skip
        return cls(int(horizon[0]), text, Calibration(*(float(value) for value in map_)))


@dataclass(frozen=True)
class Pairs:
    """Pairs of user rows (−1: unknown) and item rows of some interactions, and what they are judged by."""

    evidence: Evidence
    items: Items
    user_rows: Rows
    item_rows: Rows

    def columns(self) -> Iterator[tuple[Matrix, npt.NDArray[np.bool_]]]:
        """The columns of some pairs at a time, and whether their customer has bought anything."""
        for start in range(0, len(self.user_rows), _PAIRS_AT_ONCE):
            users, row = np.unique(self.user_rows[start : start + _PAIRS_AT_ONCE], return_inverse=True)
            history = self.evidence.held.history(users)
            pairs = (row.astype(np.int64), self.item_rows[start : start + _PAIRS_AT_ONCE])
            X = features(history, pairs, [], self.items, self.evidence.columns(history, pairs))
            yield X, np.diff(history.pattern.indptr)[pairs[0]] > 0


def _windows(held: Interactions, horizon: int, random: np.random.Generator) -> Iterator[_Window]:
    """The past windows, latest first."""
    for back in range(1, _WINDOWS + 1):
        as_of_day = held.as_of_day - back * horizon
        cuts, ends = (np.full(held.shape[0], day) for day in (as_of_day, as_of_day + horizon))
        before, bought = cut_before(held, cuts, ends, as_of_day)
        if not len(bought[0]):
            continue
        evidence = Evidence(before)
        key = np.unique(np.concatenate([_of_customers(evidence, random), _of_items(evidence, random)]))
        width = before.shape[1]
        asked = Pairs(evidence, Items(before), key // width, key % width)
        X = np.concatenate([X for X, _ in asked.columns()])
        yield _Window(X, np.isin(key, bought[0] * width + bought[1]).astype(np.float64))


def _of_customers(evidence: Evidence, random: np.random.Generator) -> Rows:
    """Keys (user row × items + item row) of some customers' items, what is like them, and some others."""
    held = evidence.held
    users = _some(held.shape[0], _CUSTOMERS, random)
    history, width = held.history(users), held.shape[1]
    strengths = (history.taste() @ evidence.likeness).tocsr()
    listed = rank(strengths, _LISTED, held.place).items
    row, place = np.nonzero(listed >= 0)
    others = random.integers(0, width, (len(users), _AT_RANDOM))
    popular = np.argsort(held.place)[:_AT_RANDOM]
    return np.concatenate([
        users[history.rows] * width + history.pattern.indices,
        users[row] * width + listed[row, place],
        (users[:, None] * width + others).ravel(),
        (users[:, None] * width + popular).ravel(),
    ])  # fmt: skip


def _of_items(evidence: Evidence, random: np.random.Generator) -> Rows:
    """Keys of the customers whom some items speak to most, and of some others."""
    users, width = evidence.held.shape
    keys = []
    for item in _some(width, _ITEMS, random):
        takers = np.concatenate([evidence.strongest(int(item), _TAKERS), random.integers(0, users, _AT_RANDOM)])
        keys.append(takers * width + item)
    return np.concatenate(keys)


def _some(of: int, most: int, random: np.random.Generator) -> Rows:
    return np.sort(random.choice(of, min(of, most), replace=False)).astype(np.int64)
