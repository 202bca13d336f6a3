"""Build → Parquet of 70 features from order lines: ours beside a scan, a careful pandas and a streaming polars.

    python benchmarks/features.py --lines 1000000 5000000

Each variant runs in a process of its own, two threads each; seconds without imports, peak memory with them. All read
the same Parquet buckets, write the same columns, and their outputs are compared value by value.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

os.environ.setdefault("POLARS_MAX_THREADS", "2")
sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

AS_OF = date(2025, 12, 1)
CUTOFF = datetime(2025, 12, 1)
TODAY = (AS_OF - date(1970, 1, 1)).days
FAMILIES = ("recency", "frequency", "regularity", "money", "items", "trend")
WINDOWS = (7, 14, 30, 60, 90, 180, 365)
BUCKETS = 16
READ = ["entity_id", "ordered_at", "order_id", "item_id", "amount", "kind", "recorded_at", "local_at"]


# --- the data ---------------------------------------------------------------------------------------------------------


def _money(cents: Any) -> pa.Array:
    both = np.zeros((len(cents), 2), np.int64)
    both[:, 0] = cents * 100
    both[:, 1] = np.where(cents < 0, -1, 0)
    return pa.Array.from_buffers(pa.decimal128(18, 4), len(cents), [None, pa.py_buffer(both.tobytes())])


def make(folder: Path, lines: int, seed: int = 7) -> None:
    """Ten lines a customer in the mean, 2.5 lines an order, heavy tails, 2,000 items, 3 % returns, 2 % late rows."""
    rng = np.random.default_rng(seed)
    users, orders = lines // 10, lines * 2 // 5
    who = (users * rng.random(orders) ** 1.5).astype(np.int64)
    first = np.datetime64("2023-12-01", "us").astype(np.int64)
    when = first + (rng.random(orders) * 760 * 86_400_000_000).astype(np.int64)
    order = np.sort(rng.integers(0, orders, lines))
    order = order[np.lexsort((when[order], who[order]))]
    sign = np.where(rng.random(lines) < 0.03, -1, 1)
    item = rng.zipf(1.3, lines) % 2000
    cents = (rng.lognormal(7, 1, lines).astype(np.int64) + 1) * sign
    at = when[order]
    recorded = at + np.where(rng.random(lines) < 0.02, 10 * 86_400_000_000, 0)
    moment = pa.timestamp("us")
    table = pa.table(
        {
            "entity_id": pc.binary_join_element_wise(
                "u", pc.utf8_lpad(pa.array(who[order]).cast("string"), 8, "0"), ""
            ),
            "ordered_at": pa.array(at).cast(moment),
            "order_id": pc.binary_join_element_wise("o", pa.array(order).cast("string"), ""),
            "item_id": pc.binary_join_element_wise("i", pa.array(item).cast("string"), ""),
            "quantity": pa.array(sign * rng.integers(1, 5, lines)).cast("float64"),
            "amount": _money(cents),
            "discount": _money(np.where(rng.random(lines) < 0.3, 150, 0)),
            "kind": pa.array(sign < 0).cast("int8").cast("string"),
            "recorded_at": pa.array(recorded).cast(moment),
            "local_at": pa.array(at).cast(moment),
        }
    )
    table = table.set_column(7, "kind", pc.if_else(pa.array(sign < 0), "return", "sale"))
    bucket = who[order] * 2_654_435_761 % 2**32 % BUCKETS
    for k in range(BUCKETS):
        part = table.filter(pa.array(bucket == k))
        pq.write_table(part, folder / f"bucket-{k:04d}.parquet", compression="zstd", row_group_size=65_536)


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("bucket-*.parquet"))


# --- the variants -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Buckets:
    """The part of a store that features read, over the benchmark's files."""

    folder: Path
    buckets: int = BUCKETS
    tables: frozenset[str] = frozenset({"orders"})

    @property
    def workspace(self) -> Any:
        settings = SimpleNamespace(
            time_zone="UTC", memory_limit="1GB", activity=SimpleNamespace(acts="sales"), tables={}
        )
        return SimpleNamespace(store=self.folder, settings=settings)

    def bucket(self, table: str, k: int) -> Path:
        return self.folder / f"bucket-{k:04d}.parquet"


