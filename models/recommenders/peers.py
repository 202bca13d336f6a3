"""Customers like a customer: by what they buy, rare items counting more."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from scipy.sparse import diags

from models.recommenders.history import Floats, Rows
from models.recommenders.interactions import Interactions
from models.recommenders.recommender import Mask


@dataclass(frozen=True)
class Alike:
    """Customers like one, most alike first: user rows, likeness from 0 to 1, and per customer the item row that both
    have and that speaks most for it."""

    user_rows: Rows
    likeness: Floats
    shared: Rows


class Peers:
    """Likeness: cosine of taste, log(1 + order days) halved every 60 days since the last, each item times its inverse
    frequency log(customers / buyers) (Salton and Buckley, "Term-weighting approaches in automatic text retrieval",
    1988). Customers without a common item are not alike; what everybody buys tells nobody apart. Purchases alone count.
    """

    def __init__(self, held: Interactions) -> None:
        self.held = held

    @cached_property
    def _directions(self) -> Any:
        """(users, items): each row of length 1, or empty."""
        rarity = np.log((np.diff(self.held.indptr) > 0).sum() / np.maximum(self.held.buyers, 1))
        weighed = (replace(self.held.everybody(), touched=None).taste() @ diags(rarity)).tocsr()
        weighed.eliminate_zeros()
        lengths = np.sqrt(np.asarray(weighed.multiply(weighed).sum(axis=1)).ravel())
        return (diags(1 / np.where(lengths > 0, lengths, 1)) @ weighed).tocsr()

    def of(self, user_row: int, n: int, among: Mask | None = None) -> Alike:
        """At most `n` customers like that of a user row (−1, unknown: none); `among` (users,) says who may be named."""
        if user_row < 0:
            return Alike(np.empty(0, np.int64), np.empty(0), np.empty(0, np.int64))
        own = self._directions[[user_row]]
        likeness = np.asarray(self._directions @ own.toarray().ravel(), dtype=np.float64)
        may = likeness > 0 if among is None else (likeness > 0) & among
        may[user_row] = False
        rows = np.flatnonzero(may)
        rows = rows[np.lexsort((rows, -likeness[rows]))[:n]]
        shared = self._directions[rows].multiply(own).tocsr()
        return Alike(rows, np.minimum(likeness[rows], 1.0), np.asarray(shared.argmax(axis=1), dtype=np.int64).ravel())
