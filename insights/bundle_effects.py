"""What bundles do to orders: those to which the last item was added beside comparable ones without it.

Judged on later orders than those the bundles were found in. Orders compare that are of one month and of customers
whose earlier orders were as large. These are observations: who adds an item may have wanted more anyway.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.sparse import csc_matrix

from features.orders import Orders
from insights.discoveries import FALSE_DISCOVERIES, interval_level, q_values

Rows = NDArray[np.int64]
Floats = NDArray[np.float64]
Verdict = Literal["more", "fewer", "open"]

CAPPED = 0.99
"""Units and amounts above this quantile of all judged orders count as it: a few orders of thousands say nothing."""
_MONTH_DAYS = 30
_BANDS = 4


@dataclass(frozen=True)
class Change:
    """A mean difference per order, and its interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Effect:
    """Orders that hold `anchor` and to which `added` was added (with), beside those that hold the anchor alone.

    `units`: difference in units per order, `units_with` less `units_without`; `further_units` and `further_amount`
    without those of the bundle's own items. `matched_share`: of the orders with it, how many there are others to
    compare with. `verdict` is about further units: more, fewer, or open.
    """

    anchor: tuple[str, ...]
    added: str
    orders_with: int
    orders_without: int
    matched_share: float
    units_with: float
    units_without: float
    units: Change
    further_units: Change
    further_amount: Change
    q: float
    verdict: Verdict

    def payload(self) -> dict[str, Any]:
        """As JSON."""
        changes = {name: vars(getattr(self, name)) for name in ("units", "further_units", "further_amount")}
        return {**vars(self), "anchor": list(self.anchor), **changes}


def effects(
    sets: Sequence[tuple[str, ...]], earlier: Orders, later: Orders, least: int
) -> dict[tuple[str, ...], Effect]:
    """What each set of items does to the later orders; none where fewer than `least` customers are on a side.

    The intervals hold as those of a search do (`discoveries`), over the sets judged.
    """
    judging = _Judging(earlier, later, least)
    measured = {items: found for items in sets if (found := judging.of(items)) is not None}
    q = q_values([each.further_units.p for each in measured.values()])
    level = interval_level(int((q <= FALSE_DISCOVERIES).sum()), len(measured))
    z = NormalDist().inv_cdf(0.5 + level / 2)
    return {items: each.told(z, float(q[n])) for n, (items, each) in enumerate(measured.items())}


@dataclass(frozen=True)
class _Mean:
    """A difference of means, the means of both sides, and the standard error of the difference over customers."""

    with_it: float
    without: float
    error: float

    @property
    def p(self) -> float:
        """Two-sided, of no difference."""
        if not self.error:
            return 1.0
        return 2 * NormalDist().cdf(-abs(self.with_it - self.without) / self.error)

    def change(self, z: float) -> Change:
        mean = self.with_it - self.without
        return Change(mean, mean - z * self.error, mean + z * self.error)


@dataclass(frozen=True)
class _Measured:
    anchor: tuple[str, ...]
    added: str
    orders: tuple[int, int]
    matched_share: float
    units: _Mean
    further_units: _Mean
    further_amount: _Mean

    def told(self, z: float, q: float) -> Effect:
        further = self.further_units.change(z)
        verdict: Verdict = "open" if q > FALSE_DISCOVERIES else "more" if further.mean > 0 else "fewer"
        return Effect(
            self.anchor, self.added, *self.orders, self.matched_share, self.units.with_it, self.units.without,
            self.units.change(z), further, self.further_amount.change(z), q, verdict,
        )  # fmt: skip


class _Judging:
    """Compares later orders with each other, by what is known of their customers from earlier ones."""

    def __init__(self, earlier: Orders, later: Orders, least: int) -> None:
        self._later, self._least = later, least
        self._held, self._held_before = _Holders(later), _Holders(earlier)
        first = int(later.day.min()) if len(later.day) else 0
        usual = _usual_band(earlier, later.customer)
        self._stratum = (later.day - first) // _MONTH_DAYS * (_BANDS + 1) + usual

    def of(self, items: tuple[str, ...]) -> _Measured | None:
        places = pc.index_in(pa.array(items), value_set=self._later.item_ids).to_pylist()
        added = max(range(len(items)), key=lambda one: (len(self._held_before.rows(_without(places, one))), -one))
        anchor = _without(places, added)
        every = self._held.rows(anchor)
        has = np.isin(every, self._held.rows(places), assume_unique=True)
        compared = _Comparison.of(has, self._stratum[every], self._later.customer[every])
        if compared is None or min(compared.customers) < self._least:
            return None
        rows = every[compared.chosen]
        own = [self._held.values(places, rows, lines) for lines in (self._later.line_units, self._later.line_amount)]
        units, further, amount = (
            compared.mean(np.minimum(values[rows] - less, np.quantile(values, CAPPED)))
            for values, less in (
                (self._later.units, 0.0), (self._later.units, own[0]), (self._later.amount, own[1]),
            )
        )  # fmt: skip
        return _Measured(
            tuple(items[n] for n in range(len(items)) if n != added),
            items[added],
            (int(compared.has.sum()), int((~compared.has).sum())),
            float(compared.has.sum() / has.sum()),
            units,
            further,
            amount,
        )


