"""Whether behaviours planted into the made-up shop come back, and none that means nothing is found, over several seeds.

    python -m benchmarks.behaviours --seeds 1 2 3 4 5 --users 4000

Every seed is a shop of its own, its files read as they are. Pages, and the features that people of the shop use by
habit, mean nothing either: how often they come says how much somebody comes, not how long. Before leaving, pages do
mean a little, and are listed all the same: interest shrinks, so who leaves has looked less at every one of them.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from features.behaviours import Spans, behaviour_counts
from features.source import FramesSource
from insights.behaviours import Behaviours, behaviours
from warehouse.shop import ShopReport, make_shop
from warehouse.shop.browsing import FEATURES, PAGES
from warehouse.shop.planted import truth

MEANINGLESS = {*(f"page:{page}" for page in PAGES), *(f"feature:{feature}" for feature in FEATURES)}
EARLY, LATE, BEFORE, SILENT = 14, 90, 28, 60


def found(folder: Path, seed: int, users: int, days: int) -> tuple[Behaviours, Behaviours]:
    """What goes with staying, and with leaving, in a shop of that seed."""
    shop = make_shop(folder / "shop", users=users, seed=seed, days=days, behaviours=True)
    source = source_of(shop)
    told = []
    for leaving in (False, True):
        before, after = (BEFORE, SILENT) if leaving else (EARLY, LATE)
        spans = Spans(shop.end, shop.end - timedelta(days=days), shop.end, before, after, leaving)
        told.append(behaviours(behaviour_counts(source, spans), leaving))
    return told[0], told[1]


def source_of(shop: ShopReport) -> FramesSource:
    """The orders and events of a made-up shop, its files read as they are."""
    text = pacsv.ConvertOptions(
        column_types={"user_id": pa.string(), "order_id": pa.string()}, strings_can_be_null=True
    )
    orders = pacsv.read_csv(shop.files["orders"], convert_options=text)
    orders = orders.set_column(
        orders.column_names.index("amount"), "amount", orders["amount"].cast(pa.decimal128(18, 4))
    )
    events = pq.read_table(shop.files["events"])
    return FramesSource({"orders": _stored(orders, "ordered_at"), "events": _stored(events, "occurred_at")})


def _stored(table: pa.Table, happened: str) -> pa.Table:
    """Rows as the store would hold them in UTC, those of nobody left out."""
    table = table.rename_columns(["entity_id" if name == "user_id" else name for name in table.column_names])
    moment = table[happened].cast(pa.timestamp("us"))
    table = table.set_column(table.column_names.index(happened), happened, moment)
    table = table.set_column(table.column_names.index("recorded_at"), "recorded_at", moment)
    return table.append_column("local_at", moment).filter(pa.compute.is_valid(table["entity_id"]))


def judged(told: Behaviours, key: list[str]) -> str:
    """Of the planted how many were found, and what was found that means nothing."""
    names = {each.behaviour: each.verdict for each in told.found}
    planted = {f"feature:{name}" for name in (*truth()["means_nothing_early"], *truth()["means_nothing_late"])}
    back = {f"feature:{name}" for name in key} & {each.behaviour for each in told.found if each.verdict == "more"}
    wrong = [f"{name} ({names[name]})" for name in sorted(names.keys() & (planted | MEANINGLESS))]
    return f"{len(back)} of {len(key)} | {', '.join(wrong) or 'none'} | {len(told.found)} of {len(told.all)}"


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--users", type=int, default=4000)
    parser.add_argument("--days", type=int, default=540)
    asked = parser.parse_args()
    print("| seed | of | planted found | meaningless found | found of tried |\n|---|---|---|---|---|")
    for seed in asked.seeds:
        with tempfile.TemporaryDirectory() as folder:
            for told, key in zip(
                found(Path(folder), seed, asked.users, asked.days),
                (truth()["goes_with_staying"], truth()["comes_before_leaving"]),
                strict=True,
            ):
                print(f"| {seed} | {'leaving' if told.leaving else 'staying'} | {judged(told, key)} |", flush=True)


if __name__ == "__main__":
    main()
