"""P(a customer buys an item): true on customers whose chances are known; and whom an item suits, by hand."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.recommenders.history import Rows
from models.recommenders.interactions import Interactions
from models.recommenders.pair_features import Items
from models.recommenders.purchase_probability import Evidence, Pairs, PurchaseProbability
from models.recommenders.takers import Takers
from tests.models.conftest import AS_OF, DAY, days_table, interactions
from training.evaluation.propensity import calibration_error
from warehouse.errors import DataProblemError

HORIZON = 30
BOUGHT = st.lists(
    st.tuples(st.sampled_from("abcd"), st.sampled_from("uvwxyz"), st.integers(DAY - 9, DAY - 1)),
    max_size=40,
    unique=True,
)


def regulars(users: int, seed: int) -> tuple[list[tuple[str, str, int]], list[tuple[str, str, int]]]:
    """Customers who buy each of twelve items by chance, at a daily rate of their own for each, over 300 days: those
    before the cutoff and those in the 30 days from it."""
    random = np.random.default_rng(seed)
    rate = random.gamma(0.35, 0.02, (users, 12))
    happened = random.random((users, 12, 300)) < rate[:, :, None]
    rows = [(f"u{u:04}", f"i{i:02}", DAY - 270 + int(d)) for u, i, d in zip(*np.nonzero(happened), strict=True)]
    return [row for row in rows if row[2] < DAY], [row for row in rows if row[2] >= DAY]


@pytest.fixture(scope="module")
def shop() -> tuple[Interactions, Rows, PurchaseProbability]:
    """Sales, the keys of the pairs bought after, and what was learnt."""
    before, after = regulars(700, 5)
    held = Interactions.from_table(days_table(before), AS_OF)
    users, items = held.user_rows([row[0] for row in after]), held.item_rows([row[1] for row in after])
    learnt = PurchaseProbability.fit(held, HORIZON)
    assert learnt is not None
    return held, np.unique((users * held.shape[1] + items)[users >= 0]), learnt


def all_pairs(held: Interactions) -> Pairs:
    users, items = held.shape
    return Pairs(Evidence(held), Items(held), np.repeat(np.arange(users), items), np.tile(np.arange(items), users))


def test_what_is_said_happens_as_often_as_it_is_said(shop: tuple[Interactions, Rows, PurchaseProbability]) -> None:
    held, bought, learnt = shop
    chance = learnt.of(all_pairs(held))
    happened = np.isin(np.arange(len(chance)), bought).astype(float)
    assert 0 < chance.min() < chance.max() < 1
    assert abs(chance.mean() - happened.mean()) < 0.015
    assert calibration_error(happened, chance) < 0.02
    surest = np.argsort(-chance)[:300]
    assert happened[surest].mean() > 4 * happened.mean()


def test_the_same_sales_give_the_same_bytes_and_arrays_give_it_back(
    shop: tuple[Interactions, Rows, PurchaseProbability],
) -> None:
    held, _, learnt = shop
    again = PurchaseProbability.fit(held, HORIZON)
    assert again is not None
    arrays = learnt.arrays()
    assert all(np.array_equal(arrays[name], other) for name, other in again.arrays().items())
    back = PurchaseProbability.from_arrays(arrays)
    assert back is not None
    pairs = all_pairs(held)
    assert np.array_equal(back.of(pairs), learnt.of(pairs))
    assert PurchaseProbability.from_arrays({}) is None


@pytest.mark.parametrize("name", ["probability_columns", "probability_calibration", "probability_trees"])
def test_damaged_arrays_are_refused(shop: tuple[Interactions, Rows, PurchaseProbability], name: str) -> None:
    arrays = shop[2].arrays()
    with pytest.raises(DataProblemError, match="damaged"):
        PurchaseProbability.from_arrays({**arrays, name: arrays[name][1:]})


def test_of_strangers_nothing_is_said(shop: tuple[Interactions, Rows, PurchaseProbability]) -> None:
    held, _, learnt = shop
    pairs = Pairs(Evidence(held), Items(held), np.array([-1, 3, -1]), np.array([0, 0, 5]))
    assert np.isnan(learnt.of(pairs)).tolist() == [True, False, True]


def test_too_little_to_learn_from() -> None:
    assert PurchaseProbability.fit(interactions([]), HORIZON) is None
    assert PurchaseProbability.fit(interactions([("a", "x", 3, 5), ("b", "x", 1, 9)]), HORIZON) is None


@settings(max_examples=40, deadline=None)
@given(BOUGHT, st.permutations("uvwxyz"), st.integers(1, 3))
def test_groups_are_what_a_file_that_named_them_would_give(
    bought: list[tuple[str, str, int]], order: list[str], groups: int
) -> None:
    held = Interactions.from_table(days_table(bought), AS_OF)
    label = {item: f"g{n % groups}" if n < 4 else None for n, item in enumerate(order)}
    grouped = held.grouped(pa.array([label[item] for item in held.item_ids.to_pylist()], pa.string()))
    named = sorted({(user, label[item], day) for user, item, day in bought if label[item]})
    expected = Interactions.from_table(days_table(named), AS_OF)
    rows = grouped.user_rows(expected.user_ids)
    for row, user in enumerate(rows.tolist()):
        mine, theirs = grouped.history([user]), expected.history([row])
        assert mine.pattern.indices.tolist() == theirs.pattern.indices.tolist()
        assert mine.each_ago.tolist() == theirs.each_ago.tolist()
    assert grouped.item_ids.to_pylist() == expected.item_ids.to_pylist()
    assert grouped.quantity.sum() == pytest.approx(sum(1 for _, item, _ in bought if label[item]))


def three_tastes() -> Interactions:
    """x and y are bought by the same three people; d has only y, e only z."""
    return interactions([
        *((user, item, 1, 10) for user in "abc" for item in "xy"),
        ("d", "y", 1, 10), ("e", "z", 1, 10),
    ])  # fmt: skip


def test_whom_an_item_suits_by_hand() -> None:
    held = three_tastes()
    x = int(held.item_rows(["x"])[0])
    found = Takers(held, None).of(x, 10)
    # taste is log 2 · 2^(−10/60); x is as much like y as 3 / √(3 · 4)
    taste, like = np.log(2) * 0.5 ** (10 / 60), 3 / np.sqrt(12)
    assert held.user_ids.take(pa.array(found.user_rows)).to_pylist() == ["a", "b", "c", "d"]
    assert found.strength.tolist() == pytest.approx([taste * (1 + like)] * 3 + [taste * like])
    assert np.isnan(found.probability).all()
    some = Takers(held, None).of(x, 2, np.array([True, False, True, True, True]))
    assert held.user_ids.take(pa.array(some.user_rows)).to_pylist() == ["a", "c"]


def test_a_whole_is_never_less_likely_than_a_part(shop: tuple[Interactions, Rows, PurchaseProbability]) -> None:
    held, _, learnt = shop
    takers = Takers(held, learnt)
    plain = takers.of(0, 50)
    raised = takers.of(0, 50, floors=[lambda rows: np.full(len(rows), 0.5)])
    assert (raised.probability >= 0.5).all()
    assert (np.diff(plain.probability) <= 0).all()
    assert raised.probability.max() == pytest.approx(max(0.5, plain.probability.max()))
