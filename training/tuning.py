"""Better settings for the trees of one (target, horizon), searched on past dates and judged on one they did not see.

The search asks, on each tuning date, what a training of that day would have been worth: trained, stopped, calibrated
and measured as `judging` does. Every label it reads has ended when the judged date begins.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import numpy as np

from training import protocol
from training.candidates import Matrix
from training.evaluation.propensity import auc, average_precision
from training.judging import CHAMPION, TREES, Judged, Parts, judge, usable_protocol
from training.protocol import HISTORY_SHORT, Protocol
from training.recipes import Recipe, changed, tree_settings
from training.snapshots import Snapshots
from training.studies import Choice, Dimension, Numbers, Setting, Space
from training.targets import Target
from warehouse.errors import NotReadyError
from warehouse.settings import TrainingSettings

MOST_DATES = 3
SPACE: Space = {
    "learning_rate": Numbers(0.01, 0.2, log=True),
    "num_leaves": Numbers(3, 31, log=True, whole=True),
    "min_rows_in_leaf": Numbers(20, 300, log=True, whole=True),
    "column_share": Numbers(0.1, 1.0),
    "row_share": Numbers(0.5, 1.0),
    "l2": Numbers(0.1, 100, log=True),
    "start": Choice(("none", "order_days_minus_recency", "bg_nbd")),
}


@dataclass(frozen=True)
class Past:
    """One tuning date: its rows, encoded and binned once for all trials."""

    as_of: date
    parts: Parts
    matrix: Matrix


class Search:
    """What trials of one (target, horizon) are measured by. `base` is the recipe they are to beat.

    `planned` is the protocol of a training of today; its judge is the date that trials do not see. Raises
    `NotReadyError` where no earlier date can be trained and measured.
    """

    def __init__(
        self,
        snapshots: Snapshots,
        target: Target,
        horizon: int,
        planned: Protocol,
        first_day: date,
        settings: TrainingSettings,
        base: Recipe,
    ) -> None:
        self.snapshots, self.target, self.horizon = snapshots, target, horizon
        self.planned, self.settings, self.base = planned, settings, base
        self._first_day = first_day
        dates = tuning_dates(planned.judge, first_day, horizon)
        snapshots.prepare({c for day in dates for c in self._plan(day).closed}, settings.threads)
        found = (self._past_of(day) for day in dates)
        self.past = [past for past in found if past is not None]
        if not self.past:
            raise NotReadyError(
                f"No date before {planned.judge} can be trained and measured for {target.name}, {horizon} days.",
                hint=f"It needs at least {3 * horizon + HISTORY_SHORT} days of rows, with [training] min_positives "
                f"({settings.min_positives}) customers of either kind at every cutoff; or a shorter horizon.",
            )

    @property
    def dates(self) -> tuple[date, ...]:
        """The tuning dates, earliest first."""
        return tuple(past.as_of for past in self.past)

    @property
    def judge_day(self) -> date:
        """The date that the search does not see."""
        return self.planned.judge

    @property
    def defaults(self) -> list[dict[str, Setting]]:
        """The base recipe as a point of the space."""
        assert self.base.trees is not None
        held = {**self.base.trees.__dict__, "start": self.base.start or "none"}
        return [{name: held[name] for name in SPACE}]

    @property
    def space(self) -> Space:
        """What is searched: `SPACE`, with the base recipe in it wherever that lies."""
        return including(SPACE, self.defaults[0])

    @property
    def name(self) -> str:
        """The study's name: what it is about, and a hash of all that its values depend on."""
        depends = {
            "data": self.snapshots.fingerprint,
            "known": str(self.snapshots.known),
            "target": [self.target.name, self.target.population(self.horizon), self.target.outcome],
            "outcome": self.target.settings.model_dump(mode="json", exclude={"trees", "horizons"}),
            "dates": [str(day) for day in (*self.dates, self.planned.judge)],
            "settings": self.settings.model_dump(mode="json", include={"seed", "max_cutoffs", "min_positives"}),
            "base": self.base.to_json(),
            "space": {name: repr(dimension) for name, dimension in SPACE.items()},
        }
        key = hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()[:8]
        return f"{self.target.name}-{self.horizon}d-{key}"

    def recipe(self, settings: Mapping[str, Setting]) -> Recipe:
        """The base recipe with the settings of a trial."""
        return changed(self.base, tree_settings(settings))

    def value(self, settings: Mapping[str, Setting]) -> tuple[float, dict[str, Any]]:
        """The mean over the tuning dates of (average precision + AUC) / 2, what the gate asks; and its parts."""
        recipe = self.recipe(settings)
        with ThreadPoolExecutor(self.settings.threads) as workers:
            found = list(workers.map(lambda past: _measured(past, recipe), self.past))
        value = float(np.mean([(each["average_precision"] + each["auc"]) / 2 for each in found]))
        return value, {"dates": found}

    def judged(self, settings: Mapping[str, Setting], default: Mapping[str, Setting]) -> dict[str, Any]:
        """The settings beside the defaults, both trained anew, on the date that the search has not seen."""
        return told(
            judge(
                self.snapshots, self.target, self.horizon, self.planned, self.settings, self.recipe(settings), self.base
            )
        )

    def to_write(self, settings: Mapping[str, Setting]) -> list[str]:
        """The lines that make these settings those of the target."""
        return [f"[targets.{self.target.name}.trees]", *(f"{k} = {json.dumps(v)}" for k, v in settings.items())]

    def _plan(self, day: date) -> Protocol:
        known = day + timedelta(days=self.horizon)
        return protocol.plan(known, known, self._first_day, self.horizon, self.settings.max_cutoffs)

    def _past_of(self, day: date) -> Past | None:
        usable, _ = usable_protocol(
            self.snapshots, self.target, self.horizon, self._plan(day), self.settings.min_positives
        )
        if usable.kind == "too_short":
            return None
        parts = Parts.of(self.snapshots, self.target, self.horizon, usable, self.base.max_rows)
        return Past(day, parts, Matrix(parts.training, self.base, self.horizon))


