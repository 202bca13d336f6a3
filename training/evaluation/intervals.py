"""How sure a metric is: the bootstrap over users, with the same draws for every model.

A draw takes as many users as there are, with replacement, within each label (a user's label is 1 where any of his
rows is); all rows of a user come together. Shared draws make differences of two models paired.

Bins of the calibration and shape error are those of the judged rows, in every draw. Both are averages of absolute
values, so draws add noise to them: their intervals lie a little high.

Above `MOST_USERS` users the draws are made on that many users, chosen at random within each label, and the interval's
distance from the metric of those is shrunk by √(users drawn / users): the m-out-of-n bootstrap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit

from training.evaluation import propensity as metrics
from warehouse.errors import DataProblemError, UsageError

Floats = NDArray[np.float64]
MOST_USERS = 20_000
_CHUNK_CELLS = 2_000_000
_SHIFT_GROUPS = 400
"""Groups of equal count within which the shift of the intercept takes log-odds as equal."""


@dataclass(frozen=True)
class Interval:
    """A value on the judged rows and the interval that 95 % of the draws lie in."""

    value: float
    low: float
    high: float

    @property
    def above_zero(self) -> bool:
        """Whether the whole interval lies above 0."""
        return self.low > 0


@dataclass(frozen=True)
class Resample:
    """The draws: `rows` are the judged rows they use, `weights` (draws × rows) how often each is drawn.

    `shrink` is √(users drawn / users), 1 unless there were too many. `y` holds the labels of all judged rows.
    """

    y: Floats
    rows: NDArray[np.intp]
    weights: NDArray[np.uint8]
    shrink: float

    def chunks(self) -> Iterator[Floats]:
        """The weights as float64, some draws at a time."""
        step = max(1, _CHUNK_CELLS // max(1, self.rows.size))
        for start in range(0, self.weights.shape[0], step):
            yield self.weights[start : start + step].astype(np.float64)


def resample(
    users: ArrayLike, y: ArrayLike, draws: int = 1000, seed: int = 7, most_users: int = MOST_USERS
) -> Resample:
    """Draws for judged rows; `users` names the user of each row (texts or numbers)."""
    target = np.asarray(y, dtype=np.float64)
    names = np.asarray(users)
    if names.shape != target.shape or target.size == 0 or draws < 2:
        raise DataProblemError(f"{target.size} labels, {names.size} users and {draws} draws make no interval.")
    _, user_of_row = np.unique(names, return_inverse=True)
    label = np.zeros(int(user_of_row.max()) + 1, dtype=bool)
    np.logical_or.at(label, user_of_row, target == 1)
    generator = np.random.default_rng(seed)
    strata = [np.flatnonzero(label == value) for value in (False, True)]
    share = min(1.0, most_users / label.size)
    kept = [_thinned(stratum, share, generator) for stratum in strata if stratum.size]
    by_user = np.zeros((draws, label.size), dtype=np.uint8)
    for stratum in kept:
        by_user[:, stratum] = _multinomial(stratum.size, draws, generator)
    chosen = np.concatenate(kept)
    rows = np.flatnonzero(np.isin(user_of_row, chosen)) if share < 1 else np.arange(target.size)
    return Resample(target, rows, by_user[:, user_of_row[rows]], float(np.sqrt(chosen.size / label.size)))


def metric_intervals(
    draws: Resample, predictions: Mapping[str, ArrayLike], names: Sequence[str] = tuple(metrics.METRICS)
) -> dict[str, dict[str, Interval]]:
    """95 % interval of each named metric of each model: model → metric → interval. NaN where it cannot be computed."""
    return {
        model: {name: _interval(draws, name, np.asarray(p, dtype=np.float64)) for name in names}
        for model, p in predictions.items()
    }


def paired_interval(draws: Resample, metric: str, a: ArrayLike, b: ArrayLike) -> Interval:
    """95 % interval of metric(a) − metric(b), two models' predictions for the same judged rows."""
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    value = _whole(metric, draws.y, first) - _whole(metric, draws.y, second)
    drawn = metric_draws(draws, metric, first) - metric_draws(draws, metric, second)
    return _quantiles(draws, value, drawn, _part(draws, metric, first) - _part(draws, metric, second))


def metric_draws(draws: Resample, metric: str, p: ArrayLike) -> Floats:
    """The metric of one model in each draw."""
    if metric not in _DRAWN:
        raise UsageError(f'There is no metric "{metric}".', hint=f"There are: {', '.join(_DRAWN)}.")
    y, predicted = metrics.checked(draws.y, p)
    measure = _DRAWN[metric](y[draws.rows], predicted[draws.rows])
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.concatenate([measure(weights) for weights in draws.chunks()])


def _interval(draws: Resample, metric: str, p: Floats) -> Interval:
    return _quantiles(draws, _whole(metric, draws.y, p), metric_draws(draws, metric, p), _part(draws, metric, p))


def _whole(metric: str, y: Floats, p: Floats) -> float:
    if metric not in metrics.METRICS:
        raise UsageError(f'There is no metric "{metric}".', hint=f"There are: {', '.join(metrics.METRICS)}.")
    return metrics.METRICS[metric](y, p)


def _part(draws: Resample, metric: str, p: Floats) -> float:
    return _whole(metric, draws.y[draws.rows], p[draws.rows])


def _quantiles(draws: Resample, value: float, drawn: Floats, center: float) -> Interval:
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


