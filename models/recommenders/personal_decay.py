"""What this customer bought most often lately, then what most bought lately."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.recommenders import deletion
from models.recommenders.history import Floats, History, Rows, fading
from models.recommenders.own_first import OwnFirst


class PersonalDecay(OwnFirst):
    """Personal frequency where each purchase day counts half after every so many days, popularity behind it.

    Strength: 1 + Σ over the days of a purchase 0.5 ** (days ago / half-life) for the customer's own items, for all
    others popularity as a share of the highest (≤ 1). As GP-TopFreq (Ming Li et al., "A Next Basket Recommendation
    Reality Check", ACM TOIS 2023), with recency in the frequency.
    """

    name = "personal_decay"
    sources = ("personal", "popular")

    def __init__(self, half_life_days: float = 150.0) -> None:
        self.half_life_days = half_life_days

    def _own(self, history: History) -> Floats:
        frequency = history.summed(fading(history.each_ago, self.half_life_days))
        # what was bought comes first, were it decades ago
        return np.asarray(1 + np.maximum(np.round(frequency, 9), 1e-9), dtype=np.float64)

    def _of_everybody(self) -> Floats:
        return self.interactions.popularity_share

    def drops(self, history: History, rows: Rows, items: Rows, strength: Floats) -> Any:
        return deletion.of_itself(history, rows, items, strength - self.interactions.popularity_share[items])
