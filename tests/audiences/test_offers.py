"""Many offers at once: bounds are kept, the oracle is met, what cannot be is refused by name."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import lil_matrix

from audiences.offers import ImpossibleError, assign
from audiences.prices import Offering, prices


def oracle(worth: np.ndarray, least: np.ndarray, most: np.ndarray, each: int) -> float | None:
    """The best by HiGHS; None where there is none."""
    customers, offers = worth.shape
    may = np.isfinite(worth)
    sums = lil_matrix((customers + offers, customers * offers))
    for row in range(customers):
        sums[row, row * offers : (row + 1) * offers] = 1
    for offer in range(offers):
        sums[customers + offer, offer::offers] = 1
    bounds = LinearConstraint(sums.tocsr(), np.r_[np.zeros(customers), least], np.r_[np.full(customers, each), most])
    found = milp(-np.where(may, worth, 0).ravel(), constraints=bounds, bounds=Bounds(0, may.ravel().astype(float)))
    return -found.fun if found.status == 0 else None


def small(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """A few customers and offers, ties and barred pairs among them."""
    rng = np.random.default_rng(seed)
    customers, offers = int(rng.integers(1, 10)), int(rng.integers(1, 6))
    worth = rng.random((customers, offers)) if seed % 2 else rng.integers(0, 4, (customers, offers)) / 4
    worth = np.where(rng.random(worth.shape) < 0.2, -np.inf, worth)
    least = rng.integers(0, 3, offers)
    return worth, least, least + rng.integers(0, 4, offers), int(rng.integers(1, 4))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 100_000))
def test_the_best_is_found_and_proven(seed: int) -> None:
    worth, least, most, each = small(seed)
    best = oracle(worth, least, most, each)
    if best is None:
        with pytest.raises(ImpossibleError):
            assign(worth, least, most, each)
        return
    found = assign(worth, least, most, each)
    sizes = found.given.sum(axis=0)
    assert ((least <= sizes) & (sizes <= most)).all()
    assert (found.given.sum(axis=1) <= each).all()
    assert np.isfinite(worth[found.given]).all()
    assert found.worth <= best + 1e-9 <= found.bound + 2e-9
    assert found.worth == pytest.approx(best, abs=1e-7)
    assert found.gap <= 0.005


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 100_000), st.integers(0, 1000))
def test_whatever_the_prices_nothing_is_worth_more_than_their_bound(seed: int, other: int) -> None:
    worth, least, most, each = small(seed)
    best = oracle(worth, least, most, each)
    tried = np.random.default_rng(other).normal(0, 0.5, worth.shape[1])
    offering = Offering(worth, least, most, each)
    if best is not None:
        assert offering.bound(tried, offering.choices(tried)[1]) >= best - 1e-9
        assert prices(offering)[1] >= best - 1e-9


def test_by_hand() -> None:
    """One kettle, for which Ann would pay 5 and Bob 4; Ann takes tea for 3 as gladly as Bob for 1. So Bob gets the
    kettle? No: 5 + 1 < 4 + 3. And with two kettles both do."""
    worth = np.array([[5.0, 3.0], [4.0, 1.0]])
    found = assign(worth, np.array([0, 0]), np.array([1, 2]))
    assert (found.worth, found.given.tolist()) == (7.0, [[False, True], [True, False]])
    assert 2 <= found.prices[0] <= 3
    assert assign(worth, np.array([0, 0]), np.array([2, 2])).worth == 9.0
    assert assign(worth, np.array([0, 2]), np.array([2, 2])).worth == 4.0
    assert assign(worth, np.array([0, 0]), np.array([1, 2]), each=2).worth == 9.0


def test_offers_all_alike() -> None:
    """Where everybody likes all offers equally no price parts them; the places are filled all the same."""
    found = assign(np.ones((30, 3)), np.array([0, 5, 0]), np.array([10, 10, 4]))
    assert (found.worth, found.gap) == (24.0, 0.0)
    assert found.given.sum(axis=0).tolist() == [10, 10, 4]


def test_what_cannot_be_is_named() -> None:
    worth = np.array([[1.0, -np.inf], [1.0, -np.inf], [1.0, 1.0]])
    with pytest.raises(ImpossibleError) as told:
        assign(worth, np.array([0, 2]), np.array([3, 3]))
    assert (told.value.offers.tolist(), told.value.missing.tolist()) == ([1], [1])
    with pytest.raises(ImpossibleError) as told:
        assign(worth, np.array([4, 0]), np.array([9, 3]))
    assert (told.value.offers.tolist(), told.value.missing.tolist()) == ([0], [1])


def test_nobody_and_nothing() -> None:
    nothing = np.zeros(0, np.int64)
    assert assign(np.zeros((3, 0)), nothing, nothing).worth == 0
    assert assign(np.zeros((0, 2)), np.array([0, 0]), np.array([5, 5])).given.shape == (0, 2)
    assert not assign(np.full((3, 2), -np.inf), np.array([0, 0]), np.array([5, 5])).given.any()


def test_a_larger_one_is_close_to_its_bound() -> None:
    """Two thousand customers, twelve offers, of which three have least sizes that nobody would fill."""
    rng = np.random.default_rng(5)
    worth = rng.beta(1, 12, (2000, 12)) * rng.uniform(1, 9, 12)
    least = np.where(np.arange(12) < 3, 150, 0)
    most = np.maximum(least, rng.integers(40, 260, 12))
    found = assign(worth, least, most)
    sizes = found.given.sum(axis=0)
    assert ((least <= sizes) & (sizes <= most)).all()
    assert found.gap <= 0.005


def test_the_example_of_the_page() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "offers.md").read_text(encoding="utf-8")
    code, claims = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    names: dict[str, object] = {}
    exec(code, names)
    for claim in claims.splitlines():
        exec(f"assert {claim}", names)
