"""Gradient-boosted trees (LightGBM), trained so that the same rows and seed give the same bytes on any thread count."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.logistic import labels
from warehouse.errors import DataProblemError

PATIENCE = 40
"""Trees without a better log loss on the later cutoff after which training stops."""
_BINS = 63
"""Bins of a number: with some thousand noisy labels finer ones cost time and gain nothing."""
_ROWS_FOR_BINS = 20_000
"""Rows by which bins are cut: all of them would take as long as the trees."""


@dataclass(frozen=True)
class BoostingSettings:
    """How trees are grown. The defaults are careful: some thousand rows, noisy labels, the same users again."""

    rounds: int = 400
    seed: int = 7
    threads: int = 2
    learning_rate: float = 0.04
    num_leaves: int = 15
    min_rows_in_leaf: int = 50
    column_share: float = 0.5
    row_share: float = 0.8
    l2: float = 5.0

    def parameters(self, rows: int) -> dict[str, Any]:
        """LightGBM's parameters for a training set of that many rows."""
        return {
            "objective": "binary",
            "metric": "binary_logloss",
            "learning_rate": self.learning_rate,
            "num_leaves": self.num_leaves,
            # A few hundred rows must still be able to split.
            "min_data_in_leaf": max(1, min(self.min_rows_in_leaf, rows // 20)),
            "feature_fraction": self.column_share,
            "bagging_fraction": self.row_share,
            "bagging_freq": 1,
            "lambda_l2": self.l2,
            "seed": self.seed,
            "num_threads": self.threads,
            "deterministic": True,
            "force_row_wise": True,
            "verbosity": -1,
        }


@dataclass(frozen=True)
class Boosted:
    """Trained trees as LightGBM's text, how many there are, and the log loss after each on the later cutoff."""

    text: str
    rounds: int
    losses: tuple[float, ...] = ()


def boost(
    X: NDArray[np.float32],
    y: ArrayLike,
    settings: BoostingSettings,
    categorical: Sequence[int] = (),
    later: tuple[NDArray[np.float32], ArrayLike] | None = None,
    start: NDArray[np.float64] | None = None,
    later_start: NDArray[np.float64] | None = None,
) -> Boosted:
    """Trains on rows X (rows × features, float32) with labels 0 and 1.

    `start` are log-odds that the trees are grown on top of, and that have to be added to theirs; `later_start` those
    of the later rows.

    With `later`, rows of a later cutoff, training stops where their log loss no longer falls and only the best trees
    are kept; without, exactly `settings.rounds` trees are grown. Raises `DataProblemError` where y has one class.
    """
    target = labels(y)
    if target.min() == target.max():
        raise DataProblemError(
            f"All {target.size} labels are {target[0]:.0f}; trees need both classes.",
            hint="Use another cutoff, or a horizon in which both happen.",
        )
    if X.shape[0] != target.size:
        raise DataProblemError(f"{target.size} labels for {X.shape[0]} rows.")
    losses: dict[str, dict[str, list[float]]] = {}
    training = _dataset(X, target, categorical, settings, start=start)
    booster = lightgbm.train(
        settings.parameters(target.size),
        training,
        num_boost_round=settings.rounds,
        valid_sets=[_dataset(later[0], labels(later[1]), categorical, settings, training, later_start)]
        if later
        else None,
        valid_names=["later"] if later else None,
        callbacks=[
            lightgbm.early_stopping(PATIENCE, verbose=False),
            lightgbm.record_evaluation(losses),
        ]
        if later
        else None,
    )
    rounds = int(booster.best_iteration) if later else settings.rounds
    seen = losses["later"]["binary_logloss"] if later else []
    return Boosted(_text(booster, rounds), rounds, tuple(float(v) for v in seen))


def raw_scores(booster: lightgbm.Booster, X: NDArray[np.float32], threads: int) -> NDArray[np.float64]:
    """Log-odds of each row as the trees give them, before calibration."""
    if X.shape[0] == 0:
        return np.zeros(0)
    return np.asarray(booster.predict(X, raw_score=True, num_threads=threads), dtype=np.float64)


def parse(text: str) -> lightgbm.Booster:
    """The trees of a text. LightGBM may kill the process on damaged text: check its hash first."""
    return lightgbm.Booster(model_str=text)


def sample_negatives(y: ArrayLike, most_rows: int, seed: int) -> tuple[NDArray[np.intp], float]:
    """Rows to train on where there are too many: all positives and a random share of the negatives.

    Returns sorted row numbers and the share of negatives kept, for `calibration.corrected_for_sampling`. At least as
    many negatives as positives are kept, so the answer may have more than `most_rows` rows.
    """
    target = labels(y)
    positives, negatives = np.flatnonzero(target == 1), np.flatnonzero(target == 0)
    wanted = min(negatives.size, max(most_rows - positives.size, positives.size))
    if wanted == negatives.size:
        return np.arange(target.size), 1.0
    kept = np.random.default_rng(seed).choice(negatives, wanted, replace=False)
    return np.sort(np.concatenate([positives, kept])), wanted / negatives.size


def _dataset(
    X: NDArray[np.float32],
    y: NDArray[np.float64],
    categorical: Sequence[int],
    settings: BoostingSettings,
    reference: lightgbm.Dataset | None = None,
    start: NDArray[np.float64] | None = None,
) -> lightgbm.Dataset:
    shared = {
        "max_bin": _BINS,
        "bin_construct_sample_cnt": _ROWS_FOR_BINS,
        "feature_pre_filter": False,
        "num_threads": settings.threads,
        "verbosity": -1,
    }
    return lightgbm.Dataset(
        X, label=y, reference=reference, params=shared, categorical_feature=list(categorical), free_raw_data=True,
        init_score=start,
    )  # fmt: skip


def _text(booster: lightgbm.Booster, rounds: int) -> str:
    """LightGBM's text without the number of threads, which says nothing of the model."""
    return re.sub(r"\[num_threads: \d+\]", "[num_threads: 0]", booster.model_to_string(num_iteration=rounds))
