"""Shares and how they compare, each with the interval that its counts allow."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log, sqrt
from statistics import NormalDist
from typing import Any

LEVEL = 0.95


@dataclass(frozen=True)
class Rate:
    """`hits` of `n`; the interval is Wilson's. Of nobody nothing is known."""

    hits: int
    n: int
    level: float = LEVEL

    @property
    def share(self) -> float | None:
        return self.hits / self.n if self.n else None

    @property
    def interval(self) -> tuple[float, float] | None:
        return wilson(self.hits / self.n, self.n, self.level) if self.n else None

    def payload(self) -> dict[str, Any]:
        low, high = self.interval or (None, None)
        return {"hits": self.hits, "n": self.n, "share": self.share, "low": low, "high": high}


def wilson(p: float, n: float, level: float = LEVEL) -> tuple[float, float]:
    """Interval of a share seen in n: p̂ and n at the solutions of |p̂ − p| = z √(p (1 − p) / n) (Wilson 1927)."""
    z = _z(level)
    middle, half = p + z * z / (2 * n), z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    # exactly 0 and 1 where nobody or everybody is a hit; rounding would miss them
    low = 0.0 if p == 0 else (middle - half) / (1 + z * z / n)
    return low, 1.0 if p == 1 else (middle + half) / (1 + z * z / n)


def difference(one: Rate, other: Rate) -> tuple[float, float, float] | None:
    """Share of `one` less that of `other`, with Newcombe's interval (1998, method 10: from both Wilson intervals)."""
    if one.interval is None or other.interval is None:
        return None
    p, q = one.hits / one.n, other.hits / other.n
    (l1, u1), (l2, u2) = one.interval, other.interval
    low = p - q - sqrt((p - l1) ** 2 + (u2 - q) ** 2)
    high = p - q + sqrt((u1 - p) ** 2 + (q - l2) ** 2)
    return p - q, low, high


def log_ratio(one: Rate, other: Rate, level: float = LEVEL) -> tuple[float, float]:
    """Interval of the logarithm of share over share (Walter 1975: half a hit is added to each count)."""
    a, m, b, n = one.hits + 0.5, one.n + 0.5, other.hits + 0.5, other.n + 0.5
    middle, half = log(a / m / (b / n)), _z(level) * sqrt(max(0.0, 1 / a - 1 / m + 1 / b - 1 / n))
    return middle - half, middle + half


def ratio(one: Rate, other: Rate, level: float = LEVEL) -> tuple[float | None, float, float]:
    """Share over share with its interval; None where nobody of `other` is a hit."""
    low, high = log_ratio(one, other, level)
    known = one.n and other.hits
    return (one.hits / one.n / (other.hits / other.n) if known else None), exp(low), exp(high)


def _z(level: float) -> float:
    return NormalDist().inv_cdf(0.5 + level / 2)
