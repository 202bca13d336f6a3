"""When each customer's items are due again: the replenishment clock, fitted and read for a release."""

from __future__ import annotations

from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from features.cycles import clock_counts
from features.source import Source, versions
from models.clock import Clock
from pipeline.suggestions import refused_profiling
from serving.schemas import DUE_ITEMS
from serving.shelf import not_for_sale
from warehouse.progress import Progress, silent

WEEK = 7
"""What is due on one of so many days from `as_of` on is due this week."""
NONE = {"what": "due_items", "why": "nobody bought an item on two days", "needs": "orders with an item_id, repeated"}


def due_items(source: Source, as_of: date, until: date, progress: Progress = silent) -> pa.Table | None:
    """When each customer's items are due, in the schema `DUE_ITEMS`, sorted by customer and item.

    Of items bought on two days or more, that are for sale, by customers who have not refused profiling. None where
    there are none.
    """
    if "orders" not in source.tables:
        return None
    sums, pairs = clock_counts(source, as_of, until, progress)
    clock = Clock.fit(sums)
    if clock is None:
        return None
    items = versions(source, "items", as_of) if "items" in source.tables else None
    gone = not_for_sale(items, as_of, source.time_zone)
    refused = refused_profiling(source, as_of)
    due = clock.due(pairs)
    for column, left_out in (("item_id", gone), ("entity_id", refused)):
        if left_out:
            due = due.filter(pc.invert(pc.is_in(due[column], value_set=pa.array(sorted(left_out), pa.string()))))
    return _dated(due, as_of) if due.num_rows else None


def _dated(due: pa.Table, as_of: date) -> pa.Table:
    today = pa.scalar((as_of - date(1970, 1, 1)).days, pa.int32())
    late = pc.subtract(today, due["due_day"])
    over = pc.divide(pc.max_element_wise(late, pa.scalar(0, pa.int32())).cast(pa.float64()), due["gap_days"])
    status = pc.if_else(pc.greater(late, 0), "overdue", pc.if_else(pc.greater(late, -WEEK), "due", "not_yet"))
    return (
        pa.table(
            {
                "entity_id": due["entity_id"],
                "item_id": due["item_id"],
                "last_bought_on": due["last_day"].cast(pa.date32()),
                "gap_days": due["gap_days"],
                "due_date": due["due_day"].cast(pa.date32()),
                "overdue_gaps": over,
                "status": status,
            }
        )
        .cast(DUE_ITEMS)
        .sort_by([("entity_id", "ascending"), ("item_id", "ascending")])
    )