def ours(folder: Path, out: Path) -> None:
    from features.building import write_features
    from features.source import StoreSource

    write_features(StoreSource(Buckets(folder)), AS_OF, out, families=FAMILIES)  # type: ignore[arg-type]


def scan(folder: Path, out: Path) -> None:
    """Only reads the columns that the others need."""
    from warehouse.engine import connect

    with connect([folder]) as connection:
        listed = ", ".join(f"'{path}'" for path in files(folder))
        columns = ", ".join(f"count({name}), min({name})" for name in READ)
        connection.execute(f"select {columns} from read_parquet([{listed}])").fetchall()


def with_pandas(folder: Path, out: Path) -> None:
    """As a careful user of pandas 3 writes it: whole numbers as keys, filtered windows, named built-in aggregations."""
    import pandas as pd

    wanted = [("kind", "==", "sale"), ("ordered_at", "<", CUTOFF), ("recorded_at", "<", CUTOFF)]
    read = pd.read_parquet(files(folder), columns=READ, filters=wanted, dtype_backend="pyarrow")
    who, names = pd.factorize(read["entity_id"])
    lines = pd.DataFrame(
        {
            "user": who,
            "order": pd.factorize(read["order_id"])[0],
            "item": pd.factorize(read["item_id"])[0],
            "day": (read["local_at"].astype("int64[pyarrow]") // 86_400_000_000).astype("int32"),
            "amount": read["amount"].astype("float64[pyarrow]").astype("float64"),
        }
    )
    del read
    lines = lines[lines["amount"] > 0]

    baskets = lines.groupby(["user", "order"], sort=False, as_index=False).agg(
        day=("day", "min"), last_day=("day", "max"), amount=("amount", "sum")
    )
    days = baskets.groupby(["user", "day"], as_index=False).agg(
        last_day=("last_day", "max"), orders=("order", "size"), amount=("amount", "sum")
    )
    by_user = days.groupby("user")
    days["gap"] = by_user["day"].diff()
    days["back"] = by_user.cumcount(ascending=False)
    days["age"] = (TODAY - 1 - days["day"]) // 30

    wide = by_user.agg(
        first=("day", "min"),
        last=("last_day", "max"),
        order_count_lifetime=("orders", "sum"),
        order_day_count_lifetime=("day", "size"),
        amount_lifetime=("amount", "sum"),
        first_order_day_amount=("amount", "first"),
        last_order_day_amount=("amount", "last"),
        average_days_between_orders=("gap", "mean"),
        median_days_between_orders=("gap", "median"),
        days_between_orders_deviation=("gap", "std"),
        shortest_days_between_orders=("gap", "min"),
        longest_days_between_orders=("gap", "max"),
        last_days_between_orders=("gap", "last"),
    )
    counted = []
    for w in WINDOWS:
        inside = days[days["day"] >= TODAY - w].groupby("user")
        sums = {f"order_count_{w}d": ("orders", "sum"), f"amount_{w}d": ("amount", "sum")}
        if w in (30, 90, 180, 365):
            sums[f"order_day_count_{w}d"] = ("day", "size")
        counted.append(inside.agg(**sums))
    season = days[(days["day"] >= TODAY - 395) & (days["day"] < TODAY - 335)]
    counted.append(season.groupby("user")["orders"].sum().rename("order_count_same_season_last_year"))
    months = days.loc[days["day"] >= TODAY - 360, ["user", "age"]].drop_duplicates()
    counted.append(months.groupby("user").size().rename("active_month_count_360d"))
    half = days[days["age"] < 6]
    weighted = half[["orders", "amount"]].mul((2.5 - half["age"]) / 17.5, axis=0).groupby(half["user"]).sum()
    counted.append(weighted.set_axis(["order_count_slope_180d", "amount_slope_180d"], axis=1))

    items = lines.groupby(["user", "item"], sort=False, as_index=False).agg(
        first=("day", "min"), last=("day", "max"), lines=("day", "size"), amount=("amount", "sum")
    )
    del lines
    for w in (30, 90, 180, 365):
        counted.append(items[items["last"] >= TODAY - w].groupby("user").size().rename(f"item_count_{w}d"))
    for w in (30, 90):
        counted.append(items[items["first"] >= TODAY - w].groupby("user").size().rename(f"new_item_count_{w}d"))
    again = items[items["last"] > items["first"]].groupby("user")
    counted.append(again.agg(repeat_item_count_lifetime=("item", "size"), repeat_lines=("lines", "sum")))
    per_item = items.groupby("user").agg(
        item_count_lifetime=("item", "size"),
        lines=("lines", "sum"),
        top_lines=("lines", "max"),
        top_amount=("amount", "max"),
    )
    per_order = baskets.groupby("user").agg(
        highest_order_amount_lifetime=("amount", "max"),
        lowest_order_amount_lifetime=("amount", "min"),
        median_order_amount_lifetime=("amount", "median"),
        order_amount_deviation_lifetime=("amount", "std"),
    )
    wide = pd.concat([wide, pd.concat(counted, axis=1).reindex(wide.index).fillna(0), per_item, per_order], axis=1)

    since_last, since_first = TODAY - wide["last"], TODAY - wide["first"]
    made = {
        "entity_id": pd.Series(names[wide.index], wide.index),
        "days_since_last_order": since_last,
        "days_since_first_order": since_first,
        "days_since_second_last_order_day": TODAY - days[days["back"] == 1].set_index("user")["day"],
        "days_since_third_last_order_day": TODAY - days[days["back"] == 2].set_index("user")["day"],
        "days_between_first_and_last_order": wide["last"] - wide["first"],
        "recency_share_of_tenure": since_last / since_first,
        "orders_per_30_days_lifetime": wide["order_count_lifetime"] * 30 / since_first,
        "days_between_orders_variation": wide["days_between_orders_deviation"] / wide["average_days_between_orders"],
        "overdue_ratio": since_last / wide["median_days_between_orders"],
        "days_overdue": since_last - wide["median_days_between_orders"],
        "last_gap_ratio": wide["last_days_between_orders"] / wide["average_days_between_orders"],
        "average_order_value_90d": wide["amount_90d"] / wide["order_count_90d"],
        "average_order_value_365d": wide["amount_365d"] / wide["order_count_365d"],
        "average_order_value_lifetime": wide["amount_lifetime"] / wide["order_count_lifetime"],
        "order_amount_deviation_lifetime": wide["order_amount_deviation_lifetime"].round(6),
        "amount_per_30_days_lifetime": wide["amount_lifetime"] * 30 / since_first,
        "repeat_item_share_lifetime": wide["repeat_item_count_lifetime"] / wide["item_count_lifetime"],
        "repeat_line_share_lifetime": wide["repeat_lines"] / wide["lines"],
        "top_item_line_share_lifetime": wide["top_lines"] / wide["lines"],
        "top_item_amount_share_lifetime": wide["top_amount"] / wide["amount_lifetime"],
        "order_count_change_30d": 2 * wide["order_count_30d"] - wide["order_count_60d"],
        "order_count_change_90d": 2 * wide["order_count_90d"] - wide["order_count_180d"],
        "amount_change_30d": 2 * wide["amount_30d"] - wide["amount_60d"],
        "amount_change_90d": 2 * wide["amount_90d"] - wide["amount_180d"],
        "recent_order_share_180d": wide["order_count_30d"] / wide["order_count_180d"],
        "recent_amount_share_365d": wide["amount_90d"] / wide["amount_365d"],
    }
    rest = wide.drop(
        columns=["first", "last", "repeat_lines", "lines", "top_lines", "top_amount", *(made.keys() & wide)]
    )
    pd.concat([pd.DataFrame(made), rest], axis=1).to_parquet(out, compression="zstd", index=False)


def with_polars(folder: Path, out: Path) -> None:
    import polars as pl

    lines = (
        pl.scan_parquet(files(folder))
        .filter(
            pl.col("kind") == "sale",
            pl.col("amount") > 0,
            pl.col("ordered_at") < CUTOFF,
            pl.col("recorded_at") < CUTOFF,
        )
        .select(
            pl.col("entity_id"),
            pl.col("order_id"),
            pl.col("item_id"),
            pl.col("amount").cast(pl.Float64),
            day=pl.col("local_at").dt.epoch("d"),
        )
    )
    baskets = lines.group_by("entity_id", "order_id").agg(
        day=pl.col("day").min(), last_day=pl.col("day").max(), amount=pl.col("amount").sum()
    )
    days = baskets.group_by("entity_id", "day").agg(
        last_day=pl.col("last_day").max(), orders=pl.len(), amount=pl.col("amount").sum()
    )
    day, orders, money = pl.col("day"), pl.col("orders").cast(pl.Float64), pl.col("amount")
    age = (TODAY - 1 - day) // 30

    def within(w: int) -> Any:
        return day >= TODAY - w

    gap = day.sort().diff()
    counted = [
        (TODAY - pl.col("last_day").max()).alias("days_since_last_order"),
        (TODAY - day.min()).alias("days_since_first_order"),
        (TODAY - day.sort(descending=True).get(1, null_on_oob=True)).alias("days_since_second_last_order_day"),
        (TODAY - day.sort(descending=True).get(2, null_on_oob=True)).alias("days_since_third_last_order_day"),
        *(orders.filter(within(w)).sum().alias(f"order_count_{w}d") for w in WINDOWS),
        orders.sum().alias("order_count_lifetime"),
        *(within(w).sum().alias(f"order_day_count_{w}d") for w in (30, 90, 180, 365)),
        pl.len().alias("order_day_count_lifetime"),
        orders.filter(within(395) & ~within(335)).sum().alias("order_count_same_season_last_year"),
        age.filter(within(360)).n_unique().alias("active_month_count_360d"),
        gap.mean().alias("average_days_between_orders"),
        gap.median().alias("median_days_between_orders"),
        gap.std().alias("days_between_orders_deviation"),
        gap.min().alias("shortest_days_between_orders"),
        gap.max().alias("longest_days_between_orders"),
        gap.last().alias("last_days_between_orders"),
        *(money.filter(within(w)).sum().alias(f"amount_{w}d") for w in WINDOWS),
        money.sum().alias("amount_lifetime"),
        money.sort_by(day).first().alias("first_order_day_amount"),
        money.sort_by(day).last().alias("last_order_day_amount"),
        ((2.5 - age) * orders).filter(age < 6).sum().alias("slope_orders"),
        ((2.5 - age) * money).filter(age < 6).sum().alias("slope_amount"),
    ]
    per_order = baskets.group_by("entity_id").agg(
        highest_order_amount_lifetime=money.max(),
        lowest_order_amount_lifetime=money.min(),
        median_order_amount_lifetime=money.median(),
        order_amount_deviation_lifetime=money.std().round(6),
    )
    first, last, count = pl.col("first"), pl.col("last"), pl.col("lines").cast(pl.Float64)
    again = last > first
    items = (
        lines.group_by("entity_id", "item_id")
        .agg(first=day.min(), last=day.max(), lines=pl.len(), amount=money.sum())
        .group_by("entity_id")
        .agg(
            *((last >= TODAY - w).sum().alias(f"item_count_{w}d") for w in (30, 90, 180, 365)),
            pl.len().alias("item_count_lifetime"),
            *((first >= TODAY - w).sum().alias(f"new_item_count_{w}d") for w in (30, 90)),
            again.sum().alias("repeat_item_count_lifetime"),
            (again.sum() / pl.len()).alias("repeat_item_share_lifetime"),
            (count.filter(again).sum() / count.sum()).alias("repeat_line_share_lifetime"),
            (count.max() / count.sum()).alias("top_item_line_share_lifetime"),
            money.max().alias("top_amount"),
        )
    )
    c = pl.col
    wide = (
        days.group_by("entity_id")
        .agg(*counted)
        .join(per_order, on="entity_id")
        .join(items, on="entity_id")
        .with_columns(
            days_between_first_and_last_order=c("days_since_first_order") - c("days_since_last_order"),
            recency_share_of_tenure=c("days_since_last_order") / c("days_since_first_order"),
            orders_per_30_days_lifetime=c("order_count_lifetime") * 30 / c("days_since_first_order"),
            days_between_orders_variation=c("days_between_orders_deviation") / c("average_days_between_orders"),
            overdue_ratio=c("days_since_last_order") / c("median_days_between_orders"),
            days_overdue=c("days_since_last_order") - c("median_days_between_orders"),
            last_gap_ratio=c("last_days_between_orders") / c("average_days_between_orders"),
            average_order_value_90d=c("amount_90d") / c("order_count_90d"),
            average_order_value_365d=c("amount_365d") / c("order_count_365d"),
            average_order_value_lifetime=c("amount_lifetime") / c("order_count_lifetime"),
            amount_per_30_days_lifetime=c("amount_lifetime") * 30 / c("days_since_first_order"),
            top_item_amount_share_lifetime=c("top_amount") / c("amount_lifetime"),
            order_count_slope_180d=c("slope_orders") / 17.5,
            amount_slope_180d=c("slope_amount") / 17.5,
            order_count_change_30d=2 * c("order_count_30d") - c("order_count_60d"),
            order_count_change_90d=2 * c("order_count_90d") - c("order_count_180d"),
            amount_change_30d=2 * c("amount_30d") - c("amount_60d"),
            amount_change_90d=2 * c("amount_90d") - c("amount_180d"),
            recent_order_share_180d=c("order_count_30d") / c("order_count_180d"),
            recent_amount_share_365d=c("amount_90d") / c("amount_365d"),
        )
        .drop("slope_orders", "slope_amount", "top_amount")
        .with_columns(pl.exclude("entity_id").cast(pl.Float64))
    )
    wide.sink_parquet(out, compression="zstd", engine="streaming")


VARIANTS = {"scan only": scan, "ours": ours, "pandas": with_pandas, "polars": with_polars}


# --- running and comparing --------------------------------------------------------------------------------------------


def compare(left: Path, right: Path) -> tuple[int, float]:
    """Columns compared and the largest difference, relative to max(1, |a|); NULL, NaN and 0/0 are one."""
    a, b = (pq.read_table(path).sort_by("entity_id") for path in (left, right))
    a = a.filter(pc.is_valid(a["days_since_last_order"])).combine_chunks()
    if a["entity_id"].combine_chunks() != b["entity_id"].cast("string").combine_chunks():
        raise SystemExit(f"{left.name} and {right.name} hold different customers")
    worst = 0.0
    for name in a.column_names[1:]:
        x, y = (t[name].cast("float64").to_numpy() for t in (a, b))
        if (np.isnan(x) != np.isnan(y)).any():
            raise SystemExit(f"{name}: unknown in one of {left.name} and {right.name} only")
        worst = max(worst, float(np.nanmax(np.abs(x - y) / np.maximum(1, np.abs(x)), initial=0)))
    return len(a.column_names) - 1, worst


def run(lines: int, repeats: int) -> None:
    with tempfile.TemporaryDirectory(prefix="reprise-benchmark-") as scratch:
        folder = Path(scratch)
        subprocess.run([sys.executable, __file__, "--make", str(folder), "--lines", str(lines)], check=True)
        print(f"{lines:,} order lines, {os.cpu_count()} cores, best of {repeats}")
        best: dict[str, dict[str, float]] = {}
        for _ in range(repeats):
            for name in VARIANTS:
                command = [sys.executable, __file__, "--variant", name, str(folder)]
                found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
                if name not in best or found["seconds"] < best[name]["seconds"]:
                    best[name] = found
        for name, found in best.items():
            print(f"  {name:<10} {found['seconds']:7.2f} s  {found['cpu']:7.2f} s of cpu  {found['megabytes']:6.0f} MB")
        for other in ("pandas", "polars"):
            columns, worst = compare(folder / "ours.out", folder / f"{other}.out")
            print(f"  ours against {other}: {columns} columns, largest relative difference {worst:.1e}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--lines", type=int, nargs="+", default=[1_000_000, 5_000_000])
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--make", type=Path)
    parser.add_argument("--variant", nargs=2)
    given = parser.parse_args()
    if given.make:
        make(given.make, given.lines[0])
    elif given.variant:
        name, folder = given.variant
        if name == "pandas":
            import pandas  # noqa: F401  # imports are not part of the time
        elif name == "polars":
            import polars  # noqa: F401
        else:
            import features.building  # noqa: F401
        started, spent = time.perf_counter(), time.process_time()
        VARIANTS[name](Path(folder), Path(folder) / f"{name}.out")
        seconds, cpu = time.perf_counter() - started, time.process_time() - spent
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"seconds": seconds, "cpu": cpu, "megabytes": peak}))
    else:
        for lines in given.lines:
            run(lines, given.repeats)


if __name__ == "__main__":
    main()
