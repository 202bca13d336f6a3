"""Replaying the past: what a recipe would have done on earlier dates, judged as strictly as today's model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np

from training import judging, label_dates, protocol
from training.evaluation import propensity as metrics
from training.evaluation.decisions import Prices, decisions, lost
from training.evaluation.intervals import Interval
from training.judging import TREES, Judged, judge
from training.label_dates import TimeOrder
from training.levels import shifted
from training.protocol import Protocol
from training.recipes import Recipe
from training.snapshots import Snapshots
from training.targets import Target
from warehouse.errors import NotReadyError
from warehouse.progress import Progress, silent
from warehouse.settings import TrainingSettings

RECENCY_RULE, RFM_RULE = "days_since_last_order", "rfm_sum"


@dataclass(frozen=True)
class Replay:
    """One (target, horizon) over several dates, each judged by its own protocol; earliest first."""

    target: Target
    horizon: int
    judged: tuple[Judged, ...]
    champion: str | None
    prices: Prices | None = None

    def to_json(self) -> dict[str, Any]:
        """`target`, `horizon_days`, `protocol` (of the latest date), `cutoffs`, `pooled`, `champion`."""
        return {
            "target": self.target.name,
            "horizon_days": self.horizon,
            "protocol": self.judged[-1].protocol.kind,
            "cutoffs": [judged_json(judged, self.target, self.prices) for judged in self.judged],
            "pooled": self.pooled(),
            "champion": self.champion,
        }

    def pooled(self) -> dict[str, Any] | None:
        """Calibration of the trees over all fully judged dates taken together; None where there is none."""
        full = [j for j in self.judged if j.protocol.kind == "full"]
        if not full:
            return None
        y = np.concatenate([j.sample.y for j in full])
        p = np.concatenate([j.p(TREES) for j in full])
        return {
            "as_of": [j.protocol.judge.isoformat() for j in full],
            "n": int(y.size),
            "calibration_error": metrics.calibration_error(y, p),
            "level_error": metrics.level_error(y, p),
            "shape_error": metrics.shape_error(y, p),
        }


def backtest(
    snapshots: Snapshots,
    targets: Sequence[Target],
    settings: TrainingSettings,
    recipe: Recipe,
    observed_until: date,
    first_day: date,
    as_of: Sequence[date] = (),
    horizon: int | None = None,
    champions: dict[tuple[str, int], str] | None = None,
    progress: Progress = silent,
    time_order: TimeOrder = "as_of",
    prices: Prices | None = None,
) -> list[Replay]:
    """Replays each target at each of its horizons (or the one given) on the dates `as_of`.

    Of a target of the labels table the dates are those of its labels, as known on the day `observed_until`.
    With `prices` each date tells what acting on it would have brought. Without dates: every 30 days back from the
    latest cutoff whose label is known, as far as anything can be trained.
    `NotReadyError` where a date asked for has no known label yet, or nothing at all can be replayed.
    """
    pairs = [(target, h) for target in targets for h in ([horizon] if horizon else target.horizons)]
    replays = []
    for target, h in pairs:
        plans = (
            _of_labels(snapshots.as_known(observed_until), target, h, as_of, settings, time_order)
            if target.of_labels
            else [
                protocol.plan(day + timedelta(days=h), observed_until, first_day, h, settings.max_cutoffs)
                for day in replayed(as_of, observed_until, first_day, h)
            ]
        )
        found = []
        for k, planned in enumerate(plans):
            progress(f"{target.name}, {h} days, as of {planned.judge}", k, len(plans))
            known = snapshots.as_known(observed_until) if target.of_labels else snapshots
            found.append(judge(known, target, h, planned, settings, recipe, week_before=True))
        if found:
            replays.append(Replay(target, h, tuple(found), (champions or {}).get((target.name, h)), prices))
    if not replays:
        raise NotReadyError(
            f"There is no past date to replay: rows reach from {first_day} to {observed_until}.",
            hint="It needs a horizon and 30 days more than the horizon of rows.",
        )
    return replays


def _of_labels(
    snapshots: Snapshots,
    target: Target,
    horizon: int,
    asked: Sequence[date],
    settings: TrainingSettings,
    time_order: TimeOrder,
) -> list[Protocol]:
    """The protocols of a target of the labels table, judged on dates that its labels have."""
    day = snapshots.known or max(asked)
    labels = snapshots.labels(target, horizon, day)
    least, most = settings.min_positives, settings.max_cutoffs
    found = label_dates.groups(labels, horizon)
    if not found:
        return [label_dates.plan(labels, horizon, day, least, most, time_order)]
    chosen = [group for group in found if group.first in asked]
    if len(chosen) < len(set(asked)):
        raise NotReadyError(
            f"The labels of {target.name} have no closed cutoff on {min(set(asked) - {g.first for g in chosen})}.",
            hint=f"There are: {', '.join(str(group.first) for group in found)}.",
        )
    plans = []
    for group in chosen or label_dates.replayable(found, horizon, least):
        then = group.last + timedelta(days=horizon)
        known = label_dates.closed(labels, target.name, horizon, then)
        plans.append(label_dates.plan(known, horizon, then, least, most, time_order))
    return plans


def replayed(asked: Sequence[date], observed_until: date, first_day: date, horizon: int) -> tuple[date, ...]:
    """The dates to replay, earliest first; every one must have a known label."""
    if not asked:
        return protocol.replay_dates(observed_until, first_day, horizon)
    latest = observed_until - timedelta(days=horizon)
    late = [day for day in asked if day > latest]
    if late:
        raise NotReadyError(
            f"The {horizon} days from {min(late)} are not over in the data, which reach until {observed_until}.",
            hint=f"The latest date that can be replayed with this horizon is {latest}.",
        )
    return tuple(sorted(set(asked)))


def interval_json(interval: Interval) -> dict[str, float | None]:
    """Value and 95 % interval; what could not be computed is null."""
    return {name: _finite(getattr(interval, name)) for name in ("value", "low", "high")}


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def judged_json(judged: Judged, target: Target, prices: Prices | None = None) -> dict[str, Any]:
    """One judged cutoff: every contender with its metrics and intervals, differences, slices, gains, decisions."""
    best = TREES if TREES in judged.contenders else judged.named_rule
    y = judged.sample.y
    return {
        "as_of": judged.protocol.judge.isoformat(),
        **judged.protocol.to_json(),
        "n": judged.n,
        "base_rate": judged.base_rate,
        "skipped": [s.to_json() for s in judged.skipped],
        "named_rule": judged.named_rule,
        "rounds": judged.rounds,
        "models": [_model_json(judged, name) for name in judged.contenders],
        "differences": {
            f"{TREES} - {other}": {metric: interval_json(found) for metric, found in compared.items()}
            for other, compared in judged.differences.items()
        },
        "slices": _clean(judging.slice_metrics(judged, target, {best: 1, judged.named_rule: 1})),
        "deciles": _clean(metrics.decile_rows(y, judged.p(best))),
        "level": _level_json(judged, best),
        "sentence": sentence(judged, target),
        **({"decision": decision} if (decision := _decision(judged, target, prices)) else {}),
        **({"stability": dict(judged.stability)} if judged.stability else {}),
    }


def _decision(judged: Judged, target: Target, prices: Prices | None) -> dict[str, Any] | None:
    """What contacting by the best model, by RFM, or everybody would have brought; None without prices."""
    if prices is None:
        return None
    best = TREES if TREES in judged.contenders else judged.named_rule
    names = dict.fromkeys((best, *([RFM_RULE] if RFM_RULE in judged.contenders else [])))
    said = {name: lost(target.outcome, judged.p(name)) for name in names}
    return decisions(prices, judged.sample.table, lost(target.outcome, judged.sample.y), said)


def _level_json(judged: Judged, name: str) -> dict[str, Any] | None:
    """The forecast for the judged date, and the level error of a contender without it and with it."""
    if judged.level is None:
        return None
    y, p, shift = judged.sample.y, judged.p(name), judged.level.shift
    without, with_it = (shifted(p, -shift), p) if judged.level.applied else (p, shifted(p, shift))
    errors = {"error_as_learnt": metrics.level_error(y, without), "error_forecast": metrics.level_error(y, with_it)}
    return {**judged.level.to_json(), **errors, "interval": list(judged.level.of(p))}


def _model_json(judged: Judged, name: str) -> dict[str, Any]:
    values = {metric: _finite(v) for metric, v in metrics.evaluate(judged.sample.y, judged.p(name)).items()}
    intervals = {metric: interval_json(found) for metric, found in judged.intervals.get(name, {}).items()}
    kind = "lightgbm" if judged.contenders[name].recipe.trees is not None else "rule"
    return {"name": name, "kind": kind, **values, "intervals": intervals}


def _clean(value: Any) -> Any:
    """The same nested values with numbers that are not finite as null, which JSON can hold."""
    if isinstance(value, dict):
        return {key: _clean(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_clean(part) for part in value]
    return _finite(value) if isinstance(value, float) else value


def sentence(judged: Judged, target: Target, model: str | None = None) -> str:
    """What the ranking of `model` (the trees if absent) would have been worth, in one sentence for campaigners."""
    y = judged.sample.y
    best = model or (TREES if TREES in judged.contenders else judged.named_rule)
    who = {
        "sale": "buyers", "act": "active customers", "no_sale": "customers who then stayed away",
        "no_act": "customers who then stayed away", "labels": "customers with y = 1",
    }[target.outcome]  # fmt: skip
    if not y.any():
        return (
            f"Of the {judged.n:,} customers of {judged.protocol.judge} none was among the {who} of the next "
            f"{judged.protocol.horizon} days: there was nothing to rank."
        )
    held, possible = metrics.captured(y, judged.p(best))
    told = (
        f"Had you used {best} on {judged.protocol.judge}, the top 10 % would have held {held:.0%} of the {who} of the "
        f"next {judged.protocol.horizon} days (at most {possible:.0%} was possible)"
    )
    if RECENCY_RULE in judged.contenders and best != RECENCY_RULE:
        recency = metrics.captured(y, judged.p(RECENCY_RULE))[0]
        told += f"; days since last order {recency:.0%}"
    return told + "."
