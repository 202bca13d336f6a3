"""When people buy again: the weighted Kaplan–Meier curve of the days between purchases, and what is read from it.

Kaplan and Meier (1958), "Nonparametric estimation from incomplete observations", JASA 53. An interval that nobody has
ended yet says only that it lasts longer. Weights of a customer's intervals add up to 1, so that a curve is about
customers, not about those who buy most.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEAST_WATCHED = 10.0
"""A curve is read as far as so much weight (customers) is still watched: beyond, single people make its steps."""

EVEN = math.log(4) / math.log(4 / 3)
"""The third quartile of waiting times over the first where returns come by chance at a constant rate (exponential)."""


@dataclass(frozen=True)
class Curve:
    """The share that has not bought again, after each of `days` since a purchase.

    `days` are the lengths at which somebody came back, ascending; `surviving` is the share left just after each;
    `variance` is Greenwood's sum there, of squared weights. `horizon` is the day up to which it is known.
    """

    days: Ints
    surviving: Floats
    variance: Floats
    horizon: int

    @classmethod
    def fit(
        cls,
        days: ArrayLike,
        returned: ArrayLike,
        weight: ArrayLike | None = None,
        squares: ArrayLike | None = None,
        least_watched: float = LEAST_WATCHED,
    ) -> Curve | None:
        """The curve of intervals `days` long (whole, ≥ 1), ended by a purchase where `returned`, else still open.

        Rows may stand for many intervals: `weight` is their sum of weights, `squares` that of squared weights (equal
        to it for weights of 1). None where there is no weight.
        """
        length = np.asarray(days, np.int64)
        ended = np.asarray(returned, bool)
        w = np.ones(len(length)) if weight is None else np.asarray(weight, np.float64)
        w2 = w if squares is None else np.asarray(squares, np.float64)
        if not w.sum() > 0:
            return None
        size = int(length.max()) + 1
        watched = np.cumsum(np.bincount(length, w, size)[::-1])[::-1].astype(np.float64)
        back = np.bincount(length[ended], w[ended], size)
        back_squares = np.bincount(length[ended], w2[ended], size)
        horizon = _horizon(watched, length, least_watched)
        at = np.flatnonzero(back[: horizon + 1] > 0)
        # Sums of decimals that are taken apart and put together again may end a hair below what is taken from them.
        step = np.clip(1 - back[at] / watched[at], 0.0, 1.0)
        step[step < 1e-9] = 0.0
        surviving = np.cumprod(step)
        left = np.maximum(watched[at] - back[at], 0.0)
        safe = np.where(step > 0, watched[at] * np.maximum(left, 1e-12), np.inf)
        variance = np.cumsum(back_squares[at] / safe)
        return cls(at, surviving.astype(np.float64), variance.astype(np.float64), horizon)

    def at(self, day: float) -> float:
        """The share that has not bought again `day` days after a purchase."""
        k = int(np.searchsorted(self.days, day, side="right"))
        return 1.0 if k == 0 else float(self.surviving[k - 1])

    def day_by(self, share: float) -> int | None:
        """The first day by which at least `share` of all have bought again; None where the curve never reaches that."""
        return self._first(1 - share)

    def day_by_of_returning(self, share: float) -> int | None:
        """The same of those who buy again within the horizon at all; None where nobody does."""
        return self._first(1 - share * (1 - self.never_returning)) if len(self.days) else None

    def _first(self, level: float) -> int | None:
        # What is equal but for rounding counts as reached.
        reached = np.flatnonzero(self.surviving <= level + 1e-9)
        return int(self.days[reached[0]]) if len(reached) else None

    @property
    def never_returning(self) -> float:
        """The share that has not bought again by the horizon: where the curve ends, perhaps not where it would."""
        return float(self.surviving[-1]) if len(self.surviving) else 1.0

    @property
    def reminder_window(self) -> tuple[int, int] | None:
        """First and last day of the shortest stretch that holds half of all returns; the first such of equals.

        None where returns spread at least as widely as chance alone would spread them (`EVEN`), or where no stretch
        holds them closer than the very first days do: no day is then better for a reminder than an earlier one.
        """
        quarter, most = self.day_by_of_returning(0.25), self.day_by_of_returning(0.75)
        if quarter is None or most is None or most >= EVEN * quarter:
            return None
        share = np.concatenate([[0.0], 1 - self.surviving])
        until = np.searchsorted(share[1:], share[:-1] + 0.5 * share[-1] - 1e-9)
        starts = np.flatnonzero(until < len(self.days))
        lasts = self.days[until[starts]] - self.days[starts]
        best = int(starts[np.argmin(lasts)])
        return (int(self.days[best]), int(self.days[until[best]])) if best > 0 else None

    def interval_of_returning(self, share: float, z: float = 1.959964) -> tuple[int | None, int | None]:
        """Days between which `day_by_of_returning` lies at the confidence of z, the share that returns taken as known.

        From the limits of the curve on the scale of log −log (Brookmeyer and Crowley 1982, "A confidence interval for
        the median survival time", Biometrics 38); intervals of one customer count as independent. None where a
        limit does not reach the level within the horizon.
        """
        level = 1 - share * (1 - self.never_returning)
        inside = (self.surviving > 0) & (self.surviving < 1)
        logs = np.log(self.surviving[inside])
        spread = z * np.sqrt(self.variance[inside]) / -logs
        limits = [np.exp(logs * np.exp(sign * spread)) for sign in (1, -1)]
        first, last = (self.days[inside][limit <= level + 1e-9] for limit in limits)
        return (int(first[0]) if len(first) else None), (int(last[0]) if len(last) else None)


def _horizon(watched: Floats, length: Ints, least: float) -> int:
    """The last day on which `least` are watched; the longest interval where there never were so many."""
    enough = np.flatnonzero(watched >= least - 1e-9)
    return int(enough[-1]) if len(enough) else int(length.max())
