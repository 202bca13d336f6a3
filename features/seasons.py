"""The shopping festivals as days: 618, Qixi (七夕), Double Eleven (双11) and Christmas."""

from __future__ import annotations

from datetime import date, timedelta
from functools import cache

import pyarrow as pa

from features.windows import day_number

# The seventh day of the seventh lunar month; a lunar calendar is not computed here.
QIXI = tuple(
    date.fromisoformat(day)
    for day in [
        "2009-08-26",
        "2010-08-16",
        "2011-08-06",
        "2012-08-23",
        "2013-08-13",
        "2014-08-02",
        "2015-08-20",
        "2016-08-09",
        "2017-08-28",
        "2018-08-17",
        "2019-08-07",
        "2020-08-25",
        "2021-08-14",
        "2022-08-04",
        "2023-08-22",
        "2024-08-10",
        "2025-08-29",
        "2026-08-19",
        "2027-08-08",
        "2028-08-26",
        "2029-08-16",
        "2030-08-05",
    ]
)
_YEARS = range(1995, 2041)


def _span(first: date, last: date) -> list[date]:
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


@cache
def festival_days() -> pa.Table:
    """One row per day of a festival: `day` (number) and `festival`. No day belongs to two.

    618: 1 to 20 June. Qixi: the day and the week before. Double Eleven: 1 to 12 November. Christmas: 1 to 25 December.
    """
    days: list[tuple[int, str]] = []
    for year in _YEARS:
        days += [(day_number(day), "618") for day in _span(date(year, 6, 1), date(year, 6, 20))]
        days += [(day_number(day), "double_eleven") for day in _span(date(year, 11, 1), date(year, 11, 12))]
        days += [(day_number(day), "christmas") for day in _span(date(year, 12, 1), date(year, 12, 25))]
    for feast in QIXI:
        days += [(day_number(day), "qixi") for day in _span(feast - timedelta(days=7), feast)]
    numbers, names = zip(*sorted(days), strict=True)
    return pa.table({"day": pa.array(numbers, pa.int32()), "festival": pa.array(names, pa.string())})
