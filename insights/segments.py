"""The groups that every segment makes of the customers: how many, and what share of the money they bring."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.catalogue import FEATURES, Feature, NamedValue
from insights.notes import Language, Note
from insights.rfm_cuts import WINDOW_DAYS, Cut, cuts, short_window

AMOUNT, ORDERS, EVENTS, LAST = "amount_365d", "order_count_365d", "event_count_90d", "days_since_last_act"
BESIDE = (AMOUNT, ORDERS, EVENTS, LAST)
"""What is told of a group; a column that is absent is unknown."""

FIRST = ("rfm_type", "rfm_grid")
"""Shown first."""


@dataclass(frozen=True)
class Group:
    """The customers who have one value of a segment. Money and orders are of the last 365 days, events of 90."""

    value: str
    en: str
    zh: str
    users: int
    share: float | None
    amount: float | None
    amount_share: float | None
    orders: int | None
    events: int | None
    median_days_since_last_act: float | None

    @property
    def average_order_value(self) -> float | None:
        return self.amount / self.orders if self.orders and self.amount is not None else None

    def payload(self) -> dict[str, Any]:
        return {
            "value": self.value,
            "en": self.en,
            "zh": self.zh,
            "users": self.users,
            "share": self.share,
            "amount_365d": self.amount,
            "amount_share": self.amount_share,
            "order_count_365d": self.orders,
            "average_order_value": self.average_order_value,
            "event_count_90d": self.events,
            "median_days_since_last_act": self.median_days_since_last_act,
        }


@dataclass(frozen=True)
class Segment:
    """One segment: its groups in the order of the catalogue, and the customers of whom it is unknown."""

    feature: Feature
    groups: Sequence[Group]
    unknown: int

    def payload(self) -> dict[str, Any]:
        return {
            "feature": self.feature.name,
            "en": self.feature.en,
            "zh": self.feature.zh,
            "unknown": self.unknown,
            "groups": [group.payload() for group in self.groups],
        }

    def lines(self, language: Language) -> Iterator[str]:
        """A table of the groups; columns nobody knows are left out."""
        chinese = language == "zh"
        yield f"{self.feature.name}: {self.feature.zh if chinese else self.feature.en}"
        columns = [column for column in _COLUMNS if any(column.cell(group) for group in self.groups)]
        yield "\t".join(["组" if chinese else "group", *(c.zh if chinese else c.en for c in columns)])
        for group in self.groups:
            name = group.zh if chinese else f"{group.value} ({group.en})"
            yield "\t".join([name, *(column.cell(group) for column in columns)])
        if self.unknown:
            yield f"未知\t{self.unknown:,}" if chinese else f"unknown\t{self.unknown:,}"


@dataclass(frozen=True)
class _Column:
    """One column of the table people read."""

    en: str
    zh: str
    name: str
    form: str

    def cell(self, group: Group) -> str:
        value = getattr(group, self.name)
        return "" if value is None else format(value, self.form)


_COLUMNS = (
    _Column("users", "人数", "users", ",d"),
    _Column("share", "占比", "share", ".1%"),
    _Column("amount 365d", "近365天金额", "amount", ",.0f"),
    _Column("of amount", "金额占比", "amount_share", ".1%"),
    _Column("orders 365d", "近365天订单", "orders", ",d"),
    _Column("order value", "客单价", "average_order_value", ",.2f"),
    _Column("events 90d", "近90天行为", "events", ",d"),
    _Column("median days since", "距最近活跃天数中位数", "median_days_since_last_act", ",.0f"),
)


@dataclass(frozen=True)
class Segments:
    """Every segment of a date, and the cuts of RFM."""

    as_of: date
    customers: int
    segments: Sequence[Segment]
    cuts: Sequence[Cut] = ()
    notes: Sequence[Note] = ()

    def payload(self) -> dict[str, Any]:
        """All of it as JSON tells it; shares unrounded, unknown values None."""
        rfm = {cut.measure: cut.payload() for cut in self.cuts}
        return {
            "as_of": self.as_of,
            "customers": self.customers,
            "rfm": {
                "window_days": WINDOW_DAYS,
                "customers": self.cuts[0].customers if self.cuts else None,
                "cuts": rfm,
            },
            "segments": [segment.payload() for segment in self.segments],
            "notes": [note.payload() for note in self.notes],
        }

    def lines(self, language: Language = "en") -> Iterator[str]:
        """One table after the other, and what must be known beside them."""
        for segment in self.segments:
            yield from segment.lines(language)
            yield ""
        for note in self.notes:
            yield note.text(language)


def wanted(available: Iterable[Feature], only: str | None = None) -> list[str]:
    """The names of the features that `segments` reads: all segments or one, and what is told of their groups."""
    names = {feature.name: feature for feature in available}
    listed = [name for name, feature in names.items() if feature.is_segment and only in (None, name)]
    return [*listed, *(name for name in BESIDE if name in names)]


def segments(
    table: pa.Table,
    as_of: date,
    thresholds: Mapping[str, Any] | None = None,
    first_day: date | None = None,
) -> Segments:
    """The groups of every segment among the columns of a table of features, one row per customer.

    `thresholds`: the row of `rfm_thresholds` of that date; `first_day`: the first day there are data of.
    """
    found = [feature for feature in FEATURES if feature.is_segment and feature.name in table.column_names]
    found.sort(key=lambda feature: feature.name not in FIRST)
    rfm = cuts(thresholds, by_events=AMOUNT not in table.column_names) if thresholds else ()
    notes = [note for cut in rfm for note in cut.notes()]
    return Segments(
        as_of,
        table.num_rows,
        [_segment(table, feature) for feature in found],
        rfm,
        [*short_window(as_of, first_day), *notes],
    )


def _segment(table: pa.Table, feature: Feature) -> Segment:
    column = table[feature.name].combine_chunks()
    beside = {name: _numbers(table, name) for name in BESIDE if name in table.column_names}
    place = pc.index_in(column, value_set=pa.array([value.value for value in feature.values], pa.string()))
    codes = place.fill_null(-1).to_numpy(zero_copy_only=False)
    groups = [_group(value, codes == code, beside) for code, value in enumerate(feature.values)]
    return Segment(feature, groups, int((codes < 0).sum()))


def _group(value: NamedValue, inside: NDArray[np.bool_], beside: Mapping[str, NDArray[np.float64]]) -> Group:
    users = int(inside.sum())
    sums = {name: float(np.nansum(column[inside])) for name, column in beside.items()}
    whole = float(np.nansum(beside[AMOUNT])) if AMOUNT in beside else 0.0
    known = beside[LAST][inside] if LAST in beside else np.empty(0)
    known = known[~np.isnan(known)]
    return Group(
        value.value,
        value.en,
        value.zh,
        users,
        users / inside.size if inside.size else None,
        sums.get(AMOUNT),
        sums[AMOUNT] / whole if whole else None,
        round(sums[ORDERS]) if ORDERS in sums else None,
        round(sums[EVENTS]) if EVENTS in sums else None,
        float(np.median(known)) if known.size else None,
    )


def _numbers(table: pa.Table, name: str) -> NDArray[np.float64]:
    numbers: NDArray[np.float64] = table[name].combine_chunks().cast(pa.float64()).to_numpy(zero_copy_only=False)
    return numbers
