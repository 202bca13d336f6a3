"""A row that is nobody's, to show what a model reads: of each feature what is usual among the rows it learnt from."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

EXAMPLE_FILE = "example.json"
MADE_UP = "Made up, nobody's row: of each feature by itself the median, or the commonest value, of the training rows."
LEAST_CUSTOMERS = 20
"""A text that fewer customers have might tell who they are."""

Value = float | str | None


def usual(table: pa.Table, names: Sequence[str]) -> dict[str, Value]:
    """The median of each number and the commonest text (ties: the first in order) of rows with their `entity_id`.

    None where a feature is always missing, and where no text is had by at least `LEAST_CUSTOMERS`.
    """
    return {name: _usual(table, name) for name in names if name in table.column_names}


def _usual(table: pa.Table, name: str) -> Value:
    column = table.column(name)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type) or pa.types.is_string_view(column.type):
        return _commonest(column.cast(pa.string()), table.column("entity_id"))
    numbers = column.cast(pa.float64())
    middle = pc.quantile(numbers.filter(pc.is_finite(numbers)), 0.5)[0].as_py()
    return None if middle is None or math.isnan(middle) else float(middle)


def _commonest(texts: pa.ChunkedArray, customers: pa.ChunkedArray) -> str | None:
    held = pa.table({"text": texts, "customer": customers}).filter(pc.is_valid(texts))
    counted = held.group_by("text").aggregate([("customer", "count_distinct"), ("customer", "count")]).to_pylist()
    common = [row for row in counted if row["customer_count_distinct"] >= LEAST_CUSTOMERS]
    return min(common, key=lambda row: (-row["customer_count"], row["text"]))["text"] if common else None
