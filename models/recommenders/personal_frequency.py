"""What this customer bought most often."""

from __future__ import annotations

from typing import Any

from models.recommenders.history import History
from models.recommenders.recommender import Recommender


class PersonalFrequency(Recommender):
    """Strength: on how many days the customer bought the item; ties by popularity, then id. Only bought items."""

    name = "personal_frequency"

    def _strengths(self, history: History) -> Any:
        return history.with_values(history.order_days.copy())
