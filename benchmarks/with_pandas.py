"""The features of the benchmark in pandas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.order_lines import CUTOFF, READ, TODAY, WINDOWS, files


def by_id(folder: Path, out: Path) -> None:
    """As a careful user of pandas 3 writes it: filtered windows, named built-in aggregations, grouped by the ids."""
    _build(folder, out, by_number=False)


def by_number(folder: Path, out: Path) -> None:
    """The same after the ids were turned into whole numbers by hand, which is a third of the time."""
    _build(folder, out, by_number=True)


def _build(folder: Path, out: Path, by_number: bool) -> None:
    wanted: list[tuple[str, str, Any]] = [
        ("kind", "==", "sale"),
        ("ordered_at", "<", CUTOFF),
        ("recorded_at", "<", CUTOFF),
    ]
    paths: Any = files(folder)  # pandas takes several, which its stubs do not know
    read = pd.read_parquet(paths, columns=READ, filters=wanted, dtype_backend="pyarrow")
    names = None
    user: Any
    order: Any
    item: Any
    user, order, item = read["entity_id"], read["order_id"], read["item_id"]
    if by_number:
        user, names = pd.factorize(user)
        order, item = pd.factorize(order)[0], pd.factorize(item)[0]
    lines = pd.DataFrame(
        {
            "user": user,
            "order": order,
            "item": item,
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
    counted: list[Any] = []
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
        "entity_id": pd.Series(wide.index if names is None else names[wide.index], wide.index),
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
