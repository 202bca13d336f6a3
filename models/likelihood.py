"""Maximum likelihood of a few positive parameters, searched and judged in their logs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits

Floats = NDArray[np.float64]
WIDEST = 3.0
"""The standard error of the log of a parameter is held to be at most this: e³, twenty times more or less."""
_STEP = 1e-4


def search(negative: Callable[..., Any], starts: Sequence[ArrayLike], bounds: Sequence[tuple[float, float]]) -> Any:
    """The lowest minimum that L-BFGS-B finds from several starts; `negative` gives value and gradient at logs."""
    # Only fitting needs it: what answers need not wait for it to load.
    from scipy.optimize import minimize

    # Short products of vectors: threads would only wait for each other.
    with threadpool_limits(1, "blas"):
        found = [
            minimize(
                negative, np.asarray(start, np.float64), jac=True, method="L-BFGS-B", bounds=list(bounds),
                options={"ftol": 1e-13, "gtol": 1e-8, "maxiter": 2000, "maxfun": 4000},
            )
            for start in starts
        ]  # fmt: skip
    return min(found, key=lambda each: np.nan_to_num(each.fun, nan=np.inf))


def covariance(gradient: Callable[[Floats], Floats], logs: ArrayLike) -> Floats:
    """Covariance of the logs of the parameters: the inverse of the observed information (the Hessian of the negative
    log-likelihood, here differences of its `gradient`).

    A direction in which the likelihood is flat, as in a small shop, gets the standard error `WIDEST` instead of none.
    """
    at = np.asarray(logs, np.float64)
    rows = [(gradient(at + step) - gradient(at - step)) / (2 * _STEP) for step in _STEP * np.eye(at.size)]
    information = np.asarray(rows, np.float64)
    information = np.nan_to_num((information + information.T) / 2)
    curvature, directions = np.linalg.eigh(information)
    variance = 1 / np.maximum(curvature, 1 / WIDEST**2)
    return np.asarray((directions * variance) @ directions.T, dtype=np.float64)


def draws(logs: ArrayLike, spread: Floats, count: int, random: np.random.Generator) -> Floats:
    """Parameters (count × parameters) drawn from the normal approximation of their logs."""
    centre = np.asarray(logs, np.float64)
    drawn = random.multivariate_normal(centre, spread, count, method="eigh")
    return np.exp(np.clip(drawn, centre - 3 * WIDEST, centre + 3 * WIDEST))
