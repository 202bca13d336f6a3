"""Bundles: pairs and triples of items that lie in one order more often than chance, or their pairs, would bring them.

Customers are what was drawn: counts are cut to the independent orders that would know as much. That of a pair is
compared with what is expected by Poisson's law (Garwood's exact interval, 1936); the items' own counts are taken as
known, which makes the interval wider, not narrower. That of a triple varies, its pairs given, as `explained_by_pairs`
says (score test). Those that count as found are chosen by Benjamini and Hochberg among all that could have been
(`discoveries`). Observed: what lies together need not sell together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.special import gammainc, gammaincc, gammaincinv, ndtr, ndtri

from features.orders import Orders
from insights.bundle_effects import Effect
from insights.discoveries import FALSE_DISCOVERIES, interval_level, q_values
from insights.together import MOST_PAIRS, Counted, Together

LEAST_CUSTOMERS = 20
"""Items, pairs and triples of fewer customers are not looked at: they say little, and would say it of few people."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Bundle:
    """Items in one order together: `support` is the share of all orders.

    `lift`: orders with all of them over those expected, with its interval. Of a pair expected is what orders of the
    same month and as many items would bring together by chance; of a triple what its pairs explain. `plain_lift` is
    the usual one, support over the product of the items' supports, which large orders raise for everything.
    """

    items: tuple[str, ...]
    orders: int
    customers: int
    support: float
    lift: float
    lift_from: float
    lift_to: float
    plain_lift: float
    q: float
    effect: Effect | None = None

    def payload(self) -> dict[str, Any]:
        """As JSON."""
        return {**vars(self), "items": list(self.items), "effect": self.effect.payload() if self.effect else None}


@dataclass(frozen=True)
class Tried:
    """How many sets could have been found, how many were, and at what level their intervals are."""

    tried: int
    found: int
    interval_level: float


@dataclass(frozen=True)
class Bundles:
    """All bundles found, and what they were found among; those first that have most orders surely beyond what is
    expected.

    `items_tried` were paired; `items_left` had enough customers, too, but were too many.
    """

    orders: int
    customers: int
    items_tried: int
    items_left: int
    of_pairs: Tried
    of_triples: Tried
    pairs: tuple[Bundle, ...]
    triples: tuple[Bundle, ...]

    def all_of(self, items: int) -> tuple[Bundle, ...]:
        """Those of two or of three items."""
        return self.pairs if items == 2 else self.triples

    def where(self, true: Callable[[Bundle], bool]) -> Bundles:
        """Only some of the bundles."""
        pairs, triples = (tuple(each for each in group if true(each)) for group in (self.pairs, self.triples))
        return replace(self, pairs=pairs, triples=triples)

    def with_effects(self, effects: Mapping[tuple[str, ...], Effect]) -> Bundles:
        """The same with what the bundles do to orders, where that was judged."""
        pairs, triples = (
            tuple(replace(each, effect=effects.get(each.items)) for each in group)
            for group in (self.pairs, self.triples)
        )
        return replace(self, pairs=pairs, triples=triples)

    def payload(self) -> dict[str, Any]:
        """As JSON, but the bundles."""
        return {
            "orders": self.orders,
            "customers": self.customers,
            "items_tried": self.items_tried,
            "items_not_tried": self.items_left,
            "least_customers": LEAST_CUSTOMERS,
            "correction": "Benjamini-Hochberg",
            "false_discovery_rate": FALSE_DISCOVERIES,
            "pairs_tried": vars(self.of_pairs),
            "triples_tried": vars(self.of_triples) | {"of_pairs_at_most": MOST_PAIRS},
        }


