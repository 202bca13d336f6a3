"""Sums of parts: rows that are equal in some columns, the others added up."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa


def summed(tables: Sequence[pa.Table], keys: Sequence[str]) -> pa.Table:
    """The rows of several parts, those with equal keys added up, sorted by the keys (unknown ones last)."""
    whole = pa.concat_tables(tables, promote_options="permissive")
    others = [name for name in whole.column_names if name not in keys]
    added = whole.group_by(list(keys), use_threads=False).aggregate([(name, "sum") for name in others])
    named = {f"{name}_sum": name for name in others}
    added = added.rename_columns([named.get(name, name) for name in added.column_names])
    return added.select([*keys, *others]).sort_by([(key, "ascending") for key in keys])
