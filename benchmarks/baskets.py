"""What completes a basket: half of each basket of the last days is given, the other half is to be found.

    python -m benchmarks.baskets WORKSPACE --as-of 2011-06-11

Recall@10 and hit rate over the baskets (what a customer bought in the days before, at least four items), by common
visits, as the product does, by common customers, and by the recommenders, all fitted on what lies before.
"""

from __future__ import annotations

import argparse
from datetime import date

import numpy as np
import pyarrow.compute as pc

from features.outcomes import interactions
from features.source import StoreSource
from models import recommenders
from models.recommenders.baskets import Completer
from models.recommenders.cutting import cut_before
from models.recommenders.history import Rows
from models.recommenders.interactions import Interactions
from models.recommenders.ranking import marked, rank
from warehouse.store import Store
from warehouse.workspace import Workspace

SEED = 1
FEWEST = 4
K = 10


def halves(users: Rows, items: Rows) -> tuple[list[Rows], list[Rows]]:
    """Each customer's items in two halves, drawn at random."""
    random = np.random.default_rng(SEED)
    starts = np.flatnonzero(np.diff(users, prepend=-1))
    baskets = [random.permutation(each) for each in np.split(items, starts[1:]) if len(each) >= FEWEST]
    return [each[: len(each) // 2] for each in baskets], [each[len(each) // 2 :] for each in baskets]


def told(name: str, lists: list[Rows], wanted: list[Rows]) -> None:
    """One line of the table."""
    hits = [np.isin(each, listed).sum() for listed, each in zip(lists, wanted, strict=True)]
    recall = np.mean([hit / len(each) for hit, each in zip(hits, wanted, strict=True)])
    print(f"{name:20} recall@{K} {recall:.4f}  hit rate {np.mean(np.array(hits) > 0):.3f}", flush=True)


def main() -> None:
    """Prints a row per method."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace")
    parser.add_argument("--as-of", required=True, type=date.fromisoformat)
    parser.add_argument("--days", type=int, default=14)
    parser.add_argument("--models", nargs="+", default=["bm25", "als", "ease", "graph_filter", "popularity"])
    asked = parser.parse_args()
    sales = interactions(StoreSource(Store(Workspace.open(asked.workspace))), asked.as_of)
    held = Interactions.from_table(sales.filter(pc.is_valid(sales["item_id"])), asked.as_of)
    first = held.as_of_day - asked.days
    cuts, ends = (np.full(held.shape[0], day) for day in (first, held.as_of_day))
    past, (users, items) = cut_before(held, cuts, ends, first)
    given, wanted = halves(users, items)
    print(f"{len(given)} baskets")
    baskets = Completer(past)
    told("common visits", [np.array([c.item for c in baskets.complete(each, K)]) for each in given], wanted)
    strengths = (past.session(given).taste(0) @ past.neighbours).tocsr()
    told("common customers", list(rank(strengths, K, past.place, marked(given, past.shape[1])).items), wanted)
    for name in asked.models:
        told(name, list(recommenders.create(name).fit(past).fold_in(given, K, exclude=given).items), wanted)


if __name__ == "__main__":
    main()