def bundles(orders: Orders, least: int = LEAST_CUSTOMERS) -> Bundles:
    """The bundles of some orders.

    Pairs tried are all of the items with enough customers, seen together or not; triples those whose three pairs were
    found.
    """
    together = Together(orders, least)
    k = len(together.items)
    found, of_pairs = _found(together.pairs(), k * (k - 1) // 2, _ByPoisson)
    counted, tried = together.triples(found.counted.of(np.arange(min(MOST_PAIRS, len(found.q)))))
    larger, of_triples = _found(counted, tried, _GivenPairs)
    return Bundles(
        len(orders.day),
        orders.customers,
        k,
        together.enough - k,
        of_pairs,
        of_triples,
        found.told(together, orders),
        larger.told(together, orders),
    )


@dataclass(frozen=True)
class _Found:
    counted: Counted
    lift: Floats
    low: Floats
    high: Floats
    q: Floats

    def told(self, together: Together, orders: Orders) -> tuple[Bundle, ...]:
        n, width = len(orders.day), self.counted.items.shape[1]
        names = orders.item_ids.take(pa.array(together.items[self.counted.items].ravel())).to_pylist()
        supports = together.orders[self.counted.items] / n
        plain = self.counted.orders / n / supports.prod(axis=1)
        return tuple(
            Bundle(
                tuple(names[row * width : (row + 1) * width]),
                int(self.counted.orders[row]),
                int(self.counted.customers[row]),
                float(self.counted.orders[row] / n),
                float(self.lift[row]),
                float(self.low[row]),
                float(self.high[row]),
                float(plain[row]),
                float(self.q[row]),
            )
            for row in range(len(plain))
        )


class _Test(Protocol):
    """Judges counts against what is expected; each value aligned with the counts."""

    def __init__(self, counted: Counted) -> None: ...
    def p(self) -> Floats: ...
    def interval(self, level: float) -> tuple[Floats, Floats]: ...


class _ByPoisson:
    """Counts of which only the mean is known where there is nothing in it."""

    def __init__(self, counted: Counted) -> None:
        alike = counted.orders / counted.squares
        self._count, self._expected = counted.orders * alike, counted.expected * alike

    def p(self) -> Floats:
        """Two-sided."""
        above, below = gammainc(self._count, self._expected), gammaincc(self._count + 1, self._expected)
        return np.asarray(np.minimum(2 * np.minimum(above, below), 1.0))

    def interval(self, level: float) -> tuple[Floats, Floats]:
        """Of count over expected; Garwood's, continued to counts that are not whole."""
        tail = (1 - level) / 2
        return (
            gammaincinv(self._count, tail) / self._expected,
            gammaincinv(self._count + 1, 1 - tail) / self._expected,
        )


class _GivenPairs:
    """Counts of triples, which hardly vary once those of their pairs are known."""

    def __init__(self, counted: Counted) -> None:
        self._lift = counted.orders / counted.expected
        alike = counted.squares / counted.orders
        self._error = np.maximum(np.sqrt(counted.variance * alike) / counted.expected, 1e-12)

    def p(self) -> Floats:
        """Two-sided."""
        return np.asarray(2 * ndtr(-np.abs(self._lift - 1) / self._error))

    def interval(self, level: float) -> tuple[Floats, Floats]:
        """Of count over expected."""
        half = ndtri(0.5 + level / 2) * self._error
        return np.maximum(self._lift - half, 0), self._lift + half


def _found(counted: Counted, tried: int, test: type[_Test]) -> tuple[_Found, Tried]:
    """Those that are together more often than expected and hold after the correction; first those with most orders
    that are surely beyond it."""
    q = q_values(test(counted).p(), tried)
    more = np.flatnonzero((q <= FALSE_DISCOVERIES) & (counted.orders > counted.expected))
    level = interval_level(len(more), tried)
    low, _ = test(counted.of(more)).interval(level)
    kept = more[np.argsort(-(low - 1) * counted.expected[more], kind="stable")]
    found = counted.of(kept)
    return _Found(found, found.orders / found.expected, *test(found).interval(level), q[kept]), Tried(
        tried, len(kept), level
    )
