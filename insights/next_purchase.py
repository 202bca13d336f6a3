"""What customers buy next: after one thing, another within some days, beside how often anybody buys that anyway.

A customer's purchases of the first thing weigh 1 together. The base rate of the second is that of everybody who bought
anything in the same calendar weeks, so that neither a season nor being active looks like a consequence. These are
observations: that both are bought does not say that one brings the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.cycles import Successions

Floats = NDArray[np.float64]

LEAST_CUSTOMERS = 50
LEAST_EXPECTED = 5.0
"""Pairs are tried that have so many customers of the first thing, of whom so many would buy the second anyway."""
CONFIDENCE = 0.95
"""That all intervals hold at once (Bonferroni over the pairs tried)."""


@dataclass(frozen=True)
class NextPurchase:
    """Of the customers of `after`, the share that buys `next` within the days, beside the base rate `base_share`.

    `lift` is the one over the other, with its interval; `median_days` is from the one purchase to the other, of
    those who follow. `sure`: the interval does not hold 1.
    """

    after: str
    next: str
    customers: int
    share: float
    base_share: float
    lift: float
    lift_from: float
    lift_to: float
    median_days: int | None

    @property
    def sure(self) -> bool:
        return self.lift_from > 1 or self.lift_to < 1


@dataclass(frozen=True)
class NextPurchases:
    """All pairs that were tried, those first whose lift is highest even at the lower end of its interval."""

    within_days: int
    tried: int
    pairs: tuple[NextPurchase, ...]

    def after(self, thing: str) -> NextPurchases:
        """Only what follows one thing; the intervals stay corrected for all pairs tried."""
        return NextPurchases(self.within_days, self.tried, tuple(p for p in self.pairs if p.after == thing))

    def payload(self, most: int | None = None) -> dict[str, Any]:
        """As JSON: the pairs whose lift is surely above or below 1, at most so many of them."""
        told = [asdict(pair) for pair in self.pairs if pair.sure]
        return {
            "within_days": self.within_days,
            "pairs_tried": self.tried,
            "confidence": CONFIDENCE,
            "sure": len(told),
            "pairs": told[:most],
        }


def next_purchases(
    counted: Successions,
    within: int,
    least_customers: int = LEAST_CUSTOMERS,
    least_expected: float = LEAST_EXPECTED,
) -> NextPurchases:
    """What is bought within `within` days after what, from the counts of `features.cycles.successions`."""
    things: list[str] = counted.customers["thing"].to_pylist()
    place = {thing: at for at, thing in enumerate(things)}
    starts, customers = _starts(counted, place)
    base = _base(counted, place, starts, customers)
    shares, medians = _followed(counted.followed, place, customers)
    enough = (customers[:, None] >= least_customers) & (customers[:, None] * base >= least_expected)
    np.fill_diagonal(enough, False)
    tried = int(enough.sum())
    z = NormalDist().inv_cdf(1 - (1 - CONFIDENCE) / (2 * max(tried, 1)))
    low, high = _wilson(shares, np.maximum(customers, 1.0)[:, None], z)
    pairs = [
        NextPurchase(
            things[a],
            things[b],
            round(float(customers[a])),
            float(shares[a, b]),
            float(base[a, b]),
            float(shares[a, b] / base[a, b]),
            float(low[a, b] / base[a, b]),
            float(high[a, b] / base[a, b]),
            medians.get((int(a), int(b))),
        )
        for a, b in zip(*np.nonzero(enough), strict=True)
    ]
    return NextPurchases(within, tried, tuple(sorted(pairs, key=lambda p: (-p.lift_from, -p.lift, p.after, p.next))))


def _starts(counted: Successions, place: Mapping[str, int]) -> tuple[Floats, Floats]:
    """Weights of each thing's purchases by week, and their sum: its customers."""
    weeks = _week_places(counted)
    weights = np.zeros((len(place), len(weeks)))
    rows = [place[thing] for thing in counted.start_weeks["thing"].to_pylist()]
    columns = [weeks[week] for week in counted.start_weeks["week"].to_pylist()]
    weights[rows, columns] = _numbers(counted.start_weeks["weight"])
    return weights, weights.sum(axis=1)


def _week_places(counted: Successions) -> dict[int, int]:
    return {week: at for at, week in enumerate(counted.buyer_weeks["week"].to_pylist())}


def _base(counted: Successions, place: Mapping[str, int], starts: Floats, customers: Floats) -> Floats:
    """For each pair, how often anybody buys the second thing after a purchase in the weeks in which the first was."""
    weeks = _week_places(counted)
    buyers = _numbers(counted.buyer_weeks["customer_count"])
    rates = np.zeros((len(weeks), len(place)))
    rows = [weeks[week] for week in counted.week_followers["week"].to_pylist()]
    columns = [place[thing] for thing in counted.week_followers["thing"].to_pylist()]
    rates[rows, columns] = _numbers(counted.week_followers["weight"])
    found: Floats = starts @ (rates / buyers[:, None]) / np.maximum(customers, 1e-9)[:, None]
    return found


def _followed(
    followed: pa.Table, place: Mapping[str, int], customers: Floats
) -> tuple[Floats, dict[tuple[int, int], int]]:
    """Shares that follow, and the median of days by pair; the rows come sorted by pair and days."""
    weights = np.zeros((len(place), len(place)))
    medians: dict[tuple[int, int], int] = {}
    a = np.array([place[thing] for thing in followed["thing"].to_pylist()], np.int64)
    b = np.array([place[thing] for thing in followed["next_thing"].to_pylist()], np.int64)
    weight, days = _numbers(followed["weight"]), followed["days"].to_numpy()
    np.add.at(weights, (a, b), weight)
    changes = np.flatnonzero(np.diff(a * len(place) + b)) + 1
    for rows in np.split(np.arange(len(a)), changes):
        if len(rows):
            share = np.cumsum(weight[rows])
            at = int(np.searchsorted(share, share[-1] / 2 * (1 - 1e-12)))
            medians[int(a[rows[0]]), int(b[rows[0]])] = int(days[rows[at]])
    return weights / np.maximum(customers, 1e-9)[:, None], medians


def _wilson(share: Floats, count: Floats, z: float) -> tuple[Floats, Floats]:
    """Wilson's interval of a share of so many customers; cautious, since a customer's mean varies less than a coin."""
    share = np.clip(share, 0.0, 1.0)
    centre = share + z * z / (2 * count)
    spread = z * np.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    scale = 1 + z * z / count
    return np.maximum(centre - spread, 0.0) / scale, (centre + spread) / scale


def _numbers(column: pa.ChunkedArray) -> Floats:
    numbers: Floats = column.cast(pa.float64()).to_numpy()
    return numbers
