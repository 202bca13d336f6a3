"""What this customer bought most often, then what most bought lately."""

from __future__ import annotations

from typing import Any

from models.recommenders import deletion
from models.recommenders.history import Floats, History, Rows
from models.recommenders.own_first import OwnFirst


class GPTopFreq(OwnFirst):
    """Personal frequency first, popularity behind it: hard to beat where people buy again.

    Strength: 1 + order days for the customer's own items, for all others popularity as a share of the highest (≤ 1).
    Ming Li et al., "A Next Basket Recommendation Reality Check", ACM TOIS 2023.
    """

    name = "gp_topfreq"
    sources = ("personal", "popular")

    def _own(self, history: History) -> Floats:
        return 1 + history.order_days

    def _of_everybody(self) -> Floats:
        return self.interactions.popularity_share

    def drops(self, history: History, rows: Rows, items: Rows, strength: Floats) -> Any:
        return deletion.of_itself(history, rows, items, strength - self.interactions.popularity_share[items])
