"""The longest factors first: nothing that belongs into a list is passed over, and most items are not looked at."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from models.recommenders import longest_first
from models.recommenders.longest_first import LongestFirst
from models.recommenders.ranking import only, rank, rank_entries


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 300), st.integers(1, 20), st.integers(1, 100), st.booleans())
def test_lists_are_those_of_all_products(seed: int, items: int, k: int, first: int, restricted: bool) -> None:
    draw = np.random.default_rng(seed)
    factors = draw.normal(size=(items, 5)) * draw.pareto(0.7, (items, 1)) * 0.1
    customers = draw.normal(size=(6, 5)) * np.array([0, 1e-5, 0.1, 1, 1, 30])[:, None]
    alike = draw.random(items) < 0.3
    factors[alike] = np.round(factors[alike], 1)  # ties
    allowed = draw.random(items) < draw.random() if restricted else None
    blocked = csr_matrix(draw.random((6, items)) < draw.random()) if restricted else None
    place = draw.permutation(items)
    expected = rank(only(customers @ factors.T, allowed), k, place, blocked, rounded=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(longest_first, "_FIRST", first)
        patch.setattr(longest_first, "_FIRST_EACH", 1)
        rows, columns = LongestFirst(factors).candidates(customers, k, allowed, blocked)
    values = (customers @ factors.T)[rows, columns]
    assert len(set(zip(rows.tolist(), columns.tolist(), strict=True))) == len(rows)
    found = rank_entries(rows, columns, values, 6, k, place, blocked, rounded=True)
    assert found.items.tolist() == expected.items.tolist()
    assert found.strength.tolist() == expected.strength.tolist()


def test_what_is_too_short_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(3)
    factors = draw.normal(size=(20_000, 16)) / np.arange(1, 20_001)[:, None] ** 0.5
    customers, looked_at = draw.normal(size=(50, 16)), []
    products = LongestFirst._products

    def counted(self: LongestFirst, customers: np.ndarray, *how: object) -> np.ndarray:
        found = products(self, customers, *how)  # type: ignore[arg-type]
        looked_at.append(found.size)
        return found

    monkeypatch.setattr(LongestFirst, "_products", counted)
    rows, _ = LongestFirst(factors).candidates(customers, 20)
    assert sum(looked_at) < 50 * 20_000 / 10
    assert (np.bincount(rows, minlength=50) >= 20).all()
