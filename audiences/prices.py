"""Prices of offers: what a place on an offer's list is worth, so that every customer may choose alone.

The Lagrangian dual of giving offers out (a transport problem with bounds): a capacity has a price above 0, a least size
one below, which pays customers to come. Whatever the prices, the worth of the best assignment is at most
Σ over customers of their best k positive (worth − price) + Σ over offers of max(price × most, price × least).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

_SAMPLE, _SEED = 20_000, 7
_STEPS, _STEPS_ON_ALL = 300, 60


@dataclass(frozen=True)
class Offering:
    """Who may get what: `worth` (customers, offers) of a pair, −inf where it may not be; each customer gets at most
    `each` offers, offer i goes to at least `least[i]` and at most `most[i]` customers."""

    worth: Floats
    least: Rows
    most: Rows
    each: int

    def some(self, rows: Rows) -> Offering:
        """The same of some customers, with that share of the places."""
        share = len(rows) / len(self.worth)
        least = np.ceil(self.least * share).astype(np.int64)
        most = np.maximum(np.floor(self.most * share), least).astype(np.int64)
        return Offering(self.worth[rows], least, most, self.each)

    def choices(self, prices: Floats) -> tuple[Rows, Floats]:
        """(customers, k) offers that each would take at these prices, −1 for none, and what is left of their worth."""
        left = self.worth - prices
        k = min(self.each, left.shape[1])
        best = left.argmax(axis=1)[:, None] if k == 1 else np.argpartition(-left, k - 1, axis=1)[:, :k]
        gain = np.take_along_axis(left, best, axis=1)
        return np.where(gain > 0, best, -1), np.maximum(gain, 0.0)

    def bound(self, prices: Floats, gain: Floats) -> float:
        """The dual at these prices, where `gain` is what customers get: no assignment is worth more."""
        return float(gain.sum() + np.maximum(prices * self.most, prices * self.least).sum())

    def demand(self, chosen: Rows) -> Rows:
        """How many customers chose each offer."""
        return np.bincount(chosen[chosen >= 0], minlength=self.worth.shape[1]).astype(np.int64)


def prices(offering: Offering) -> tuple[Floats, float]:
    """Prices at which nearly as many customers come as there are places, and the bound they give.

    Prices rise where too many come and fall where too few do, by ever smaller steps (subgradient of the dual, scaled by
    offer): on some customers drawn by chance first, then on all. The best of all prices that were tried on all.
    """
    customers, offers = offering.worth.shape
    found = np.zeros(offers)
    positive = offering.worth[np.isfinite(offering.worth) & (offering.worth > 0)]
    if not len(positive):
        return found, offering.bound(found, offering.choices(found)[1])
    scale = float(np.quantile(positive, 0.9))
    if customers > _SAMPLE:
        rows = np.sort(np.random.default_rng(_SEED).choice(customers, _SAMPLE, replace=False))
        found = _stepped(offering.some(rows), found, scale, _STEPS)[0]
        return _stepped(offering, found, scale / 5, _STEPS_ON_ALL)
    return _stepped(offering, found, scale, _STEPS)


def _stepped(offering: Offering, start: Floats, scale: float, steps: int) -> tuple[Floats, float]:
    """The best prices of some steps, or the mean of the later ones where that is better, and their bound."""
    at, total = start, np.zeros_like(start)
    best, least = start, np.inf
    for step in range(steps):
        chosen, gain = offering.choices(at)
        if (bound := offering.bound(at, gain)) < least:
            best, least = at, bound
        demand = offering.demand(chosen)
        wanted = np.where(at > 0, offering.most, np.where(at < 0, offering.least, demand))
        wanted = np.clip(wanted, offering.least, offering.most)
        moved = at + scale * (demand - wanted) / (demand + wanted + 1) / np.sqrt(1 + step / 4)
        at = np.where(at * moved < 0, 0.0, moved)
        total += at if step >= steps // 2 else 0
    mean = total / (steps - steps // 2)
    bound = offering.bound(mean, offering.choices(mean)[1])
    return (mean, bound) if bound < least else (best, least)
