"""Logistic regression on one number: how a simple rule becomes a probability."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit

from warehouse.errors import DataProblemError

_PRIOR = 1.0
"""Inverse variance of the normal prior on the slope of the standardised number: keeps it finite where classes part."""


def labels(y: ArrayLike) -> NDArray[np.float64]:
    """The labels as 0.0 and 1.0; `DataProblemError` where there is none or another value."""
    values = np.asarray(y, dtype=np.float64)
    if values.ndim != 1 or values.size == 0 or not np.isin(values, (0.0, 1.0)).all():
        raise DataProblemError("Labels must be one column of 0 and 1, and there must be at least one.")
    return values


@dataclass(frozen=True)
class Logistic:
    """log-odds = intercept + slope × x; `center` is the mean of x in training."""

    intercept: float
    slope: float
    center: float

    @classmethod
    def fit(cls, x: ArrayLike, y: ArrayLike) -> Logistic:
        """The posterior mode by Newton's method. With one class only: the smoothed rate (k + ½)/(n + 1), no slope."""
        values, target = np.asarray(x, dtype=np.float64), labels(y)
        if values.shape != target.shape or not np.isfinite(values).all():
            raise DataProblemError(f"A number for each of {target.size} labels is needed; some are missing.")
        center, spread = float(values.mean()), float(values.std())
        base = float(logit((target.sum() + 0.5) / (target.size + 1)))
        if target.min() == target.max() or spread <= 1e-12 * max(1.0, abs(center)):
            return cls(base, 0.0, center)
        intercept, slope = _newton((values - center) / spread, target, base)
        return cls(intercept - slope * center / spread, slope / spread, center)

    def log_odds(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """One value for each of x."""
        return self.intercept + self.slope * x

    def to_json(self) -> dict[str, float]:
        """Plain numbers, from which `from_json` makes an equal object."""
        return {"intercept": self.intercept, "slope": self.slope, "center": self.center}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Logistic:
        """What `to_json` wrote."""
        return cls(float(document["intercept"]), float(document["slope"]), float(document["center"]))


def _newton(z: NDArray[np.float64], y: NDArray[np.float64], start: float) -> tuple[float, float]:
    """Minimises the loss over (intercept, slope); halves a step that does not go down."""
    point = np.array([start, 0.0])
    value = _loss(point, z, y)
    for _ in range(50):
        p = expit(point[0] + point[1] * z)
        w = p * (1 - p)
        gradient = np.array([(p - y).sum(), ((p - y) * z).sum() + _PRIOR * point[1]])
        cross = (w * z).sum()
        hessian = np.array([[w.sum() + 1e-9, cross], [cross, (w * z * z).sum() + _PRIOR]])
        step = np.linalg.solve(hessian, gradient)
        scale = 1.0
        while _loss(point - scale * step, z, y) > value and scale > 1e-8:
            scale /= 2
        point = point - scale * step
        previous, value = value, _loss(point, z, y)
        if previous - value <= 1e-12 * max(1.0, abs(value)):
            break
    return float(point[0]), float(point[1])


def _loss(point: NDArray[np.float64], z: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    margin = point[0] + point[1] * z
    return float((np.logaddexp(0, margin) - y * margin).sum() + _PRIOR * point[1] ** 2 / 2)
