"""How good lists of suggestions are: judged per customer on the whole catalogue, averaged with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from models.recommenders.interactions import Interactions
from models.recommenders.ranking import Ranked

Floats = npt.NDArray[np.float64]

_CELLS_AT_ONCE = 2_000_000
PARTS = ("both", "repeat", "explore")


@dataclass(frozen=True)
class TestItems:
    """What known customers bought in the window after the cutoff.

    `user_rows` (n,): customers with sales before the cutoff who bought in the window. `keys`: the sorted
    n-place × items + item row of each (customer, item) whose item was sold before the cutoff; `repeat` says of each
    whether the customer had bought it before. `counts` per part of `PARTS` (n,): how many distinct test items each
    customer has; items first sold in the window count too (nobody could suggest them), as `explore`.
    `unknown_users`: buyers of the window without an earlier sale; they are not judged.
    """

    __test__ = False  # pytest would take the name for a test

    user_rows: npt.NDArray[np.int64]
    keys: npt.NDArray[np.int64]
    repeat: npt.NDArray[np.bool_]
    counts: Mapping[str, Floats]
    unknown_users: int

    def __len__(self) -> int:
        return len(self.user_rows)


def read_test_items(
    interactions: Interactions, purchases: pa.Table, most_users: int | None = None, seed: int = 7
) -> TestItems:
    """The test items from `purchases` (user_id, item_id), pairs bought in the window; repeated pairs count once.

    Of more than `most_users` customers that many are drawn at random: their interval is wider, not wrong.
    """
    distinct = purchases.select(["user_id", "item_id"]).group_by(["user_id", "item_id"]).aggregate([])
    users = interactions.user_rows(distinct.column("user_id"))
    items = interactions.item_rows(distinct.column("item_id"))
    unknown = pc.count_distinct(distinct.column("user_id").filter(pa.array(users < 0))).as_py()
    judged = _some(np.unique(users[users >= 0]), most_users, seed)
    users, items = users[np.isin(users, judged)], items[np.isin(users, judged)]
    user_rows, places = np.unique(users, return_inverse=True)
    repeat = (items >= 0) & (interactions.entries(users, items) >= 0)
    n = len(user_rows)
    both = np.bincount(places, minlength=n).astype(np.float64)
    again = np.bincount(places, repeat, minlength=n)
    sold = items >= 0
    keys = places[sold].astype(np.int64) * interactions.shape[1] + items[sold]
    order = np.argsort(keys)
    counts = {"both": both, "repeat": again.astype(np.float64), "explore": both - again}
    return TestItems(user_rows, keys[order], repeat[sold][order], counts, int(unknown))


def _some(rows: npt.NDArray[np.int64], most: int | None, seed: int) -> npt.NDArray[np.int64]:
    if most is None or len(rows) <= most:
        return rows
    return np.random.default_rng(seed).choice(rows, most, replace=False)


def judge_lists(interactions: Interactions, test: TestItems, lists: Ranked, k: int) -> dict[str, Floats]:
    """Per customer of `test` the measures of the first `k` of each list; NaN where a measure does not exist.

    `recall@k` = hits / all test items of the customer; `ndcg@k` = Σ 1/log2(place + 1) over hits, over the same sum
    for min(k, test items) hits at the top (Järvelin & Kekäläinen 2002); `hit_rate@k` = 1 if any hit.
    `repeat_…` and `explore_…` count only test items bought before, or not, and exist for customers who have any.
    `novelty@k` = mean of −log2(share of customers who ever bought the item); NaN for an empty list.
    """
    listed = lists.items[:, :k].astype(np.int64)
    there = listed >= 0
    keys = np.where(there, np.arange(len(listed))[:, None] * interactions.shape[1] + listed, -1)
    found, repeat = _found(test, keys)
    measures: dict[str, Floats] = {}
    for part, hits in {"both": found, "repeat": found & repeat, "explore": found & ~repeat}.items():
        prefix = "" if part == "both" else f"{part}_"
        count = np.where(test.counts[part] > 0, test.counts[part], np.nan)
        measures[f"{prefix}recall@{k}"] = hits.sum(axis=1) / count
        measures[f"{prefix}ndcg@{k}"] = _gain(hits) / _ideal_gain(count, k)
        measures[f"{prefix}hit_rate@{k}"] = np.where(np.isnan(count), np.nan, hits.any(axis=1))
    measures[f"novelty@{k}"] = _novelty(interactions, listed, there)
    return measures


def coverage(interactions: Interactions, lists: Ranked, k: int) -> float:
    """The share of the catalogue (items sold before the cutoff) that is in the first `k` of any list."""
    listed = lists.items[:, :k]
    return len(np.unique(listed[listed >= 0])) / max(interactions.shape[1], 1)


def bootstrap_means(vectors: Sequence[Floats], draws: int, seed: int = 7) -> Floats:
    """(draws, vectors): the means of per-customer vectors over customers drawn with replacement.

    All vectors share the draws, so differences of columns are paired. NaN of a customer leaves the customer out of
    that vector only; a draw without any value gives NaN.
    """
    values = np.stack(vectors, axis=1)
    there = (~np.isnan(values)).astype(np.float64)
    filled = np.nan_to_num(values)
    rng = np.random.default_rng(seed)
    means = np.full((draws, values.shape[1]), np.nan)
    step = max(1, _CELLS_AT_ONCE // max(len(values), 1))
    for start in range(0, draws if len(values) else 0, step):
        times = np.stack([_drawn(rng, len(values)) for _ in range(min(step, draws - start))])
        held = times @ there
        np.divide(times @ filled, held, out=means[start : start + step], where=held > 0)
    return means


def interval(drawn: Floats) -> tuple[float, float]:
    """The 95 % percentile interval of bootstrap draws; (nan, nan) where there are none."""
    held = drawn[~np.isnan(drawn)]
    if not held.size:
        return float("nan"), float("nan")
    low, high = np.quantile(held, [0.025, 0.975])
    return float(low), float(high)


def _drawn(rng: np.random.Generator, n: int) -> Floats:
    """How often each of `n` customers is drawn when `n` are, with replacement."""
    return np.bincount(rng.integers(0, n, n), minlength=n).astype(np.float64)


def _found(test: TestItems, keys: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Which listed keys are test items, and which of those were bought before."""
    if not test.keys.size:
        return np.zeros(keys.shape, bool), np.zeros(keys.shape, bool)
    place = np.minimum(np.searchsorted(test.keys, keys), len(test.keys) - 1)
    found = test.keys[place] == keys
    return found, found & test.repeat[place]


def _gain(hits: npt.NDArray[np.bool_]) -> Floats:
    return np.asarray(hits @ (1 / np.log2(np.arange(hits.shape[1]) + 2)), dtype=np.float64)


def _ideal_gain(counts: Floats, k: int) -> Floats:
    best = np.concatenate([[np.nan], np.cumsum(1 / np.log2(np.arange(k) + 2))])
    return np.asarray(best[np.minimum(np.nan_to_num(counts), k).astype(np.int64)], dtype=np.float64)


def _novelty(interactions: Interactions, listed: Any, there: npt.NDArray[np.bool_]) -> Floats:
    share = np.maximum(interactions.buyers, 1) / max(interactions.shape[0], 1)
    surprise = np.where(there, -np.log2(share)[np.where(there, listed, 0)], 0.0) if share.size else there * 0.0
    length = there.sum(axis=1)
    return np.where(length > 0, surprise.sum(axis=1) / np.maximum(length, 1), np.nan)