class _Holders:
    """Which orders hold which items."""

    def __init__(self, orders: Orders) -> None:
        of = np.repeat(np.arange(len(orders.day)), orders.size)
        shape = (len(orders.day), len(orders.item_ids))
        # Each cell holds its line, counted from 1: a cell of 0 is none.
        self._lines = csc_matrix((np.arange(1, len(of) + 1), (of, orders.item)), shape=shape)

    def _cells(self, item: int) -> tuple[Rows, Rows]:
        """The orders that hold an item, rising, and its lines in them."""
        start, end = self._lines.indptr[item : item + 2]
        return self._lines.indices[start:end].astype(np.int64), self._lines.data[start:end] - 1

    def rows(self, items: Sequence[int]) -> Rows:
        """The orders that hold all of these items."""
        rows = self._cells(items[0])[0]
        for item in items[1:]:
            rows = np.intersect1d(rows, self._cells(item)[0], assume_unique=True)
        return rows

    def values(self, items: Sequence[int], rows: Rows, of_lines: Floats) -> Floats:
        """Per order of `rows` the sum over these items of what their lines there hold."""
        total = np.zeros(len(rows))
        for item in items:
            orders, lines = self._cells(item)
            there, place, cell = np.intersect1d(rows, orders, assume_unique=True, return_indices=True)
            total[place] += of_lines[lines[cell]] if len(there) else 0.0
        return total


@dataclass(frozen=True)
class _Comparison:
    """Orders with and without the item added, in strata where there are two or more of each.

    `chosen` are places among all that were given, the rest is aligned with it. A stratum weighs what it has of orders
    with the item.
    """

    chosen: Rows
    has: NDArray[np.bool_]
    stratum: Rows
    customer: Rows

    @classmethod
    def of(cls, has: NDArray[np.bool_], stratum: Rows, customer: Rows) -> _Comparison | None:
        strata = int(stratum.max()) + 1 if len(stratum) else 1
        sides = [np.bincount(stratum[side], minlength=strata) for side in (has, ~has)]
        chosen = np.flatnonzero((np.minimum(*sides) >= 2)[stratum]) if len(stratum) else np.zeros(0, np.int64)
        return cls(chosen, has[chosen], stratum[chosen], customer[chosen]) if len(chosen) else None

    @property
    def customers(self) -> tuple[int, int]:
        """How many customers there are on each side."""
        return len(np.unique(self.customer[self.has])), len(np.unique(self.customer[~self.has]))

    def mean(self, values: Floats) -> _Mean:
        """The difference in the mean of a value, weighted by strata; its error is that of sums over customers."""
        influence, means = np.zeros(len(values)), []
        share = np.bincount(self.stratum[self.has]) / self.has.sum()
        for side, sign in ((self.has, 1), (~self.has, -1)):
            of = self.stratum[side]
            n = np.bincount(of, minlength=len(share))
            mean = np.bincount(of, values[side], len(share)) / np.maximum(n, 1)
            means.append(float(share @ mean))
            spread = np.sqrt(n / np.maximum(n - 1, 1)) * share / np.maximum(n, 1)
            influence[side] = sign * spread[of] * (values[side] - mean[of])
        by_customer = np.bincount(np.unique(self.customer, return_inverse=True)[1], influence)
        return _Mean(means[0], means[1], sqrt(float(by_customer @ by_customer)))


def _usual_band(earlier: Orders, customer: Rows) -> Rows:
    """For each of some customers, in which quarter the median units of their earlier orders are; `_BANDS`: no such."""
    order = np.lexsort((earlier.units, earlier.customer))
    who, start, count = np.unique(earlier.customer[order], return_index=True, return_counts=True)
    usual = earlier.units[order][start + (count - 1) // 2]
    band = np.searchsorted(np.quantile(usual, np.arange(1, _BANDS) / _BANDS), usual) if len(usual) else usual
    people = max([int(each.max()) + 1 for each in (who, customer) if len(each)], default=0)
    found = np.full(people, _BANDS)
    found[who] = band
    return np.asarray(found[customer], dtype=np.int64)


def _without(places: Sequence[int], one: int) -> list[int]:
    return [place for n, place in enumerate(places) if n != one]
