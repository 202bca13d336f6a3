"""How well P(buys an item within 30 days) holds on the sales after cutoffs, and whom it finds for an item.

    python -m benchmarks.purchase_probability WORKSPACE --as-of 2011-06-11 2011-07-11 2011-08-10

For each cutoff: calibration of the pairs of ten suggested items per customer, and of a hundred customers per item
(mean predicted, mean observed, calibration error over ten equal-count bins), and how many of the first 100
customers of an item bought it: by probability, by the first stage, by how often and by how lately they bought it.
"""

from __future__ import annotations

import argparse
import time
from datetime import date
from itertools import pairwise

import numpy as np
import pyarrow.compute as pc

from features.outcomes import interactions, purchases
from features.source import StoreSource
from models import recommenders
from models.recommenders.history import Floats, Rows
from models.recommenders.interactions import Interactions
from models.recommenders.pair_features import Items
from models.recommenders.purchase_probability import Evidence, Pairs, PurchaseProbability
from training.evaluation.propensity import calibration_error
from warehouse.store import Store
from warehouse.workspace import Workspace

HORIZON = 30
FEWEST_BUYERS = 20


def main() -> None:
    """Prints the figures of every cutoff."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace")
    parser.add_argument("--as-of", nargs="+", required=True, type=date.fromisoformat)
    parser.add_argument("--model", default="gp_topfreq", help="what makes the suggestions")
    asked = parser.parse_args()
    source = StoreSource(Store(Workspace.open(asked.workspace)))
    for day in asked.as_of:
        judge(source, day, asked.model)


def judge(source: StoreSource, day: date, name: str) -> None:
    """One cutoff."""
    sales, sold = interactions(source, day), purchases(source, day, HORIZON)
    held = Interactions.from_table(sales.filter(pc.is_valid(sales["item_id"])), day)
    sold = sold.filter(pc.is_valid(sold["item_id"]))
    users, items = held.user_rows(sold["user_id"]), held.item_rows(sold["item_id"])
    bought = np.unique((users * held.shape[1] + items)[(users >= 0) & (items >= 0)])
    start = time.process_time()
    model = PurchaseProbability.fit(held, HORIZON)
    print(day, f"fitted in {time.process_time() - start:.1f} processor seconds")
    if model is None:
        return
    evidence, known = Evidence(held), Items(held)
    lists = recommenders.create(name).fit(held).recommend(np.arange(held.shape[0]), 10)
    row, place = np.nonzero(lists.items >= 0)
    suggested = Pairs(evidence, known, row, lists.items[row, place].astype(np.int64))
    print("  ten items per customer:", calibrated(model.of(suggested), happened(suggested, bought)))
    wanted = np.flatnonzero(held.buyers >= FEWEST_BUYERS)
    takers = [evidence.strongest(int(item), 5_000) for item in wanted]
    pairs = Pairs(evidence, known, np.concatenate(takers), np.repeat(wanted, [len(each) for each in takers]))
    parts = np.cumsum([0, *(len(each) for each in takers)])
    chance, found = model.of(pairs), happened(pairs, bought)
    for title, by in orders(pairs, chance).items():
        first = best(by, parts)
        shares = [
            found[each].sum() / max(found[a:b].sum(), 1) for each, (a, b) in zip(first, pairwise(parts), strict=True)
        ]
        hits = np.mean([found[each].sum() for each in first])
        print(
            f"  by {title}: {hits:.2f} of an item's first 100 customers bought it, {np.mean(shares):.1%} of its buyers"
        )
    kept = np.concatenate(best(-chance, parts))
    print("  a hundred customers per item:", calibrated(chance[kept], found[kept]))


def happened(pairs: Pairs, bought: Rows) -> Floats:
    """1 for the pairs that were bought, else 0."""
    return np.isin(pairs.user_rows * pairs.evidence.held.shape[1] + pairs.item_rows, bought).astype(np.float64)


def orders(pairs: Pairs, chance: Floats) -> dict[str, Floats]:
    """By what customers may be put in order, lowest first."""
    held = pairs.evidence.held
    own = held.entries(pairs.user_rows, pairs.item_rows)
    last = np.where(own >= 0, held.measures["last_day"][own], 0.0)
    times = np.where(own >= 0, held.measures["order_days"][own], 0.0)
    return {
        "probability": -chance,
        "first stage": np.arange(len(chance)).astype(np.float64),
        "days it was bought, then the last": -(times * 1e6 + last),
        "the last day it was bought": -last,
    }


def best(by: Floats, parts: Rows) -> list[Rows]:
    """Per item the places of its first hundred customers; ties as the first stage has them."""
    return [np.argsort(by[a:b], kind="stable")[:100] + a for a, b in pairwise(parts)]


def calibrated(chance: Floats, found: Floats) -> str:
    """How what was predicted compares with what happened."""
    there = ~np.isnan(chance)
    error = calibration_error(found[there], chance[there])
    means = f"predicted {chance[there].mean():.4f}, observed {found[there].mean():.4f}"
    return f"{there.sum():,} pairs, {means}, calibration error {error:.4f}"


if __name__ == "__main__":
    main()
