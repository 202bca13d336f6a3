"""Raw lines of a request become tables of the store: judged by the checker of the files, sorted as the store is."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from features.source import FramesSource
from serving.release import ANSWERED, Release
from warehouse.checking import Checker
from warehouse.contracts import CONTRACTS, EXTRA
from warehouse.engine import shared
from warehouse.errors import DataProblemError, UsageError
from warehouse.rulebook import KEY
from warehouse.settings import TableSettings

Line = Mapping[str, Any]
Given = Literal["orders", "events"]
MAX_LINES = 1_000
_OF_PEOPLE = ("users", "contacts", "tags", "labels")


@dataclass(frozen=True)
class Lines:
    """The lines of a request as a source of features, whose they are, and what became of them."""

    source: FramesSource
    people: tuple[str, ...]
    accepted: int
    duplicates: int
    set_aside: int


@dataclass(frozen=True)
class _Judged:
    rows: pa.Table
    duplicates: int = 0
    set_aside: int = 0


def read_lines(release: Release, orders: Sequence[Line], events: Sequence[Line], loaded_at: datetime) -> Lines:
    """The lines as tables, with the other tables of these people from the release.

    A line has the contract's own column names; a time without a zone is of the table's declared zone.
    `DataProblemError` holds every problem there is; `UsageError` says that there are too many lines, or that the
    workspace has no such table.
    """
    if len(orders) + len(events) > MAX_LINES:
        raise UsageError(f"There are {len(orders) + len(events)} lines; at most {MAX_LINES} are taken at once.")
    given: dict[Given, Sequence[Line]] = {"orders": orders, "events": events}
    judged: dict[str, _Judged] = {
        name: _judge(release, name, lines, loaded_at)
        for name, lines in given.items()
        if _expected(release, name, lines)
    }
    frames = {name: one.rows for name, one in judged.items()}
    people = pa.chunked_array(
        [c for rows in frames.values() for c in rows["entity_id"].chunks] or [[]], pa.string()
    ).unique()
    for name in set(release.tables).difference(ANSWERED):
        table = release.tables[name]
        theirs = name in _OF_PEOPLE or name.startswith(EXTRA)
        frames[name] = table.filter(pc.is_in(table["entity_id"], people)) if theirs else table
    settings = release.settings
    source = FramesSource(
        {**frames, **release.populations},
        time_zone=settings.time_zone,
        acts=settings.activity.acts,
        static=frozenset(name for name, table in settings.tables.items() if table.static),
        own=release.own,
        lapsed_after=settings.lifecycle.lapsed_after_periods,
        rfm_split=settings.rfm.split,
    )
    return Lines(
        source,
        people=tuple(people.to_pylist()),
        accepted=sum(one.rows.num_rows for one in judged.values()),
        duplicates=sum(one.duplicates for one in judged.values()),
        set_aside=sum(one.set_aside for one in judged.values()),
    )


def _expected(release: Release, table: Given, lines: Sequence[Line]) -> bool:
    """Whether the workspace has that table; `UsageError` where lines are given all the same."""
    if table in release.settings.tables:
        return True
    if lines:
        raise UsageError(
            f"The release was made without {table}, so they cannot be counted.", hint=f"Leave {table} out."
        )
    return False


def _judge(release: Release, table: Given, lines: Sequence[Line], loaded_at: datetime) -> _Judged:
    if not lines:
        return _Judged(pa.table({"entity_id": pa.array([], pa.string())}))
    policy = _policy(release.settings.tables[table])
    # An engine takes longer to start than these few lines to judge.
    checker = Checker(CONTRACTS[table], policy, release.settings, loaded_at, table, shared())
    raw = texts(lines)
    problems = checker.missing(raw.column_names) or (checked := checker.check(raw)).problems
    if problems:
        raise DataProblemError(f"The {table} of the request break the contract.", problems)
    kept = _distinct(checked.accepted) if policy.duplicates == "drop" else checked.accepted
    rows = _in_store_order(kept.drop_columns([KEY]), CONTRACTS[table].happened)
    return _Judged(rows, checked.accepted.num_rows - kept.num_rows, sum(checked.set_aside.values()))


def _policy(told: TableSettings) -> TableSettings:
    """The table's policies, but for lines under our own column names with ISO times and plain numbers."""
    plain: dict[str, object] = {"columns": {}, "time_format": None, "numbers": "1234.56", "duplicates_by": ()}
    return told.model_copy(update=plain)


def texts(lines: Sequence[Line]) -> pa.Table:
    """A text column for every name that any of the lines gives a value."""
    names = {name: None for line in lines for name, value in line.items() if value is not None}
    return pa.table({name: pa.array([_text(line.get(name)) for line in lines], pa.string()) for name in names})


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return json.dumps(value, ensure_ascii=False)
    return format(Decimal(repr(value)), "f")


def _distinct(rows: pa.Table) -> pa.Table:
    """The first of rows that were equal in all columns."""
    place = pa.array(range(rows.num_rows), pa.int64())
    firsts = rows.select([KEY]).append_column("place", place).group_by(KEY).aggregate([("place", "min")])
    return rows.take(firsts["place_min"].combine_chunks().sort())


def _in_store_order(rows: pa.Table, happened: str | None) -> pa.Table:
    """Sorted as in the store, so that sums of doubles meet their terms in the same order."""
    first = ["entity_id", *([happened] if happened else [])]
    rest = [
        name for name in rows.column_names if name not in first and not pa.types.is_list(rows.schema.field(name).type)
    ]
    return rows.sort_by([(name, "ascending") for name in (*first, *rest)])
