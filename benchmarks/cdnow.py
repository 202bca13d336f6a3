"""The holdout of CDNOW: 39 weeks forecast from the first 39, by what is published, by lifetimes, trees and counts.

    python -m benchmarks.cdnow ../shared/data/cdnow/cdnow_sample.parquet

Trees cannot have seen 39 weeks come true within the first 39: they learn 13 weeks at cutoffs within them, and are
scaled to 39 by the ratio of what BG/NBD expects in both.
"""

from __future__ import annotations

import sys
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from features.outcomes import spending
from features.source import FramesSource
from models.value import BuyTillYouDie, Histories, nearest, shortest, simulated
from models.value_trees import ValueTrees
from training.evaluation.value import evaluate
from training.recipes import tree_recipe
from training.snapshots import Snapshots
from training.value import Spent, spending_so_far, spent_after
from warehouse.settings import parse_settings

Floats = NDArray[np.float64]
JUDGE, HOLDOUT, LEARNT = date(1997, 10, 1), 39 * 7, 13 * 7
CUTOFFS = tuple(JUDGE - timedelta(days=LEARNT + k * 30) for k in range(4))
ROUNDS = (60, 60)
MONEY = pa.decimal128(18, 4)


def orders(path: str) -> pa.Table:
    """The sample as orders of a store: an order is a customer's day."""
    table = pq.read_table(path)
    ids, at = table["master_id"].cast(pa.string()), table["date"].cast(pa.timestamp("us"))
    n = table.num_rows
    return pa.table(
        {
            "entity_id": ids, "user_id": ids, "ordered_at": at, "recorded_at": at, "local_at": at,
            "order_id": pa.nulls(n, pa.string()), "item_id": pa.nulls(n, pa.string()),
            "quantity": pa.array([Decimal(1)] * n, MONEY), "amount": table["dollar_value"].cast(MONEY),
            "kind": pa.repeat(pa.scalar("sale"), n),
        }
    )  # fmt: skip


def rows(path: str) -> list[tuple[str, float, float, float, float]]:
    """(name, error in purchases, rank correlation, AUC of any purchase, share of money in the top decile)."""
    snapshots = Snapshots(None, FramesSource({"orders": orders(path)}, time_zone="UTC"))
    judged = spent_after(snapshots, JUDGE, HOLDOUT)
    came = _days(snapshots, JUDGE, HOLDOUT, judged)
    known = judged.histories
    lifetimes = BuyTillYouDie.fit(known)
    expected, value = lifetimes.expected_purchases(HOLDOUT, known), lifetimes.value(HOLDOUT, known)
    longer = expected.sum() / lifetimes.expected_purchases(LEARNT, known).sum()
    learnt = [spent_after(snapshots, cutoff, LEARNT) for cutoff in CUTOFFS]
    table = pa.concat_tables([each.table for each in learnt], promote_options="permissive")
    days = [_days(snapshots, cutoff, LEARNT, each) for cutoff, each in zip(CUTOFFS, learnt, strict=True)]
    counts, money = (longer * _trees(table, np.concatenate(y), judged) for y in (days, [each.spent for each in learnt]))
    found = {
        "BG/NBD, Gamma-Gamma": (expected, value),
        "LightGBM (13 weeks learnt)": (counts, money),
        "counts so far": (_so_far(known), spending_so_far(known, HOLDOUT)),
    }
    return [(name, *_measures(came, judged.spent, *told)) for name, told in found.items()]


def held(path: str) -> dict[str, tuple[float, float]]:
    """The share of purchases and of amounts that lie in their 90 % intervals, beside what the draws promise."""
    snapshots = Snapshots(None, FramesSource({"orders": orders(path)}, time_zone="UTC"))
    judged = spent_after(snapshots, JUDGE, HOLDOUT)
    known = judged.histories
    purchases, money = simulated(BuyTillYouDie.fit(known), HOLDOUT, known, 400, 7)
    fewest, most, promised = nearest(purchases)
    low, high = shortest(money)
    came = _days(snapshots, JUDGE, HOLDOUT, judged)
    return {
        "purchases": (float(((came >= fewest) & (came <= most)).mean()), float(promised.mean())),
        "amounts": (
            float(((judged.spent >= low) & (judged.spent <= high)).mean()),
            float(((money >= low[:, None]) & (money <= high[:, None])).mean()),
        ),
    }


def _trees(table: pa.Table, y: Floats, judged: Spent) -> Floats:
    recipe = tree_recipe(parse_settings("").training, ["orders"])
    assert recipe.trees is not None
    return ValueTrees.fit("tweedie", table, y, recipe.features, recipe.trees, None, ROUNDS).predict(judged.table)


def _so_far(known: Histories) -> Floats:
    return np.asarray(known.x / np.maximum(known.T, 30) * HOLDOUT)


def _days(snapshots: Snapshots, cutoff: date, horizon: int, rows: Spent) -> Floats:
    found = spending(snapshots.learning, cutoff, horizon)
    by_id = dict(zip(found["entity_id"].to_pylist(), found["order_days"].to_pylist(), strict=True))
    return np.array([float(by_id.get(who, 0)) for who in rows.table["entity_id"].to_pylist()])


def _measures(came: Floats, spent: Floats, expected: Floats, value: Floats) -> tuple[float, float, float, float]:
    return (
        float(np.abs(expected - came).mean()),
        float(spearmanr(expected, came).statistic),
        float(roc_auc_score(came > 0, expected)),
        evaluate(spent, value)["top_decile_share"],
    )


if __name__ == "__main__":
    print("| model | error in purchases | rank correlation | AUC of any purchase | money in the top decile |")
    for name, *measures in rows(sys.argv[1]):
        print(f"| {name} | " + " | ".join(f"{value:.3f}" for value in measures) + " |")
    for name, (found, promised) in held(sys.argv[1]).items():
        print(f"90 % intervals hold {found:.1%} of the {name} (promised {promised:.1%})")
