"""What this customer bought most often."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.recommenders import deletion
from models.recommenders.history import Floats, History, Rows
from models.recommenders.recommender import Recommender


class PersonalFrequency(Recommender):
    """Strength: on how many days the customer bought the item; ties by popularity, then id. Only bought items."""

    name = "personal_frequency"

    def _strengths(self, history: History) -> Any:
        return history.with_values(history.order_days.copy())

    def drops(self, history: History, rows: Rows, items: Rows, strength: Floats) -> Any:
        return deletion.of_itself(history, rows, items, np.full(len(rows), np.inf))
