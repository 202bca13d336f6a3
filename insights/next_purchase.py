"""What customers buy next: after one thing, another within some days, beside how often anybody buys that anyway.

Counted are purchases of the first thing, a customer's of one day being one. The base rate of the second is that after
any purchase, by anybody, in the same calendar weeks: neither a season nor being active looks like a consequence then.
Purchases of one customer are alike, so intervals take customers for what was drawn. These are observations: that both
are bought does not say that one brings the other.
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
    """Of so many purchases of `after`, by so many customers, the share followed by `next` within the days, beside the
    base rate `base_share`.

    `lift` is the one over the other, with its interval; `median_days` is from the one purchase to the other, of
    those who follow. `sure`: the interval does not hold 1.
    """

    after: str
    next: str
    purchases: int
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
    customers = _numbers(counted.customers["customer_count"])
    starts, squares = _starts(counted, place)
    total = np.maximum(starts.sum(axis=1), 1.0)[:, None]
    base = _base(counted, place, starts) / total
    shares, sizes = _shares(counted, place, total, squares)
    medians = _medians(counted.follow_days, place)
    enough = (customers[:, None] >= least_customers) & (total * base >= least_expected)
    np.fill_diagonal(enough, False)
    tried = int(enough.sum())
    z = NormalDist().inv_cdf(1 - (1 - CONFIDENCE) / (2 * max(tried, 1)))
    low, high = _wilson(shares, sizes, z)
    pairs = [
        NextPurchase(
            things[a],
            things[b],
            int(starts[a].sum()),
            int(customers[a]),
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
    """Purchases of each thing by week, and of each thing the squares of a customer's purchases, over the customers."""
    weeks = _week_places(counted)
    table = counted.start_weeks
    rows = np.array([place[thing] for thing in table["thing"].to_pylist()], np.int64)
    columns = [weeks[week] for week in table["week"].to_pylist()]
    starts = np.zeros((len(place), len(weeks)))
    starts[rows, columns] = _numbers(table["start_count"])
    return starts, np.bincount(rows, _numbers(table["count_squares"]), len(place)).astype(np.float64)


def _week_places(counted: Successions) -> dict[int, int]:
    return {week: at for at, week in enumerate(counted.buyer_weeks["week"].to_pylist())}


def _base(counted: Successions, place: Mapping[str, int], starts: Floats) -> Floats:
    """For each pair, how many purchases of the first thing would be followed by the second if they were any purchases
    of their weeks."""
    weeks = _week_places(counted)
    rates = np.zeros((len(weeks), len(place)))
    rows = [weeks[week] for week in counted.week_followers["week"].to_pylist()]
    columns = [place[thing] for thing in counted.week_followers["thing"].to_pylist()]
    rates[rows, columns] = _numbers(counted.week_followers["follow_count"])
    found: Floats = starts @ (rates / _numbers(counted.buyer_weeks["day_count"])[:, None])
    return found


def _shares(counted: Successions, place: Mapping[str, int], total: Floats, squares: Floats) -> tuple[Floats, Floats]:
    """Of each pair the share that follows, and the number of independent purchases that would know it as well."""
    table = counted.follow_sums
    at = tuple(np.array([place[t] for t in table[name].to_pylist()], np.int64) for name in ("thing", "next_thing"))
    sums, second, products = (np.zeros((len(place), len(place))) for _ in range(3))
    for matrix, name in ((sums, "follow_count"), (second, "follow_squares"), (products, "products")):
        matrix[at] = _numbers(table[name])
    shares = sums / total
    spread = np.maximum(second - 2 * shares * products + shares**2 * squares[:, None], 0.0) / total**2
    alike = total**2 / np.maximum(squares[:, None], 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        sizes = np.where(spread > 0, shares * (1 - shares) / spread, alike)
    return shares, np.clip(sizes, 1.0, total)


def _medians(follow_days: pa.Table, place: Mapping[str, int]) -> dict[tuple[int, int], int]:
    """The median of days by pair; the rows come sorted by pair and days."""
    a, b = (np.array([place[t] for t in follow_days[name].to_pylist()], np.int64) for name in ("thing", "next_thing"))
    counts, days = _numbers(follow_days["follow_count"]), follow_days["days"].to_numpy()
    medians: dict[tuple[int, int], int] = {}
    for rows in np.split(np.arange(len(a)), np.flatnonzero(np.diff(a * len(place) + b)) + 1):
        if len(rows):
            share = np.cumsum(counts[rows])
            medians[int(a[rows[0]]), int(b[rows[0]])] = int(days[rows[np.searchsorted(share, share[-1] / 2)]])
    return medians


def _wilson(share: Floats, count: Floats, z: float) -> tuple[Floats, Floats]:
    """Wilson's interval of a share of so many."""
    centre = share + z * z / (2 * count)
    spread = z * np.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    scale = 1 + z * z / count
    return np.maximum(centre - spread, 0.0) / scale, (centre + spread) / scale


def _numbers(column: pa.ChunkedArray) -> Floats:
    numbers: Floats = column.cast(pa.float64()).to_numpy()
    return numbers
