"""The clock's columns of the second stage: gaps counted by hand, and what is said of each pair."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest

from benchmarks.second_stage import clock_of, columns_of, gaps_of
from models.recommenders.interactions import Interactions

DAY = date(2024, 6, 1)
ROWS = [("a", "tea", 40), ("a", "tea", 30), ("a", "tea", 10), ("a", "pan", 5), ("b", "tea", 21), ("b", "tea", 1)]


def held(rows: list[tuple[str, str, int]]) -> Interactions:
    days = [(DAY - timedelta(days=ago) - date(1970, 1, 1)).days for _, _, ago in rows]
    table = pa.table(
        {
            "user_id": [row[0] for row in rows], "item_id": [row[1] for row in rows], "day": pa.array(days, pa.int32()),
            "quantity": [1.0] * len(rows), "amount": [1.0] * len(rows),
        }
    )  # fmt: skip
    return Interactions.from_table(table, DAY)


def test_gaps_by_hand() -> None:
    """Items are in order of their ids: a's pan, a's tea (gaps of 10 and 20 days), b's tea (20)."""
    counts, sums, squares = gaps_of(held(ROWS).everybody())
    assert counts.tolist() == [0, 2, 1]
    assert sums == pytest.approx([0, np.log(10) + np.log(20), np.log(20)])
    assert squares == pytest.approx([0, np.log(10) ** 2 + np.log(20) ** 2, np.log(20) ** 2])


def test_what_the_clock_says_of_a_pair() -> None:
    history = held(ROWS).everybody()
    clock = clock_of(history)
    assert clock is not None
    users, items = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    gap, ratio, past_due = columns_of(clock, history, users, items)
    # Of the pan nobody has a gap, and b never bought it.
    assert np.isnan(gap).tolist() == np.isnan(past_due).tolist() == [True, False, True, False]
    assert (gap[[1, 3]] >= 10).all()
    assert (gap[[1, 3]] <= 20).all()
    assert ratio[[1, 3]] == pytest.approx([10, 1] / gap[[1, 3]])
    assert past_due[[1, 3]].tolist() == [10 - round(gap[1]), 1 - round(gap[3])]
    assert clock_of(held(ROWS[3:4]).everybody()) is None
