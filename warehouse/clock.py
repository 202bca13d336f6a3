"""Dates of the business zone and the UTC instants they stand for.

Nothing here reads the clock of the machine: `as_of` is always given.
Instants are naive `datetime` in UTC, as in the store.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from warehouse.errors import UsageError


def zone(name: str) -> ZoneInfo:
    """The IANA time zone of that name; `UsageError` where there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UsageError(
            f'There is no time zone "{name}".', hint="Use an IANA name such as Europe/London or Asia/Shanghai."
        ) from error


def parse_day(text: str | date) -> date:
    """A day written as 2011-06-11; `UsageError` for anything else."""
    if isinstance(text, datetime):
        raise UsageError("A cutoff is a whole day.", hint="Give a date such as 2011-06-11.")
    if isinstance(text, date):
        return text
    try:
        return date.fromisoformat(text.strip())
    except ValueError as error:
        raise UsageError(f'"{text}" is not a date.', hint="Write it as 2011-06-11.") from error


def instant(day: date, zone_name: str) -> datetime:
    """The UTC instant, without zone, of 00:00 of `day` in the business zone."""
    return datetime.combine(day, time(), zone(zone_name)).astimezone(UTC).replace(tzinfo=None)


def window_start(as_of: date, days: int, zone_name: str) -> datetime:
    """The first instant of the `days` calendar days that end where `as_of` begins."""
    return instant(as_of - timedelta(days=days), zone_name)


def local_day(moment: datetime, zone_name: str) -> date:
    """The day of the business zone in which a UTC instant falls."""
    return moment.replace(tzinfo=UTC).astimezone(zone(zone_name)).date()
