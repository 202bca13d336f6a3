"""The features of the benchmark in polars, streaming."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.order_lines import CUTOFF, TODAY, WINDOWS, files


def build(folder: Path, out: Path) -> None:
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
