"""What a benchmark says of lists: averaged over all users of the test, known or not, with intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from models.recommenders.interactions import Interactions
from models.recommenders.ranking import Ranked
from training.evaluation.recommendation import Floats, TestItems, bootstrap_means, coverage, interval, judge_lists

MEASURES = ("recall", "ndcg", "hit_rate", "repeat_recall", "explore_recall")
REFERENCE = "gp_topfreq"
"""The simple rule that all others are compared with, user by user."""

Vectors = Mapping[tuple[str, int], Floats]


def test_items(interactions: Interactions, rows: pa.Table) -> TestItems:
    """What each user of `rows` took, distinct pairs; a user without purchases before has row −1 and only new items.

    Items that nobody took before count as well: nobody can suggest them, so they are misses.
    """
    pairs = rows.select(["user_id", "item_id"]).group_by(["user_id", "item_id"], use_threads=False).aggregate([])
    users = pairs.column("user_id").combine_chunks().dictionary_encode()
    places = np.asarray(users.indices.to_numpy(), dtype=np.int64)
    user_rows, items = interactions.user_rows(users.dictionary), interactions.item_rows(pairs.column("item_id"))
    known = items >= 0
    repeat = known & (interactions.entries(user_rows[places], items) >= 0)
    n = len(user_rows)
    both = np.bincount(places, minlength=n).astype(np.float64)
    again = np.bincount(places, repeat, minlength=n).astype(np.float64)
    keys = places[known] * interactions.shape[1] + items[known]
    order = np.argsort(keys)
    counts = {"both": both, "repeat": again, "explore": both - again}
    return TestItems(user_rows, keys[order], repeat[known][order], counts, int((user_rows < 0).sum()))


def sampled(test: TestItems, items: int, most: int, seed: int) -> TestItems:
    """That many of the users with what they took, drawn by the seed; all where there are no more."""
    if len(test) <= most:
        return test
    kept = np.sort(np.random.default_rng(seed).choice(len(test), most, replace=False))
    place = np.full(len(test), -1)
    place[kept] = np.arange(most)
    owner, item = place[test.keys // items], test.keys % items
    counts = {part: values[kept] for part, values in test.counts.items()}
    there, rows = owner >= 0, test.user_rows[kept]
    return TestItems(rows, (owner * items + item)[there], test.repeat[there], counts, int((rows < 0).sum()))


test_items.__test__ = False  # type: ignore[attr-defined]  # pytest would take the name for a test


def vectors_of(interactions: Interactions, test: TestItems, lists: Ranked, ks: Sequence[int]) -> Vectors:
    """Each measure at each k, one value per user of the test; NaN where a measure does not exist for a user."""
    found: dict[tuple[str, int], Floats] = {}
    for k in ks:
        judged = judge_lists(interactions, test, lists, k)
        found |= {(name, k): judged[f"{name}@{k}"] for name in MEASURES}
    return found


def choosing_value(interactions: Interactions, test: TestItems, lists: Ranked, ks: Sequence[int]) -> float:
    """By what settings and the winner are chosen: the mean over k of the mean Recall@k."""
    return float(np.mean([judge_lists(interactions, test, lists, k)[f"recall@{k}"].mean() for k in ks]))


def row_of(
    interactions: Interactions, test: TestItems, lists: Ranked, vectors: Vectors, draws: int, seed: int
) -> dict[str, Any]:
    """The measures of one model as {measure: {k: mean}}, and their 95 % intervals under `…_interval`.

    Users are drawn with replacement; equal seeds draw equal users, so that models share them.
    """
    ks = sorted({k for _, k in vectors})
    drawn = bootstrap_means(list(vectors.values()), draws, seed)
    intervals = {key: interval(drawn[:, column]) for column, key in enumerate(vectors)}
    row: dict[str, Any] = {}
    for name in MEASURES:
        row[name] = _by_k(ks, lambda k, name=name: _mean(vectors[name, k]))  # type: ignore[misc]
        row[f"{name}_interval"] = _by_k(ks, lambda k, name=name: _pair(intervals[name, k]))  # type: ignore[misc]
    row["coverage"] = _by_k(ks, lambda k: coverage(interactions, lists, k))
    return row


def against(vectors: Vectors, reference: Vectors, draws: int, seed: int) -> dict[str, Any]:
    """Recall@k minus that of the reference, by user: {k: {difference, interval, times}}."""
    ks = sorted({k for name, k in vectors if name == "recall"})
    differences = [vectors["recall", k] - reference["recall", k] for k in ks]
    drawn = bootstrap_means(differences, draws, seed)
    return {
        str(k): {
            "difference": _mean(differences[place]),
            "interval": _pair(interval(drawn[:, place])),
            "times": _ratio(vectors["recall", k].mean(), reference["recall", k].mean()),
        }
        for place, k in enumerate(ks)
    }


def _by_k(ks: Sequence[int], value: Callable[[int], Any]) -> dict[str, Any]:
    return {str(k): value(k) for k in ks}


def _mean(values: Floats) -> float | None:
    held = values[~np.isnan(values)]
    return float(held.mean()) if held.size else None


def _pair(bounds: tuple[float, float]) -> list[float] | None:
    return None if np.isnan(bounds[0]) else list(bounds)


def _ratio(value: float, reference: float) -> float | None:
    return float(value / reference) if reference > 0 else None
