"""Gamma-Gamma: what a customer spends at a purchase (Fader and Hardie 2013, "The Gamma-Gamma model of monetary value",
brucehardie.com/notes/025).

Amounts of one customer are Gamma(p, ν), and ν ~ Gamma(q, γ) over customers, whatever their number of purchases. What
is known of a customer: the number x of purchases and their mean amount m.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import digamma, gammaln

from models.likelihood import covariance, search
from warehouse.errors import DataProblemError

Floats = NDArray[np.float64]
_BOUNDS = ((-5.0, 9.0), (float(np.log(1.02)), 9.0), (-9.0, 14.0))
"""Bounds of the logs of p, q and γ, money measured in mean purchases; below q = 1 there is no mean to expect."""
_STARTS = ((0.0, 1.0, 0.0), (1.5, 1.5, 0.5), (-0.5, 0.5, -0.5))


@dataclass(frozen=True)
class GammaGamma:
    """Fitted parameters; `gamma` in the unit of money. `spread` is the covariance of their logs, by rows."""

    p: float
    q: float
    gamma: float
    log_likelihood: float
    spread: tuple[tuple[float, ...], ...] = ()
    note: str = ""

    @classmethod
    def fit(cls, x: ArrayLike, mean_amount: ArrayLike) -> GammaGamma:
        """Maximum likelihood over customers with x ≥ 1 purchases of a mean amount above 0; others are left out.

        Raises `DataProblemError` where there are none.
        """
        count, mean = (np.asarray(v, np.float64) for v in (x, mean_amount))
        known = (count >= 1) & (mean > 0) & np.isfinite(mean)
        if not known.any():
            raise DataProblemError("Nobody spent anything.", hint="It needs orders with amounts above 0.")
        count, mean = count[known], mean[known]
        unit = float(mean.mean())
        rows = (count, mean / unit)
        found = search(lambda logs: _negative(logs, *rows, 1 / known.sum()), _STARTS, _BOUNDS)
        p, q, scaled = (float(v) for v in np.exp(found.x))
        spread = covariance(lambda logs: _negative(logs, *rows)[1], found.x)
        at_edge = any(v <= low + 1e-6 or v >= high - 1e-6 for v, (low, high) in zip(found.x, _BOUNDS, strict=True))
        note = "a parameter of spending ran to the edge of what is searched" if at_edge else ""
        likelihood = float(log_likelihood((p, q, scaled * unit), count, mean).sum())
        return cls(p, q, scaled * unit, likelihood, tuple(map(tuple, spread.tolist())), note)

    @property
    def logs(self) -> Floats:
        """The logs of p, q and γ, to which `spread` belongs."""
        return np.log([self.p, self.q, self.gamma])

    @property
    def standard_errors(self) -> dict[str, float]:
        """Standard errors of p, q and γ, from those of their logs (delta method)."""
        errors = np.exp(self.logs) * np.sqrt(np.diag(np.array(self.spread)))
        return dict(zip(("p", "q", "gamma"), errors.tolist(), strict=True))

    def expected_amount(self, x: ArrayLike, mean_amount: ArrayLike) -> Floats:
        """Expected amount of a purchase to come, given x purchases of that mean (2013, eq. 5); x = 0: of anybody."""
        count = np.asarray(x, np.float64)
        spent = count * np.nan_to_num(np.asarray(mean_amount, np.float64))
        return np.asarray(self.p * (self.gamma + spent) / (self.p * count + self.q - 1), dtype=np.float64)

    def to_json(self) -> dict[str, Any]:
        """Plain values, from which `from_json` makes an equal object."""
        return {**vars(self), "spread": [list(row) for row in self.spread]}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> GammaGamma:
        """What `to_json` wrote."""
        return cls(**{**told, "spread": tuple(tuple(row) for row in told["spread"])})


def log_likelihood(parameters: tuple[float, float, float], x: Floats, mean: Floats) -> Floats:
    """Log-likelihood of each customer's mean amount under (p, q, γ): 2013, eq. 1a, in logs."""
    p, q, gamma = parameters
    shape = p * x
    ways = gammaln(shape + q) - gammaln(shape) - gammaln(q) + q * np.log(gamma)
    amount = (shape - 1) * np.log(mean) + shape * np.log(x) - (shape + q) * np.log(gamma + x * mean)
    return np.asarray(ways + amount, dtype=np.float64)


def _negative(logs: Floats, x: Floats, mean: Floats, weight: float = 1.0) -> tuple[float, Floats]:
    """The negative log-likelihood times `weight`, and its gradient with respect to the logs of the parameters."""
    p, q, gamma = parameters = tuple(np.exp(logs))
    total, shape = gamma + x * mean, p * x
    both = digamma(shape + q) - np.log(total)
    slopes = np.array([
        float(x @ (both - digamma(shape) + np.log(mean * x))),
        float(np.sum(both - digamma(q) + np.log(gamma))),
        float(np.sum(q / gamma - (shape + q) / total)),
    ])  # fmt: skip
    return -weight * float(log_likelihood(parameters, x, mean).sum()), -weight * slopes * np.exp(logs)
