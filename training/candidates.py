"""Fitting one recipe, trees or a simple rule, on some rows, so that both can be judged alike."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from models.baselines import COLUMNS, MONEY, Rule
from models.boosting import Binned, Boosted, boost, parse, raw_scores, sample_negatives
from models.calibration import Calibration
from models.encoding import FeatureSchema
from models.propensity import PropensityModel
from training.recipes import Recipe
from training.snapshots import FOLDS, Pool, Sample
from warehouse.errors import DataProblemError

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
_RULE_COLUMNS = (*(name for columns in COLUMNS.values() for name in columns), MONEY)
Part = TypeVar("Part")
FEWEST_ROUNDS = 10
"""Stopping earlier than this is taken for noise: a model of a few trees ranks in a few steps only."""


@dataclass(frozen=True)
class Fitted:
    """A recipe after its fit: trees with their schema and the rule they start from, if any; or a rule alone."""

    recipe: Recipe
    schema: FeatureSchema | None = None
    trees: Boosted | None = None
    rule: Rule | None = None
    start: Rule | None = None

    def raw(self, table: pa.Table) -> Floats:
        """Log-odds of every row before calibration, among all rows also where negatives were sampled."""
        if self.rule is not None:
            return self.rule.log_odds(table)
        assert self.schema is not None
        assert self.trees is not None
        raw = raw_scores(parse(self.trees.text), self.schema.encode(table))
        return raw if self.start is None else raw + self.start.log_odds(table)

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
            start=self.start, calibration=calibration,
        )  # fmt: skip


class Matrix:
    """A pool as a recipe reads it: encoded once, cut by rows as often as needed."""

    def __init__(self, rows: Pool, recipe: Recipe, horizon: int) -> None:
        there = [name for name in recipe.features if name in rows.table.column_names]
        self.recipe = recipe
        self.horizon = horizon
        self.schema = FeatureSchema.from_table(rows.table, there)
        self.X = self.schema.encode(rows.table)
        self._binned: Binned | None = None
        self.y = rows.y
        self.folds = rows.folds
        # With the ids, so that a table without these columns still has its rows.
        self._simple = rows.table.select([n for n in ("entity_id", *_RULE_COLUMNS) if n in rows.table.column_names])

    def fit(self, rounds: int | None = None, chosen: Flags | None = None, later: Sample | None = None) -> Fitted:
        """Trees on the chosen rows: `rounds` of them, or with `later` as many as give the lowest log loss on it."""
        recipe = self.recipe if rounds is None else with_rounds(self.recipe, rounds)
        assert recipe.trees is not None
        rows = np.flatnonzero(chosen) if chosen is not None else np.arange(self.y.size)
        kept, share = sample_negatives(self.y[rows], recipe.max_rows, recipe.trees.seed)
        rows = rows[kept]
        whole = rows.size == self.y.size
        y = self.y if whole else self.y[rows]
        simple = self._simple if whole else self._simple.take(pa.array(rows))
        start = self._start(simple, y)
        started = start.log_odds(simple) if start is not None else None
        trees = recipe.trees
        X = (self._bins(), None if whole else rows)
        if later is None:
            return Fitted(recipe, self.schema, boost(X, y, trees, start=started, kept_share=share), start=start)
        stop = _thinned(later, share, trees.seed)
        boosted = boost(
            X, y, trees, (), (self.schema.encode(stop.table), stop.y), started,
            start.log_odds(stop.table) if start is not None else None, share,
        )  # fmt: skip
        if boosted.rounds < FEWEST_ROUNDS:
            return self.fit(FEWEST_ROUNDS, chosen)
        return Fitted(recipe, self.schema, boosted, start=start)

    def _bins(self) -> Binned:
        if self._binned is None:
            assert self.recipe.trees is not None
            self._binned = Binned(self.X, self.schema.categorical)
        return self._binned

    def _start(self, simple: pa.Table, y: Floats) -> Rule | None:
        """The simple rule under the trees; None where the recipe has none or its columns are not there."""
        if self.recipe.start is None:
            return None
        try:
            return Rule.fit(self.recipe.start, simple, y, self.horizon)
        except DataProblemError:
            return None

    def out_of_fold(self, rounds: int) -> Floats:
        """Raw log-odds of every row by trees that have seen nobody of its fold."""
        raw = np.zeros(self.y.size)

        self._bins()

        def one(held: Flags) -> None:
            fitted = self.fit(rounds, ~held)
            assert fitted.trees is not None
            raw[held] = raw_scores(parse(fitted.trees.text), self.X[held])
            if fitted.start is not None:
                raw[held] += fitted.start.log_odds(self._simple.filter(pa.array(held)))

        self._over_folds(one)
        return raw

    def rounds_by_folds(self) -> int:
        """The number of trees with the lowest log loss over five folds of customers, each held out once."""
        assert self.recipe.trees is not None
        trees = self.recipe.trees
        binned = self._bins()

        def one(held: Flags) -> tuple[tuple[float, ...], int]:
            kept, other = self._simple.filter(pa.array(~held)), self._simple.filter(pa.array(held))
            start = self._start(kept, self.y[~held])
            margins = (start.log_odds(kept), start.log_odds(other)) if start is not None else (None, None)
            later = (self.X[held], self.y[held])
            tried = boost((binned, np.flatnonzero(~held)), self.y[~held], trees, (), later, *margins)
            return tried.losses, int(held.sum())

        curves, sizes = zip(*self._over_folds(one), strict=True)
        shortest = min(len(curve) for curve in curves)
        mean = np.average([curve[:shortest] for curve in curves], axis=0, weights=sizes)
        return max(FEWEST_ROUNDS, int(np.argmin(mean)) + 1)

    def _over_folds(self, one: Callable[[Flags], Part]) -> list[Part]:
        """The work of each fold, folds side by side: that keeps cores busier than the threads of one fit would."""
        assert self.recipe.trees is not None
        held = [self.folds == fold for fold in range(FOLDS)]
        with ThreadPoolExecutor(self.recipe.trees.threads) as workers:
            return list(workers.map(one, [rows for rows in held if rows.any() and not rows.all()]))


def with_rounds(recipe: Recipe, rounds: int) -> Recipe:
    """The recipe with its number of trees fixed."""
    assert recipe.trees is not None
    return replace(recipe, trees=replace(recipe.trees, rounds=rounds))


def _thinned(later: Sample, share: float, seed: int) -> Sample:
    """Negatives thinned as in training, or the log loss that stops the trees would measure a difference in level."""
    if share >= 1:
        return later
    kept = (np.random.default_rng(seed).random(later.n) < share) | (later.y == 1)
    return Sample(later.as_of, later.table.filter(pa.array(kept)), later.y[kept])


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
