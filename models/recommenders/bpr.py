"""Bayesian personalised ranking: items a customer bought above those not bought."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from models.recommenders import deletion
from models.recommenders.history import Floats, History, Rows
from models.recommenders.interactions import Interactions
from models.recommenders.plain_arrays import factors_from_arrays
from models.recommenders.ranking import counted
from models.recommenders.recommender import Recommender


class BPR(Recommender):
    """Item factors of implicit's BPR (Rendle et al., UAI 2009), fitted by one thread: with more no two fits are alike.

    Strength: likeness of the item's factors to the mean of those of the history, weighted by taste, plus the item's
    offset, so that known customers, new ones and sessions are answered by the same formula; on windows of the past it
    found more of what was new than the customers' factors that are fitted along. What was bought is not what the model
    learns to repeat: so `repeat` of the item's own taste is added.
    """

    name = "bpr"
    rounded = True

    def __init__(
        self,
        factors: int = 64,
        learning_rate: float = 0.05,
        regularization: float = 0.01,
        iterations: int = 60,
        repeat: float = 10.0,
        half_life_days: float = 60.0,
        count: str = "log",
        amount: float = 0.0,
        seed: int = 7,
    ) -> None:
        self.factors = factors
        self.learning_rate = learning_rate
        self.regularization = regularization
        self.iterations = iterations
        self.repeat = repeat
        self.half_life_days = half_life_days
        self.count = count
        self.amount = amount
        self.seed = seed

    @classmethod
    def needs(cls, users: int, items: int, nnz: int) -> int:
        return super().needs(users, items, nnz) + 24 * cls().factors * (users + items)

    def fit(self, interactions: Interactions) -> Self:
        super().fit(interactions)
        from implicit.cpu.bpr import BayesianPersonalizedRanking

        pattern = self.interactions.everybody().pattern
        self.item_factors = np.zeros((pattern.shape[1], self.factors + 1))
        if min(pattern.shape, default=0) and pattern.nnz:
            with threadpool_limits(1, "blas"):
                model = BayesianPersonalizedRanking(
                    factors=self.factors,
                    learning_rate=self.learning_rate,
                    regularization=self.regularization,
                    iterations=self.iterations,
                    num_threads=1,
                    random_state=self.seed,
                )
                model.fit(pattern.astype(np.float32), show_progress=False)
            self.item_factors = np.asarray(model.item_factors, dtype=np.float64)
        return self

    def _strengths(self, history: History) -> Any:
        taste = history.taste(self.half_life_days, self.count, self.amount)
        weight = np.asarray(taste.sum(axis=1)).ravel()[:, None]
        customers = (taste @ self.item_factors) / np.where(weight > 0, weight, 1)
        customers[:, -1] = weight[:, 0] > 0  # against the last of implicit's factors, the item's own offset
        strengths = customers @ self.item_factors.T
        rows = np.repeat(np.arange(taste.shape[0]), np.diff(taste.indptr))
        strengths[rows, taste.indices] += self.repeat * taste.data
        return strengths

    def drops(self, history: History, rows: Rows, items: Rows, strength: Floats) -> Any:
        """The mean of the factors is that of the items left; nothing is left of a single one."""
        taste = history.taste(self.half_life_days, self.count, self.amount)
        factors = self.item_factors[:, :-1]
        parts = deletion.of_pairs(taste, rows)
        of, suggested, weight = rows[parts.suggestion], items[parts.suggestion], parts.drops.data
        likeness = np.einsum("pf,pf->p", factors[parts.item], factors[suggested])
        total = np.asarray(taste.sum(axis=1)).ravel()
        with_all = np.einsum("sf,sf->s", (taste @ factors)[rows], factors[items])[parts.suggestion]
        alone = np.diff(taste.indptr)[of] == 1
        left = np.where(alone, 1.0, total[of] - weight)
        without = np.where(alone, -self.item_factors[suggested, -1], (with_all - weight * likeness) / left)
        repeated = self.repeat * weight * (parts.item == suggested)
        parts.drops.data = with_all / total[of] - without + repeated
        return parts.drops

    def _similarities(self, picked: Any) -> Any:
        """Cosine of the item factors; only items that point the same way."""
        factors = self.item_factors[:, :-1]
        lengths = np.linalg.norm(factors, axis=1, keepdims=True)
        unit = factors / np.where(lengths > 0, lengths, 1)
        return counted((picked @ unit) @ unit.T)

    def _parameters(self) -> dict[str, npt.NDArray[Any]]:
        return {"item_factors": self.item_factors}

    def _restore(self, parameters: Mapping[str, npt.NDArray[Any]]) -> None:
        self.item_factors = factors_from_arrays(parameters, "item_factors", self.interactions.shape[1])
