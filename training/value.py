"""Which model says what customers will spend: judged on a closed window, chosen by gate, fitted on all there is.

Three compete. `spending_so_far`: money a day since the first order goes on as it was. `buy_till_you_die`: BG/NBD,
regular buyers and Gamma-Gamma, fitted to the histories of the judged day itself, for they need no outcome. `lightgbm`:
trees learnt on earlier cutoffs whose outcome is known. The second serves wherever there are orders; another one
replaces it only where it is surely better.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.building import build_features
from features.catalogue import families_of
from features.outcomes import spending
from models.value import COLUMNS, BuyTillYouDie, Histories, buyers
from models.value_trees import FORMS, Form, ValueTrees
from training import gates, protocol
from training.evaluation import value as metrics
from training.evaluation.decisions import SINCE, stability
from training.evaluation.intervals import Interval
from training.gates import LeakCheck, Verdict
from training.protocol import Protocol
from training.recipes import Recipe
from training.snapshots import Snapshots, fold_of
from warehouse.errors import DataProblemError, NotReadyError
from warehouse.settings import TrainingSettings

Floats = NDArray[np.float64]
SO_FAR, LIFETIMES, TREES = "spending_so_far", "buy_till_you_die", "lightgbm"
LARGEST_TOTAL_ERROR = 0.25
"""A challenger's total may be off by at most this share more than the champion's."""
FEWEST_BUYERS = 50
UNSTOPPED = (150, 100)
"""Trees of buying and of amounts where there is no later cutoff to stop by."""
WEEK = 7
SHORTEST_SINCE = 30
"""Money a day is that of at least so many days: one order yesterday is no rate."""


@dataclass(frozen=True)
class Spent:
    """The customers of a cutoff who had ordered, and what each spent in the window after it."""

    table: pa.Table
    spent: Floats

    @property
    def histories(self) -> Histories:
        return Histories.of(self.table)


@dataclass(frozen=True)
class ChosenValue:
    """What was judged, and what serves. `trees` is None unless they serve; `judged` holds metrics by model, `deciles`
    the calibration of the one that serves, `stability` that of its list against a week before (`decisions.stability`);
    `planned` is None where no window is closed, and nothing was judged."""

    name: str
    horizon: int
    as_of: date
    why: str
    planned: Protocol | None
    judged: Mapping[str, Mapping[str, float]]
    differences: Mapping[str, Mapping[str, Interval]]
    deciles: Sequence[Mapping[str, Any]]
    customers: int
    trees: ValueTrees | None = None
    predictions: Mapping[str, Floats] | None = None
    spent: Floats | None = None
    stability: Mapping[str, Any] | None = None


def spent_after(snapshots: Snapshots, cutoff: date, horizon: int, known: date | None = None) -> Spent:
    """Who had ordered before the cutoff, and their spending in `[cutoff, cutoff + horizon)`."""
    table = snapshots.learnt_from(cutoff)
    table = table.filter(pa.array(buyers(table)))
    found = spending(snapshots.learning, cutoff, horizon, known)
    place = pc.index_in(table["entity_id"], found["entity_id"].combine_chunks())
    spent = pc.fill_null(found["amount"].combine_chunks().take(place.combine_chunks()), 0.0)
    return Spent(table, np.asarray(spent.to_numpy(zero_copy_only=False), dtype=np.float64))


def spending_so_far(known: Histories, horizon: int) -> Floats:
    """Money a day since the first order, for so many days."""
    return known.mean_amount * (known.x + 1) / np.maximum(known.T, SHORTEST_SINCE) * horizon


def choose_value(
    snapshots: Snapshots,
    horizon: int,
    as_of: date,
    observed_until: date,
    first_day: date,
    settings: TrainingSettings,
    recipe: Recipe,
) -> ChosenValue:
    """Judges the models on the latest closed window and chooses. Where no window is closed, or hardly anybody had
    ordered before it, `buy_till_you_die` serves unjudged, and `why` says so."""
    try:
        planned = protocol.plan(as_of, observed_until, first_day, horizon, settings.max_cutoffs)
    except NotReadyError as error:
        return _unjudged(horizon, as_of, error.message)
    judged = spent_after(snapshots, planned.judge, horizon, as_of)
    if judged.spent.size < FEWEST_BUYERS or not judged.spent.any():
        why = f"Only {judged.spent.size} customers had ordered before {planned.judge}, too few to judge by."
        return _unjudged(horizon, as_of, why)
    contest = Contest.of(Learner(snapshots, planned, horizon, as_of, settings, recipe), judged)
    expected, fitted = contest.expected, contest.trees
    leaks = contest.learner.leaks(fitted, judged) if fitted is not None else LeakCheck()
    found = {name: metrics.evaluate(judged.spent, told) for name, told in expected.items()}
    name, why, differences = _chosen(judged.spent, expected, found, leaks, settings)
    steady = contest.steady(name)
    if name == TREES and fitted is not None:
        fitted = contest.learner.refitted(fitted)
    return ChosenValue(
        name, horizon, as_of, why, planned, found, differences, metrics.deciles(judged.spent, expected[name]),
        judged.spent.size, fitted if name == TREES else None, expected, judged.spent, steady,
    )  # fmt: skip


def _unjudged(horizon: int, as_of: date, why: str) -> ChosenValue:
    told = f"{LIFETIMES} serves unjudged: {why[0].lower()}{why[1:]}"
    return ChosenValue(LIFETIMES, horizon, as_of, told, None, {}, {}, (), 0)


@dataclass(frozen=True)
class Learner:
    """Learns trees on the closed cutoffs before the judged one."""

    snapshots: Snapshots
    planned: Protocol
    horizon: int
    as_of: date
    settings: TrainingSettings
    recipe: Recipe

    def fitted(self) -> ValueTrees | None:
        """Trees of the form that was better on the calibration cutoff (in a short protocol: two parts); None where
        nothing can be learnt."""
        if self.planned.kind == "too_short":
            return None
        training = self._rows(self.planned.train)
        stop = self._at(self.planned.stop)
        calibrate = self._at(self.planned.calibrate)
        later = (stop.table, stop.spent) if stop is not None and stop.spent.any() else None
        found: list[tuple[float, ValueTrees]] = []
        for form in FORMS if calibrate is not None else FORMS[:1]:
            try:
                trees = self._fit(form, training, later)
            except DataProblemError:
                continue
            if calibrate is None:
                return self._scaled(trees, training)
            trees = trees.scaled(calibrate.table, calibrate.spent)
            error = metrics.evaluate(calibrate.spent, trees.predict(calibrate.table))["mean_absolute_error"]
            found.append((error, trees))
        return min(found, key=lambda each: each[0])[1] if found else None

    def refitted(self, chosen: ValueTrees) -> ValueTrees:
        """The same form and number of trees on all closed cutoffs, scaled by customers held out."""
        rows = self._rows(self.planned.closed)
        return self._scaled(self._fit(chosen.form, rows, None, chosen.rounds), rows)

    def leaks(self, fitted: ValueTrees, judged: Spent) -> LeakCheck:
        """Whether shuffled outcomes are ranked, or a feature alone knows who buys."""
        bought = (judged.spent > 0).astype(float)
        X = fitted.schema.encode(judged.table)
        found = gates.check_single_features(X, fitted.schema.names, bought, fitted.schema.categorical)
        random = np.random.default_rng(self.settings.seed)
        rows = self._rows(self.planned.train)
        shuffled = Spent(rows.table, random.permutation(rows.spent))
        trees = self._fit("two_part", shuffled, None, (50, 10))
        shuffled_outcome = random.permutation(bought)
        positives = int(bought.sum())
        ranked = gates.ranking(shuffled_outcome, trees.predict(judged.table))
        return found + gates.shuffled_labels_clean([ranked], positives, bought.size - positives)

    def _fit(
        self, form: Form, rows: Spent, later: tuple[pa.Table, Floats] | None, rounds: tuple[int, int] | None = None
    ) -> ValueTrees:
        assert self.recipe.trees is not None
        chosen = rounds or (UNSTOPPED if later is None else None)
        return ValueTrees.fit(form, rows.table, rows.spent, self.recipe.features, self.recipe.trees, later, chosen)

    def _scaled(self, trees: ValueTrees, rows: Spent) -> ValueTrees:
        """Scaled by what trees of one half of the customers expect of the other."""
        half = fold_of(rows.table["entity_id"]) % 2 == 0
        try:
            other = self._fit(trees.form, _some(rows, half), None, trees.rounds)
        except DataProblemError:
            return trees
        held = _some(rows, ~half)
        expected, smeared = other.predict(held.table).sum() / other.factor, held.spent.sum()
        if not expected > 0 or not smeared > 0:
            return trees
        return ValueTrees(trees.form, trees.schema, trees.buys, trees.amounts, trees.rounds, float(smeared / expected))

    def _at(self, cutoff: date | None) -> Spent | None:
        return spent_after(self.snapshots, cutoff, self.horizon, self.as_of) if cutoff else None

    def _rows(self, cutoffs: Sequence[date]) -> Spent:
        found = [spent_after(self.snapshots, cutoff, self.horizon, self.as_of) for cutoff in cutoffs]
        share = min(1.0, self.settings.max_rows / max(1, sum(each.spent.size for each in found)))
        random = np.random.default_rng(self.settings.seed)
        if share < 1:
            found = [_some(each, random.random(each.spent.size) < share) for each in found]
        table = pa.concat_tables([each.table for each in found], promote_options="permissive")
        return Spent(table, np.concatenate([each.spent for each in found]))


@dataclass(frozen=True)
class Contest:
    """What each model, which knew nothing later, expected of the customers of a judged day. `trees` is None where
    nothing could be learnt."""

    learner: Learner
    judged: Spent
    expected: Mapping[str, Floats]
    trees: ValueTrees | None

    @classmethod
    def of(cls, learner: Learner, judged: Spent) -> Contest:
        """Fits all of them."""
        trees = learner.fitted()
        expected = {name: _expected(name, None, judged.table, learner.horizon) for name in (SO_FAR, LIFETIMES)}
        if trees is not None:
            expected[TREES] = trees.predict(judged.table)
        return cls(learner, judged, expected, trees)

    def steady(self, name: str) -> dict[str, Any] | None:
        """How much of a model's top tenth was in it a week before, of those who did nothing in between; None where
        hardly anybody was there then."""
        day = self.learner.planned.judge - timedelta(days=WEEK)
        if name == TREES:
            then = self.learner.snapshots.learnt_from(day)
        else:  # which read a few columns only
            then = build_features(self.learner.snapshots.learning, day, families=families_of((*COLUMNS, SINCE)))
        then = then.filter(pa.array(buyers(then)))
        if SINCE not in then.column_names or not then.num_rows:
            return None
        lists = (then, _expected(name, self.trees, then, self.learner.horizon)), (
            self.judged.table, self.expected[name],
        )  # fmt: skip
        return stability(*lists, WEEK)


def _expected(name: str, trees: ValueTrees | None, table: pa.Table, horizon: int) -> Floats:
    """What a model expects of these customers; lifetimes are fitted to their histories."""
    if name == TREES:
        assert trees is not None
        return trees.predict(table)
    known = Histories.of(table)
    return spending_so_far(known, horizon) if name == SO_FAR else BuyTillYouDie.fit(known).value(float(horizon), known)


def _some(rows: Spent, kept: NDArray[np.bool_]) -> Spent:
    return Spent(rows.table.filter(pa.array(kept)), rows.spent[kept])


def _chosen(
    spent: Floats,
    expected: Mapping[str, Floats],
    found: Mapping[str, Mapping[str, float]],
    leaks: LeakCheck,
    settings: TrainingSettings,
) -> tuple[str, str, dict[str, dict[str, Interval]]]:
    """The name of what serves, why in one sentence, and the differences by which it was decided."""
    differences: dict[str, dict[str, Interval]] = {}
    champion, why = LIFETIMES, f"{LIFETIMES} serves: no trees could be learnt."
    for challenger in (SO_FAR, TREES):
        if challenger not in expected:
            continue
        compared = metrics.compare(spent, expected, challenger, champion, settings.bootstrap_draws, settings.seed)
        differences[f"{challenger} - {champion}"] = compared
        ratios = found[challenger]["total_ratio"], found[champion]["total_ratio"]
        verdict = judge(challenger, champion, compared, ratios, leaks if challenger == TREES else LeakCheck())
        if challenger == TREES or verdict.promote:
            why = verdict.why
        champion = challenger if verdict.promote else champion
    return champion, why, differences


def judge(
    challenger: str,
    champion: str,
    compared: Mapping[str, Interval],
    total_ratio: tuple[float, float],
    leaks: LeakCheck,
) -> Verdict:
    """The promotion rule: of the two intervals of `metrics.compare` one lies above 0 and the other's lower end above
    −0.005, the total is not off by much more than the champion's, and the leak check is clean."""
    if not leaks.clean:
        return Verdict(False, f"{champion} serves; {challenger} does not replace it: {leaks.problems[0]}")
    off, was = (abs(np.log(max(ratio, 1e-9))) for ratio in total_ratio)
    if not off <= was + LARGEST_TOTAL_ERROR:
        return Verdict(
            False, f"{champion} serves; {challenger} does not replace it: its total is {total_ratio[0]:.2f} times what "
            "was spent."
        )  # fmt: skip
    top, error = (compared[name] for name in metrics.COMPARED)
    told = (
        f"its gain of money in the top decile is {top.value:+.3f} ({top.low:+.3f} to {top.high:+.3f}), its gain in "
        f"error {error.value:+.3f} of the mean spent ({error.low:+.3f} to {error.high:+.3f})"
    )
    for winner, other in ((top, error), (error, top)):
        if winner.above_zero and other.low > gates.SMALLEST_OTHER:
            return Verdict(True, f"{challenger} replaces {champion}: {told}.")
    return Verdict(False, f"{champion} serves; {challenger} is not surely better: {told}.")
