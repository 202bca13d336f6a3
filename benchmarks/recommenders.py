"""Recommenders on windows of the past, with what was bought before allowed in the lists and without it.

    python -m benchmarks.recommenders WORKSPACE --as-of 2011-06-11 2011-07-11 2011-08-10 --models gp_topfreq ease
    python -m benchmarks.recommenders WORKSPACE --as-of 2011-05-12 --models two_stage --set two_stage.trees=300

Means over the dates: Recall@10 and NDCG@10 of all that was bought in the 30 days after, Recall@10 of repeats and of
what was new (repeats allowed), then Recall@10 of what was new with repeats left out of the lists; last the paired 95 %
interval, over the customers of all dates, of the difference to GP-TopFreq in the first. `--set` gives a model another
setting than its default one: choices are made on dates before those that are judged. `--lifts` prints instead, for each
date, by how much having an item raises the chance to buy it (`rebuying.lift_of_having`): least, median and most of all.

    python -m benchmarks.recommenders WORKSPACE --as-of 2026-06-02 --models bm25 --kinds view_item=0.1 --dwell 0.5

counts events beside purchases, judges on the customers who had bought before, and last prints Recall@10 of those who
had only done what counts, by the model and by popularity, and how many they are.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from datetime import date
from inspect import signature
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.outcomes import interactions, purchases
from features.shown import learnt_from
from features.source import StoreSource, versions
from models import recommenders
from models.recommenders.catalogue import Catalogue
from models.recommenders.interactions import Interactions
from models.recommenders.rebuying import lift_of_having
from training.evaluation.recommendation import Floats, bootstrap_means, interval, judge_lists, read_test_items
from training.recommendation import BENCHMARK
from warehouse.errors import UsageError
from warehouse.store import Store
from warehouse.workspace import Workspace

SHOWN = ("recall@10", "ndcg@10", "repeat_recall@10", "explore_recall@10")


def said_settings(said: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The settings of each recommender from texts MODEL.KEY=VALUE, each of the kind of its default; `UsageError` for
    what is not there, or of another kind."""
    found: dict[str, dict[str, Any]] = {}
    for text in said:
        name, _, rest = text.partition(".")
        key, _, value = rest.partition("=")
        known = signature(type(recommenders.create(name))).parameters
        if key not in known or not value:
            raise UsageError(f'"{text}" sets nothing.', hint=f"It is MODEL.KEY=VALUE; {name} has: {', '.join(known)}.")
        kind = type(known[key].default)
        try:
            found.setdefault(name, {})[key] = kind(value)
        except ValueError as problem:
            raise UsageError(f'"{text}": {key} of {name} is a number, {known[key].default} by default.') from problem
    return found


def judged(
    source: StoreSource, name: str, day: date, said: Mapping[str, Any], acts: Mapping[str, Any] | None = None
) -> list[Floats]:
    """The five measures, per customer, of one recommender on one window; `said`: what is not by default. With `acts`
    (`learnt_from`) also Recall@10 of those who bought nothing before, and that of popularity."""
    sales, sold = learnt_from(source, day, 0, **(acts or {})), purchases(source, day, 30)
    held = Interactions.from_table(sales.filter(pc.is_valid(sales["item_id"])), day)
    sold = sold.filter(pc.is_valid(sold["item_id"]))
    buyer = np.append(np.diff(held.indptr) > 0, True)[held.user_rows(sold["user_id"])]
    test = read_test_items(held, sold.filter(pa.array(buyer)))
    model = recommenders.create(name, said).fit(held)
    bought = np.split(held.indices, held.indptr[1:-1])
    both = judge_lists(held, test, model.recommend(test.user_rows, 10), 10)
    if acts:
        others, popular = read_test_items(held, sold.filter(pa.array(~buyer))), recommenders.create("popularity")
        lists = (each.recommend(others.user_rows, 10) for each in (model, popular.fit(held)))
        beside = [judge_lists(held, others, each, 10)["recall@10"] for each in lists]
    new = model.recommend(test.user_rows, 10, exclude=[bought[row] for row in test.user_rows])
    explored = judge_lists(held, test, new, 10)["explore_recall@10"]
    return [*(both[name] for name in SHOWN), explored, *(beside if acts else ())]


def lifts(source: StoreSource, day: date) -> Floats:
    """Per item how many times likelier whoever has it buys it within 30 days than whoever has it not."""
    sales = interactions(source, day)
    held = Interactions.from_table(sales.filter(pc.is_valid(sales["item_id"])), day)
    items = versions(source, "items", day) if "items" in source.tables else None
    return lift_of_having(held, Catalogue.of(held, items).category, 30)


def main() -> None:
    """Prints a line for each recommender."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--as-of", type=date.fromisoformat, nargs="+", required=True)
    parser.add_argument("--models", nargs="+", default=recommenders.names())
    parser.add_argument("--set", dest="said", action="append", default=[], metavar="MODEL.KEY=VALUE")
    parser.add_argument("--lifts", action="store_true")
    parser.add_argument("--kinds", nargs="+", default=[], metavar="EVENT=WORTH")
    parser.add_argument("--dwell", type=float, default=0.0)
    asked = parser.parse_args()
    said = said_settings(asked.said)
    kinds = {event: float(worth) for event, _, worth in (text.rpartition("=") for text in asked.kinds)}
    acts = {"kinds": kinds, "dwell": asked.dwell} if kinds else None
    source = StoreSource(Store(Workspace.open(asked.workspace)))
    if asked.lifts:
        for day in asked.as_of:
            print(day, *(f"{value:.1f}" for value in np.quantile(lifts(source, day), (0, 0.5, 1))))
        return
    beside = np.concatenate([judged(source, BENCHMARK, day, {})[0] for day in asked.as_of])
    for name in asked.models:
        found = [judged(source, name, day, said.get(name, {}), acts) for day in asked.as_of]
        means = np.mean([[np.nanmean(values) for values in measures] for measures in found], axis=0)
        drawn = bootstrap_means([np.concatenate([measures[0] for measures in found]) - beside], 1000)
        low, high = interval(drawn[:, 0])
        last = [sum(len(measures[-1]) for measures in found)] if acts else []
        print(f"{name:20}", *(f"{value:.4f}" for value in means), f"{low:+.4f} … {high:+.4f}", *last, flush=True)


if __name__ == "__main__":
    main()
