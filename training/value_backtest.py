"""Replaying what customers would spend: each model and simple rules on past dates, judged by what was spent then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.baselines import Rule
from training import protocol
from training.backtest import RFM_RULE, interval_json, replayed
from training.evaluation import value as metrics
from training.protocol import Protocol
from training.recipes import Recipe
from training.snapshots import Snapshots
from training.value import FEWEST_BUYERS, LIFETIMES, SHORTEST_SINCE, TREES, Contest, Learner, Spent, spent_after
from warehouse.errors import NotReadyError
from warehouse.progress import Progress, silent
from warehouse.settings import TrainingSettings

Floats = NDArray[np.float64]
COUNTS = "order_days_so_far"
"""The rule that order days a day go on as they were, each of everybody's mean money."""


@dataclass(frozen=True)
class ReplayedValue:
    """One date: what each model and rule expected of its customers, and what they spent; `model` is told of."""

    planned: Protocol
    model: str
    spent: Floats
    expected: Mapping[str, Floats]
    stability: Mapping[str, Any] | None
    settings: TrainingSettings

    def to_json(self) -> dict[str, Any]:
        """`as_of`, the protocol, `n`, `spent`, `models` with their measures, `differences` of `model` to each other
        one with their 95 % intervals, `deciles`, `sentence` and, where it could be told, `stability`."""
        others = [name for name in self.expected if name != self.model]
        draws, seed = self.settings.bootstrap_draws, self.settings.seed
        return {
            "as_of": self.planned.judge.isoformat(),
            **self.planned.to_json(),
            "n": int(self.spent.size),
            "spent": float(self.spent.sum()),
            "models": [
                {"name": name, "kind": _kind(name), **_clean(metrics.evaluate(self.spent, told))}
                for name, told in self.expected.items()
            ],
            "differences": {
                f"{self.model} - {other}": {
                    measure: interval_json(found)
                    for measure, found in metrics.compare(
                        self.spent, self.expected, self.model, other, draws, seed
                    ).items()
                }
                for other in others
            },
            "deciles": metrics.deciles(self.spent, self.expected[self.model]),
            "sentence": self.sentence(),
            **({"stability": dict(self.stability)} if self.stability else {}),
        }

    def sentence(self) -> str:
        """What the ranking and the total would have been worth, in one sentence for campaigners."""
        days, judge = self.planned.horizon, self.planned.judge
        if not self.spent.any():
            return f"Of the {self.spent.size:,} customers of {judge} nobody spent anything in the next {days} days."
        found = {name: metrics.evaluate(self.spent, told) for name, told in self.expected.items()}
        mine = found.pop(self.model)
        beside = ", ".join(f"{name} {row['top_decile_share']:.0%}" for name, row in found.items())
        return (
            f"Had you used {self.model} on {judge}, the 10 % expected to spend most would have held "
            f"{mine['top_decile_share']:.0%} of the money of the next {days} days (at most {mine['possible']:.0%} was "
            f"possible), and the total would have been {mine['total_ratio']:.2f} times what came; {beside}."
        )


def replay_value(
    snapshots: Snapshots,
    horizon: int,
    serves: str,
    settings: TrainingSettings,
    recipe: Recipe,
    observed_until: date,
    first_day: date,
    as_of: Sequence[date] = (),
    progress: Progress = silent,
) -> list[ReplayedValue]:
    """Replays the value models on the dates `as_of`; without dates every 30 days back from the latest one whose window
    is over. Told of is the model that `serves`, or where it cannot be learnt the lifetimes.

    `NotReadyError` where a date's window is not over, or too few had ordered on every one of them.
    """
    found = []
    days = replayed(as_of, observed_until, first_day, horizon)
    for k, day in enumerate(days):
        progress(f"value, {horizon} days, as of {day}", k, len(days))
        planned = protocol.plan(day + timedelta(days=horizon), observed_until, first_day, horizon, settings.max_cutoffs)
        judged = spent_after(snapshots, planned.judge, horizon)
        if judged.spent.size < FEWEST_BUYERS:
            continue
        contest = Contest.of(Learner(snapshots, planned, horizon, planned.known_from, settings, recipe), judged)
        model = serves if serves in contest.expected else LIFETIMES
        told = {**contest.expected, **_rules(snapshots, planned, judged)}
        found.append(ReplayedValue(planned, model, judged.spent, told, contest.steady(model), settings))
    if not found:
        raise NotReadyError(
            f"There is no past date to replay: on none had {FEWEST_BUYERS} customers ordered.",
            hint="It needs a horizon and 30 days more than the horizon of rows.",
        )
    return found


def to_json(dates: Sequence[ReplayedValue], champion: str | None) -> dict[str, Any]:
    """The shape of a replayed target. `pooled`: the totals of all dates taken together."""
    spent = float(sum(each.spent.sum() for each in dates))
    expected = float(sum(each.expected[each.model].sum() for each in dates))
    return {
        "target": "value",
        "horizon_days": dates[-1].planned.horizon,
        "protocol": dates[-1].planned.kind,
        "cutoffs": [each.to_json() for each in dates],
        "pooled": {
            "as_of": [each.planned.judge.isoformat() for each in dates],
            "n": sum(each.spent.size for each in dates),
            "expected": expected,
            "spent": spent,
            "total_ratio": expected / spent if spent > 0 else None,
        },
        "champion": champion,
    }


def _rules(snapshots: Snapshots, planned: Protocol, judged: Spent) -> dict[str, Floats]:
    """Money by counts; and by RFM: the mean spent, on the last cutoff whose window had ended, by who had the same sum.
    Without such a cutoff there is no RFM."""
    known = judged.histories
    rate = (known.x + 1) / np.maximum(known.T, SHORTEST_SINCE) * planned.horizon
    found = {COUNTS: rate * float(np.average(known.mean_amount, weights=known.x + 1))}
    ended = [day for day in planned.closed if day <= planned.judge - timedelta(days=planned.horizon)]
    if ended:
        past = spent_after(snapshots, ended[-1], planned.horizon, planned.judge)
        if past.spent.any() and not (past.spent > 0).all():
            rule = Rule.fit(RFM_RULE, past.table, (past.spent > 0).astype(float), planned.horizon)
            sums, of = np.unique(rule.score(past.table), return_inverse=True)
            means = np.bincount(of, past.spent) / np.bincount(of)
            found[RFM_RULE] = np.interp(rule.score(judged.table), sums, means)
    return found


def _kind(name: str) -> str:
    return {TREES: "lightgbm", LIFETIMES: "lifetimes"}.get(name, "rule")


def _clean(row: Mapping[str, float]) -> dict[str, float | None]:
    return {name: float(value) if np.isfinite(value) else None for name, value in row.items()}
