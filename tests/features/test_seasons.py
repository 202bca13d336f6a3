"""The festivals' days."""

from __future__ import annotations

import math
from datetime import date, datetime, timedelta

from features.seasons import QIXI, festival_days
from features.windows import day_number


def new_moons(year: int) -> list[date]:
    """Days (UTC+8) of mean new moons around a year: 6 January 2000 18:14 UTC and every 29.530588861 days."""
    first, month = datetime(2000, 1, 7, 2, 14), 29.530588861
    start = math.floor((datetime(year, 1, 1) - first).days / month)
    return [(first + timedelta(days=month * n)).date() for n in range(start, start + 14)]


def test_qixi_is_the_seventh_day_of_a_lunar_month_in_late_summer() -> None:
    for feast in QIXI:
        assert date(feast.year, 7, 31) <= feast <= date(feast.year, 8, 31)
        assert min(abs((feast - timedelta(days=6) - moon).days) for moon in new_moons(feast.year)) <= 1
    assert [feast.year for feast in QIXI] == list(range(QIXI[0].year, QIXI[-1].year + 1))


def test_no_day_belongs_to_two_festivals() -> None:
    days = festival_days()["day"].to_pylist()
    assert len(days) == len(set(days))
    named = dict(zip(days, festival_days()["festival"].to_pylist(), strict=True))
    assert named[day_number(date(2024, 6, 18))] == "618"
    assert named[day_number(date(2024, 11, 11))] == "double_eleven"
    assert named[day_number(date(2024, 8, 10))] == "qixi"
    assert named[day_number(date(2024, 12, 25))] == "christmas"
    assert day_number(date(2024, 7, 1)) not in named
