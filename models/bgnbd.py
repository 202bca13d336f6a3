"""BG/NBD: when customers buy, and when they silently stop (Fader, Hardie and Lee 2005, "Counting your customers the
easy way", Marketing Science 24(2)).

While alive a customer buys at a rate λ ~ Gamma(r, α); after each purchase he leaves with probability p ~ Beta(a, b).
What is known of him: x repeat purchases (the first not counted), t_x from the first to the last of them, T from the
first to now, all in one unit of time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import digamma, gammaln, hyp2f1

from models.likelihood import covariance, search
from warehouse.errors import DataProblemError

Floats = NDArray[np.float64]
_BOUNDS = (-9.0, 11.0)
"""Bounds of the logs of the parameters, time measured in mean lifetimes."""
_EDGES = [_BOUNDS] * 4
_OTHER_STARTS = ((-1.0, -1.0, 0.0, 1.0), (0.5, 1.0, -1.0, 1.0), (-1.5, 0.0, -2.0, 0.0))
_SAME_FOR_ALL = 150.0
"""Beyond this a + b everybody leaves with the same probability but for a hair, and the series would overflow."""
_FLAT = 1e-5
"""Largest slope of the mean log-likelihood, in logs of the parameters, at what counts as its top."""


@dataclass(frozen=True)
class BetaGeoNBD:
    """Fitted parameters; `converged` is False, and `note` says why, where they are only the best that was found."""

    r: float
    alpha: float
    a: float
    b: float
    log_likelihood: float
    converged: bool = True
    note: str = ""

    @classmethod
    def fit(cls, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> BetaGeoNBD:
        """Maximum likelihood over customers, rows with equal (x, t_x, T) taken together.

        Raises `DataProblemError` where a row is impossible (x < 0, t_x > T, T ≤ 0, not a number).
        """
        histories = _checked(x, t_x, T)
        distinct, weights = _collapsed(histories)
        unit = float(histories[:, 2].mean())
        scaled = distinct / np.array([1.0, unit, unit])
        purchases, which = np.unique(scaled[:, 0], return_inverse=True)

        def negative(logs: Floats) -> tuple[float, Floats]:
            return _negative(logs, scaled, weights, purchases, which)

        fitted = search(negative, [np.zeros(4)], _EDGES)
        if _trouble(fitted, scaled):
            fitted = search(negative, [fitted.x, *_OTHER_STARTS], _EDGES)
        r, alpha, a, b = (float(v) for v in np.exp(fitted.x))
        parameters = (r, alpha * unit, a, b)
        note = _trouble(fitted, scaled)
        likelihood = float(weights @ log_likelihood(parameters, distinct[:, 0], distinct[:, 1], distinct[:, 2]))
        return cls(*parameters, likelihood, not note, note)

    @property
    def logs(self) -> Floats:
        """The logs of (r, alpha, a, b), in whose units `uncertainty` is."""
        return np.log([self.r, self.alpha, self.a, self.b])

    def uncertainty(self, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> Floats:
        """Covariance of `logs` after a fit on these customers (`likelihood.covariance`)."""
        distinct, weights = _collapsed(_checked(x, t_x, T))
        purchases, which = np.unique(distinct[:, 0], return_inverse=True)
        total = weights.sum()
        return covariance(lambda logs: total * _negative(logs, distinct, weights, purchases, which)[1], self.logs)

    def alive_probability(self, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> Floats:
        """P(not yet gone at T): Fader, Hardie and Lee (2008), "Computing P(alive) using the BG/NBD model"."""
        h = _checked(x, t_x, T)
        x_, t_x_, T_ = h[:, 0], h[:, 1], h[:, 2]
        repeat = np.maximum(x_, 1.0)
        log_gone = (
            np.log(self.a)
            - np.log(self.b + repeat - 1)
            + (self.r + x_) * np.log((self.alpha + T_) / (self.alpha + t_x_))
        )
        return np.where(x_ > 0, np.exp(-np.logaddexp(0, log_gone)), 1.0)

    def buys_probability(self, t: float, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> Floats:
        """P(at least one purchase in the time t after T).

        Only a purchase can make a customer leave, so one who is alive at T with λ ~ Gamma(r + x, α + T) buys none
        with probability ((α + T)/(α + T + t))^(r + x); multiplied by P(alive).
        """
        h = _checked(x, t_x, T)
        none = (self.r + h[:, 0]) * np.log1p(-t / (self.alpha + h[:, 2] + t))
        return self.alive_probability(x, t_x, T) * -np.expm1(none)

    def expected_purchases(self, t: float, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> Floats:
        """Expected number of purchases in the time t after T: Fader, Hardie and Lee (2005), eq. 10."""
        h = _checked(x, t_x, T)
        x_, T_ = h[:, 0], h[:, 2]
        # The formula has a removable gap at a = 1.
        a = self.a if abs(self.a - 1) > 1e-6 else 1 + 1e-6
        argument = t / (self.alpha + T_ + t)
        # (1 − z)^(r + x) · 2F1(r + x, b + x; c; z) by Euler's transformation: the power and the series, which grow and
        # shrink without end in x, cancel, and no parameter of what is left grows with x but c.
        if a + self.b > _SAME_FOR_ALL:
            leaves = a / (a + self.b + x_)
            none = np.log1p(-t * leaves / (self.alpha + T_ + t * leaves))
            while_alive = -np.expm1((self.r + x_) * none) / leaves
        else:
            series = hyp2f1(a + self.b - 1 - self.r, a - 1, a + self.b + x_ - 1, argument)
            while_alive = (a + self.b + x_ - 1) / (a - 1) * (1 - np.exp((a - 1) * np.log1p(-argument)) * series)
        return np.asarray(while_alive * self.alive_probability(x, t_x, T), dtype=np.float64)

    def to_json(self) -> dict[str, Any]:
        """Plain values, from which `from_json` makes an equal object."""
        return {
            "r": self.r, "alpha": self.alpha, "a": self.a, "b": self.b,
            "log_likelihood": self.log_likelihood, "converged": self.converged, "note": self.note,
        }  # fmt: skip

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> BetaGeoNBD:
        """What `to_json` wrote."""
        r, alpha, a, b, likelihood = (float(document[key]) for key in ("r", "alpha", "a", "b", "log_likelihood"))
        return cls(r, alpha, a, b, likelihood, bool(document["converged"]), str(document["note"]))


def log_likelihood(parameters: tuple[float, float, float, float], x: Floats, t_x: Floats, T: Floats) -> Floats:
    """Log-likelihood of each customer under (r, alpha, a, b): Fader, Hardie and Lee (2005), eq. 6, in logs."""
    alive, gone = _branches(parameters, x, t_x, T)
    return np.asarray(_of_counts(parameters, x) + np.logaddexp(alive, gone), dtype=np.float64)


def _of_counts(parameters: tuple[float, float, float, float], x: Floats) -> Floats:
    """The part of the log-likelihood that only the number of purchases decides."""
    r, alpha, a, b = parameters
    bought = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
    stayed = gammaln(a + b) + gammaln(b + x) - gammaln(b) - gammaln(a + b + x)
    return np.asarray(bought + stayed, dtype=np.float64)


def _collapsed(histories: Floats) -> tuple[Floats, Floats]:
    """The distinct rows and how often each occurs."""
    ordered = histories[np.lexsort(histories.T)]
    first = np.flatnonzero(np.append(True, (ordered[1:] != ordered[:-1]).any(axis=1)))
    return ordered[first], np.diff(np.append(first, len(ordered))).astype(np.float64)


def _branches(
    parameters: tuple[float, float, float, float], x: Floats, t_x: Floats, T: Floats
) -> tuple[Floats, Floats]:
    r, alpha, a, b = parameters
    gone = np.log(a) - np.log(b + np.maximum(x, 1.0) - 1) - (r + x) * np.log(alpha + t_x)
    return -(r + x) * np.log(alpha + T), np.where(x > 0, gone, -np.inf)


def _negative(
    logs: Floats, histories: Floats, weights: Floats, purchases: Floats, which: NDArray[np.intp]
) -> tuple[float, Floats]:
    """Mean negative log-likelihood and its gradient with respect to the logs of the parameters.

    `purchases[which]` are the x of the histories: what x alone decides is worked out once for each.
    """
    r, alpha, a, b = parameters = tuple(np.exp(logs))
    x, t_x, T = histories[:, 0], histories[:, 1], histories[:, 2]
    alive, gone = _branches(parameters, x, t_x, T)
    both = np.logaddexp(alive, gone)
    w_alive, w_gone = weights * np.exp(alive - both), weights * np.exp(gone - both)
    total, rows = weights.sum(), np.bincount(which, weights)
    stays = rows @ (digamma(a + b) - digamma(a + b + purchases))
    slopes = np.array([
        rows @ (digamma(r + purchases) - digamma(r)) + total * np.log(alpha)
        - w_alive @ np.log(alpha + T) - w_gone @ np.log(alpha + t_x),
        total * r / alpha - w_alive @ ((r + x) / (alpha + T)) - w_gone @ ((r + x) / (alpha + t_x)),
        stays + w_gone.sum() / a,
        stays + rows @ (digamma(b + purchases) - digamma(b)) - w_gone @ (1 / (b + np.maximum(x, 1.0) - 1)),
    ])  # fmt: skip
    value = rows @ _of_counts(parameters, purchases) + weights @ both
    return float(-value / total), -slopes * np.exp(logs) / total


def _checked(x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> Floats:
    """The histories as an array (customers × 3)."""
    rows = np.column_stack([np.atleast_1d(np.asarray(v, dtype=np.float64)) for v in (x, t_x, T)])
    wrong = (
        ~np.isfinite(rows).all(axis=1)
        | (rows[:, 0] < 0)
        | (rows[:, 1] < 0)
        | (rows[:, 1] > rows[:, 2])
        | (rows[:, 2] <= 0)
    )
    if rows.shape[0] == 0 or wrong.any():
        raise DataProblemError(
            f"{int(wrong.sum())} of {rows.shape[0]} purchase histories are impossible.",
            hint="Needed: repeat purchases x ≥ 0, and 0 ≤ t_x ≤ T with T > 0.",
        )
    return rows


def _trouble(fitted: Any, scaled: Floats) -> str:
    if scaled[:, 0].max() == 0:
        return "nobody bought twice, so leaving cannot be told from waiting"
    if np.any((fitted.x <= _BOUNDS[0] + 1e-6) | (fitted.x >= _BOUNDS[1] - 1e-6)):
        return "a parameter ran to the edge of what is searched"
    if not np.isfinite(fitted.fun) or np.abs(fitted.jac).max() > _FLAT:
        return f"the search stopped on a slope: {fitted.message}"
    return ""
