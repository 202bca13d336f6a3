"""Small tables of sales for recommenders, and every recommender fitted on two worlds that have nothing in common."""

from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from models import recommenders
from models.recommenders.interactions import Interactions
from models.recommenders.ranking import Ranked

AS_OF = date(2011, 6, 11)
DAY = (AS_OF - date(1970, 1, 1)).days
ALL = recommenders.names()


def table(rows: list[tuple[str, str, int, int]]) -> pa.Table:
    """(user, item, order days, days since the last) as a table: the days are one after another."""
    bought = [(u, i, DAY - ago - back) for u, i, days, ago in rows for back in range(days)]
    return days_table(bought)


def days_table(bought: list[tuple[str, str, int]]) -> pa.Table:
    """(user, item, day) as a table of interactions, each of quantity 1 for 2.5."""
    users, items, days = zip(*bought, strict=True) if bought else ((), (), ())
    return pa.table(
        {
            "user_id": pa.array(users, pa.string()),
            "item_id": pa.array(items, pa.string()),
            "day": pa.array(days),
            "quantity": pa.array([1.0] * len(days), pa.float64()),
            "amount": pa.array([2.5] * len(days), pa.float64()),
        }
    )


def interactions(rows: list[tuple[str, str, int, int]]) -> Interactions:
    return Interactions.from_table(table(rows), AS_OF)


def two_worlds() -> Interactions:
    """30 tea people and 30 tool people; each has four of the eight items of the own world, none of the other's."""
    rows = []
    for world in ("tea", "tool"):
        for person in range(30):
            for item in range(4):
                rows.append((f"{world}-{person:02}", f"{world}-{(person + item) % 8}", 1 + (item == 0), 10 + person))
    return interactions(rows)


WORLDS = two_worlds()


@pytest.fixture(scope="module", params=ALL)
def model(request: pytest.FixtureRequest) -> recommenders.Recommender:
    return recommenders.create(request.param).fit(WORLDS)


def same(a: Ranked, b: Ranked) -> bool:
    return (
        np.array_equal(a.items, b.items)
        and np.array_equal(a.strength, b.strength)
        and np.array_equal(a.counts, b.counts)
    )
