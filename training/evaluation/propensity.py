"""How good probabilities are: ranking, calibration and money. Tied predictions always count as one group, so that no
answer depends on the order of the rows.

Everywhere `y` holds 0 and 1 and `p` the predicted probability of 1, one value for each judged row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import expit, logit

from warehouse.errors import DataProblemError

Floats = NDArray[np.float64]

TOP_SHARE = 0.1
"""The share of customers that lift and "the top 10 %" speak of."""
CALIBRATION_BINS = 10
EDGE = float(np.finfo(np.float64).eps)
"""Probabilities are kept this far from 0 and 1 before a logarithm is taken, as scikit-learn does."""


@dataclass(frozen=True)
class Groups:
    """The distinct predictions from the highest down: how many rows have it and how many of these have y = 1."""

    predicted: Floats
    rows: Floats
    hits: Floats

    @classmethod
    def of(cls, y: ArrayLike, p: ArrayLike) -> Groups:
        """Groups of checked rows; `DataProblemError` for labels other than 0 and 1, or probabilities outside 0 … 1."""
        target, predicted = checked(y, p)
        values, member = np.unique(-predicted, return_inverse=True)
        rows = np.bincount(member).astype(np.float64)
        return cls(-values, rows, np.bincount(member, weights=target).astype(np.float64))


def checked(y: ArrayLike, p: ArrayLike) -> tuple[Floats, Floats]:
    """Labels and predictions as float64; `DataProblemError` where they cannot be judged."""
    target, predicted = np.asarray(y, dtype=np.float64), np.asarray(p, dtype=np.float64)
    if target.ndim != 1 or target.shape != predicted.shape or target.size == 0:
        raise DataProblemError(f"{predicted.size} predictions cannot be judged by {target.size} labels.")
    if not np.isin(target, (0.0, 1.0)).all():
        raise DataProblemError("Labels must be 0 or 1.")
    if not ((predicted >= 0) & (predicted <= 1)).all():
        raise DataProblemError("Predictions must be probabilities between 0 and 1, none missing.")
    return target, predicted


def auc(y: ArrayLike, p: ArrayLike) -> float:
    """P(a random positive is ranked above a random negative), ties counting half; NaN with one class only."""
    groups = Groups.of(y, p)
    misses = groups.rows - groups.hits
    below = misses.sum() - np.cumsum(misses)
    pairs = groups.hits.sum() * misses.sum()
    return float((groups.hits @ (below + misses / 2)) / pairs) if pairs else float("nan")


def average_precision(y: ArrayLike, p: ArrayLike) -> float:
    """Σ (recall gained at a threshold) × (precision there) over distinct thresholds; NaN without positives."""
    groups = Groups.of(y, p)
    precision = np.cumsum(groups.hits) / np.cumsum(groups.rows)
    positives = groups.hits.sum()
    return float((groups.hits @ precision) / positives) if positives else float("nan")


def hits_in_top(groups: Groups, share: float) -> float:
    """Expected positives among the highest-ranked `share` of rows.

    A group of ties cut by the border gives its hits in proportion: what a random choice among them would bring.
    """
    wanted = share * groups.rows.sum()
    before = np.cumsum(groups.rows) - groups.rows
    taken = np.clip(wanted - before, 0, groups.rows)
    return float(groups.hits @ (taken / groups.rows))


def lift(y: ArrayLike, p: ArrayLike, share: float = TOP_SHARE) -> float:
    """How many times more positives the top `share` holds than a random choice; NaN without positives."""
    groups = Groups.of(y, p)
    positives = groups.hits.sum()
    return float(hits_in_top(groups, share) / (share * positives)) if positives else float("nan")


def captured(y: ArrayLike, p: ArrayLike, share: float = TOP_SHARE) -> tuple[float, float]:
    """Share of all positives that the top `share` holds, and the most that any ranking could have held."""
    groups = Groups.of(y, p)
    positives, rows = groups.hits.sum(), groups.rows.sum()
    if not positives:
        return float("nan"), float("nan")
    return float(hits_in_top(groups, share) / positives), float(min(1.0, share * rows / positives))


def brier(y: ArrayLike, p: ArrayLike) -> float:
    """Mean squared difference of probability and label."""
    target, predicted = checked(y, p)
    return float(np.mean((predicted - target) ** 2))


def log_loss(y: ArrayLike, p: ArrayLike) -> float:
    """Mean −ln(probability given to what happened), in nats; probabilities are kept `EDGE` away from 0 and 1."""
    return float(np.mean(row_losses(*checked(y, p))))


def row_losses(y: Floats, p: Floats) -> Floats:
    """−ln(probability given to what happened) for each row."""
    inside = np.clip(p, EDGE, 1 - EDGE)
    return -(y * np.log(inside) + (1 - y) * np.log1p(-inside))


def level_error(y: ArrayLike, p: ArrayLike) -> float:
    """Mean predicted − observed rate: above 0 promises too much."""
    target, predicted = checked(y, p)
    return float(predicted.mean() - target.mean())


def calibration_bins(p: ArrayLike, bins: int = CALIBRATION_BINS) -> NDArray[np.intp]:
    """The bin of each row: `bins` of equal count, in order of prediction, ties in one bin.

    A tied group lies where its middle row lies, so bins may be unequal, or empty, where ties are large. Bins are
    numbered from the lowest predictions, without gaps.
    """
    predicted = np.asarray(p, dtype=np.float64)
    _, member, counts = np.unique(predicted, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - counts / 2
    bin_of_group = np.minimum((middle * bins / predicted.size).astype(np.intp), bins - 1)
    return np.asarray(np.unique(bin_of_group, return_inverse=True)[1][member], dtype=np.intp)


def calibration_error(y: ArrayLike, p: ArrayLike, bins: int = CALIBRATION_BINS) -> float:
    """Mean |observed − predicted| over bins of equal count, each bin weighted by its rows (ties make them unequal).

    Even a perfect model shows some: about √(2 p(1 − p) / (π n/10)) in a bin of n/10 rows.
    """
    target, predicted = checked(y, p)
    member = calibration_bins(predicted, bins)
    gaps = np.bincount(member, weights=predicted - target)
    return float(np.abs(gaps).sum() / target.size)


def shifted_to_level(y: ArrayLike, p: ArrayLike) -> Floats:
    """The predictions after one shift of all log-odds that makes their mean the observed rate."""
    target, predicted = checked(y, p)
    rate = float(target.mean())
    if rate in (0.0, 1.0):
        return np.full(target.size, rate)
    odds = logit(np.clip(predicted, EDGE, 1 - EDGE))
    return np.asarray(expit(odds + shift_to_level(y, p)), dtype=np.float64)


def shift_to_level(y: ArrayLike, p: ArrayLike) -> float:
    """What has to be added to all log-odds so that their mean is the observed rate, which is neither 0 nor 1."""

    target, predicted = checked(y, p)
    odds, rate = logit(np.clip(predicted, EDGE, 1 - EDGE)), float(target.mean())
    return float(brentq(lambda s: float(expit(odds + s).mean()) - rate, -80.0, 80.0, xtol=1e-12))


def shape_error(y: ArrayLike, p: ArrayLike, bins: int = CALIBRATION_BINS) -> float:
    """Calibration error after one shift of the intercept: what is wrong besides the level."""
    return calibration_error(y, shifted_to_level(y, p), bins)


@dataclass(frozen=True)
class BestCut:
    """The cut of the ranking that would have brought most: profit a judged customer, share contacted, lowest p."""

    profit: float
    share: float
    threshold: float


def best_cut(y: ArrayLike, p: ArrayLike, value_per_hit: float = 1.0, cost_per_contact: float | None = None) -> BestCut:
    """The most profitable cut between distinct predictions, contacting nobody (profit 0) among them.

    Profit = value × hits − cost × contacts, over all judged rows. Without a cost a contact costs base rate × value,
    so that contacting everybody brings nothing. The cut is chosen on what happened: an upper bound, and the same
    kind of bound for every model compared.
    """
    groups = Groups.of(y, p)
    rows = groups.rows.sum()
    cost = value_per_hit * groups.hits.sum() / rows if cost_per_contact is None else cost_per_contact
    profits = np.concatenate([[0.0], np.cumsum(value_per_hit * groups.hits - cost * groups.rows)])
    best = int(np.argmax(profits))
    contacted = groups.rows[:best].sum()
    threshold = float(groups.predicted[best - 1]) if best else 1.0
    return BestCut(float(profits[best] / rows), float(contacted / rows), threshold)


METRICS = {
    "auc": auc,
    "average_precision": average_precision,
    "lift_at_10": lift,
    "brier": brier,
    "log_loss": log_loss,
    "calibration_error": calibration_error,
    "level_error": level_error,
    "shape_error": shape_error,
}
"""The metrics that are reported with intervals, by their names in reports."""


def evaluate(
    y: ArrayLike, p: ArrayLike, value_per_hit: float = 1.0, cost_per_contact: float | None = None
) -> dict[str, float]:
    """Every metric of one model on one set of rows; NaN where the labels do not allow it."""
    held, possible = captured(y, p)
    cut = best_cut(y, p, value_per_hit, cost_per_contact)
    return {
        **{name: metric(y, p) for name, metric in METRICS.items()},
        "top_10_share": held,
        "top_10_share_possible": possible,
        "best_cut_profit": cut.profit,
        "best_cut_share": cut.share,
    }


@dataclass(frozen=True)
class Decile:
    """One tenth of the judged rows, 1 being the highest predicted; hits are expected ones where ties are cut."""

    decile: int
    rows: float
    mean_predicted: float
    observed_rate: float
    lift: float
    captured_share: float
    cumulative_captured_share: float


def decile_table(y: ArrayLike, p: ArrayLike) -> list[Decile]:
    """Ten tenths from the highest predictions down; tied rows at a border are shared out in proportion."""
    groups = Groups.of(y, p)
    total, positives = float(groups.rows.sum()), float(groups.hits.sum())
    before = np.cumsum(groups.rows) - groups.rows
    table, cumulative = [], 0.0
    for tenth in range(10):
        top, bottom = total * tenth / 10, total * (tenth + 1) / 10
        taken = np.clip(np.minimum(bottom, before + groups.rows) - np.maximum(top, before), 0, None)
        hits, rows = float(groups.hits @ (taken / groups.rows)), float(taken.sum())
        cumulative += hits
        share = hits / positives if positives else float("nan")
        table.append(
            Decile(
                tenth + 1, rows, float(groups.predicted @ taken) / rows, hits / rows, 10 * share, share,
                cumulative / positives if positives else float("nan"),
            )
        )  # fmt: skip
    return table


def decile_rows(y: ArrayLike, p: ArrayLike) -> list[Mapping[str, float]]:
    """The decile table as plain dictionaries, for JSON."""
    return [asdict(row) for row in decile_table(y, p)]


def gains(y: ArrayLike, p: ArrayLike, points: int = 100) -> list[tuple[float, float]]:
    """The gains curve: (share contacted, share of all positives reached) at 0, 1/points, …, 1."""
    groups = Groups.of(y, p)
    positives = groups.hits.sum()
    shares = np.linspace(0, 1, points + 1)
    contacted = np.concatenate([[0.0], np.cumsum(groups.rows) / groups.rows.sum()])
    reached = (
        np.concatenate([[0.0], np.cumsum(groups.hits) / positives]) if positives else np.full_like(contacted, np.nan)
    )
    return [(float(s), float(r)) for s, r in zip(shares, np.interp(shares, contacted, reached), strict=True)]
