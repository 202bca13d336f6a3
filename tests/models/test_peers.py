"""Customers like a customer: by hand, and laws over generated sales."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.recommenders.interactions import Interactions
from models.recommenders.peers import Peers
from tests.models.conftest import AS_OF, DAY, days_table

BOUGHT = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.sampled_from("uvwxyz"), st.integers(DAY - 300, DAY - 1)),
    min_size=1,
    max_size=40,
    unique=True,
)


def test_by_hand() -> None:
    """All bought today, so taste is log 2 of each; milk, which everybody buys, tells nobody apart."""
    rows = ["a milk", "b milk", "c milk", "d milk", "a tea", "b tea", "a rice", "c rice", "d rice"]
    held = Interactions.from_table(days_table([(*row.split(), DAY - 1) for row in rows]), AS_OF)  # type: ignore[misc]
    found = Peers(held).of(0, 9)
    tea, rice = np.log(4 / 2), np.log(4 / 3)
    length = np.hypot(tea, rice)
    assert held.user_ids.take(found.user_rows).to_pylist() == ["b", "c", "d"]
    assert found.likeness == pytest.approx([tea / length, rice / length, rice / length])
    assert held.item_ids.take(found.shared).to_pylist() == ["tea", "rice", "rice"]


@settings(max_examples=60, deadline=None)
@given(BOUGHT)
def test_likeness_is_mutual_at_most_one_and_among_those_who_share(bought: list[tuple[str, str, int]]) -> None:
    held = Interactions.from_table(days_table(bought), AS_OF)
    peers, users = Peers(held), held.shape[0]
    table = np.zeros((users, users))
    for row in range(users):
        found = peers.of(row, users)
        assert row not in found.user_rows
        assert (np.diff(found.likeness) <= 0).all()
        assert (held.entries(found.user_rows, found.shared) >= 0).all()
        assert (held.entries(np.full(len(found.shared), row), found.shared) >= 0).all()
        table[row, found.user_rows] = found.likeness
    assert table == pytest.approx(table.T)
    assert table.max(initial=0) <= 1


def test_nobody_is_like_somebody_unknown() -> None:
    held = Interactions.from_table(days_table([("a", "x", DAY - 1), ("b", "x", DAY - 1), ("c", "y", DAY - 1)]), AS_OF)
    assert Peers(held).of(-1, 3).user_rows.tolist() == []
    assert Peers(held).of(0, 3, np.array([True, False, True])).user_rows.tolist() == []
