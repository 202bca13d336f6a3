"""Calendar months and ISO weeks of the business zone, numbered alike in Python and in SQL.

A month's number counts months since January 1970; a week's counts weeks since the one that holds 1970-01-01. Days are
those of the business zone already, so no zone arithmetic happens here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from typing import Literal

import numpy as np
import pyarrow as pa

from features.windows import day_number

Grain = Literal["month", "week"]

YEAR = {"month": 12, "week": 52}
"""Periods that stand for a year."""

_FIRST_MONDAY = date(1969, 12, 29)
_LAST_DAY = date(2101, 1, 1)


@dataclass(frozen=True)
class Period:
    """A month or a week: its number, its name (2011-03, 2011-W09), its first day and the day after its last.

    `complete` says whether all of it lies before the cutoff and before the end of what was observed.
    """

    number: int
    name: str
    start: date
    end: date
    complete: bool


def number_of(day: date, grain: Grain) -> int:
    """The number of the period that holds a day."""
    if grain == "month":
        return (day.year - 1970) * 12 + day.month - 1
    return (day - _FIRST_MONDAY).days // 7


def first_day(number: int, grain: Grain) -> date:
    """The first day of the period of that number."""
    if grain == "month":
        return date(1970 + number // 12, number % 12 + 1, 1)
    return _FIRST_MONDAY + timedelta(weeks=number)


def name_of(number: int, grain: Grain) -> str:
    """2011-03, or 2011-W09 by the year that ISO gives the week."""
    start = first_day(number, grain)
    if grain == "month":
        return f"{start:%Y-%m}"
    iso = start.isocalendar()
    return f"{iso.year:04d}-W{iso.week:02d}"


def last_number(as_of: date, grain: Grain) -> int:
    """The number of the period that holds the day before a cutoff."""
    return number_of(as_of - timedelta(days=1), grain)


def periods(first: date, as_of: date, grain: Grain, observed_until: date | None = None) -> tuple[Period, ...]:
    """Every period from the one that holds `first` to the one that holds the day before `as_of`, in order.

    `observed_until` is the start of the day after the last row of the table whose rows count; the cutoff if absent.
    """
    known_until = min(as_of, observed_until or as_of)
    numbers = range(number_of(first, grain), last_number(as_of, grain) + 1)
    ends = [first_day(n + 1, grain) for n in numbers]
    return tuple(
        Period(n, name_of(n, grain), first_day(n, grain), end, end <= known_until)
        for n, end in zip(numbers, ends, strict=True)
    )


def named(numbers: Iterable[int], grain: Grain) -> dict[int, str]:
    """Names of periods by their numbers."""
    return {n: name_of(n, grain) for n in numbers}


@cache
def calendar() -> pa.Table:
    """One row per day from 1970 to 2100: `day` (number), `month` and `week` (numbers), for SQL to join."""
    days = np.arange(day_number(_LAST_DAY), dtype=np.int32)
    months = np.arange("1970-01-01", str(_LAST_DAY), dtype="datetime64[D]").astype("datetime64[M]").astype(np.int32)
    weeks = ((days - day_number(_FIRST_MONDAY)) // 7).astype(np.int32)
    return pa.table({"day": days, "month": months, "week": weeks})
