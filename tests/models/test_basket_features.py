"""Columns of the second stage that count in baskets, worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from models.recommenders.basket_features import OF_THE_PAIR, Baskets, ItemsInBaskets
from models.recommenders.interactions import Interactions
from tests.models.conftest import AS_OF, DAY, days_table

# Ann's baskets, the last first: {x, y}, {x}, {y, z}, {x}; Bob has one of {x}
ROWS = [("ann", item, DAY - ago) for item, ago in [("x", 2), ("y", 2), ("x", 5), ("y", 9), ("z", 9), ("x", 20)]]
HELD = Interactions.from_table(days_table([*ROWS, ("bob", "x", DAY - 4)]), AS_OF)


def test_time_is_counted_in_the_customers_own_baskets() -> None:
    baskets = Baskets.of(HELD.everybody())
    assert baskets.total.tolist() == [4, 1]
    found = dict(zip(OF_THE_PAIR, baskets.columns(), strict=False))
    expected = {  # ann: x, y, z; bob: x
        "baskets_since": [0, 0, 2, 0],
        "share_of_last_1": [1, 1, 0, 1],
        "share_of_last_3": [2 / 3, 2 / 3, 1 / 3, 1],
        "share_since_first": [3 / 4, 2 / 3, 1 / 3, 1],
        "vote_share": [(1 / 2 + 1 + 1) / 3, (1 / 2 + 1 / 2) / 3, 1 / 2 / 3, 1],
        "streak": [2, 1, 0, 1],
        "gap_in_baskets": [1.5, 2, np.nan, np.nan],
        "last_gap_in_baskets": [1, 2, np.nan, np.nan],
        "baskets_since_in_gaps": [0, 0, np.nan, np.nan],
    }
    for name, values in expected.items():
        assert found[name] == pytest.approx(values, nan_ok=True), name
    weights = 0.85 ** np.arange(4)
    assert found["fading_share"][0] == pytest.approx(weights[[0, 1, 3]].sum() / weights.sum())
    votes = 0.9 ** np.arange(4) / [2, 1, 2, 1]
    assert found["fading_vote_share"][0] == pytest.approx(votes[[0, 1, 3]].sum() / votes.sum())
    assert [values.tolist() for values in baskets.of_customers()] == [[2, 1], [1.5, 1], [1, 0]]
    assert baskets.last_ones().toarray().tolist() == [[1, 1, 0], [1, 0, 0]]


def test_an_item_is_taken_again_in_the_next_basket() -> None:
    known = ItemsInBaskets(HELD)
    # x was followed by a basket twice, once with x; y once, without; z once, without
    assert known.again == pytest.approx([1.1 / 4, 0.1 / 3, 0.1 / 3])
    assert known.place == pytest.approx([(4 / 4 + 1) / 2, 3 / 4, 3 / 4])


def test_columns_have_a_value_per_entry_and_nothing_of_nothing() -> None:
    baskets = Baskets.of(HELD.history([-1]))
    assert all(values.shape == (0,) for values in baskets.columns())
    assert len(baskets.columns()) == len(OF_THE_PAIR) - 1
