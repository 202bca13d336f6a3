"""Items that nobody has bought yet, for the customers whom the sold items most like them suit."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pyarrow as pa
from scipy.sparse import csr_matrix

from models.recommenders.attributes import described
from models.recommenders.graph_filter import GraphFilter
from models.recommenders.history import Rows
from models.recommenders.interactions import Interactions
from models.recommenders.ranking import Ranked, rank
from models.recommenders.recommender import Recommender

ALIKE, POWER = 20, 3
"""A new item stands for so many sold ones, each weighed by this power of its likeness."""
_ITEMS_AT_ONCE = 512
_CELLS_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class ColdItems:
    """New items mapped into what a fitted model knows of sold ones.

    Strength of a new item for a customer: Σ w × strength of a sold item, over the 20 sold items most like it by
    attributes (cosine of `described`), w in proportion to likeness³, Σ w = 1. So an item like one sold item alone
    suits whom that suits. `weights` is the (new, sold) csr_matrix of w, `item_ids` are the new items, sorted.
    """

    model: Recommender
    item_ids: pa.Array
    weights: Any

    @classmethod
    def of(
        cls, held: Interactions, items: pa.Table, offered: Collection[str], model: Recommender | None = None
    ) -> Self | None:
        """The items `offered` that were never sold, as far as `items` tells anything that a sold item has as well;
        None where there are none. `model` is fitted on the same sales; by default the graph filter."""
        sold = held.item_ids.to_pylist()
        new = sorted(set(offered) - set(sold))
        if not new or not sold:
            return None
        weights = _likeness(described([*sold, *new], items), len(sold), held.place)
        alike = np.diff(weights.indptr) > 0
        if not alike.any():
            return None
        ids = pa.array(new, pa.large_string()).filter(pa.array(alike))
        return cls(model or GraphFilter().fit(held), ids, weights[np.flatnonzero(alike)])

    def lists(self, user_rows: Rows, k: int) -> tuple[Ranked, Rows]:
        """The best k new items of each user row (rows of `item_ids`), and the item row of the sold one that adds most.

        A customer without a history has none; ties by id.
        """
        step = max(1, _CELLS_AT_ONCE // max(self.weights.shape[1], len(self.item_ids)))
        parts = [self._lists(user_rows[at : at + step], k) for at in range(0, len(user_rows), step)]
        anchors = np.concatenate([np.empty((0, k), np.int64), *(anchors for _, anchors in parts)])
        return Ranked.joined([lists for lists, _ in parts], k), anchors

    def _lists(self, user_rows: Rows, k: int) -> tuple[Ranked, Rows]:
        known = np.maximum(self._strengths(user_rows), 0)
        found = rank(known @ self.weights.T, k, np.arange(len(self.item_ids)), rounded=True)
        anchors = np.full(found.items.shape, -1, np.int64)
        row, place = np.nonzero(found.items >= 0)
        for at in range(0, len(row), _ITEMS_AT_ONCE):
            some = slice(at, at + _ITEMS_AT_ONCE)
            added = self.weights[found.items[row[some], place[some]]].multiply(known[row[some]]).tocsr()
            anchors[row[some], place[some]] = np.asarray(added.argmax(axis=1)).ravel()
        return found, anchors

    def _strengths(self, user_rows: Rows) -> Any:
        """(n, sold items), 0 where an item is not suggested; as of each customer's own last day."""
        model = self.model
        found = model._strengths(model._seen(model.interactions.history(user_rows)))
        return found if isinstance(found, np.ndarray) else found.toarray()


def likest(held: Interactions, items: pa.Table, item_id: str, most: int) -> list[str]:
    """The sold items most like one that may never have been sold, the likest first; none where nothing is known."""
    sold = held.item_ids.to_pylist()
    weights = _likeness(described([*sold, item_id], items), len(sold), held.place)
    order = np.lexsort((held.place[weights.indices], -weights.data))[:most]
    return [sold[row] for row in weights.indices[order]]


def _likeness(vectors: Any, sold: int, place: Rows) -> Any:
    """(new, sold) weights: of the vectors of sold items and, after them, of new ones."""
    others = vectors[:sold].T.tocsc()
    parts = []
    for start in range(sold, vectors.shape[0], _ITEMS_AT_ONCE):
        cosine = (vectors[start : start + _ITEMS_AT_ONCE] @ others).tocsr()
        cosine.data = np.round(cosine.data, 9)
        cosine.eliminate_zeros()
        parts.append(rank(cosine, ALIKE, place))
    lists = Ranked.joined(parts, ALIKE)
    there = lists.items >= 0
    powers = np.where(there, lists.strength, 0) ** POWER
    shares = powers / np.maximum(powers.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    return csr_matrix((shares[there], (np.nonzero(there)[0], lists.items[there])), shape=(len(lists), sold))
