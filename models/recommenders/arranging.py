"""From candidates to lists: pins, then greedily what is worth most, within caps, unlike what is listed before.

Worth of a candidate is its chance of being bought: the chances of a list in falling order are given to its places, so
that the model's order stays and the chances say how far the places lie apart; where no chance is known, 1 / place.
A boost multiplies it. With margin m worth is (1 − m) × worth + m × expected margin, each as a share of the list's
largest; diversity d is maximal marginal relevance, (1 − d) × worth − d × largest likeness to what is listed (Carbonell
and Goldstein, SIGIR 1998). Equal worth: the model's order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from models.recommenders.history import Floats, Rows

Flags = npt.NDArray[np.bool_]
Likeness = Callable[[Rows, Rows], Floats]
"""Of item rows (n,) to item rows (n, m): 0 unlike … 1 the same in all that is known."""


@dataclass(frozen=True)
class Arrangement:
    """How lists are arranged: per item row its boost and margin, per cap the groups of items and how many of each."""

    boost: Floats | None = None
    margin: float = 0.0
    earns: Floats | None = None
    diversity: float = 0.0
    likeness: Likeness | None = None
    caps: Sequence[tuple[Rows, int]] = ()
    pins: Rows = field(default_factory=lambda: np.empty(0, np.int64))

    @property
    def weighs(self) -> bool:
        """Whether the worth of an item matters, not its place alone."""
        return self.boost is not None or self.margin > 0 or self.diversity > 0

    def worth(self, items: Rows, chance: Floats | None) -> Floats:
        """(n, m) for candidates, −1 where there is none, whose worth means nothing; `chance` (n, m), NaN: not known."""
        there = items >= 0
        if not self.weighs:
            return _by_place(items.shape)
        own = _known_chance(there, chance)
        falling = -np.sort(-np.where(there, own, -np.inf), axis=1)
        worth = np.take_along_axis(falling, np.maximum(np.cumsum(there, axis=1) - 1, 0), axis=1)
        factor = np.ones(items.shape) if self.boost is None else self.boost[items]
        worth = np.where(there, worth, 0.0) * factor
        if self.margin and self.earns is not None:
            earned = np.where(there, own * factor * self.earns[items], 0.0)
            worth = (1 - self.margin) * _share(worth) + self.margin * _share(earned)
        return _share(worth) if self.diversity else worth

    def lists(self, items: Rows, chance: Floats | None, k: int, pinned: Flags) -> Rows:
        """(n, k) columns of the candidates, in the order of the list, −1 after its end.

        `items` (n, m) are item rows, best first, −1 where there is none. `pinned` (n, pins) says who may be given
        which pin; column m + j stands for pin j where it is not among the candidates.
        """
        n, m = items.shape
        pick = _Picking(self, items, k)
        for j, pin in enumerate(self.pins):
            listed = items == pin
            column = np.where(listed.any(axis=1), listed.argmax(axis=1), m + j) if m else np.full(n, m + j)
            pick.put(np.flatnonzero(pinned[:, j] & pick.fits(np.full(n, pin))), column)
        worth = self.worth(items, chance)
        for _ in range(k if m else 0):
            score = np.where(pick.free(), pick.less_likeness(worth), -np.inf)
            best = score.argmax(axis=1)
            rows = np.flatnonzero((score[np.arange(n), best] > -np.inf) & (pick.length < k))
            if not rows.size:
                break
            pick.put(rows, best)
        return pick.listed


class _Picking:
    """Lists while they are filled."""

    def __init__(self, how: Arrangement, items: Rows, k: int) -> None:
        self.how = how
        self.items = items
        self.all_items = np.concatenate([items, np.tile(how.pins, (len(items), 1))], axis=1)
        self.listed = np.full((len(items), k), -1, np.int64)
        self.length = np.zeros(len(items), np.int64)
        self._taken: Flags = np.zeros(items.shape, bool)
        self._counts = [np.zeros((len(items), of.max(initial=-1) + 2), np.int64) for of, _ in how.caps]
        self._like = np.zeros(items.shape)

    def fits(self, item: Rows) -> Flags:
        """Whether one item for each list is within the caps, and the list not full."""
        room = self.length < self.listed.shape[1]
        for (of, most), counts in zip(self.how.caps, self._counts, strict=True):
            room &= (of[item] < 0) | (counts[np.arange(len(item)), of[item]] < most)
        return room

    def free(self) -> Flags:
        """Which candidates may still be put into their list."""
        free = (self.items >= 0) & ~self._taken
        row = np.arange(len(self.items))[:, None]
        for (of, most), counts in zip(self.how.caps, self._counts, strict=True):
            group = of[self.items]
            free &= (group < 0) | (counts[row, group] < most)
        return free

    def less_likeness(self, worth: Floats) -> Floats:
        """Worth less the largest likeness to what is listed, each weighted."""
        if not self.how.diversity:
            return worth
        return (1 - self.how.diversity) * worth - self.how.diversity * self._like

    def put(self, rows: Rows, column: Rows) -> None:
        """Adds to the lists of these rows the candidate of their column."""
        chosen = self.all_items[rows, column[rows]]
        self.listed[rows, self.length[rows]] = column[rows]
        self.length[rows] += 1
        self._taken[rows] = np.logical_or(self._taken[rows], np.equal(self.items[rows], chosen[:, None]))
        for (of, _), counts in zip(self.how.caps, self._counts, strict=True):
            counts[rows, of[chosen]] += 1  # what is in no group counts in the last column, which nobody reads
        if self.how.diversity and self.how.likeness is not None:
            self._like[rows] = np.maximum(self._like[rows], self.how.likeness(chosen, self.items[rows]))


def _known_chance(there: Flags, chance: Floats | None) -> Floats:
    """The chance of each candidate; in lists where any is unknown 1 / place."""
    if chance is None:
        return _by_place(there.shape)
    known = np.logical_not(np.any(np.isnan(chance) & there, axis=1, keepdims=True))
    return np.where(known, np.nan_to_num(chance), _by_place(there.shape))


def _by_place(shape: tuple[int, ...]) -> Floats:
    return np.broadcast_to(1.0 / (1.0 + np.arange(shape[1])), shape)


def _share(worth: Floats) -> Floats:
    """As a share of the largest of its row."""
    largest = np.abs(worth).max(axis=1, initial=0.0, keepdims=True)
    return np.asarray(worth / np.where(largest > 0, largest, 1.0), dtype=np.float64)