def including(space: Space, point: Mapping[str, Setting]) -> Space:
    """The space, widened where the point lies outside it."""

    def widened(dimension: Dimension, value: Setting) -> Dimension:
        if isinstance(dimension, Numbers) and isinstance(value, int | float):
            return replace(dimension, low=min(dimension.low, value), high=max(dimension.high, value))
        if isinstance(dimension, Choice) and isinstance(value, str) and value not in dimension.values:
            return Choice((*dimension.values, value))
        return dimension

    return {name: widened(dimension, point[name]) for name, dimension in space.items()}


def tuning_dates(judge: date, first_day: date, horizon: int) -> tuple[date, ...]:
    """The latest dates, a horizon apart, whose labels have ended when `judge` begins; earliest first, at most three."""
    found: list[date] = []
    day = judge - timedelta(days=horizon)
    while (day - first_day).days >= horizon + HISTORY_SHORT and len(found) < MOST_DATES:
        found.append(day)
        day -= timedelta(days=horizon)
    return tuple(reversed(found))


def told(judged: Judged) -> dict[str, Any]:
    """The difference on the judged date in plain values: tuned − defaults, with the paired 95 % interval."""
    compared = judged.differences[CHAMPION]
    return {
        "as_of": judged.protocol.judge.isoformat(),
        "protocol": judged.protocol.kind,
        "n": judged.n,
        "base_rate": judged.base_rate,
        "rounds": judged.rounds,
        "shape_error": judged.intervals[TREES]["shape_error"].value,
        "differences": {m: {"value": d.value, "low": d.low, "high": d.high} for m, d in compared.items()},
    }


def _measured(past: Past, recipe: Recipe) -> dict[str, Any]:
    matrix = copy(past.matrix)
    matrix.recipe = recipe
    found = past.parts.trees(TREES, matrix)
    y = past.parts.judged.y
    return {
        "as_of": past.as_of.isoformat(),
        "average_precision": average_precision(y, found.p),
        "auc": auc(y, found.p),
        "rounds": found.rounds,
    }
