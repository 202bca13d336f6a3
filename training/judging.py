"""Judging a recipe by its protocol: trees, every simple rule and the champion's recipe on the same customers.

What is judged is the model before the refit, and so the recipe. Nobody is judged on labels its fit has seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features import rules
from models.baselines import BASE_RATE, COLUMNS, RULES
from models.calibration import Calibration
from training.candidates import Fitted, Matrix, fit_rule, rule_out_of_fold
from training.evaluation import propensity as metrics
from training.evaluation.decisions import SINCE, stability
from training.evaluation.intervals import Interval, Resample, metric_intervals, paired_interval, resample
from training.levels import Level, forecast, shifted
from training.protocol import UNDATED, Protocol, without
from training.recipes import Recipe, rule_recipe
from training.snapshots import Pool, Sample, Snapshots, parted, pool, pooled_share, usable
from training.targets import Target
from warehouse.errors import DataProblemError, NotReadyError
from warehouse.settings import TrainingSettings

Floats = NDArray[np.float64]
TREES = "lightgbm"
CHAMPION = "champion"
FEWEST_IN_SLICE = 50
COMPARED = ("average_precision", "auc")
ALIKE = 1e-9
WEEK = 7
INTERVAL_USERS = 3_000
"""Draws are made on at most so many customers and scaled (see `intervals`): more would only cost time."""


@dataclass(frozen=True)
class Skipped:
    """A cutoff that could not be used, and why, in numbers."""

    as_of: date
    n: int
    positives: int

    def to_json(self) -> dict[str, Any]:
        return {"as_of": self.as_of.isoformat(), "n": self.n, "positives": self.positives}


@dataclass(frozen=True)
class Contender:
    """One recipe at the judge: its probability for each judged customer. `rounds` is None for rules."""

    name: str
    recipe: Recipe
    p: Floats
    rounds: int | None = None


@dataclass(frozen=True)
class Judged:
    """The outcome of a judgement. `named_rule` is the rule that was best before the judge was looked at.

    `intervals` and `differences` hold 95 % intervals: of each contender's metrics, and of trees − named rule and
    trees − champion in each compared metric. `level` is the forecast for the judged date by the dates before
    it; where it is applied, it is in the probabilities of all. `stability` is that of the trees' list against a week
    before (`decisions.stability`), where it was asked for.
    """

    protocol: Protocol
    skipped: tuple[Skipped, ...]
    sample: Sample
    contenders: Mapping[str, Contender]
    named_rule: str
    intervals: Mapping[str, Mapping[str, Interval]]
    differences: Mapping[str, Mapping[str, Interval]]
    draws: Resample
    matrix: Matrix | None = field(default=None, repr=False)
    level: Level | None = None
    stability: Mapping[str, Any] | None = None

    @property
    def n(self) -> int:
        return self.sample.n

    @property
    def base_rate(self) -> float:
        return float(self.sample.y.mean())

    @property
    def rounds(self) -> int | None:
        """The number of trees that was chosen; None where there are none."""
        return self.contenders[TREES].rounds if TREES in self.contenders else None

    def p(self, name: str) -> Floats:
        """The probabilities of one contender."""
        return self.contenders[name].p


def usable_protocol(
    snapshots: Snapshots, target: Target, horizon: int, planned: Protocol, min_positives: int
) -> tuple[Protocol, tuple[Skipped, ...]]:
    """The best protocol that the labels allow, and the cutoffs that were skipped for too few of one class.

    Where the judge itself has too few, the protocol is too short: a rule serves, chosen on what there is.
    `NotReadyError` where nobody is asked about on the judge's day.
    """
    counts = {cutoff: snapshots.counted(target, horizon, cutoff) for cutoff in planned.closed}
    skipped = tuple(Skipped(day, *found) for day, found in counts.items() if not usable(*found, min_positives))
    if not counts[planned.judge][0]:
        raise NotReadyError(
            f"Nobody is in the population of {target.name} ({target.population(horizon)}) on {planned.judge}.",
            hint="It needs customers for whom the rule is true.",
        )
    left = without(planned, frozenset(s.as_of for s in skipped))
    return left or Protocol("too_short", horizon, planned.judge), skipped


def judge(
    snapshots: Snapshots,
    target: Target,
    horizon: int,
    planned: Protocol,
    settings: TrainingSettings,
    recipe: Recipe,
    champion: Recipe | None = None,
    week_before: bool = False,
) -> Judged:
    """Carries out the protocol as far as the judge. `champion` is refitted as a recipe beside the challenger;
    `week_before` compares the trees' list with theirs of a week earlier, whose features are built for it."""
    protocol, skipped = usable_protocol(snapshots, target, horizon, planned, settings.min_positives)
    parts = Parts.of(snapshots, target, horizon, protocol, recipe.max_rows)
    matrix, steady = None, None
    contenders, named_rule = _rules(parts)
    if protocol.kind != "too_short":
        matrix = Matrix(parts.training, recipe, horizon)
        fitted, calibration = parts.fitted(matrix)
        contenders[TREES] = parts.contender(TREES, matrix, fitted, calibration)
        if week_before and not target.of_labels:
            earlier = snapshots.population(target, horizon, protocol.judge - timedelta(days=WEEK))
            lists = [(t, calibration.apply(fitted.raw(t))) for t in (earlier, parts.judged.table)]
            steady = stability(lists[0], lists[1], WEEK) if SINCE in earlier.column_names else None
        if champion is not None and not champion.same_as(recipe):
            contenders[CHAMPION] = (
                replace(contenders[champion.rule], name=CHAMPION)
                if champion.rule in contenders
                else parts.trees(CHAMPION, Matrix(parts.training, champion, horizon))
            )
    sample = parts.judged
    level = None
    if protocol.kind != "too_short":
        before = [cutoff for cutoff in protocol.closed if cutoff != protocol.judge]
        level = forecast(
            snapshots, target, horizon, before, protocol.judge, settings.min_positives, settings.level == "forecast"
        )
        if level.applied:
            contenders = {name: replace(c, p=shifted(c.p, level.shift)) for name, c in contenders.items()}
    ids = np.asarray(sample.table.column("entity_id").to_pylist(), dtype=object).astype(str)
    draws = resample(ids, sample.y, settings.bootstrap_draws, settings.seed, INTERVAL_USERS)
    intervals = _intervals(draws, contenders, named_rule)
    return Judged(
        protocol,
        skipped,
        sample,
        contenders,
        named_rule,
        intervals,
        _differences(draws, contenders, named_rule),
        draws,
        matrix,
        level,
        steady,
    )


