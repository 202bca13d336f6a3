"""The metrics of `propensity` for many weightings of the same rows at once: what a bootstrap draws.

Rows are sorted once; a block of draws then costs two cumulative sums. Calibration bins are those of the unweighted
rows in every draw, and the shift of the shape error takes log-odds as equal within each of 100 groups of equal count.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from training.evaluation.propensity import CALIBRATION_BINS, EDGE, TOP_SHARE, calibration_bins, row_losses

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
_SHIFT_GROUPS = 10 * CALIBRATION_BINS
_RANKING = frozenset({"auc", "average_precision", "lift_at_10"})


class WeightedMetrics:
    """The metrics of labels y and probabilities p under weights (rows × draws) of their rows."""

    def __init__(self, y: Floats, p: Floats) -> None:
        self._order = np.argsort(-p, kind="stable")
        self._y, self._p = y[self._order], p[self._order]
        self._ends = _ends(self._p)
        self._hit_groups = np.unique(np.searchsorted(self._ends, np.flatnonzero(self._y == 1)))
        self._bins = calibration_bins(self._p)
        self._shift_ends = _ends(calibration_bins(self._p, _SHIFT_GROUPS))
        self._shift_odds = _mean_odds(self._p, self._shift_ends)

    def __call__(self, weights: NDArray[np.uint8], names: Collection[str]) -> dict[str, Floats]:
        """Each named metric for each draw; NaN where a draw cannot have it."""
        # The rows of one draw lie side by side in memory: cumulative sums are three times faster so.
        drawn = np.take(weights.T, self._order, axis=1).astype(np.float64).T
        found: dict[str, Floats] = {}
        with np.errstate(divide="ignore", invalid="ignore"):
            if _RANKING & set(names) or "shape_error" in names:
                rows = np.cumsum(drawn, axis=0)
                hits = np.cumsum(drawn * self._y[:, None], axis=0)
                if "shape_error" in names:
                    found["shape_error"] = self._shape_error(rows, hits)
                found |= self._rankings(rows, hits, names)
            found |= self._averages(drawn, names)
        return {name: found[name] for name in names}

    def _rankings(self, rows: Floats, hits: Floats, names: Collection[str]) -> dict[str, Floats]:
        if self._ends.size < self._p.size:
            rows, hits = rows[self._ends], hits[self._ends]
        total, positives = rows[-1], hits[-1]
        at = self._hit_groups
        hits_at, rows_at = hits[at], rows[at]
        hits_before = np.concatenate([np.zeros((1, total.size)), hits_at[:-1]])
        gained = hits_at - hits_before
        found: dict[str, Floats] = {}
        if "auc" in names:
            rows_before = np.where(at[:, None] > 0, rows[np.maximum(at - 1, 0)], 0.0)
            above = (rows_at - hits_at + rows_before - hits_before) / 2
            misses = total - positives
            found["auc"] = (positives * misses - np.einsum("ij,ij->j", gained, above)) / (positives * misses)
        if "average_precision" in names:
            # A group that no draw has reached has no rows and gains no hits.
            precision = hits_at / np.maximum(rows_at, 1.0)
            found["average_precision"] = np.einsum("ij,ij->j", gained, precision) / positives
        if "lift_at_10" in names:
            found["lift_at_10"] = _hits_in_top(rows, hits) / (TOP_SHARE * positives)
        return found

    def _averages(self, drawn: Floats, names: Collection[str]) -> dict[str, Floats]:
        """Metrics that are averages over rows, or over bins of rows."""
        gap = self._p - self._y
        of_row = {"brier": gap**2, "log_loss": row_losses(self._y, self._p), "level_error": gap}
        size = drawn.sum(axis=0)
        found = {name: (of_row[name] @ drawn) / size for name in of_row if name in names}
        if "calibration_error" in names:
            # Bins are runs of the sorted rows, the highest predictions first.
            runs = np.split(np.arange(gap.size), np.flatnonzero(np.diff(self._bins)) + 1)
            found["calibration_error"] = sum(np.abs(gap[run] @ drawn[run[0] : run[-1] + 1]) for run in runs) / size
        return found

    def _shape_error(self, rows: Floats, hits: Floats) -> Floats:
        ends, center = self._shift_ends, self._shift_odds
        rows, hits = _steps(rows[ends]), _steps(hits[ends])
        expected = rows * expit(center[:, None] + _shift(center, rows, hits.sum(axis=0)))
        # Groups nest in the bins: both are cut at the same middle rows.
        borders = np.flatnonzero(np.diff(self._bins[ends], prepend=-1))
        gaps = np.add.reduceat(expected - hits, borders, axis=0)
        return np.asarray(np.abs(gaps).sum(axis=0) / rows.sum(axis=0), dtype=np.float64)


def _ends(sorted_values: NDArray[np.float64] | Ints) -> Ints:
    """The last position of each run of equal values."""
    return np.flatnonzero(np.append(sorted_values[1:] != sorted_values[:-1], True))


def _mean_odds(sorted_p: Floats, ends: Ints) -> Floats:
    odds = logit(np.clip(sorted_p, EDGE, 1 - EDGE))
    counts = np.diff(ends, prepend=-1)
    return np.asarray(np.add.reduceat(odds, ends - counts + 1) / counts, dtype=np.float64)


def _steps(cumulative: Floats) -> Floats:
    return np.diff(cumulative, axis=0, prepend=0.0)


def _hits_in_top(rows: Floats, hits: Floats) -> Floats:
    """Expected hits in the top share of each draw; a group cut by the border gives its hits in proportion."""
    wanted = TOP_SHARE * rows[-1]
    group = (rows < wanted).sum(axis=0)[None, :]
    rows_to, hits_to = np.take_along_axis(rows, group, 0)[0], np.take_along_axis(hits, group, 0)[0]
    before = np.maximum(group - 1, 0)
    rows_before = np.where(group > 0, np.take_along_axis(rows, before, 0), 0.0)[0]
    hits_before = np.where(group > 0, np.take_along_axis(hits, before, 0), 0.0)[0]
    part = (wanted - rows_before) / (rows_to - rows_before)
    return np.asarray(hits_before + part * (hits_to - hits_before), dtype=np.float64)


def _shift(center: Floats, rows: Floats, hits: Floats) -> Floats:
    """The shift of log-odds of each draw at which expected hits are the drawn ones: Newton's steps, at most 2 long."""
    shift = np.zeros(hits.size)
    for _ in range(60):
        p = expit(center[:, None] + shift)
        slope = (rows * p * (1 - p)).sum(axis=0)
        step = np.clip(((rows * p).sum(axis=0) - hits) / np.maximum(slope, 1e-12), -2, 2)
        shift = shift - step
        if not np.any(np.abs(step) > 1e-9):
            break
    return shift
