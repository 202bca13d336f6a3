"""How often what is suggested is bought, by where it comes from: counted by hand."""

from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from models import recommenders
from models.recommenders.interactions import Interactions
from training.evaluation.recommendation import read_test_items
from training.evaluation.sources import NOBODY, by_source

AS_OF = date(2026, 3, 1)
DAY = (AS_OF - date(1970, 1, 1)).days


def sales(*rows: tuple[str, str, int]) -> Interactions:
    users, items, ago = zip(*rows, strict=True)
    ones = np.ones(len(rows))
    columns = {"user_id": users, "item_id": items, "day": [DAY - days for days in ago], "quantity": ones}
    return Interactions.from_table(pa.table({**columns, "amount": ones}), AS_OF)


def test_each_source_counts_its_own() -> None:
    """Ann is offered her tea, then the milk of two who buy tea too; whom nobody knows what is popular."""
    held = sales(
        ("ann", "tea", 3), ("ben", "tea", 5), ("ben", "milk", 5), ("eve", "tea", 5), ("eve", "milk", 5),
        ("cem", "rice", 2), ("dan", "rice", 2),
    )  # fmt: skip
    bought = pa.table(
        {
            "user_id": ["ann", "ann", "ben", "zoe", "zoe", "yan"],
            "item_id": ["tea", "milk", "rice", "rice", "soap", "tea"],
        }
    )
    test = read_test_items(held, bought)
    model = recommenders.create("personal_frequency").fit(held)
    rows = by_source(model, test, model.recommend(test.user_rows, 10), bought, 2)
    # ann: tea (own), milk (common buyers); ben: his own two; zoe and yan, whom nobody knew: rice and tea
    assert rows == [
        {"source": "personal", "shown": 3, "bought": 1, "rate": pytest.approx(1 / 3)},
        {"source": "similar", "shown": 1, "bought": 1, "rate": 1.0},
        {"source": NOBODY, "shown": 4, "bought": 2, "rate": 0.5},
    ]


def test_nothing_is_said_of_a_source_that_shows_nothing() -> None:
    held = sales(("ann", "tea", 3))
    bought = pa.table({"user_id": ["ann"], "item_id": ["tea"]})
    test = read_test_items(held, bought)
    model = recommenders.create("popularity").fit(held)
    rows = by_source(model, test, model.recommend(test.user_rows, 10), bought)
    assert [row["source"] for row in rows] == ["popular"]
