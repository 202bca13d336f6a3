"""What most customers bought lately, the same for everybody."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from models.recommenders.history import Floats, History, Rows
from models.recommenders.interactions import POPULARITY_HALF_LIFE_DAYS, Interactions, popularity_in
from models.recommenders.own_first import OwnFirst
from models.recommenders.plain_arrays import factors_from_arrays, needed


class Popularity(OwnFirst):
    """Strength: distinct buyers, each counted half after every so many days since the purchase; ties by id."""

    name = "popularity"
    sources = ("popular", "popular")

    def __init__(self, half_life_days: float = POPULARITY_HALF_LIFE_DAYS) -> None:
        self.half_life_days = half_life_days

    def fit(self, interactions: Interactions) -> Self:
        super().fit(interactions)
        known = self.half_life_days == POPULARITY_HALF_LIFE_DAYS  # what breaks ties, counted once for all
        counted = interactions.popularity if known else popularity_in(interactions.everybody(), self.half_life_days)
        self.buyers = counted
        return self

    def among(self, user_rows: npt.ArrayLike) -> Self:
        """What is popular among these users only: in their segment."""
        one = type(self)(self.half_life_days).fit(self.interactions)
        one.buyers = popularity_in(self.interactions.history(user_rows), self.half_life_days)
        return one

    def _own(self, history: History) -> Floats:
        return np.asarray(self.buyers[history.pattern.indices], dtype=np.float64)

    def _of_everybody(self) -> Floats:
        return self.buyers

    def drops(self, history: History, rows: Rows, items: Rows, strength: Floats) -> Any:
        return csr_matrix((len(rows), history.pattern.shape[1]))

    def _parameters(self) -> dict[str, npt.NDArray[Any]]:
        return {"buyers": self.buyers}

    def _restore(self, parameters: Mapping[str, npt.NDArray[Any]]) -> None:
        self.buyers = factors_from_arrays(
            {"buyers": needed(parameters, "buyers")[:, None]}, "buyers", self.interactions.shape[1]
        )[:, 0]
