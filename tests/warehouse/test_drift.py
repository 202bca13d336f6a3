"""What counts as a surprise in a load."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest

from warehouse.drift import drift, longest_gap
from warehouse.manifest import SourceFile, TableManifest

LOADED_AT = datetime(2026, 1, 1)
START = date(2025, 1, 6)


def _manifest(counts: list[int], table: str = "orders", first: int = 0) -> TableManifest:
    """A version with so many rows on each day from `START` on."""
    daily = {(START + timedelta(days=first + i)).isoformat(): n for i, n in enumerate(counts) if n}
    source = SourceFile("orders.csv", 1, "x", LOADED_AT, ())
    return TableManifest(table, "000001", "s", sum(counts), 1, 0, (), (), (source,), None, None, LOADED_AT, daily, {})


WEEKS = [10, 10, 10, 10, 10, 2, 0] * 4
CASES = [
    ("a first load", None, [1], 0),
    ("more of the same", WEEKS, [*WEEKS, *WEEKS], 0),
    ("a quiet Saturday after busy days", WEEKS[:-2], [*WEEKS[:-2], 2], 0),
    ("a Saturday quieter than any", WEEKS[:-2], [*WEEKS[:-2], 0, 0, 0, 0, 0, 0], 0),
    ("two weeks at a third", WEEKS, [*WEEKS, *[3] * 14], 1),
    ("a new export that lost most rows", WEEKS, [n // 4 for n in WEEKS], 1),
    ("a gap of a week", WEEKS, [*WEEKS, *[0] * 7, *WEEKS], 1),
    ("a gap of four days", WEEKS, [*WEEKS, 0, *WEEKS], 0),
    ("only late rows", WEEKS, [11, *WEEKS[1:]], 0),
]


@pytest.mark.parametrize(("name", "before", "after", "surprises"), CASES, ids=[case[0] for case in CASES])
def test_surprises(name: str, before: list[int] | None, after: list[int], surprises: int) -> None:
    found = drift(_manifest(before) if before else None, _manifest(after))
    assert len(found) == surprises, found
    assert all("accept-drift" in problem.fix for problem in found)


def test_tables_that_come_in_bursts_never_surprise() -> None:
    assert drift(_manifest(WEEKS, "contacts"), _manifest([1], "contacts")) == []


def test_longest_gap() -> None:
    days = [START, START + timedelta(days=1), START + timedelta(days=5)]
    assert (longest_gap(days), longest_gap(days[:1]), longest_gap([])) == (4, 0, 0)
