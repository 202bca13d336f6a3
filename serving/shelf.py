"""What there is, and what may be offered: everything but the items that are retired or out of stock."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from warehouse.clock import instant


def item_ids(columns: Iterable[pa.Array | pa.ChunkedArray]) -> frozenset[str]:
    """Every item that one of the columns names."""
    return frozenset(item for column in columns for item in pc.unique(column).to_pylist() if item is not None)


def not_for_sale(items: pa.Table | None, as_of: date, time_zone: str) -> frozenset[str]:
    """Items retired before `as_of` or out of stock, by the items table as known at `as_of`."""
    if items is None or "item_id" not in items.column_names:
        return frozenset()
    cutoff = instant(as_of, time_zone)
    columns = ["item_id", *(name for name in ("retired_at", "in_stock") if name in items.column_names)]
    return frozenset(row["item_id"] for row in items.select(columns).to_pylist() if _gone(row, cutoff))


def _gone(row: dict[str, Any], cutoff: datetime) -> bool:
    retired = row.get("retired_at")
    return row.get("in_stock") is False or (retired is not None and retired < cutoff)
