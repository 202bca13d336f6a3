"""Fitting one recipe, trees or a simple rule, on some rows, so that both can be judged alike."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from models.baselines import Rule
from models.boosting import Boosted, boost, parse, raw_scores, sample_negatives
from models.calibration import Calibration
from models.encoding import FeatureSchema
from models.propensity import PropensityModel
from training.recipes import Recipe
from training.snapshots import FOLDS, Pool, Sample

Floats = NDArray[np.float64]
CELLS_FOR_THREADS = 20_000_000
"""Below so many numbers the threads of one fit wait for one another longer than they work."""
Part = TypeVar("Part")
FEWEST_ROUNDS = 10
"""Stopping earlier than this is taken for noise: a model of a few trees ranks in a few steps only."""


@dataclass(frozen=True)
class Fitted:
    """A recipe after its fit: trees with their schema, or a rule."""

    recipe: Recipe
    schema: FeatureSchema | None = None
    trees: Boosted | None = None
    rule: Rule | None = None

    def raw(self, table: pa.Table) -> Floats:
        """Log-odds of every row before calibration; trees fitted on sampled negatives are too high by a constant."""
        if self.rule is not None:
            return self.rule.log_odds(table)
        assert self.schema is not None
        assert self.trees is not None
        assert self.recipe.trees is not None
        return raw_scores(parse(self.trees.text), self.schema.encode(table), self.recipe.trees.threads)

    @property
    def rounds(self) -> int | None:
        """How many trees there are; None for a rule."""
        return self.trees.rounds if self.trees is not None else None

    def model(
        self, target: str, horizon: int, version: str, population: str, base_rate: float, calibration: Calibration
    ) -> PropensityModel:
        """The model that is saved and served."""
        return PropensityModel(
            target, horizon, version, "rule" if self.rule is not None else "lightgbm", population, base_rate,
            schema=self.schema, trees=self.trees.text if self.trees is not None else None, rule=self.rule,
            calibration=calibration,
        )  # fmt: skip


class Matrix:
    """A pool as trees read it: encoded once, cut by rows as often as needed."""

    def __init__(self, rows: Pool, schema: FeatureSchema) -> None:
        self.schema = schema
        self.X = schema.encode(rows.table)
        self.y = rows.y
        self.folds = rows.folds

    def fit(self, recipe: Recipe, chosen: NDArray[np.bool_] | None = None, later: Sample | None = None) -> Fitted:
        """Trees on the chosen rows; with `later` their number is that of the lowest log loss on it."""
        assert recipe.trees is not None
        rows = np.flatnonzero(chosen) if chosen is not None else np.arange(self.y.size)
        if rows.size * len(self.schema.names) < CELLS_FOR_THREADS:
            recipe = one_thread(recipe)
        assert recipe.trees is not None
        kept, share = sample_negatives(self.y[rows], recipe.max_rows, recipe.trees.seed)
        rows = rows[kept]
        stopping = self._stopping(later, share, recipe) if later is not None else None
        X, y = (self.X, self.y) if rows.size == self.y.size else (self.X[rows], self.y[rows])
        boosted = boost(X, y, recipe.trees, self.schema.categorical, stopping)
        if later is not None and boosted.rounds < FEWEST_ROUNDS:
            boosted = boost(X, y, replace(recipe.trees, rounds=FEWEST_ROUNDS), self.schema.categorical)
        return Fitted(recipe, self.schema, boosted)

    def _stopping(self, later: Sample, share: float, recipe: Recipe) -> tuple[NDArray[np.float32], Floats]:
        """The later rows; negatives are thinned as in training, or log loss would measure the difference in level."""
        X, y = self.schema.encode(later.table), later.y
        if share < 1 and recipe.trees is not None:
            kept = np.random.default_rng(recipe.trees.seed).random(y.size) < share
            X, y = X[kept | (y == 1)], y[kept | (y == 1)]
        return X, y

    def out_of_fold(self, recipe: Recipe) -> Floats:
        """Raw log-odds of every row by trees that have seen nobody of its fold."""
        raw = np.zeros(self.y.size)

        def one(held: NDArray[np.bool_]) -> None:
            fitted = self.fit(one_thread(recipe), ~held)
            assert fitted.trees is not None
            raw[held] = raw_scores(parse(fitted.trees.text), self.X[held], 1)

        self._over_folds(recipe, one)
        return raw

    def rounds_by_folds(self, recipe: Recipe) -> int:
        """The number of trees with the lowest log loss over five folds of customers, each held out once."""

        def one(held: NDArray[np.bool_]) -> tuple[tuple[float, ...], int]:
            trees = one_thread(recipe).trees
            assert trees is not None
            later = (self.X[held], self.y[held])
            tried = boost(self.X[~held], self.y[~held], trees, self.schema.categorical, later)
            return tried.losses, int(held.sum())

        curves, sizes = zip(*self._over_folds(recipe, one), strict=True)
        shortest = min(len(curve) for curve in curves)
        mean = np.average([curve[:shortest] for curve in curves], axis=0, weights=sizes)
        return max(FEWEST_ROUNDS, int(np.argmin(mean)) + 1)

    def _over_folds(self, recipe: Recipe, one: Callable[[NDArray[np.bool_]], Part]) -> list[Part]:
        """The work of each fold, folds side by side: that keeps cores busier than the threads of one fit would."""
        assert recipe.trees is not None
        held = [self.folds == fold for fold in range(FOLDS)]
        with ThreadPoolExecutor(recipe.trees.threads) as workers:
            return list(workers.map(one, [rows for rows in held if rows.any() and not rows.all()]))


def one_thread(recipe: Recipe) -> Recipe:
    """The same recipe on one thread; the trees are the same."""
    assert recipe.trees is not None
    return replace(recipe, trees=replace(recipe.trees, threads=1))


def fit_rule(name: str, rows: Pool, horizon: int, recipe: Recipe) -> Fitted:
    """A simple rule with its bins, lifetimes and logistic fitted on these rows."""
    return Fitted(recipe, rule=Rule.fit(name, rows.table, rows.y, horizon))


def rule_out_of_fold(name: str, rows: Pool, horizon: int) -> Floats:
    """Log-odds of every row by the rule fitted without anybody of its fold."""
    return _cross_fitted(rows, lambda table, y: Rule.fit(name, table, y, horizon).log_odds)


def _cross_fitted(rows: Pool, fit: Callable[[pa.Table, Floats], Callable[[pa.Table], Floats]]) -> Floats:
    raw = np.zeros(rows.y.size)
    for fold in range(FOLDS):
        held = rows.folds == fold
        if held.any():
            score = fit(rows.table.filter(pa.array(~held)), rows.y[~held])
            raw[held] = score(rows.table.filter(pa.array(held)))
    return raw
