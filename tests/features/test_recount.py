"""An independent recount in pandas of ten features on real orders."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from features.building import build_features
from features.source import FramesSource
from warehouse.wall_time import zone_rules

FILE = Path(__file__).parents[3] / "shared" / "data" / "online_retail" / "online_retail_to_2011-09-09.parquet"
AS_OF = pd.Timestamp("2011-06-11")
CHECKED = [
    "days_since_last_order", "days_since_first_order", "order_count_90d", "order_day_count_lifetime", "amount_30d",
    "amount_lifetime", "median_days_between_orders", "item_count_lifetime", "repeat_item_share_lifetime",
    "return_count_lifetime",
]  # fmt: skip


@pytest.fixture(scope="module")
def raw() -> pd.DataFrame:
    if not FILE.exists():
        pytest.skip("Online Retail is not at ../shared/data/online_retail")
    frame = pd.read_parquet(FILE)
    frame = frame[frame["CustomerID"].notna() & (frame["UnitPrice"] > 0)].copy()
    frame["user"] = frame["CustomerID"].astype("int64").astype(str)
    frame["paid"] = frame["Quantity"] * frame["UnitPrice"]
    return frame


def ours(raw: pd.DataFrame) -> pd.DataFrame:
    wall = pa.array(raw["InvoiceDate"].astype("datetime64[us]"))
    instants, _, _ = zone_rules("Europe/London").to_utc(wall.cast(pa.int64()).to_numpy())
    happened = pa.array(instants).cast(pa.timestamp("us"))
    orders = pa.table(
        {
            "entity_id": raw["user"].to_numpy(),
            "ordered_at": happened,
            "order_id": raw["InvoiceNo"].astype(str).to_numpy(),
            "item_id": raw["StockCode"].astype(str).to_numpy(),
            "quantity": raw["Quantity"].to_numpy(dtype=float),
            "amount": pc.round(pa.array(raw["paid"].to_numpy(dtype=float)), 4).cast(pa.decimal128(18, 4), safe=False),
            "kind": np.where(raw["paid"] < 0, "return", "sale"),
            "recorded_at": happened,
            "local_at": wall,
        }
    )
    table = build_features(FramesSource({"orders": orders}, "Europe/London"), date(2011, 6, 11))
    return table.to_pandas().set_index("entity_id")[CHECKED]


def recounted(raw: pd.DataFrame) -> pd.DataFrame:
    seen = raw[raw["InvoiceDate"] < AS_OF].assign(day=lambda f: f["InvoiceDate"].dt.normalize())
    sales, returns = seen[seen["paid"] > 0], seen[seen["paid"] < 0]
    by = sales.groupby("user")
    first_of_order = sales.groupby(["user", "InvoiceNo"])["day"].min().reset_index()
    recent = first_of_order[first_of_order["day"] >= AS_OF - pd.Timedelta(days=90)]
    days = first_of_order[["user", "day"]].drop_duplicates().sort_values(["user", "day"])
    bought = sales.groupby(["user", "StockCode"])["day"].nunique()
    month = sales[sales["day"] >= AS_OF - pd.Timedelta(days=30)]
    found = pd.DataFrame(index=sorted(seen["user"].unique()))
    found["days_since_last_order"] = (AS_OF - by["day"].max()).dt.days
    found["days_since_first_order"] = (AS_OF - by["day"].min()).dt.days
    found["order_count_90d"] = recent.groupby("user").size()
    found["order_day_count_lifetime"] = days.groupby("user").size()
    found["amount_30d"] = month.groupby("user")["paid"].sum()
    found["amount_lifetime"] = by["paid"].sum()
    found["median_days_between_orders"] = days.groupby("user")["day"].diff().dt.days.groupby(days["user"]).median()
    found["item_count_lifetime"] = by["StockCode"].nunique()
    found["repeat_item_share_lifetime"] = (bought > 1).groupby("user").mean()
    found["return_count_lifetime"] = returns.groupby("user").size()
    counts = [name for name in CHECKED if "count" in name or name.startswith("amount")]
    found[counts] = found[counts].fillna(0)
    return found[CHECKED]


def test_ten_features_of_real_customers_are_recounted_alike(raw: pd.DataFrame) -> None:
    left, right = ours(raw), recounted(raw)
    assert len(left) > 2_800
    pd.testing.assert_frame_equal(
        left.sort_index(), right, check_names=False, check_dtype=False, rtol=1e-9, check_index_type=False
    )
