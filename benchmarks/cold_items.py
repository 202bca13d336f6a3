"""Items that nobody has bought yet: found for whom they suit, beside what needs no history and chance.

    python -m benchmarks.cold_items WORKSPACE --as-of 2011-06-11 2011-07-11 2011-08-10 --items ITEMS.parquet

ITEMS has StockCode, Description, UnitPrice and InvoiceDate of Online Retail; the first name and the middle price of an
item are what is known of it. Recall@10 among cold items alone, mean over the customers who bought any of them in the
30 days after a date, then over the dates. Twice: of items first sold in these days, and of a random tenth of the items
sold before, whose sales are taken away.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.outcomes import interactions, purchases
from features.source import StoreSource
from models import recommenders
from models.recommenders.cold_items import ColdItems
from models.recommenders.history import Floats, Rows
from models.recommenders.interactions import Interactions
from warehouse.store import Store
from warehouse.workspace import Workspace

K, HELD_OUT = 10, 0.1
MAPPED = ("graph_filter", "ease", "bm25", "als")


def catalogue(path: Path) -> pa.Table:
    """Item id, name and price of every item there is."""
    sql = """select upper(StockCode) as item_id, arg_min(Description, InvoiceDate) as name, median(UnitPrice) as price
        from read_parquet($path) where UnitPrice > 0 and Description is not null group by all order by all"""
    return duckdb.connect().execute(sql, {"path": str(path)}).to_arrow_table()


def judged(held: Interactions, items: pa.Table, cold: list[str], sold: pa.Table) -> dict[str, float]:
    """Recall@10 of each way to order cold items."""
    maps = {name: ColdItems.of(held, items, cold, recommenders.create(name).fit(held)) for name in MAPPED}
    first = maps[MAPPED[0]]
    assert first is not None
    ids = first.item_ids
    row, item = held.user_rows(sold.column("user_id")), pc.index_in(sold.column("item_id").cast(ids.type), ids)
    pairs = np.stack([row, pc.fill_null(item, -1).to_numpy()])
    pairs = np.unique(pairs[:, (pairs >= 0).all(axis=0)], axis=1)
    users, wanted = np.unique(pairs[0], return_inverse=True)
    bought = np.zeros((len(users), len(ids)), bool)
    bought[wanted, pairs[1]] = True

    def recall(best: Rows) -> float:
        hits = np.take_along_axis(bought, best, axis=1) & (best >= 0)
        return float((hits.sum(axis=1) / bought.sum(axis=1)).mean())

    def same(strength: Floats) -> Rows:
        return np.tile(np.argsort(-strength, kind="stable")[:K], (len(users), 1))

    found: dict[str, Callable[[], float]] = {
        "chance": lambda: K / len(ids),
        "popularity of its kind": lambda: recall(same(first.weights @ held.popularity)),
    }
    for name, each in maps.items():
        if each is not None:
            found[name] = lambda each=each: recall(each.lists(users, K)[0].items.astype(np.int64))  # type: ignore[misc]
    print(f"  {len(ids)} cold items, {len(users)} customers", flush=True)
    return {name: value() for name, value in found.items()}


def main() -> None:
    """Prints a line for each way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--as-of", type=date.fromisoformat, nargs="+", required=True)
    parser.add_argument("--items", type=Path, required=True)
    asked = parser.parse_args()
    source, items = StoreSource(Store(Workspace.open(asked.workspace))), catalogue(asked.items)
    found: dict[str, list[dict[str, float]]] = {"first sold": [], "held out": []}
    for day in asked.as_of:
        sales, sold = interactions(source, day), purchases(source, day, 30)
        sales, sold = (rows.filter(pc.is_valid(rows["item_id"])) for rows in (sales, sold))
        before = sorted(set(sales["item_id"].to_pylist()))
        new = sorted(set(sold["item_id"].to_pylist()) - set(before))
        drawn = np.random.default_rng(7).choice(before, round(HELD_OUT * len(before)), replace=False).tolist()
        found["first sold"].append(judged(Interactions.from_table(sales, day), items, new, sold))
        left = sales.filter(pc.invert(pc.is_in(sales["item_id"], value_set=pa.array(drawn, pa.string()))))
        found["held out"].append(judged(Interactions.from_table(left, day), items, drawn, sold))
    print(f"{'':24}", *(f"{kind:>10}" for kind in found))
    for name in found["first sold"][0]:
        print(f"{name:24}", *(f"{np.mean([each[name] for each in dates]):10.4f}" for dates in found.values()))


if __name__ == "__main__":
    main()