def _intervals(draws: Resample, contenders: Mapping[str, Contender], named_rule: str) -> dict[str, dict[str, Interval]]:
    """Intervals of every metric of the trees and the named rule, and of the compared metrics of the other rules."""
    whole = {name: c.p for name, c in contenders.items() if name in (TREES, named_rule)}
    rest = {name: c.p for name, c in contenders.items() if name not in (*whole, CHAMPION)}
    found = {**metric_intervals(draws, whole), **metric_intervals(draws, rest, COMPARED)}
    return {name: found[name] for name in contenders if name in found}


def _differences(
    draws: Resample, contenders: Mapping[str, Contender], named_rule: str
) -> dict[str, dict[str, Interval]]:
    if TREES not in contenders:
        return {}
    others = [named_rule] + ([CHAMPION] if CHAMPION in contenders else [])
    trees = contenders[TREES].p
    return {
        other: {metric: paired_interval(draws, metric, trees, contenders[other].p) for metric in COMPARED}
        for other in others
    }


@dataclass(frozen=True)
class Parts:
    """The samples of a protocol by what they are for."""

    protocol: Protocol
    horizon: int
    judged: Sample
    training: Pool
    stop: Sample | None
    calibrate: Sample | None

    @classmethod
    def of(cls, snapshots: Snapshots, target: Target, horizon: int, protocol: Protocol, most_rows: int) -> Parts:
        def at(cutoff: date | None) -> Sample | None:
            return snapshots.sample(target, horizon, cutoff) if cutoff else None

        judged = snapshots.sample(target, horizon, protocol.judge)
        if protocol.kind in UNDATED:
            rest, judged = parted(judged, protocol.kind)
            share = pooled_share(rest.n, rest.positives, most_rows)
            return cls(protocol, horizon, judged, pool([rest], share), None, None)
        training = snapshots.pool(target, horizon, protocol.train or (protocol.judge,), most_rows)
        return cls(protocol, horizon, judged, training, at(protocol.stop), at(protocol.calibrate))

    def trees(self, name: str, matrix: Matrix) -> Contender:
        """Trees trained, stopped and calibrated before the judge's day, and their probabilities on it."""
        return self.contender(name, matrix, *self.fitted(matrix))

    def contender(self, name: str, matrix: Matrix, fitted: Fitted, calibration: Calibration) -> Contender:
        """The probabilities that fitted trees give the judged customers."""
        return Contender(name, matrix.recipe, calibration.apply(fitted.raw(self.judged.table)), fitted.rounds)

    def fitted(self, matrix: Matrix) -> tuple[Fitted, Calibration]:
        """Trees trained, stopped and calibrated before the judge's day."""
        if self.stop is None or self.calibrate is None:
            return cross_fitted(matrix, matrix.rounds_by_folds())
        fitted = matrix.fit(later=self.stop)
        return fitted, Calibration.fit(fitted.raw(self.calibrate.table), self.calibrate.y)


