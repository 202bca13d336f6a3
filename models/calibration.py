"""From a model's raw score to a probability that keeps its word."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit
from threadpoolctl import threadpool_limits

from models.logistic import labels
from warehouse.errors import DataProblemError

_LIMIT = 34.0
"""Largest log-odds given out: beyond it a float64 probability would be 1."""
_PRIOR = 1.0
"""Inverse variance of the normal prior that pulls both slopes towards 1, which changes nothing: a map of few rows
stays near the identity."""
_SLOPES = (0.05, 20.0)
"""Bounds of the slopes; above zero, so that the map is strictly increasing and keeps every ranking and every tie."""


@dataclass(frozen=True)
class Calibration:
    """The beta map of Kull, Silva Filho and Flach (2017), eq. 3, on log-odds s of a raw score p = 1/(1 + e⁻ˢ):

        log-odds out = shift + low · ln p − high · ln(1 − p),   low, high > 0

    Three parameters: fewer than isotonic regression, so less noise on few rows; never 0 or 1; the logistic map of
    Platt (1999) is low = high, the identity is low = high = 1 with shift 0.
    """

    shift: float = 0.0
    low: float = 1.0
    high: float = 1.0

    @classmethod
    def fit(cls, raw: ArrayLike, y: ArrayLike) -> Calibration:
        """The map fitted on raw log-odds and labels, neither of which the model's own fit has seen.

        Labels are softened as in Platt (1999), (n₊ + 1)/(n₊ + 2) and 1/(n₋ + 2), so that one class alone, or classes
        that part, give a finite map. Raises `DataProblemError` where a raw score is not finite.
        """
        # Only fitting needs it: what answers need not wait for it to load.
        from scipy.optimize import minimize

        score, target = np.asarray(raw, dtype=np.float64), labels(y)
        if score.shape != target.shape or not np.isfinite(score).all():
            raise DataProblemError(f"A finite raw score for each of {target.size} labels is needed.")
        positives = float(target.sum())
        negatives = target.size - positives
        soft = np.where(target == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))
        columns = np.column_stack([np.ones_like(score), -np.logaddexp(0, -score), np.logaddexp(0, score)])
        # Three columns: threads would only wait for each other.
        with threadpool_limits(1, "blas"):
            fitted = minimize(
                _loss, np.array([0.0, 1.0, 1.0]), args=(columns, soft), jac=True, method="L-BFGS-B",
                bounds=[(None, None), _SLOPES, _SLOPES], options={"ftol": 1e-13, "gtol": 1e-9, "maxiter": 500},
            )  # fmt: skip
        shift, low, high = (float(v) for v in fitted.x)
        return cls(shift, low, high)

    def log_odds(self, raw: ArrayLike) -> NDArray[np.float64]:
        """Calibrated log-odds of raw log-odds, within ±34."""
        s = np.asarray(raw, dtype=np.float64)
        if self == IDENTITY:
            return np.clip(s, -_LIMIT, _LIMIT)
        mapped = self.shift - self.low * np.logaddexp(0, -s) + self.high * np.logaddexp(0, s)
        return np.asarray(np.clip(mapped, -_LIMIT, _LIMIT), dtype=np.float64)

    def slope(self, raw: ArrayLike) -> NDArray[np.float64]:
        """How much calibrated log-odds move for a small move of raw log-odds; above 0."""
        p = expit(np.asarray(raw, dtype=np.float64))
        return np.asarray(self.low * (1 - p) + self.high * p, dtype=np.float64)

    def apply(self, raw: ArrayLike) -> NDArray[np.float64]:
        """Probabilities, above 0 and below 1, of raw log-odds."""
        return np.asarray(expit(self.log_odds(raw)), dtype=np.float64)

    def to_json(self) -> dict[str, Any]:
        """Plain numbers, from which `from_json` makes an equal map."""
        return {"method": "beta", "shift": self.shift, "low": self.low, "high": self.high}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Calibration:
        """What `to_json` wrote; `DataProblemError` for a map that would not be increasing."""
        made = cls(float(document["shift"]), float(document["low"]), float(document["high"]))
        if document["method"] != "beta" or not (np.isfinite(made.shift) and made.low > 0 and made.high > 0):
            raise DataProblemError(f"{dict(document)} is not a calibration map.", hint="Train the model again.")
        return made


IDENTITY = Calibration()
"""The map that changes nothing."""


def _loss(
    point: NDArray[np.float64], columns: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """Mean log loss with the prior, and its gradient."""
    margin = columns @ point
    away = np.array([0.0, point[1] - 1, point[2] - 1])
    loss = (np.logaddexp(0, margin) - y * margin).sum() + _PRIOR * (away @ away) / 2
    gradient = columns.T @ (expit(margin) - y) + _PRIOR * away
    return float(loss / y.size), gradient / y.size