def _multinomial(size: int, draws: int, generator: np.random.Generator) -> NDArray[np.uint8]:
    """How often each of `size` users is drawn (draws × size)."""
    counted = np.empty((draws, size), dtype=np.uint8)
    for i in range(draws):
        counted[i] = np.minimum(np.bincount(generator.integers(0, size, size), minlength=size), 255)
    return counted


Measure = Callable[[Floats], Floats]


def _auc(y: Floats, p: Floats) -> Measure:
    order, starts = _sorted_groups(p)
    hits = y[order]

    def measure(weights: Floats) -> Floats:
        w = weights[:, order]
        positive = np.add.reduceat(w * hits, starts, axis=1)
        negative = np.add.reduceat(w, starts, axis=1) - positive
        misses = negative.sum(axis=1)
        below = misses[:, None] - np.cumsum(negative, axis=1)
        return np.asarray(
            (positive * (below + negative / 2)).sum(axis=1) / (positive.sum(axis=1) * misses), dtype=np.float64
        )

    return measure


def _average_precision(y: Floats, p: Floats) -> Measure:
    order, starts = _sorted_groups(p)
    hits = y[order]

    def measure(weights: Floats) -> Floats:
        w = weights[:, order]
        positive = np.add.reduceat(w * hits, starts, axis=1)
        rows = np.cumsum(np.add.reduceat(w, starts, axis=1), axis=1)
        found = np.cumsum(positive, axis=1)
        # Before the first drawn row there is no precision, and no hit that would ask for it.
        precision = np.divide(found, rows, out=np.zeros_like(found), where=rows > 0)
        return np.asarray((positive * precision).sum(axis=1) / found[:, -1], dtype=np.float64)

    return measure


def _lift(y: Floats, p: Floats) -> Measure:
    order, starts = _sorted_groups(p)
    hits = y[order]

    def measure(weights: Floats) -> Floats:
        w = weights[:, order]
        positive = np.add.reduceat(w * hits, starts, axis=1)
        rows = np.add.reduceat(w, starts, axis=1)
        wanted = metrics.TOP_SHARE * rows.sum(axis=1)
        before = np.cumsum(rows, axis=1) - rows
        taken = np.clip(wanted[:, None] - before, 0, rows)
        rate = np.divide(positive, rows, out=np.zeros_like(positive), where=rows > 0)
        return np.asarray((rate * taken).sum(axis=1) / (metrics.TOP_SHARE * positive.sum(axis=1)), dtype=np.float64)

    return measure


def _mean_of(values: Floats) -> Measure:
    return lambda weights: np.asarray((weights @ values) / weights.sum(axis=1), dtype=np.float64)


def _brier(y: Floats, p: Floats) -> Measure:
    return _mean_of((p - y) ** 2)


def _log_loss(y: Floats, p: Floats) -> Measure:
    return _mean_of(metrics.row_losses(y, p))


def _level(y: Floats, p: Floats) -> Measure:
    return _mean_of(p - y)


def _calibration(y: Floats, p: Floats) -> Measure:
    gaps = _one_column_a_bin(metrics.calibration_bins(p)) * (p - y)[:, None]
    return lambda weights: np.asarray(np.abs(weights @ gaps).sum(axis=1) / weights.sum(axis=1), dtype=np.float64)


def _shape(y: Floats, p: Floats) -> Measure:
    odds = logit(np.clip(p, 1e-15, 1 - 1e-15))
    fine = _fine_groups(odds)
    groups = int(fine.max()) + 1
    sizes = np.bincount(fine)
    center = np.bincount(fine, weights=odds) / sizes
    in_group = _one_column_a_bin(fine)
    bin_of_group = np.zeros(groups, dtype=np.intp)
    bin_of_group[fine] = metrics.calibration_bins(p)
    into_bins = _one_column_a_bin(bin_of_group)

    def measure(weights: Floats) -> Floats:
        rows, hits = weights @ in_group, weights @ (in_group * y[:, None])
        shift = _shift(center, rows, hits.sum(axis=1))
        gaps = (rows * expit(center + shift[:, None]) - hits) @ into_bins
        return np.asarray(np.abs(gaps).sum(axis=1) / rows.sum(axis=1), dtype=np.float64)

    return measure


def _shift(center: Floats, rows: Floats, hits: Floats) -> Floats:
    """The shift of log-odds, one for each draw, at which expected hits are the drawn ones: bisection."""
    low, high = np.full(hits.size, -80.0), np.full(hits.size, 80.0)
    for _ in range(50):
        middle = (low + high) / 2
        more = (rows * expit(center + middle[:, None])).sum(axis=1) > hits
        high, low = np.where(more, middle, high), np.where(more, low, middle)
    return (low + high) / 2


def _fine_groups(odds: Floats) -> NDArray[np.intp]:
    return metrics.calibration_bins(odds, _SHIFT_GROUPS)


def _one_column_a_bin(member: NDArray[np.intp]) -> Floats:
    """An array rows × bins of 0 and 1."""
    table = np.zeros((member.size, int(member.max()) + 1))
    table[np.arange(member.size), member] = 1
    return table


def _sorted_groups(p: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows from the highest prediction down, and where each group of equal predictions begins."""
    order = np.argsort(-p, kind="stable")
    falling = p[order]
    return order, np.flatnonzero(np.concatenate([[True], falling[1:] != falling[:-1]]))


_DRAWN: Mapping[str, Callable[[Floats, Floats], Measure]] = {
    "auc": _auc,
    "average_precision": _average_precision,
    "lift_at_10": _lift,
    "brier": _brier,
    "log_loss": _log_loss,
    "calibration_error": _calibration,
    "level_error": _level,
    "shape_error": _shape,
}
