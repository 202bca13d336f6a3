"""Gradient-boosted trees (LightGBM), trained so that the same rows and seed give the same bytes on any thread count."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.logistic import labels
from warehouse.errors import DataProblemError

if TYPE_CHECKING:
    import lightgbm  # at run time where it is used: much is done without trees, and it takes long to load

PATIENCE = 40
"""Trees without a better log loss on the later cutoff after which training stops."""
_THREADS = 1
"""The threads of one fit or prediction. LightGBM keeps their number in a variable of the whole process: two fits side
by side with different numbers divide by each other's and kill it. So folds and targets run side by side instead."""
_CONSTRUCTING = Lock()
_BINS = 63
"""Bins of a number: with some thousand noisy labels finer ones cost time and gain nothing."""
_ROWS_FOR_BINS = 20_000
"""Rows by which bins are cut: all of them would take as long as the trees."""


@dataclass(frozen=True)
class BoostingSettings:
    """How trees are grown. The defaults are careful: some thousand rows, noisy labels, the same users again.

    `threads` is how many fits run side by side; a fit itself has one thread (`_THREADS` says why).
    """

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
            "num_threads": _THREADS,
            "deterministic": True,
            # As exact as force_row_wise, and half its time where a tree sees a third of the columns.
            "force_col_wise": True,
            "verbosity": -1,
        }


@dataclass(frozen=True)
class Boosted:
    """Trained trees as LightGBM's text, how many there are, and the log loss after each on the later cutoff."""

    text: str
    rounds: int
    losses: tuple[float, ...] = ()


class Binned:
    """Rows of features (rows × features, float32) cut into bins once, to train on any of them at little cost.

    Cutting bins takes longer than growing the trees, and sees no label.
    """

    def __init__(self, X: NDArray[np.float32], categorical: Sequence[int]) -> None:
        self.rows = X.shape[0]
        with _CONSTRUCTING:
            self._all = _dataset(X, None, categorical).construct()

    def of(
        self, rows: NDArray[np.intp] | None, y: NDArray[np.float64], start: NDArray[np.float64] | None
    ) -> lightgbm.Dataset:
        """A training set of these rows (all: None) with their labels and starting log-odds."""
        with _CONSTRUCTING:
            part = self._all.subset(list(range(self.rows)) if rows is None else rows.tolist()).construct()
        part.set_label(y)
        return part if start is None else part.set_init_score(start)


