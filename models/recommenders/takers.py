"""The other way round: whom an item suits, by what their histories say for it and how likely they buy it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np

from models.recommenders.deletion import named
from models.recommenders.history import Floats, Rows
from models.recommenders.interactions import Interactions
from models.recommenders.pair_features import Items
from models.recommenders.peers import Peers
from models.recommenders.purchase_probability import Evidence, Pairs, PurchaseProbability
from models.recommenders.recommender import Mask

_FACTOR, _FEWEST = 10, 5_000
Chance: TypeAlias = Callable[[Rows], Floats]
"""Gives the probability of each of some user rows."""


@dataclass(frozen=True)
class Taken:
    """Customers for one item, best first: their user rows, the first stage's strength, and P(buys it); NaN: unknown."""

    user_rows: Rows
    strength: Floats
    probability: Floats


class Takers:
    """Finds customers for items of some interactions.

    The first stage goes over everybody (`Evidence`); of the 10 n strongest, at least 5,000, the probability decides,
    where there is one. Who has bought nothing that speaks for the item is nobody's taker.
    """

    def __init__(self, held: Interactions, probability: PurchaseProbability | None) -> None:
        self.held = held
        self.probability = probability
        self._evidence = Evidence(held)
        self._items = Items(held)

    @cached_property
    def peers(self) -> Peers:
        """Finds customers like a customer; made when first asked for."""
        return Peers(self.held)

    def of(self, item_row: int, n: int, among: Mask | None = None, floors: Sequence[Chance] = ()) -> Taken:
        """At most `n` customers for an item; `among` (users,) says who may be named.

        `floors` give probabilities of what is part of it: the whole is never less likely than a part.
        """
        strength = self._evidence.of(item_row)
        may = strength > 0 if among is None else (strength > 0) & among
        rows = np.flatnonzero(may)
        rows = rows[np.lexsort((rows, -strength[rows]))[: max(_FACTOR * n, _FEWEST)]]
        chance = np.fmax.reduce([self.chance(rows, np.full(len(rows), item_row)), *(floor(rows) for floor in floors)])
        order = np.lexsort((rows, -strength[rows], -np.nan_to_num(chance)))[:n]
        return Taken(rows[order], strength[rows][order], chance[order])

    def evidence(self, found: Taken, item_row: int) -> Rows:
        """Of each customer who was found for an item the item row whose deletion lowers the first stage's strength
        most."""
        taste = self.held.history(found.user_rows).taste()
        parts = taste.multiply(self._evidence.likeness[[item_row]].toarray()).tocsr()
        return named(parts, np.full(len(found.user_rows), item_row), found.strength)

    def chance(self, user_rows: Rows, item_rows: Rows) -> Floats:
        """P(each customer, −1 unknown, buys the item beside them); NaN where that is not known."""
        if self.probability is None:
            return np.full(len(user_rows), np.nan)
        return self.probability.of(Pairs(self._evidence, self._items, user_rows, item_rows))
