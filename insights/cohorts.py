"""Retention by cohort: of those first seen in a period, how many act again 1, 2, 3 … periods later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from features.periods import Period
from insights.groups import ratio

MOST_COHORTS = {"month": 36, "week": 52}
"""Cohorts shown, the latest ones: a triangle of weeks over many years is read by nobody."""

MOST_VALUES = 12
"""Values of a trait shown, those with the most customers."""


def triangles(cohorts: pa.Table, periods: Sequence[Period]) -> dict[str, Any]:
    """The triangle of everybody, and one for each first channel, category and discount.

    `cohorts` has users by trait, trait_value, first_period and period. In `active` and `rates` the number at place k
    belongs to k periods after the first; where that period is not over, or not yet begun, it is None and never 0.
    """
    found: dict[tuple[str, str], dict[tuple[int, int], int]] = {}
    for row in cohorts.to_pylist():
        of_value = found.setdefault((row["trait"], row["trait_value"]), {})
        of_value[row["first_period"], row["period"]] = row["users"]
    by_trait: dict[str, Any] = {}
    for trait in ("channel", "category", "discount"):
        values = [value for of, value in found if of == trait]
        largest = sorted(values, key=lambda value: (-_size(found[trait, value]), value))[:MOST_VALUES]
        by_trait[trait] = [{"value": value, "cohorts": _triangle(found[trait, value], periods)} for value in largest]
    return {
        "all": _triangle(found.get(("all", "all"), {}), periods),
        **{f"by_first_{trait}": told for trait, told in by_trait.items()},
    }


def _size(cells: Mapping[tuple[int, int], int]) -> int:
    return sum(users for (first, period), users in cells.items() if first == period)


def _triangle(cells: Mapping[tuple[int, int], int], periods: Sequence[Period]) -> list[dict[str, Any]]:
    firsts = {first for first, _ in cells}
    told: list[dict[str, Any]] = []
    for at, cohort in enumerate(periods):
        if cohort.number not in firsts:
            continue
        size = cells.get((cohort.number, cohort.number), 0)
        active = [cells.get((cohort.number, later.number), 0) if later.complete else None for later in periods[at:]]
        told.append(
            {
                "cohort": cohort.name,
                "start": cohort.start,
                "complete": cohort.complete,
                "size": size,
                "active": active,
                "rates": [None if users is None else ratio(users, size) for users in active],
            }
        )
    return told