def boost(
    X: NDArray[np.float32] | tuple[Binned, NDArray[np.intp] | None],
    y: ArrayLike,
    settings: BoostingSettings,
    categorical: Sequence[int] = (),
    later: tuple[NDArray[np.float32], ArrayLike] | None = None,
    start: NDArray[np.float64] | None = None,
    later_start: NDArray[np.float64] | None = None,
    kept_share: float = 1.0,
) -> Boosted:
    """Trains on rows X (rows × features, float32, or rows in ascending order of a `Binned`) with labels 0 and 1.

    `start` are log-odds that the trees are grown on top of, and that have to be added to theirs; `later_start` those
    of the later rows.

    `kept_share` is the share of the negatives that are among the rows, as `sample_negatives` gives it: the trees' log
    odds are those among all rows. Dropping negatives at random multiplies the odds by 1/kept_share, so ln(kept_share)
    is added back (King and Zeng 2001, eq. 7; He et al. 2014, section 6.3), here to the leaves of the first tree. The
    losses are those of the rows that were kept.

    With `later`, rows of a later cutoff, training stops where their log loss no longer falls and only the best trees
    are kept; without, exactly `settings.rounds` trees are grown. Raises `DataProblemError` where y has one class.
    """
    import lightgbm

    target = labels(y)
    if target.min() == target.max():
        raise DataProblemError(
            f"All {target.size} labels are {target[0]:.0f}; trees need both classes.",
            hint="Use another cutoff, or a horizon in which both happen.",
        )
    losses: dict[str, dict[str, list[float]]] = {}
    training = _training(X, target, categorical, start)
    watched = None
    if later is not None:
        with _CONSTRUCTING:
            watched = _dataset(later[0], labels(later[1]), categorical, training, later_start).construct()
    booster = lightgbm.train(
        settings.parameters(target.size),
        training,
        num_boost_round=settings.rounds,
        valid_sets=[watched] if watched is not None else None,
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
    _shift(booster, float(np.log(kept_share)))
    return Boosted(_text(booster, rounds), rounds, tuple(float(v) for v in seen))


def grow(
    X: NDArray[np.float32],
    y: ArrayLike,
    settings: BoostingSettings,
    objective: Literal["regression", "tweedie"],
    categorical: Sequence[int] = (),
    later: tuple[NDArray[np.float32], ArrayLike] | None = None,
) -> Boosted:
    """Trees of amounts: least squares, or Tweedie with power 1.5 (compound Poisson: many zeros and a heavy tail).

    With `later`, training stops where the loss on these rows no longer falls. Raw scores of Tweedie are logs.
    """
    import lightgbm

    target = np.asarray(y, np.float64)
    metric = {"regression": "l2", "tweedie": "tweedie"}[objective]
    parameters = {**settings.parameters(target.size), "objective": objective, "metric": metric}
    losses: dict[str, dict[str, list[float]]] = {}
    with _CONSTRUCTING:
        training = _dataset(X, target, categorical).construct()
        watched = _dataset(later[0], np.asarray(later[1], np.float64), (), training).construct() if later else None
    stopping: list[Any] = [lightgbm.early_stopping(PATIENCE, verbose=False), lightgbm.record_evaluation(losses)]
    booster = lightgbm.train(
        parameters, training, settings.rounds, [watched] if watched is not None else None,
        callbacks=stopping if later else None,
    )  # fmt: skip
    rounds = int(booster.best_iteration) if later else settings.rounds
    return Boosted(_text(booster, rounds), rounds)


@dataclass(frozen=True)
class Ordered:
    """How trees that order are grown: how many, how large, how carefully, and to what end: `lambdarank`, by pairs of a
    group, or `binary`, by the probability of each row."""

    trees: int
    leaves: int
    learning_rate: float
    seed: int
    objective: str = "lambdarank"


def order(X: NDArray[np.float32], y: NDArray[np.float64], each: NDArray[np.int64], settings: Ordered) -> str:
    """Trees (LightGBM's text) that order the rows of a group, by LambdaRank (Burges 2010): y is 1 for what should stand
    first and 0 for the rest, `each` says how many rows, one after another, are a group.

    Of the objective binary a group weighs one over its ones, as in a mean over groups of the share of them found.
    """
    import lightgbm

    by_group = {"group": each} if settings.objective == "lambdarank" else {"weight": _shared_weights(y, each)}
    with _CONSTRUCTING:
        training = lightgbm.Dataset(
            X, label=y, **by_group, params={"max_bin": _BINS, "num_threads": _THREADS, "verbosity": -1}
        ).construct()
    like = BoostingSettings(
        seed=settings.seed, learning_rate=settings.learning_rate, num_leaves=settings.leaves, min_rows_in_leaf=100
    )
    parameters = {**like.parameters(y.size), "objective": settings.objective, "metric": "None"}
    return _text(lightgbm.train(parameters, training, num_boost_round=settings.trees), settings.trees)


def _shared_weights(y: NDArray[np.float64], each: NDArray[np.int64]) -> NDArray[np.float64]:
    group = np.repeat(np.arange(each.size), each)
    return np.asarray(1 / np.maximum(np.bincount(group, y, minlength=each.size), 1)[group], dtype=np.float64)


def _shift(booster: lightgbm.Booster, by: float) -> None:
    """Adds a number to the log-odds of everybody."""
    if by:
        leaves = booster.dump_model(num_iteration=1)["tree_info"][0]["num_leaves"]
        for leaf in range(leaves):
            booster.set_leaf_output(0, leaf, booster.get_leaf_output(0, leaf) + by)


def raw_scores(booster: lightgbm.Booster, X: NDArray[np.float32]) -> NDArray[np.float64]:
    """Log-odds of each row as the trees give them, before calibration."""
    if X.shape[0] == 0:
        return np.zeros(0)
    return np.asarray(booster.predict(X, raw_score=True, num_threads=_THREADS), dtype=np.float64)


def raw_contributions(booster: lightgbm.Booster, X: NDArray[np.float32]) -> NDArray[np.float64]:
    """What each column adds to a row's log-odds before calibration, and last what every row starts from; some rows."""
    return np.asarray(booster.predict(X, pred_contrib=True, num_threads=_THREADS), dtype=np.float64)


def parse(text: str) -> lightgbm.Booster:
    """The trees of a text. LightGBM may kill the process on damaged text: check its hash first."""
    import lightgbm

    return lightgbm.Booster(model_str=text)


def sample_negatives(y: ArrayLike, most_rows: int, seed: int) -> tuple[NDArray[np.intp], float]:
    """Rows to train on where there are too many: all positives and a random share of the negatives.

    Returns sorted row numbers and the share of negatives kept, by which `boost` brings back the level. At least as
    many negatives as positives are kept; where that is still too many, both are thinned alike, and the share, which
    is that of negatives beside positives, stays.
    """
    target = labels(y)
    positives, negatives = np.flatnonzero(target == 1), np.flatnonzero(target == 0)
    wanted = min(negatives.size, max(most_rows - positives.size, positives.size))
    if target.size <= most_rows:
        return np.arange(target.size), 1.0
    random = np.random.default_rng(seed)
    kept = np.concatenate([positives, random.choice(negatives, wanted, replace=False)])
    if kept.size > most_rows:
        kept = random.choice(kept, most_rows, replace=False)
    return np.sort(kept), wanted / negatives.size


def _training(
    X: NDArray[np.float32] | tuple[Binned, NDArray[np.intp] | None],
    y: NDArray[np.float64],
    categorical: Sequence[int],
    start: NDArray[np.float64] | None,
) -> lightgbm.Dataset:
    if isinstance(X, tuple):
        binned, rows = X
        count = binned.rows if rows is None else rows.size
    else:
        count = X.shape[0]
    if count != y.size:
        raise DataProblemError(f"{y.size} labels for {count} rows.")
    if isinstance(X, tuple):
        return binned.of(rows, y, start)
    with _CONSTRUCTING:
        return _dataset(X, y, categorical, start=start).construct()


def _dataset(
    X: NDArray[np.float32],
    y: NDArray[np.float64] | None,
    categorical: Sequence[int],
    reference: lightgbm.Dataset | None = None,
    start: NDArray[np.float64] | None = None,
) -> lightgbm.Dataset:
    import lightgbm

    shared = {
        "max_bin": _BINS,
        "bin_construct_sample_cnt": _ROWS_FOR_BINS,
        "feature_pre_filter": False,
        # LightGBM 4.7 writes beyond its buffers where trees grow column-wise on a subset of bundled columns. The trees
        # are the same without bundles, and grow no slower.
        "enable_bundle": False,
        "num_threads": _THREADS,
        "verbosity": -1,
    }
    return lightgbm.Dataset(
        X,
        label=y,
        reference=reference,
        params=shared,
        categorical_feature=list(categorical) if reference is None else reference.categorical_feature,
        free_raw_data=True,
        init_score=start,
    )


def _text(booster: lightgbm.Booster, rounds: int) -> str:
    """LightGBM's text without the number of threads, which says nothing of the model."""
    return re.sub(r"\[num_threads: \d+\]", "[num_threads: 0]", booster.model_to_string(num_iteration=rounds))
