"""Gates between a load and the store: rows that fit no item or user, and loads unlike what came before."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import duckdb

from warehouse.errors import Problem
from warehouse.layout import listed
from warehouse.manifest import TableManifest

MAX_UNKNOWN_SHARE = 0.05
_WHOLE_WEEKS = 7


def longest_gap(days: list[date]) -> int:
    """The most days between two neighbouring days that have rows."""
    return max(((later - earlier).days for earlier, later in pairwise(days)), default=0)


def _least(daily: dict[date, int], length: int) -> int:
    """The fewest rows that any `length` calendar days in a row have had, of those that begin on a day with rows."""
    last = max(daily)
    starts = [day for day in daily if day + timedelta(days=length - 1) <= last]
    return min((sum(daily.get(day + timedelta(days=i), 0) for i in range(length)) for day in starts), default=0)


def drift(before: TableManifest | None, after: TableManifest) -> list[Problem]:
    """What is surprising in a new version: rows a day fell by more than half, or a gap over twice the longest so far.

    A first load never surprises. What comes on top is compared with what was there; where everything was read anew, the
    whole with the whole. Loads of less than a week are measured by the quietest stretch of that length, because days of
    the week differ.
    """
    if before is None or not before.daily or not after.daily:
        return []
    old = {date.fromisoformat(day): count for day, count in before.daily.items()}
    new = {date.fromisoformat(day): count for day, count in after.daily.items()}
    added = {day: count - old.get(day, 0) for day, count in new.items() if count > old.get(day, 0)}
    file = after.sources[-1].path
    fix = 'If it is right, load it with --accept-drift "reason".'
    problems = []
    grown = min(old) == min(new) and sum(new.values()) >= sum(old.values())
    part = {day: count for day, count in added.items() if day > max(old)} if grown else new
    if part:
        covered = (max(part) - min(part)).days + 1
        usual = sum(old.values()) / ((max(old) - min(old)).days + 1) * covered
        if covered < _WHOLE_WEEKS:
            usual = min(usual, _least(old, covered) or usual)
        if sum(part.values()) < 0.5 * usual:
            found = f"{sum(part.values()):,} rows over {covered} days, where {usual:,.0f} were usual"
            problems.append(Problem(file, None, None, found, "at least half of what is usual", fix))
    gap, known = longest_gap(sorted(new)), longest_gap(sorted(old))
    if known and gap > 2 * known:
        found = f"{gap} days without a row in {after.table}, where {known} were the most"
        problems.append(Problem(file, None, None, found, f"at most {2 * known} days", fix))
    return problems


def unknown_references(
    connection: duckdb.DuckDBPyConnection, table: str, rows: list[Path], column: str, known: list[Path]
) -> tuple[int, int]:
    """How many rows name an id that the other table lacks, and how many name one at all."""
    mine, theirs = listed(rows), listed(known)
    unknown, total = connection.execute(
        f"select count(*) filter ({column} not in (select {column} from {theirs})), count(*)"
        f" from {mine} where {column} is not null"
    ).fetchall()[0]
    return int(unknown), int(total)


def look_alikes(connection: duckdb.DuckDBPyConnection, rows: list[Path], column: str) -> int:
    """How many ids differ from another only in case or in how their letters are composed."""
    return int(
        connection.execute(
            f"with ids as (select distinct {column} as id from {listed(rows)} where {column} is not null)"
            " select coalesce(sum(n), 0) from (select count(*) as n from ids group by lower(nfc_normalize(id)) having count(*) > 1)"
        ).fetchall()[0][0]
    )
