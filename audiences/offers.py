"""Many offers, few for each customer: who gets which, so that their worth together is largest.

A transport problem with bounds. Prices (`prices.py`) let each customer choose; what then breaks a bound is mended, and
what is left to gain is found as cycles of negative cost in the graph of the offers (Klein 1967): an edge from one offer
to another costs what is lost by moving the customer who loses least. Where no such cycle is left the assignment is the
best there is, and the distances in the graph are prices that prove it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audiences.prices import Floats, Offering, Rows, prices
from warehouse.errors import DataProblemError

_CLOSE = 0.002
"""The gap at which a large assignment is no longer mended."""
_SMALL, _MOST_CYCLES = 200_000, 500
_ROUNDS = 30


@dataclass(frozen=True)
class Assigned:
    """`given` (customers, offers): who gets what. `worth` of it all, and the `bound` that none can exceed, which the
    `prices` give."""

    given: NDArray[np.bool_]
    worth: float
    bound: float
    prices: Floats

    @property
    def gap(self) -> float:
        """At most so large a share of the best worth is missed."""
        return max(0.0, (self.bound - self.worth) / self.bound) if self.bound > 0 else 0.0


class ImpossibleError(DataProblemError):
    """The least sizes cannot be kept; `offers` are those that come short, `missing` by how many customers."""

    def __init__(self, offers: Rows, missing: Rows) -> None:
        super().__init__("Least sizes of offers cannot be kept.", hint="Lower them, or let more customers have them.")
        self.offers, self.missing = offers, missing


def assign(worth: Floats, least: Rows, most: Rows, each: int = 1) -> Assigned:
    """Gives offers to customers: at most `each` a customer, between `least` and `most` customers an offer.

    `worth` is (customers, offers) ≥ 0, −inf where a pair may not be. Pairs of worth 0 are given only to keep a least
    size. `ImpossibleError` where least sizes cannot be kept.
    """
    offering = Offering(worth, least, np.minimum(most, len(worth)), each)
    if (offering.least > offering.most).any():
        short = np.flatnonzero(offering.least > offering.most)
        raise ImpossibleError(short, (offering.least - offering.most)[short])
    found, bound = prices(offering)
    mending = _Mending(offering, found)
    mending.drop()
    mending.fill()
    mending.pull()
    exact = mending.improve(bound)
    if len(short := np.flatnonzero(mending.count < offering.least)):
        raise ImpossibleError(short, (offering.least - mending.count)[short])
    if exact is not None:
        proof = offering.bound(exact, offering.choices(exact)[1])
        found, bound = (exact, proof) if proof < bound else (found, bound)
    return Assigned(mending.held, mending.worth, max(bound, mending.worth), found)


class _Mending:
    """An assignment on its way: who holds what, and how many hold each offer."""

    def __init__(self, offering: Offering, prices_: Floats) -> None:
        self.offering, self.prices = offering, prices_
        chosen, _ = offering.choices(prices_)
        self.held = np.zeros(offering.worth.shape, bool, order="F")
        rows, places = np.nonzero(chosen >= 0)
        self.held[rows, chosen[rows, places]] = True
        self.count = offering.demand(chosen)
        self.slots = np.full(len(chosen), offering.each) - self.held.sum(axis=1)

    @property
    def worth(self) -> float:
        return float(self.offering.worth[self.held].sum())

    def move(self, rows: Rows, offer: int, take: bool) -> None:
        """Some customers get an offer, or lose it."""
        self.held[rows, offer] = take
        self.slots[rows] += -1 if take else 1
        self.count[offer] += len(rows) if take else -len(rows)

    def drop(self) -> None:
        """Takes an offer that too many chose from those who like another one with places almost as much."""
        left = self.offering.worth - self.prices
        for offer in np.flatnonzero(self.count > self.offering.most):
            rows = np.flatnonzero(self.held[:, offer])
            others = np.where(self.held[rows] | (self.count >= self.offering.most), -np.inf, left[rows])
            regret = left[rows, offer] - np.maximum(others.max(axis=1), 0)
            too_many = self.count[offer] - self.offering.most[offer]
            self.move(rows[np.argsort(regret, kind="stable")[:too_many]], int(offer), False)

    def fill(self) -> None:
        """Gives what is left to customers who may have more, each round what each would like best of it."""
        for _ in range(_ROUNDS):
            free = self.offering.most - self.count
            rows = np.flatnonzero(self.slots > 0)
            may = (free > 0) & (self.offering.worth[rows] > 0) & ~self.held[rows]
            left = np.where(may, self.offering.worth[rows] - self.prices, -np.inf)
            if not len(rows) or not np.isfinite(left).any():
                return
            best = left.argmax(axis=1)
            gain = left[np.arange(len(rows)), best]
            for offer in np.unique(best[np.isfinite(gain)]):
                wish = np.flatnonzero((best == offer) & np.isfinite(gain))
                first = wish[np.argsort(-gain[wish], kind="stable")[: free[offer]]]
                self.move(rows[first], int(offer), True)

    def pull(self) -> None:
        """Brings customers to offers that too few hold: those who lose least by it, of offers that can spare them."""
        offering = self.offering
        left = offering.worth - self.prices
        for offer in np.flatnonzero(self.count < offering.least):
            spare = self.count > offering.least
            held = np.where(self.held & spare, left, np.inf)
            worst = held.argmin(axis=1)
            loss = np.where(self.slots > 0, 0.0, held[np.arange(len(held)), worst]) - left[:, offer]
            loss[self.held[:, offer]] = np.inf
            order = np.argsort(loss, kind="stable")[: 4 * (offering.least[offer] - self.count[offer])]
            for row in order[np.isfinite(loss[order])]:
                if self.count[offer] >= offering.least[offer]:
                    break
                giver = int(worst[row])
                if self.slots[row] == 0:
                    if self.count[giver] <= offering.least[giver]:
                        continue
                    self.move(np.array([row]), giver, False)
                self.move(np.array([row]), int(offer), True)

    def improve(self, bound: float) -> Floats | None:
        """Moves customers along cycles of offers as long as that gains; a small assignment until it is the best, a
        large one until it is close to the bound. Prices that prove it the best; None where it was left before.
        """
        graph = _Graph(self)
        small = self.held.size <= _SMALL
        for _ in range(_MOST_CYCLES if not small else 200 * _MOST_CYCLES):
            if not small and not self._broken() and bound - graph.worth <= _CLOSE * bound:
                return None
            cycle, potential = graph.negative_cycle()
            if cycle is None:
                return np.asarray(potential[-1] - potential[:-1])
            for start, end in cycle:
                graph.apply(start, end)
            graph.refresh({offer for edge in cycle for offer in edge})
        return None

    def _broken(self) -> bool:
        return bool((self.count < self.offering.least).any() or (self.count > self.offering.most).any())


class _Graph:
    """The offers, and last of all nothing, as nodes; edge (j, i) costs what the cheapest move from j to i loses.

    From nothing to an offer: somebody with a place to fill gets it; or, for 0, the offer goes to one fewer than now,
    where it may. From an offer to nothing: somebody loses it; or, for 0, it goes to one more. Where a bound is broken,
    the step back is worth more than everything else.
    """

    def __init__(self, mending: _Mending) -> None:
        self._of = mending
        self._worth = mending.offering.worth
        offers = self._worth.shape[1]
        self._none = offers
        self._great = 1.0 + 4 * float(np.abs(self._worth[np.isfinite(self._worth)]).max(initial=0)) * (offers + 1)
        self._cost = np.full((offers + 1, offers + 1), np.inf)
        self._who = np.full((offers + 1, offers + 1), -1)
        self.worth = mending.worth
        self.refresh(set(range(offers + 1)))

    def refresh(self, offers: set[int]) -> None:
        """Finds the cheapest moves anew that moves from or to these offers have changed."""
        for offer in offers - {self._none}:
            self._leave(offer)
        for offer in range(self._none):
            who = self._who[self._none, offer]
            if offer in offers or self._stale or who < 0 or not self._free(who, offer):
                self._come(offer)
        self._stale = False

    _stale = True
    """Whether somebody has a place to fill who had none before."""

    def _free(self, who: int, offer: int) -> bool:
        return bool(self._of.slots[who] > 0 and not self._of.held[who, offer])

    def _leave(self, offer: int) -> None:
        """The moves from one offer to the others and to nothing."""
        mending, none = self._of, self._none
        rows = np.flatnonzero(mending.held[:, offer])
        self._cost[offer], self._who[offer] = np.inf, -1
        if len(rows):
            own = self._worth[rows, offer]
            loss = np.where(mending.held[rows], np.inf, own[:, None] - self._worth[rows])
            least = loss.argmin(axis=0)
            self._cost[offer, :none], self._who[offer, :none] = loss[least, np.arange(none)], rows[least]
            self._cost[offer, none], self._who[offer, none] = own.min(), rows[own.argmin()]
        if mending.count[offer] < mending.offering.most[offer]:
            slack = -self._great if mending.count[offer] < mending.offering.least[offer] else 0.0
            if slack < self._cost[offer, none]:
                self._cost[offer, none], self._who[offer, none] = slack, -1

    def _come(self, offer: int) -> None:
        """The move from nothing to one offer."""
        mending, none = self._of, self._none
        free = (mending.slots > 0) & ~mending.held[:, offer]
        gain = np.where(free, self._worth[:, offer], -np.inf)
        who = int(gain.argmax()) if len(gain) else -1
        cost = -gain[who] if who >= 0 else np.inf
        if mending.count[offer] > mending.offering.least[offer]:
            slack = -self._great if mending.count[offer] > mending.offering.most[offer] else 0.0
            if slack < cost:
                who, cost = -1, slack
        self._cost[none, offer], self._who[none, offer] = cost, who

    def negative_cycle(self) -> tuple[list[tuple[int, int]] | None, Floats]:
        """The edges of a cycle that gains (Bellman and Ford), or None, and then the distances of all offers."""
        nodes = self._none + 1
        distance, before = np.zeros(nodes), np.full(nodes, -1)
        careful = 1e-9 * max(1.0, self._great / (4 * nodes))
        changed = -1
        for _ in range(nodes):
            through = distance[:, None] + self._cost
            best = through.argmin(axis=0)
            shorter = through[best, np.arange(nodes)]
            less = shorter < distance - careful
            if not less.any():
                return None, distance
            distance, before = np.where(less, shorter, distance), np.where(less, best, before)
            changed = int(np.flatnonzero(less)[0])
        for _ in range(nodes):
            changed = int(before[changed])
        cycle, end = [], changed
        while True:
            start = int(before[end])
            cycle.append((start, end))
            end = start
            if end == changed:
                return cycle[::-1], distance

    def apply(self, start: int, end: int) -> None:
        """Makes the move of one edge."""
        who = int(self._who[start, end])
        if who < 0:
            return
        row = np.array([who])
        if start != self._none:
            self._stale |= end == self._none and self._of.slots[who] == 0
            self._of.move(row, start, False)
            self.worth -= float(self._worth[who, start])
        if end != self._none:
            self._of.move(row, end, True)
            self.worth += float(self._worth[who, end])