def cross_fitted(matrix: Matrix, rounds: int) -> tuple[Fitted, Calibration]:
    """Trees on all rows of the matrix, and a calibration from predictions for customers not seen in their fit."""
    return matrix.fit(rounds), Calibration.fit(matrix.out_of_fold(rounds), matrix.y)


def _rules(parts: Parts) -> tuple[dict[str, Contender], str]:
    """Every simple rule's probabilities on the judge, and the name of the one that was best before it."""
    contenders, chosen_by = {}, {}
    for name in RULES:
        try:
            p, earlier = _rule(name, parts)
        except DataProblemError:
            # BG/NBD needs whole histories; where there is none the other rules still stand.
            continue
        contenders[name] = Contender(name, rule_recipe(name), p)
        chosen_by[name] = earlier
    if not contenders and not any(set(c) & set(parts.training.table.column_names) for c in COLUMNS.values()):
        # A table of attributes alone has no days of orders or acts that a rule could count.
        with suppress(DataProblemError):
            contenders[BASE_RATE] = Contender(BASE_RATE, rule_recipe(BASE_RATE), _rule(BASE_RATE, parts)[0])
            return contenders, BASE_RATE
    if not contenders:
        raise NotReadyError(
            "No simple rule can be computed.",
            hint="It needs order days, or active days of the chosen events, or labels, of several customers.",
        )
    return contenders, max(chosen_by, key=lambda name: np.nan_to_num(chosen_by[name], nan=-1.0))


def _rule(name: str, parts: Parts) -> tuple[Floats, float]:
    """Probabilities on the judge, and average precision on what the rule is chosen by; NaN where it tells nobody
    apart (order days among those with one order): it would be chosen by the noise of the others."""
    rule = fit_rule(name, parts.training, parts.horizon, rule_recipe(name))
    raw = rule.raw(parts.judged.table)
    alike = raw.size > 0 and float(np.ptp(raw)) <= ALIKE
    if parts.protocol.kind == "too_short":
        p = Calibration().apply(rule_out_of_fold(name, parts.training, parts.horizon))
        return p, np.nan if alike else metrics.average_precision(parts.training.y, p)
    p = Calibration().apply(raw)
    if alike:
        return p, np.nan
    if parts.calibrate is not None:
        earlier = Calibration().apply(rule.raw(parts.calibrate.table))
        return p, metrics.average_precision(parts.calibrate.y, earlier)
    earlier = Calibration().apply(rule_out_of_fold(name, parts.training, parts.horizon))
    return p, metrics.average_precision(parts.training.y, earlier)


def slices(table: pa.Table, activity_days: int) -> dict[str, NDArray[np.bool_]]:
    """The customers that every model is also judged on apart; a slice whose columns are absent is left out."""
    wanted = {
        "one_order": "order_count_lifetime = 1",
        "active": f"days_since_last_act <= {activity_days}",
        "no_act": f"days_since_last_act > {activity_days}",
    }
    return {
        name: np.asarray(rules.evaluate(rules.parse(text), table), dtype=bool)
        for name, text in wanted.items()
        if text.split()[0] in table.column_names
    }


def slice_metrics(judged: Judged, target: Target, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Metrics of some contenders on each slice with enough customers of both classes."""
    found: dict[str, dict[str, Any]] = {}
    for name, member in slices(judged.sample.table, target.activity_days(judged.protocol.horizon)).items():
        y = judged.sample.y[member]
        if y.size >= FEWEST_IN_SLICE and 0 < y.sum() < y.size:
            models = {model: metrics.evaluate(y, judged.p(model)[member]) for model in names}
            found[name] = {"n": int(y.size), "base_rate": float(y.mean()), "models": models}
    return found
