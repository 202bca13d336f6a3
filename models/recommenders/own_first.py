"""What a customer bought, and behind it what is the same for everybody."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np

from models.recommenders.history import Floats, History
from models.recommenders.ranking import Ranked, only, rank, rank_entries
from models.recommenders.recommender import Mask, Recommender


class OwnFirst(Recommender):
    """A recommender whose strengths are the same for everybody but where they are higher: of what was bought.

    So the best k of a customer are among what was bought and the k strongest of all, and the others need no look.
    """

    @abstractmethod
    def _own(self, history: History) -> Floats:
        """Per entry of the history its strength, at least that of the item for everybody."""

    @abstractmethod
    def _of_everybody(self) -> Floats:
        """Per item its strength for whoever has not bought it."""

    def _strengths(self, history: History) -> Any:
        strengths = np.tile(self._of_everybody(), (history.pattern.shape[0], 1))
        strengths[history.rows, history.pattern.indices] = self._own(history)
        return strengths

    def _ranked(self, history: History, k: int, allowed: Mask | None, blocked: Any) -> Ranked:
        place, (n, items) = self.interactions.place, history.pattern.shape
        most = k + (int(np.diff(blocked.indptr).max(initial=0)) if blocked is not None else 0)
        everybody = self._of_everybody()
        best = rank(only(everybody[None].copy(), allowed), most, place)
        first = best.items[0, : best.counts[0]].astype(np.int64)
        strongest = np.full(items, -1)
        strongest[first] = np.arange(len(first))
        own, where = self._own(history), strongest[history.pattern.indices]
        values = np.tile(everybody[first], (n, 1))
        among = where >= 0
        values[history.rows[among], where[among]] = own[among]
        others = ~among if allowed is None else ~among & allowed[history.pattern.indices]
        rows = np.concatenate([np.repeat(np.arange(n), len(first)), history.rows[others]])
        columns = np.concatenate([np.tile(first, n), history.pattern.indices[others]])
        return rank_entries(rows, columns, np.concatenate([values.ravel(), own[others]]), n, k, place, blocked)
