"""The leak trial that needs raw rows: what happened at or after a cutoff is deleted, and nothing may move."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from numpy.typing import NDArray

from features.building import build_features
from features.catalogue import families_of
from features.source import FramesSource, Relation, Source
from warehouse.clock import instant
from warehouse.contracts import CONTRACTS
from warehouse.layout import bucket_of

TOLERANCE = 1e-9
TRIED = 2_000
"""Customers tried at most: a leak shows in many of them."""


def changed_rows(source: Source, as_of: date, table: pa.Table) -> tuple[int, int]:
    """How many customers' features change when rows at or after `as_of` are deleted, and how many were tried.

    `table` holds the features as they were built from all rows. Tried are some customers of the source's first part:
    a feature that looks ahead does so for some of them.
    """
    cutoff = instant(as_of, source.time_zone)
    part = _some_customers(source.parts()[0])
    frames = {name: _before(name, rows, cutoff, source) for name, rows in part.items()}
    items = source.items()
    if items is not None:
        frames["items"] = _before("items", _read(items), cutoff, source)
    families = families_of(table.column_names)
    frames |= source.population_tables(as_of, families)
    few = FramesSource(
        frames,
        source.time_zone,
        source.acts,
        source.static,
        own=source.own,
        lapsed_after=source.lapsed_after,
        rfm_split=source.rfm_split,
    )
    alone = build_features(few, as_of, families=[*families, *source.own.families])
    position = pc.index_in(alone.column("entity_id"), value_set=table.column("entity_id"))
    found = np.asarray(position.is_valid().to_numpy(zero_copy_only=False), dtype=bool)
    with_later = table.take(pc.drop_null(position))
    moved = _different(alone.filter(pa.array(found)), with_later)
    return int(moved.sum()) + int((~found).sum()), alone.num_rows


def _some_customers(part: Mapping[str, Relation]) -> dict[str, pa.Table]:
    """All rows of `TRIED` customers of a part, or of all if there are fewer."""
    found: dict[str, list[pa.Table]] = {name: [] for name in part}
    ids = pa.array([], pa.string())
    for bucket in _buckets(part):
        for name, rows in bucket.items():
            found[name].append(rows)
        ids = pc.unique(pa.chunked_array([ids, *(c for rows in bucket.values() for c in rows["entity_id"].chunks)]))
        if len(ids) >= TRIED:
            break
    tables = {name: pa.concat_tables(rows, promote_options="permissive") for name, rows in found.items()}
    return {name: rows.filter(pc.is_in(rows["entity_id"], value_set=ids[:TRIED])) for name, rows in tables.items()}


def _buckets(part: Mapping[str, Relation]) -> Iterator[dict[str, pa.Table]]:
    """A part as it is in memory; of files one bucket after the other, each with the same customers in every table."""
    files = {name: rows for name, rows in part.items() if not isinstance(rows, pa.Table)}
    if len(files) < len(part):
        yield {name: _read(rows) for name, rows in part.items()}
        return
    found: dict[int, dict[str, list[Path]]] = {}
    for name, paths in files.items():
        for path in paths:
            found.setdefault(bucket_of(path), {}).setdefault(name, []).append(path)
    for bucket in found.values():
        yield {name: _read(tuple(paths)) for name, paths in bucket.items()}


def _read(rows: Relation) -> pa.Table:
    return rows if isinstance(rows, pa.Table) else ds.dataset([str(Path(p)) for p in rows]).to_table()


def _before(name: str, rows: pa.Table, cutoff: datetime, source: Source) -> pa.Table:
    """The rows that happened, and were recorded, before the cutoff; a static table is as it is."""
    if name in source.static:
        return rows
    if name == "labels":
        # Who has a label of that very day is asked then; what was said of it later changes no feature.
        dated = pc.fill_null(pc.less_equal(rows["as_of"], pa.scalar(cutoff, pa.timestamp("us"))), True)
        return rows.filter(dated)
    happened = CONTRACTS[name].happened
    times = {c for c in (happened, "recorded_at", "set_at") if c is not None and c in rows.column_names}
    kept = np.ones(rows.num_rows, dtype=bool)
    for column in times:
        before = pc.fill_null(pc.less(rows.column(column), pa.scalar(cutoff, pa.timestamp("us"))), False)
        kept &= np.asarray(before.to_numpy(zero_copy_only=False), dtype=bool)
    return rows.filter(pa.array(kept))


def _different(one: pa.Table, other: pa.Table) -> NDArray[np.bool_]:
    """For each row, whether any column differs; missing equals missing, numbers within a relative 1e-9."""
    moved = np.zeros(one.num_rows, dtype=bool)
    for name in other.column_names:
        if name not in one.column_names:
            continue
        a, b = one.column(name), other.column(name)
        if pa.types.is_floating(a.type):
            x, y = (np.asarray(c.to_numpy(zero_copy_only=False), dtype=np.float64) for c in (a, b))
            near = np.isclose(x, y, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True)
            moved |= ~near
        else:
            same = pc.equal(pc.fill_null(a.cast(pa.string()), "\0"), pc.fill_null(b.cast(pa.string()), "\0"))
            moved |= ~np.asarray(same.to_numpy(zero_copy_only=False), dtype=bool)
    return moved
