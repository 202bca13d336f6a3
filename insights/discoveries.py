"""What counts as found where much was tried: false discoveries kept few, and intervals widened to match."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

FALSE_DISCOVERIES = 0.05
"""At most so large a share of what is found is expected to be nothing."""


def q_values(p: ArrayLike, tried: int | None = None) -> NDArray[np.float64]:
    """For each p-value the share of false discoveries there is if it counts as found (Benjamini and Hochberg 1995).

    `tried` is how many comparisons there were, where those not given had nothing to say (p = 1); all given if absent.
    """
    values = np.asarray(p, dtype=np.float64)
    order = np.argsort(values)[::-1]
    ranks = np.arange(len(values), 0, -1)
    q = np.empty(len(values))
    q[order] = np.minimum(np.minimum.accumulate(values[order] * (tried or len(values)) / ranks), 1.0)
    return q


def interval_level(found: int, tried: int, rate: float = FALSE_DISCOVERIES) -> float:
    """The level of the intervals of those found, so that at most that share of them is expected to miss
    (Benjamini and Yekutieli 2005)."""
    return 1.0 - rate * max(found, 1) / max(tried, 1)
