"""What most customers bought lately, the same for everybody."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.recommenders.history import History
from models.recommenders.recommender import Recommender


class Popularity(Recommender):
    """Strength: distinct buyers, each counted half after every 30 days since the purchase; ties by id."""

    name = "popularity"
    sources = ("popular", "popular")

    def _strengths(self, history: History) -> Any:
        return np.tile(self.interactions.popularity, (history.pattern.shape[0], 1))
