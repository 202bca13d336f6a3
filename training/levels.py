"""The level of probabilities: how far the share of buyers drifts from one horizon to the next, and how sure that is.

A model calibrated on one date promises the level of that date. What a simple rule, fitted a horizon earlier, would have
had to be shifted by on each past cutoff shows how the level moves beyond what features explain. The mean of such steps,
shrunken, is the forecast of the next; their spread is its uncertainty. A forecast is one number added to all log-odds:
it can move the level and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit

from features.seasons import festival_days
from features.windows import day_number
from models.baselines import COLUMNS, Rule
from training.evaluation.propensity import EDGE, shift_to_level
from training.snapshots import Sample, Snapshots
from training.targets import Target
from warehouse.errors import DataProblemError

RULE = "order_days_minus_recency"
SHRINKAGE = 4.0
"""So many steps without any drift are counted beside those that were seen."""
USUAL_SPREAD = 0.25
"""The spread of steps, in log-odds, where fewer than three were seen."""
NORMAL_80 = 1.2816
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip


@dataclass(frozen=True)
class Step:
    """What the rule fitted on `before` would have had to be shifted by, in log-odds, to meet the level of `at`."""

    before: date
    at: date
    n: int
    base_rate: float
    shift: float


@dataclass(frozen=True)
class Level:
    """The forecast of one (target, horizon): the shift of log-odds of the next horizon, and its 80 % interval.

    `applied` says whether it is in the probabilities. `unseen` names the months and festivals of the predicted window
    that lie in no window whose outcome a model has learnt from.
    """

    shift: float
    spread: float
    steps: tuple[Step, ...]
    unseen: tuple[str, ...]
    applied: bool

    @property
    def interval(self) -> tuple[float, float]:
        """Where 80 % of shifts are expected: one more step, and the mean of those seen."""
        width = NORMAL_80 * self.spread
        return self.shift - width, self.shift + width

    def of(self, p: ArrayLike) -> tuple[float, float]:
        """The 80 % interval of the share of y = 1 among customers with these (published) probabilities."""
        odds = logit(np.clip(np.asarray(p, dtype=np.float64), EDGE, 1 - EDGE))
        low, high = (bound - (self.shift if self.applied else 0.0) for bound in self.interval)
        return float(expit(odds + low).mean()), float(expit(odds + high).mean())

    def to_json(self) -> dict[str, Any]:
        """Plain values for the card."""
        low, high = self.interval
        return {
            "applied": self.applied,
            "shift": self.shift,
            "low": low,
            "high": high,
            "steps": [
                {"before": s.before.isoformat(), "at": s.at.isoformat(), "n": s.n, "base_rate": s.base_rate,
                 "shift": s.shift}
                for s in self.steps
            ],
            "never_seen": list(self.unseen),
        }  # fmt: skip


def forecast(
    snapshots: Snapshots,
    target: Target,
    horizon: int,
    closed: Sequence[date],
    day: date,
    min_positives: int,
    applied: bool,
) -> Level:
    """The level of `day` from cutoffs whose labels had ended by then; every one in `closed` must be such."""
    # Of each sample only what the rule reads is held: there may be a dozen of them.
    read = [name for columns in COLUMNS.values() for name in columns]
    samples = (snapshots.sample(target, horizon, cutoff) for cutoff in sorted(closed))
    steps = tuple(_steps([s.narrowed(read) for s in samples if s.usable(min_positives)], horizon))
    shift, spread = drift(steps, horizon)
    return Level(shift, spread, steps, never_seen(closed, day, horizon), applied)


def drift(steps: Sequence[Step], horizon: int) -> tuple[float, float]:
    """The shift expected over one horizon, and its standard deviation.

    Steps overlap: they count as many as whole horizons fit between the first and the last, and one. The mean is
    shrunken towards no drift by `SHRINKAGE` steps of 0.
    """
    if not steps:
        return 0.0, USUAL_SPREAD
    found = np.array([s.shift * horizon / (s.at - s.before).days for s in steps])
    count = (steps[-1].at - steps[0].at).days / horizon + 1
    share = count / (count + SHRINKAGE)
    spread = float(found.std(ddof=1)) if found.size > 2 else USUAL_SPREAD
    # One more step, and not knowing the mean of the steps exactly.
    return float(share * found.mean()), spread * float(np.sqrt(1 + 1 / count))


def _steps(samples: Sequence[Sample], horizon: int) -> Iterable[Step]:
    """From each cutoff to the latest one whose labels had ended by then."""
    for later in samples:
        earlier = [s for s in samples if s.as_of + timedelta(days=horizon) <= later.as_of]
        if not earlier:
            continue
        before = earlier[-1]
        try:
            p = Rule.fit(RULE, before.table, before.y, horizon).predict(later.table)
        except DataProblemError:  # neither order days nor active days
            continue
        yield Step(before.as_of, later.as_of, later.n, float(later.y.mean()), shift_to_level(later.y, p))


def never_seen(closed: Iterable[date], day: date, horizon: int) -> tuple[str, ...]:
    """The months and festivals in `[day, day + horizon)` that no window of a closed cutoff touches, in their order."""
    learnt = {name for cutoff in closed for name in _seasons(cutoff, horizon)}
    return tuple(name for name in _seasons(day, horizon) if name not in learnt)


def _seasons(day: date, horizon: int) -> list[str]:
    """Months by their English names, and festivals by the names of `features.seasons`."""
    feasts = dict(zip(festival_days()["day"].to_pylist(), festival_days()["festival"].to_pylist(), strict=True))
    found: dict[str, None] = {}
    for each in (day + timedelta(days=n) for n in range(horizon)):
        found[MONTHS[each.month - 1]] = None
        if (number := day_number(each)) in feasts:
            found[feasts[number]] = None
    return list(found)


def shifted(p: NDArray[np.float64], shift: float) -> NDArray[np.float64]:
    """Probabilities with `shift` added to all log-odds: every ranking and every tie stays."""
    odds = logit(np.clip(p, EDGE, 1 - EDGE))
    return np.asarray(expit(odds + shift), dtype=np.float64)
