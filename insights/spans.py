"""Names of periods as people write them, and the periods between two."""

from __future__ import annotations

import re
from datetime import date

from features.periods import Grain, name_of, number_of
from warehouse.errors import UsageError

_MONTH, _WEEK = re.compile(r"^(\d{4})-(\d{2})$"), re.compile(r"^(\d{4})-W(\d{2})$")


def number_named(name: str) -> tuple[int, Grain]:
    """The number of a period called 2011-03 or 2011-W09, and its grain; `UsageError` for any other name."""
    try:
        if found := _MONTH.match(name):
            return number_of(date(int(found[1]), int(found[2]), 1), "month"), "month"
        if found := _WEEK.match(name):
            return number_of(date.fromisocalendar(int(found[1]), int(found[2]), 1), "week"), "week"
    except ValueError:
        pass
    raise UsageError(f'"{name}" is no month or week.', hint="Write it as 2011-03, or as 2011-W09 for an ISO week.")


def span(first: str, last: str) -> list[str]:
    """The names of the periods from one to another, both included; none where they stand in the wrong order."""
    start, grain = number_named(first)
    end, other = number_named(last)
    if grain != other:
        raise UsageError(f"{first} and {last} are not both months or both weeks.")
    return [name_of(number, grain) for number in range(start, end + 1)]
