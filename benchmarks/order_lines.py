"""Made order lines in the buckets of a store: what the benchmark of features reads."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

AS_OF = date(2025, 12, 1)
CUTOFF = datetime(2025, 12, 1)
TODAY = (AS_OF - date(1970, 1, 1)).days
WINDOWS = (7, 14, 30, 60, 90, 180, 365)
BUCKETS = 16
READ = ["entity_id", "ordered_at", "order_id", "item_id", "amount", "kind", "recorded_at", "local_at"]


def _money(cents: Any) -> pa.Array:
    both = np.zeros((len(cents), 2), np.int64)
    both[:, 0] = cents * 100
    both[:, 1] = np.where(cents < 0, -1, 0)
    return pa.Array.from_buffers(pa.decimal128(18, 4), len(cents), [None, pa.py_buffer(both.tobytes())])


def make(folder: Path, lines: int, seed: int = 7, lines_per_user: int = 10) -> None:
    """`lines_per_user` lines a customer in the mean, 2.5 an order, heavy tails, 2,000 items, 3 % returns, 2 % late."""
    rng = np.random.default_rng(seed)
    users, orders = lines // lines_per_user, lines * 2 // 5
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
