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
# Tables that grow by the day. Campaigns, tags and versions of users come in bursts.
_LOGS = ("orders", "events")
_REFERENCES = (
    ("orders", "item_id", "items"),
    ("orders", "user_id", "users"),
    ("events", "item_id", "items"),
    ("events", "user_id", "users"),
)


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
    if after.table not in _LOGS or before is None or not before.daily or not after.daily:
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


def compare_ids(
    connection: duckdb.DuckDBPyConnection,
    tables: dict[str, TableManifest],
    files: dict[str, list[Path]],
    fresh: frozenset[str],
) -> tuple[list[str], dict[str, list[Problem]]]:
    """What is worth knowing of the ids in orders and events, and by table what stops the load.

    Ids that look alike are told and kept apart; ids that the table of items or users lacks are told, and more than
    `MAX_UNKNOWN_SHARE` of rows with such an id is a problem. Only what `fresh` tables change is looked at.
    """
    notes: list[str] = []
    problems: dict[str, list[Problem]] = {}
    for table, column, other in _REFERENCES:
        if table not in tables or column not in tables[table].columns:
            continue
        if table in fresh and (count := look_alikes(connection, files[table], column)):
            notes.append(f"{table}: {count:,} values of {column} differ only in case or composition; kept apart")
        if other not in tables or not fresh & {table, other}:
            continue
        unknown, total = unknown_ids(connection, files[table], column, files[other])
        if not unknown:
            continue
        share = unknown / total
        notes.append(
            f"{table}: {unknown:,} of {total:,} rows ({share:.1%}) name a value of {column} that {other} lacks"
        )
        if share > MAX_UNKNOWN_SHARE:
            problem = Problem(
                tables[table].sources[-1].path,
                None,
                column,
                f"unknown to {other} in {share:.1%} of rows",
                f"at most {MAX_UNKNOWN_SHARE:.0%}",
                'Check that both files use the same ids, or load with --accept-drift "reason".',
            )
            problems.setdefault(table if table in fresh else other, []).append(problem)
    return notes, problems


def unknown_ids(
    connection: duckdb.DuckDBPyConnection, rows: list[Path], column: str, known: list[Path]
) -> tuple[int, int]:
    """How many rows name an id that the other table lacks, and how many name one at all."""
    unknown, total = connection.execute(
        f"select count(*) filter ({column} not in (select {column} from {listed(known)} where {column} is not null)),"
        f" count(*) from {listed(rows)} where {column} is not null"
    ).fetchall()[0]
    return int(unknown), int(total)


def look_alikes(connection: duckdb.DuckDBPyConnection, rows: list[Path], column: str) -> int:
    """How many ids differ from another only in case or in how their letters are composed."""
    return int(
        connection.execute(
            f"with ids as (select distinct {column} as id from {listed(rows)} where {column} is not null)"
            " select coalesce(sum(n), 0)"
            " from (select count(*) as n from ids group by lower(nfc_normalize(id)) having count(*) > 1)"
        ).fetchall()[0][0]
    )
