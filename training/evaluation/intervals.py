"""How sure a metric is: the bootstrap over users, with the same draws for every model.

A draw takes as many users as there are, with replacement, within each label (a user's label is 1 where any of his
rows is); all rows of a user come together. Shared draws make differences of two models paired.

Calibration and shape error are averages of absolute values, to which draws add noise: their intervals lie a little
high, and may lie above the value itself.

Above `MOST_USERS` users the draws are made on that many users, chosen at random within each label, and the interval's
distance from the metric of those is shrunk by √(users drawn / users): the m-out-of-n bootstrap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits

from training.evaluation import propensity as metrics
from training.evaluation.weighted import WeightedMetrics
from warehouse.errors import DataProblemError, UsageError

Floats = NDArray[np.float64]
MOST_USERS = 20_000
_BLOCK = 64
"""Draws worked on at once: a block of some thousand rows stays in the processor's cache."""


@dataclass(frozen=True)
class Interval:
    """A value on the judged rows and the interval that 95 % of the draws lie in; NaN where there is none."""

    value: float
    low: float
    high: float

    @property
    def above_zero(self) -> bool:
        """Whether the whole interval lies above 0."""
        return self.low > 0


@dataclass(frozen=True)
class Resample:
    """The draws of one set of judged rows, to be shared by all models.

    `y` holds the labels of all judged rows, `rows` the numbers of those that are drawn from, `blocks` how often each
    of them is drawn (arrays rows × draws). `shrink` is √(users drawn / users), 1 unless there were too many.
    """

    y: Floats
    rows: NDArray[np.intp]
    blocks: tuple[NDArray[np.uint8], ...]
    shrink: float


def resample(
    users: ArrayLike, y: ArrayLike, draws: int = 1000, seed: int = 7, most_users: int = MOST_USERS
) -> Resample:
    """Draws for judged rows; `users` names the user of each row (texts or numbers)."""
    target, names = np.asarray(y, dtype=np.float64), np.asarray(users)
    if names.shape != target.shape or target.size == 0 or draws < 2:
        raise DataProblemError(f"{target.size} labels, {names.size} users and {draws} draws make no interval.")
    user_of_row = np.unique(names, return_inverse=True)[1]
    label = np.bincount(user_of_row, weights=target) > 0
    generator = np.random.default_rng(seed)
    share = min(1.0, most_users / label.size)
    strata = [np.flatnonzero(label == value) for value in (False, True)]
    kept = [_thinned(stratum, share, generator) for stratum in strata if stratum.size]
    chosen = np.sort(np.concatenate(kept))
    rows = np.flatnonzero(np.isin(user_of_row, chosen))
    blocks = []
    for start in range(0, draws, _BLOCK):
        times = np.zeros((min(_BLOCK, draws - start), label.size), dtype=np.uint8)
        for stratum in kept:
            times[:, stratum] = _drawn(stratum.size, times.shape[0], generator)
        blocks.append(np.take(times, user_of_row[rows], axis=1).T)
    return Resample(target, rows, tuple(blocks), float(np.sqrt(chosen.size / label.size)))


def metric_intervals(
    draws: Resample, predictions: Mapping[str, ArrayLike], names: Sequence[str] = tuple(metrics.METRICS)
) -> dict[str, dict[str, Interval]]:
    """The 95 % interval of each named metric of each model: model → metric → interval."""
    found: dict[str, dict[str, Interval]] = {}
    for model, p in predictions.items():
        predicted = np.asarray(p, dtype=np.float64)
        drawn = metric_draws(draws, predicted, names)
        found[model] = {
            name: _interval(draws, _value(name, draws.y, predicted), drawn[name], _center(draws, name, predicted))
            for name in names
        }
    return found


def paired_interval(draws: Resample, metric: str, a: ArrayLike, b: ArrayLike) -> Interval:
    """The 95 % interval of metric(a) − metric(b), two models' predictions for the same judged rows."""
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    drawn = metric_draws(draws, first, [metric])[metric] - metric_draws(draws, second, [metric])[metric]
    value = _value(metric, draws.y, first) - _value(metric, draws.y, second)
    return _interval(draws, value, drawn, _center(draws, metric, first) - _center(draws, metric, second))


def metric_draws(draws: Resample, p: ArrayLike, names: Sequence[str]) -> dict[str, Floats]:
    """Each named metric of one model in each draw."""
    unknown = [name for name in names if name not in metrics.METRICS]
    if unknown:
        raise UsageError(f'There is no metric "{unknown[0]}".', hint=f"There are: {', '.join(metrics.METRICS)}.")
    y, predicted = metrics.checked(draws.y, p)
    weighted = WeightedMetrics(y[draws.rows], predicted[draws.rows])
    # Products of small blocks: threads would only wait for each other.
    with threadpool_limits(1, "blas"):
        blocks = [weighted(block, names) for block in draws.blocks]
    return {name: np.concatenate([block[name] for block in blocks]) for name in names}


def _value(metric: str, y: Floats, p: Floats) -> float:
    return metrics.METRICS[metric](y, p)


def _center(draws: Resample, metric: str, p: Floats) -> float:
    """The metric on the rows drawn from; only asked for where these are not all."""
    return _value(metric, draws.y[draws.rows], p[draws.rows]) if draws.shrink < 1 else 0.0


def _interval(draws: Resample, value: float, drawn: Floats, center: float) -> Interval:
    if np.isnan(value) or np.isnan(drawn).any():
        return Interval(value, float("nan"), float("nan"))
    low, high = np.quantile(drawn, (0.025, 0.975))
    if draws.shrink == 1:
        return Interval(value, float(low), float(high))
    return Interval(value, float(value + (low - center) * draws.shrink), float(value + (high - center) * draws.shrink))


def _thinned(stratum: NDArray[np.intp], share: float, generator: np.random.Generator) -> NDArray[np.intp]:
    if share >= 1:
        return stratum
    return np.sort(generator.choice(stratum, max(1, round(share * stratum.size)), replace=False))


def _drawn(size: int, draws: int, generator: np.random.Generator) -> NDArray[np.uint8]:
    """How often each of `size` users is drawn (draws × size)."""
    picked = generator.integers(0, size, (draws, size)) + size * np.arange(draws)[:, None]
    times = np.bincount(picked.ravel(), minlength=draws * size).reshape(draws, size)
    return np.minimum(times, 255).astype(np.uint8)
