"""A second stage: trees that order what other recommenders propose, by all that is known of customer and item."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix, vstack

from models import recommenders
from models.boosting import Ordered, order
from models.recommenders.cutting import cut_before, last_days
from models.recommenders.history import Floats, History, Rows, distinct
from models.recommenders.interactions import Interactions
from models.recommenders.pair_features import Items, Matrix, features, names
from models.recommenders.plain_arrays import needed
from models.recommenders.recommender import Recommender
from models.tree_scores import TreeScores
from warehouse.errors import DataProblemError, UsageError

_CUSTOMERS_AT_ONCE = 500
_FITS: dict[str, dict[str, float]] = {"tifu_knn": {"alpha": 1.0}}
"""Neighbours take half of all the time and, beside the other candidates, find nothing."""
_OF_TREES = ("trees", "leaves", "learning_rate", "objective")
_FEWEST = 500
"""Pairs of customer and item bought in the past windows, some eight for each column, below which there are no trees."""


@dataclass(frozen=True)
class _Learnt:
    """Candidates of one past window: their columns, whether they were bought in it, and how many each customer has."""

    X: Matrix
    bought: npt.NDArray[np.bool_]
    each: Rows


class TwoStage(Recommender):
    """Trees (LightGBM) over the union of what other recommenders list and what was bought before.

    They learn to order (`objective` lambdarank; Burges 2010) or to tell what is bought from what is not (binary).

    The trees are grown on past windows of `horizon` days, each strictly after everything that the first stage of that
    window was fitted on; `horizon` 0 takes instead the last days of every customer, for data whose days only number
    baskets. Then the first stage is fitted once more on all. Strength: the trees' value through the logistic function,
    which orders the items of one customer and is no probability. Too little to learn from: what the
    customer bought most often. Nothing for customers without a history.
    Of the candidates that were not bought so many are drawn that no more than `rows` are learnt from. `fits`: the
    settings of the candidates, by name, as JSON, beside those by default: TIFU-KNN without its neighbours.
    """

    name = "two_stage"
    alternatives: ClassVar = {"trees": (150, 400), "leaves": (8, 16), "objective": ("lambdarank", "binary")}

    def __init__(
        self,
        candidates: str = "personal_decay,tifu_knn,next_purchase,bm25,als,popularity",
        listed: int = 40,
        horizon: int = 30,
        windows: int = 4,
        trees: int = 150,
        leaves: int = 8,
        learning_rate: float = 0.05,
        customers: int = 4000,
        rows: int = 300_000,
        objective: str = "lambdarank",
        fits: str = json.dumps(_FITS),
        seed: int = 7,
    ) -> None:
        self.candidates = candidates
        self.listed = listed
        self.horizon = horizon
        self.windows = windows
        self.trees = trees
        self.leaves = leaves
        self.learning_rate = learning_rate
        self.customers = customers
        self.rows = rows
        self.objective = objective
        self.fits = fits
        self.seed = seed
        if self.name in self._candidates:
            raise UsageError(f"The second stage {self.name} cannot be one of its own candidates.",
                             hint=f"It has: {candidates}.")  # fmt: skip

    @classmethod
    def needs(cls, users: int, items: int, nnz: int) -> int:
        asked = cls()
        models = [type(recommenders.create(name)) for name in asked._candidates]
        rows = min(asked.rows, asked.windows * min(users, asked.customers) * asked.listed * len(models))
        first_stage = sum(model.needs(users, items, nnz) - Recommender.needs(users, items, nnz) for model in models)
        return super().needs(users, items, nnz) + first_stage + 12 * rows * len(names(asked._candidates))

    @property
    def _candidates(self) -> list[str]:
        return [name.strip() for name in self.candidates.split(",")]

    def fit(self, interactions: Interactions) -> Self:
        super().fit(interactions)
        for name in self._candidates:
            self._create(name)  # a name that nobody has is told before anything is fitted
        # The windows are cut twice, which is quick, so that the past of one at a time is held.
        enough = sum(len(bought[0]) for _, bought in self._windows()) >= _FEWEST
        self._learnt_from = _together([self._learnt(*window) for window in self._windows()]) if enough else None
        self._first = self._fitted(interactions) if enough else []
        return self._grow()

    def varied(self, **settings: Any) -> Self:
        other = type(self)(**{**self.settings(), **settings})
        if any(getattr(self, name) != getattr(other, name) for name in self.settings() if name not in _OF_TREES):
            return other.fit(self.interactions)
        other.interactions, other._learnt_from, other._first = self.interactions, self._learnt_from, self._first
        return other._grow()

    def _grow(self) -> Self:
        self._text = self._grown(self._learnt_from) if self._learnt_from else ""
        self._hold()
        return self

    def _hold(self) -> None:
        if self._text:
            self._trees, self._items = TreeScores(self._text), Items(self.interactions)

    def _create(self, name: str) -> Recommender:
        fits = _FITS | json.loads(self.fits) if self.fits else {}
        return recommenders.create(name, fits.get(name))

    def _fitted(self, held: Interactions) -> list[Recommender]:
        return [self._create(name).fit(held) for name in self._candidates]

    def _windows(self) -> Iterator[tuple[Interactions, tuple[Rows, Rows]]]:
        """The past windows, latest first, as far as there is anything before them: that, and what was bought then."""
        held = self.interactions
        ends = np.full(held.shape[0], held.as_of_day)
        for back in range(1, self.windows + 1):
            cuts = last_days(held, back) if self.horizon == 0 else ends - self.horizon
            as_of_day = held.as_of_day if self.horizon == 0 else held.as_of_day - back * self.horizon
            before, bought = cut_before(held, cuts, ends, as_of_day)
            if len(bought[0]):
                yield before, bought
            ends = cuts

    def _learnt(self, held: Interactions, bought: tuple[Rows, Rows]) -> _Learnt:
        first, known = self._fitted(held), Items(held)
        users = np.unique(bought[0])
        if len(users) > self.customers:
            users = np.sort(np.random.default_rng(self.seed).choice(users, self.customers, replace=False))
        wanted = np.unique(bought[0] * held.shape[1] + bought[1])
        draw, each = np.random.default_rng(self.seed), self.rows / self.windows / max(len(users), 1)
        parts = []
        for start in range(0, len(users), _CUSTOMERS_AT_ONCE):
            rows = users[start : start + _CUSTOMERS_AT_ONCE]
            X, (row, item) = self._pairs(held.history(rows), first, known)
            hit = np.isin(rows[row] * held.shape[1] + item, wanted)
            kept = _drawn(hit, round(each * len(rows)), draw)
            parts.append(_Learnt(X[kept], hit[kept], np.bincount(row[kept], minlength=len(rows))))
        return _together(parts)

    def _grown(self, every: _Learnt) -> str:
        settings = Ordered(self.trees, self.leaves, self.learning_rate, self.seed, self.objective)
        return order(every.X, every.bought.astype(np.float64), every.each[every.each > 0], settings)

    def _pairs(
        self, history: History, first: Sequence[Recommender], known: Items, wanted: Rows | None = None
    ) -> tuple[Matrix, tuple[Rows, Rows]]:
        """The candidates of some customers, (row of the history, item row) in order, and their columns.

        `wanted` says of which they are needed, by row × items + item row, rising; what is no candidate is left out.
        """
        width = max(history.pattern.shape[1], 1)
        lists = [model.lists(history, self.listed) for model in first]
        keys = [history.rows * width + history.pattern.indices]
        for found in lists:
            row, place = np.nonzero(found.items >= 0)
            keys.append(row * width + found.items[row, place])
        key = distinct(np.concatenate(keys))
        # Of whoever bought nothing the trees know nothing: that is for the popular rung.
        key = key[np.diff(history.pattern.indptr)[key // width] > 0]
        if wanted is not None:
            key = key[np.isin(key, wanted)]
        pairs = (key // width, key % width)
        return features(history, pairs, lists, known), pairs

    def _strengths(self, history: History) -> Any:
        if not self._text:
            return history.with_values(history.order_days.copy())
        parts = []
        for part, _ in self._in_parts(history):
            X, cells = self._pairs(part, self._first, self._items)
            parts.append(csr_matrix((self._valued(X), cells), shape=part.pattern.shape))
        return vstack(parts, "csr") if len(parts) > 1 else parts[0]

    def _of_pairs(self, history: History, rows: Rows, items: Rows) -> Floats:
        if not self._text:
            return super()._of_pairs(history, rows, items)
        width, found = history.pattern.shape[1], np.full(len(rows), -np.inf)
        for part, start in self._in_parts(history):
            mine = np.flatnonzero((rows >= start) & (rows < start + part.pattern.shape[0]))
            wanted, of = np.unique((rows[mine] - start) * width + items[mine], return_inverse=True)
            X, (row, item) = self._pairs(part, self._first, self._items, wanted)
            values = np.full(len(wanted), -np.inf)
            values[np.searchsorted(wanted, row * width + item)] = self._valued(X)
            found[mine] = values[of]
        return found

    def _valued(self, X: Matrix) -> Floats:
        return 1 / (1 + np.exp(-self._trees(X)))

    def _in_parts(self, history: History) -> Iterator[tuple[History, int]]:
        """Some customers at a time, and the row of the first."""
        for start in range(0, max(history.pattern.shape[0], 1), _CUSTOMERS_AT_ONCE):
            yield history.part(start, min(start + _CUSTOMERS_AT_ONCE, history.pattern.shape[0])), start

    def _parameters(self) -> dict[str, npt.NDArray[Any]]:
        found = {"trees": np.frombuffer(self._text.encode(), np.uint8)}
        for model in self._first if self._text else ():  # without trees nobody asks them
            found |= {f"{model.name}_{what}": array for what, array in model._parameters().items()}
        return found

    def _restore(self, parameters: Mapping[str, npt.NDArray[Any]]) -> None:
        self._text = bytes(needed(parameters, "trees")).decode("utf-8", "replace")
        if self._text and not self._text.startswith("tree\n"):
            raise DataProblemError("The recommender arrays are damaged: the trees of the second stage.")
        self._learnt_from, self._first = None, []
        for name in self._candidates if self._text else ():
            model = self._create(name)
            model.interactions = self.interactions
            start = f"{name}_"
            model._restore({what[len(start) :]: each for what, each in parameters.items() if what.startswith(start)})
            self._first.append(model)
        self._hold()


def _drawn(bought: npt.NDArray[np.bool_], most: int, draw: np.random.Generator) -> Rows:
    """All rows that were bought and as many of the others as there is room for, at least as many as those; sorted."""
    hits, misses = np.flatnonzero(bought), np.flatnonzero(~bought)
    room = min(max(most - len(hits), len(hits)), len(misses))
    return np.sort(np.concatenate([hits, draw.choice(misses, room, replace=False)]))


def _together(parts: Sequence[_Learnt]) -> _Learnt:
    return _Learnt(
        np.concatenate([part.X for part in parts]),
        np.concatenate([part.bought for part in parts]),
        np.concatenate([part.each for part in parts]),
    )
