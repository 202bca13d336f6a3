"""Columns of rows of users, items and days as arrays, and what is refused in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from models.recommenders.history import Floats, Rows
from warehouse.errors import DataProblemError

DAYS = np.iinfo(np.int32)
"""Days, counted from 1970-01-01, fit into these."""


def texts(values: Any) -> pa.Array:
    """Ids in one array."""
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    array = values if isinstance(values, pa.Array) else pa.array(list(values), pa.string())
    return array.cast(pa.large_string())


def _numbers(column: pa.ChunkedArray) -> Floats:
    if pa.types.is_date32(column.type):
        column = column.cast(pa.int32())
    filled = pc.fill_null(column.cast(pa.float64()), float("nan"))
    return np.asarray(filled.combine_chunks().to_numpy(zero_copy_only=False), dtype=np.float64)


def sorted_unique(values: pa.Array) -> pa.Array:
    """Each id once, rising."""
    unique = values.unique()
    return unique.take(pc.array_sort_indices(unique))


def places(values: pa.Array, ids: pa.Array) -> Rows:
    """The place of each value among the ids; −1 where it is none of them."""
    found = pc.fill_null(pc.index_in(values, value_set=ids), -1)
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype=np.int64)


def read(table: pa.Table, as_of_day: int, values: Sequence[str]) -> tuple[pa.Array, pa.Array, dict[str, Floats]]:
    """The users and items of rows, their day and these columns; `DataProblemError` where one cannot be."""
    columns = {name: _numbers(table.column(name)) for name in ("day", *values)}
    users, items = texts(table.column("user_id")), texts(table.column("item_id"))
    _refuse_bad_rows(users, items, columns, as_of_day)
    return users, items, columns


def with_acting(users: pa.Array, acts: pa.Table, item_ids: pa.Array) -> pa.Array:
    """All users, with those who did something with one of the items and bought nothing."""
    there = pc.is_in(texts(acts.column("item_id")), value_set=item_ids)
    some = pc.and_(there, pc.greater(acts.column("worth").combine_chunks(), 0))
    return sorted_unique(pa.concat_arrays([users, texts(acts.column("user_id")).filter(some)]))


def _refuse_bad_rows(users: pa.Array, items: pa.Array, columns: Mapping[str, Floats], as_of_day: int) -> None:
    if users.null_count or items.null_count:
        raise DataProblemError(
            f"{users.null_count} interactions have no user_id and {items.null_count} no item_id; both are needed."
        )
    for name, values in columns.items():
        bad = int((~np.isfinite(values)).sum())
        if bad:
            raise DataProblemError(f"{name} of the interactions is not a number {bad} times; expected finite numbers.")
    days = columns["day"]
    if ((days < DAYS.min) | (days > DAYS.max) | (days != np.floor(days))).any():
        raise DataProblemError("A day of the interactions is not a whole number of days since 1970-01-01.")
    if late := int((days >= as_of_day).sum()):
        raise DataProblemError(
            f"{late} interactions are not before the cutoff.",
            hint="Build the interactions for the same as_of; a sale at or after it may not be seen.",
        )
