"""Repurchase cycles: intervals that `features.cycles` counts, curves that `models.cycles` fits, put together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from features.cycles import By, interval_counts, successions
from features.source import Source, StoreSource, versions
from insights.next_purchase import NextPurchases, next_purchases
from models.cycles import Curve
from pipeline.opening import Loaded
from warehouse.errors import UsageError
from warehouse.progress import Progress, silent

QUARTILES = (0.25, 0.5, 0.75)
LEAST_REPEATED = 20
"""A cycle is told of things that so many customers have bought a second time."""


@dataclass(frozen=True)
class Cycle:
    """When one thing is bought again.

    `every`: the curve of all intervals; `repeated`: of those that begin with a second or later purchase, so that
    buying once by chance does not blur it.
    """

    thing: str
    name: str | None
    customers: int
    intervals: int
    returns: int
    repeat_customers: int
    every: Curve
    repeated: Curve | None

    @property
    def told(self) -> Curve | None:
        """The curve that the cycle is read from.

        None where fewer than `LEAST_REPEATED` bought twice, or where fewer than half of them were seen to go on: the
        median of those who did would then say how long was watched, not how long they take.
        """
        enough = self.repeated is not None and self.repeat_customers >= LEAST_REPEATED
        return self.repeated if enough and self.repeated and self.repeated.day_by(0.5) is not None else None

    @property
    def days(self) -> int | None:
        """The cycle: of those who go on buying, half have bought again by then."""
        return self.told.day_by_of_returning(0.5) if self.told else None

    def payload(self, curve: bool = False) -> dict[str, Any]:
        """As JSON, days whole, unknown null; `curve` adds the share back by each day."""
        told, repeated = self.told, self.repeated
        window = told.reminder_window if told else None
        found: dict[str, Any] = {
            "thing": self.thing,
            "name": self.name,
            "customers": self.customers,
            "intervals": self.intervals,
            "returns": self.returns,
            "quartile_days": {_percent(q): self.every.day_by(q) for q in QUARTILES},
            "never_returning": self.every.never_returning,
            "horizon_days": self.every.horizon,
            "cycle_days": self.days,
            "cycle_days_interval": list(told.interval_of_returning(0.5)) if told else None,
            "repeat": {
                "customers": self.repeat_customers,
                "quartile_days": {_percent(q): told.day_by_of_returning(q) if told else None for q in QUARTILES},
                "never_returning": repeated.never_returning if repeated else None,
                "horizon_days": repeated.horizon if repeated else None,
            },
            "reminder_window": {"from_day": window[0], "to_day": window[1]} if window else None,
        }
        if curve:
            found["curve"] = [
                {
                    "day": day,
                    "returned": 1 - self.every.at(day),
                    "repeat_returned": 1 - repeated.at(day) if repeated else None,
                }
                for day in range(1, self.every.horizon + 1)
            ]
        return found


@dataclass(frozen=True)
class Cycles:
    """The cycles of all categories, or of all items, most customers first."""

    as_of: date
    until: date
    by: By
    found: tuple[Cycle, ...]

    def one(self, thing: str) -> Cycle:
        """The cycle of one thing; `UsageError` for one nobody bought."""
        for cycle in self.found:
            if cycle.thing == thing:
                return cycle
        some = ", ".join(cycle.thing for cycle in self.found[:12])
        raise UsageError(
            f"Nobody bought of the {self.by} {thing!r} before {self.as_of}.", hint=f"There are, among others: {some}."
        )

    def payload(self, thing: str | None = None) -> dict[str, Any]:
        """As JSON; of one thing with its curve."""
        told = [self.one(thing).payload(curve=True)] if thing is not None else [each.payload() for each in self.found]
        return {"as_of": self.as_of, "observed_until": self.until, "by": self.by, "cycles": told}


def cycles_of(
    source: Source, as_of: date, until: date, by: By, progress: Progress = silent, thing: str | None = None
) -> Cycles:
    """When things are bought again, from what happened before `as_of`; `until`: how far it is known who came back."""
    names = item_names(source, as_of) if by == "item" else {}
    found = []
    for counts in interval_counts(source, as_of, until, by, progress):
        for start, stop in _spans(counts["thing"]):
            name = counts["thing"][start].as_py()
            if thing is None or name == thing:
                found.append(_cycle(counts.slice(start, stop - start), name, names.get(name)))
    return Cycles(as_of, until, by, tuple(sorted(found, key=lambda each: (-each.customers, each.thing))))


def _spans(things: pa.ChunkedArray) -> list[tuple[int, int]]:
    """First row and the row after the last of each run of equal things."""
    codes = things.combine_chunks().dictionary_encode().indices.to_numpy()
    edges = [0, *(np.flatnonzero(np.diff(codes)) + 1).tolist(), len(codes)]
    return [(a, b) for a, b in pairwise(edges) if b > a]


def _cycle(rows: pa.Table, thing: str, name: str | None) -> Cycle:
    columns = {column: rows[column].cast(pa.float64()).to_numpy() for column in rows.column_names[1:]}
    days, returned = columns["days"].astype(np.int64), columns["returned"] > 0
    every = Curve.fit(days, returned, columns["weight"], columns["weight_squares"])
    assert every is not None
    return Cycle(
        thing,
        name,
        int(columns["customer_count"].sum()),
        int(columns["interval_count"].sum()),
        int(columns["interval_count"][returned].sum()),
        int(columns["repeat_customer_count"].sum()),
        every,
        Curve.fit(days, returned, columns["repeat_weight"], columns["repeat_weight_squares"]),
    )


def _percent(share: float) -> str:
    return f"{share:.0%}".removesuffix("%")


def item_names(source: Source, as_of: date) -> dict[str, str]:
    """Names of the items that have one, as known at `as_of`."""
    if "items" not in source.tables:
        return {}
    items = versions(source, "items", as_of)
    pairs = zip(items["item_id"].to_pylist(), items["name"].to_pylist(), strict=True)
    return {item: name for item, name in pairs if name}


def observed(source: StoreSource, as_of: date) -> date:
    """How far it is known who came back: `as_of`, or the end of the orders where that is earlier."""
    return min(as_of, source.store.observed_until("orders")) if "orders" in source.tables else as_of


def cycles_now(loaded: Loaded, by: By, thing: str | None, progress: Progress) -> Cycles:
    """The cycles of an opened workspace."""
    source = loaded.source
    return cycles_of(source, loaded.as_of, observed(source, loaded.as_of), by, progress, thing)


def next_now(loaded: Loaded, by: By, within: int, progress: Progress) -> NextPurchases:
    """What is bought after what in an opened workspace."""
    source = loaded.source
    counted = successions(source, loaded.as_of, observed(source, loaded.as_of), by, within, progress)
    return next_purchases(counted, within)


def default_by(source: Source, as_of: date) -> By:
    """Categories where any item is known to be of one, else items."""
    if "items" not in source.tables:
        return "item"
    categories = versions(source, "items", as_of)["category"]
    return "category" if categories.null_count < len(categories) else "item"
