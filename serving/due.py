"""What is due for whom: the table `due_items` of a release, by customer."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

DUE = "due_items"
DUE_FIELDS = pa.schema(
    [("next_due_date", pa.date32()), ("due_item_count", pa.float64()), ("most_overdue_gaps", pa.float64())]
)
"""What rules ask of a customer. `next_due_date`: the first due date from `as_of` on, null where there is none.
`due_item_count`: items due in the week that begins at `as_of`, overdue ones not among them. `most_overdue_gaps`: of the
items overdue the largest `overdue_gaps`, 0 where none is, null for who has no due items."""


def by_customer(due_items: pa.Table, as_of: date) -> pa.Table:
    """One row per customer with due items, sorted by `entity_id`, with the columns of `DUE_FIELDS`."""
    ahead = pc.greater_equal(due_items["due_date"], pa.scalar(as_of, pa.date32()))
    told = pa.table(
        {
            "entity_id": due_items["entity_id"],
            "next_due_date": pc.if_else(ahead, due_items["due_date"], None).cast(pa.int32()),
            "due_item_count": pc.equal(due_items["status"], "due").cast(pa.float64()),
            "most_overdue_gaps": due_items["overdue_gaps"],
        }
    )
    found = told.group_by("entity_id").aggregate(
        [("next_due_date", "min"), ("due_item_count", "sum"), ("most_overdue_gaps", "max")]
    )
    names = ["entity_id", *DUE_FIELDS.names]
    return found.rename_columns(names).cast(pa.schema([("entity_id", pa.string()), *DUE_FIELDS])).sort_by("entity_id")


def with_due(customers: pa.Table, due_items: pa.Table, as_of: date, names: Collection[str]) -> pa.Table:
    """The customers with those of the columns `DUE_FIELDS` that are named; who has no due items has 0 of them."""
    known = by_customer(due_items, as_of)
    place = pc.index_in(customers["entity_id"], known["entity_id"].combine_chunks())
    for name in DUE_FIELDS.names:
        if name in names:
            column = known[name].combine_chunks().take(place)
            column = pc.fill_null(column, 0.0) if name == "due_item_count" else column
            customers = customers.append_column(name, column)
    return customers
