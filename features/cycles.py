"""Gaps between purchases of the same thing, and what is bought after what: counted by the SQL of `features/sql/cycles`.

A thing is an item or a category. What is counted here happened before `as_of`; `until` is the day up to which it is
known whether somebody came back: `as_of`, or the end of what is observed where that is earlier.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import pyarrow as pa

from features.engines import Engine, Values, engine_of
from features.sorting import sorted_by
from features.source import Relation, Source, register_items, register_visible
from features.statements import Statement, staging_for, statements
from features.sums import summed
from features.windows import day_number
from warehouse.errors import NotReadyError
from warehouse.progress import Progress, silent

By = Literal["category", "item"]

MOST_THINGS = 200
"""So many things, the most bought, are paired: beyond, nearly all pairs hold too few customers to say anything."""

ROWS_HELD = 500_000
"""At most so many rows of parts wait to be added up, or as many as their sums have."""


@dataclass(frozen=True)
class Successions:
    """What is bought within some days after what, over all customers whose days to watch are over.

    A start is a day on which a customer bought the thing. `customers`: thing, customer_count. `follow_days`: thing,
    next_thing, days, follow_count (starts after which the next thing was first bought so many days later).
    `follow_sums`: thing, next_thing, and over customers the sum of starts followed, of their squares, of their products
    with the starts. `start_weeks`: thing, week, start_count, count_squares (summed over weeks: over
    customers, of their starts). `buyer_weeks`: week, day_count (a customer's days with any purchase); `week_followers`:
    week, thing, follow_count (those of them after which the thing was bought). Weeks are ISO weeks, numbered.
    """

    customers: pa.Table
    follow_days: pa.Table
    follow_sums: pa.Table
    start_weeks: pa.Table
    buyer_weeks: pa.Table
    week_followers: pa.Table


def refuse_without_items(source: Source) -> None:
    """`NotReadyError` where no purchases are known, of which cycles are made."""
    if "orders" not in source.tables:
        raise NotReadyError(
            "There are no orders, so nothing is known of when things are bought again.",
            hint="Name the files of orders, with an item_id, in reprise.toml.",
        )


def interval_counts(
    source: Source, as_of: date, until: date, by: By, progress: Progress = silent
) -> Iterator[pa.Table]:
    """Intervals between purchases of a thing by one customer: thing, days, returned (0: still open at `until`),
    interval_count, customer_count, repeat_customer_count, weight, repeat_weight and their squares; sorted, in tables
    that hold whole things.

    A customer's intervals weigh 1 together, in `repeat_weight` those that begin with a second or later purchase do.
    `customer_count` is told at each customer's first interval, `repeat_customer_count` at the second. Things times days
    may be more rows than memory holds, so those of the parts are sorted by thing on disk.
    """
    refuse_without_items(source)
    with TemporaryDirectory(prefix="reprise-spill-") as folder:
        parts = _intervals_of_parts(source, as_of, until, by, progress)
        for stretch in sorted_by(parts, "thing", len(source.parts()), Path(folder)):
            yield summed([stretch], ("thing", "days", "returned"))


def _intervals_of_parts(source: Source, as_of: date, until: date, by: By, progress: Progress) -> Iterator[pa.Table]:
    """The same of one part of the customers after the other."""
    values = {"until": day_number(until)}
    with _engine(source, as_of) as engine:
        for _ in _bought(engine, source, as_of, by, values, progress):
            _keep(engine, "intervals", as_of, values)
            yield statements("cycles")["interval_counts"].table(engine, as_of, values)


def clock_counts(
    source: Source, as_of: date, until: date, progress: Progress = silent, by: By = "item"
) -> tuple[pa.Table, pa.Table]:
    """What a replenishment clock is fitted to, and what it is asked of; of items, or of whole categories.

    First, a row per item with its category (a category is its own): sums over its pairs with a customer who bought it
    on two days or more, of the logs of gaps and of the quantities they began with: totals, squares, products, and the
    same of each pair's sums divided by its number of gaps (`…_between`). Sorted by thing.
    Second, a row per pair: entity_id, thing, last_day, last_quantity (log), gap_count, gap_sum, quantity_sum (of logs).
    """
    values = {"until": day_number(until)}
    sums, pairs = _Sums(("thing", "category")), []
    with _engine(source, as_of) as engine:
        for _ in _bought(engine, source, as_of, by, values, progress):
            _keep(engine, "intervals", as_of, values)
            _keep(engine, "clock_pairs", as_of, values)
            sums.add(statements("cycles")["clock_sums"].table(engine, as_of))
            pairs.append(engine.rows(f"select {_OF_PAIRS} from clock_pairs"))
    added = sums.total()
    if by == "category":
        added = added.set_column(1, "category", added["thing"])
    return added, pa.concat_tables(pairs)


_OF_PAIRS = (
    "entity_id, thing, last_day, cast(gap_count as int) as gap_count, cast(last_quantity as double) as last_quantity, "
    "cast(gap_sum as double) as gap_sum, cast(quantity_sum as double) as quantity_sum"
)


def successions(
    source: Source, as_of: date, until: date, by: By, within: int, progress: Progress = silent
) -> Successions:
    """What is bought in the `within` days after what, of the `MOST_THINGS` things with most customers."""
    values = {"until": day_number(until), "within": within}
    files = statements("cycles")
    customers, found = _Sums(("thing",)), {name: _Sums(keys) for name, keys in _KEYS.items()}
    with _engine(source, as_of) as engine:
        for _ in _bought(engine, source, as_of, by, values, progress):
            customers.add(files["thing_customers"].table(engine, as_of, values))
        order = [("customer_count", "descending"), ("thing", "ascending")]
        chosen = customers.total().sort_by(order).slice(0, MOST_THINGS)
        engine.give("chosen_things", chosen.select(["thing"]))
        for _ in _bought(engine, source, as_of, by, values, progress):
            for name in ("buyer_days", "day_followers", "starts", "follows"):
                _keep(engine, name, as_of, values)
            for name, sums in found.items():
                sums.add(files[name].table(engine, as_of, values))
    return Successions(chosen, **{name: sums.total() for name, sums in found.items()})


_KEYS = {
    "follow_days": ("thing", "next_thing", "days"),
    "follow_sums": ("thing", "next_thing"),
    "start_weeks": ("thing", "week"),
    "buyer_weeks": ("week",),
    "week_followers": ("week", "thing"),
}


@contextmanager
def _engine(source: Source, as_of: date) -> Iterator[Engine]:
    """An engine that has the items in the version known at `as_of`."""
    refuse_without_items(source)
    with engine_of(source) as engine:
        register_items(engine, source, as_of)
        yield engine


def _bought(
    engine: Engine, source: Source, as_of: date, by: By, values: Values, progress: Progress
) -> Iterator[Mapping[str, Relation]]:
    """Makes `bought_days` of one part of the customers after the other."""
    parts = engine.parts(source)
    statement = Statement("bought_days", statements("cycles")[f"{by}_days"].text)
    staging = staging_for([statement], "acts_of_sales")
    for done, part in enumerate(parts):
        progress("purchases", done, len(parts))
        register_visible(engine, source, part, as_of, ("orders",))
        for staged in staging:
            staged.keep(engine, as_of)
        statement.keep(engine, as_of, values)
        yield part


def _keep(engine: Engine, name: str, as_of: date, values: Values) -> None:
    statements("cycles")[name].keep(engine, as_of, values)


class _Sums:
    """Rows of one part after the other, those with equal keys added up: exactly where they are decimals.

    Every part brings rows of nearly every key, so they are added up whenever `ROWS_HELD` of them, or as many as there
    are keys, have come.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = keys
        self._parts: list[pa.Table] = []
        self._added = self._waiting = 0

    def add(self, part: pa.Table) -> None:
        self._parts.append(part)
        self._waiting += part.num_rows
        if self._waiting > max(ROWS_HELD, self._added):
            total = self.total()
            self._parts, self._added, self._waiting = [total], total.num_rows, 0

    def total(self) -> pa.Table:
        """The sums so far, sorted by the keys."""
        every = pa.concat_tables(self._parts, promote_options="permissive")
        others = [name for name in every.column_names if name not in self._keys]
        added = every.group_by(list(self._keys)).aggregate([(name, "sum") for name in others])
        named = added.rename_columns(
            [name.removesuffix("_sum") if name not in self._keys else name for name in added.column_names]
        )
        return named.select(every.column_names).sort_by([(key, "ascending") for key in self._keys])
