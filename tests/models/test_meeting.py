"""What histories have to do with what is asked: the cells of a product of matrices, without the product."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import random as scattered

from models.recommenders import meeting
from models.recommenders.deletion import linear


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 6), st.integers(1, 8), st.integers(0, 10_000), st.integers(1, 40))
def test_parts_of_a_sum_are_those_of_the_product(customers: int, items: int, seed: int, cells: int) -> None:
    draw = np.random.default_rng(seed)
    taste, weights = (scattered(n, items, 0.4, "csr", rng=draw) for n in (customers, items))
    weights.data[draw.random(weights.nnz) < 0.2] = 0  # a weight of nothing is no reason
    pairs = np.flatnonzero(draw.random(customers * items) < 0.5)
    draw.shuffle(pairs)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(meeting, "_CELLS_AT_ONCE", cells)
        found = linear(taste, weights, pairs // items, pairs % items)
    expected = taste[pairs // items].multiply(weights.T.tocsr()[pairs % items]).tocsr()
    assert found.nnz == expected.nnz
    assert np.array_equal(found.toarray(), expected.toarray())
