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
    """(user, item, order days, days since the last) as a table of interactions."""
    users, items, days, ago = zip(*rows, strict=True) if rows else ((), (), (), ())
    last = [DAY - n for n in ago]
    return pa.table(
        {
            "user_id": pa.array(users, pa.string()),
            "item_id": pa.array(items, pa.string()),
            "order_days": pa.array(days, pa.int64()),
            "quantity": pa.array(days, pa.float64()),
            "amount": pa.array([2.5 * n for n in days], pa.float64()),
            "first_day": pa.array([d - n for d, n in zip(last, days, strict=True)], pa.int64()),
            "last_day": pa.array(last, pa.int64()),
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
