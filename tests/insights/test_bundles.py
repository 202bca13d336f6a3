"""Bundles: counted as by hand, expected as by other means; what is planted is found, and nothing where nothing is."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from features.orders import Orders
from insights.bundle_effects import effects
from insights.bundles import Bundle, bundles
from insights.discoveries import q_values
from insights.together import Together, explained_by_pairs

Basket = tuple[int, int, frozenset[int]]


def made(baskets: list[Basket], items: int, more: dict[int, float] | None = None) -> Orders:
    """Orders of (customer, day, items), one unit and one coin each; `more` units of something else by order."""
    size = np.array([len(held) for _, _, held in baskets], np.int64)
    lines = np.array([item for _, _, held in baskets for item in sorted(held)], np.int32)
    units = size + np.array([(more or {}).get(n, 0.0) for n in range(len(baskets))])
    return Orders(
        pa.array([f"i{n:03d}" for n in range(items)]),
        np.array([who for who, _, _ in baskets], np.int64),
        np.array([day for _, day, _ in baskets], np.int64),
        units.astype(np.float64),
        units.astype(np.float64),
        np.concatenate([[0], np.cumsum(size)]).astype(np.int64),
        lines,
        np.ones(len(lines)),
        np.ones(len(lines)),
    )


def shop(seed: int, planted: float, orders: int = 3000, items: int = 12) -> Orders:
    """Orders of independent items, a fifth of the shelf each; in some, item 1 was added because item 0 was there."""
    rng = np.random.default_rng(seed)
    held = rng.random((orders, items)) < rng.uniform(0.05, 0.35, (orders, 1))
    held[:, 1] |= held[:, 0] & (rng.random(orders) < planted)
    days = rng.integers(0, 90, orders)
    return made([(n % 700, int(days[n]), frozenset(np.flatnonzero(row))) for n, row in enumerate(held)], items)


BASKETS = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 80), st.frozensets(st.integers(0, 5), min_size=1)), min_size=1,
    max_size=40,
)  # fmt: skip


@settings(max_examples=10, deadline=None)
@given(BASKETS)
def test_counts_are_those_of_counting_one_by_one(baskets: list[Basket]) -> None:
    together = Together(made(baskets, 6), 2)
    by_hand: dict[tuple[int, ...], Counter[int]] = {}
    for who, _, held in baskets:
        for n in (2, 3):
            for items in combinations(sorted(held), n):
                by_hand.setdefault(items, Counter())[who] += 1
    enough = {items: each for items, each in by_hand.items() if len(each) >= 2}
    pairs = together.pairs()
    triples, tried = together.triples(pairs)
    found = {}
    for counted in (pairs, triples):
        for items, n, customers, squares in zip(
            together.items[counted.items], counted.orders, counted.customers, counted.squares, strict=True
        ):
            found[tuple(items.tolist())] = (n, customers, squares)
    assert found == {
        items: (sum(each.values()), len(each), sum(n * n for n in each.values())) for items, each in enough.items()
    }
    assert tried >= len(triples.orders)


def test_expected_by_hand() -> None:
    """Two months. In the first 6 orders of two items: a is in 4, b in 3, c in 4, d in 1, so there are Σ s (s − 1) = 12
    halves of pairs among the 12² − 4² − 3² − 4² − 1² = 102 that could be: a and b would be together in
    4 × 3 × 12 / 102. In the second all orders are of one item: nothing is together.
    """
    a, b, c = 0, 1, 2
    first = [(0, 1, {a, b}), (1, 2, {a, b}), (2, 3, {a, c}), (3, 4, {a, c}), (4, 5, {b, c}), (5, 6, {c, 3})]
    second = [(who, 40, {item}) for who, item in ((0, a), (1, b), (2, b))]
    orders = made([(who, day, frozenset(held)) for who, day, held in [*first, *second]], 4)
    pairs = Together(orders, 2).pairs()
    told = {
        tuple(items.tolist()): (n, e) for items, n, e in zip(pairs.items, pairs.orders, pairs.expected, strict=True)
    }
    assert told[a, b] == (2, pytest.approx(4 * 3 * 12 / 102))
    assert told[a, c] == (2, pytest.approx(4 * 4 * 12 / 102))


def fitted(table: np.ndarray) -> np.ndarray:
    """Iterative proportional fitting of the pairs' margins, which the model without an interaction of three keeps."""
    cells = np.ones((2, 2, 2))
    for _ in range(300):
        for axis in range(3):
            cells *= np.expand_dims(table.sum(axis=axis) / cells.sum(axis=axis), axis)
    return cells


@pytest.mark.parametrize("seed", range(4))
def test_what_pairs_explain_is_what_fitting_their_margins_gives(seed: int) -> None:
    table = np.random.default_rng(seed).integers(1, 60, (2, 2, 2)).astype(float)
    singles = [table[1].sum(), table[:, 1].sum(), table[:, :, 1].sum()]
    pairs = [table[1, 1].sum(), table[1, :, 1].sum(), table[:, 1, 1].sum()]
    expected, variance = explained_by_pairs(
        np.array([table.sum()]), [np.array([[n]]) for n in singles], [np.array([[n]]) for n in pairs]
    )
    cells = fitted(table)
    assert expected[0, 0] == pytest.approx(cells[1, 1, 1], rel=1e-6)
    assert variance[0, 0] == pytest.approx(1 / (1 / cells).sum(), rel=1e-6)


def test_nothing_is_explained_where_there_is_nothing() -> None:
    zero = [np.zeros((1, 1))] * 3
    expected, variance = explained_by_pairs(np.array([9.0]), zero, zero)
    assert (expected[0, 0], variance[0, 0]) == (0, 0)


@settings(max_examples=10, deadline=None)
@given(BASKETS)
def test_expected_pairs_add_up_to_those_there_are(baskets: list[Basket]) -> None:
    """Over all pairs, in every stratum: here in one, since all orders are of one day and of three or four items."""
    alike = [(who, 0, held) for who, _, held in baskets if len(held) in (3, 4)]
    together = Together(made(alike, 6), 1)
    n, (chance, *_) = together.by_size.sum(axis=1), together._chance
    halves = sum(len(held) * (len(held) - 1) for _, _, held in alike)
    assert chance * (n.sum() ** 2 - (n**2).sum()) == pytest.approx(halves)


def test_what_was_planted_is_found_and_nothing_else() -> None:
    found = bundles(shop(1, 0.6))
    assert [each.items for each in found.pairs] == [("i000", "i001")]
    assert found.of_pairs.tried == 66
    (pair,) = found.pairs
    assert 1 < pair.lift_from < pair.lift < pair.lift_to
    assert pair.q <= 0.05


def test_where_nothing_goes_together_little_is_found() -> None:
    """Large and small orders alone would make every plain lift larger than 1."""
    found = [bundles(shop(seed, 0.0)) for seed in range(2, 7)]
    assert sum(len(each.pairs) for each in found) <= 1
    all_ = Together(shop(2, 0.0), 20).pairs()
    assert np.mean(all_.orders / all_.expected) == pytest.approx(1, abs=0.05)


def test_a_triple_is_found_beyond_its_pairs_only() -> None:
    """Three items of which any two are bought together, all three by chance; and three that are bought together."""
    rng = np.random.default_rng(3)
    baskets = []
    for n in range(6000):
        held = set(np.flatnonzero(rng.random(8) < 0.15).tolist())
        if n % 12 == 0:
            held |= set(rng.permutation(3)[:2].tolist())
        if n % 12 == 6:
            held |= {3, 4, 5}
        baskets.append((n % 900, n % 60, frozenset(held)))
    found = bundles(made(baskets, 8))
    assert {each.items for each in found.pairs} >= {("i000", "i001"), ("i003", "i004")}
    assert [each.items for each in found.triples] == [("i003", "i004", "i005")]
    assert found.of_triples.tried >= 2


def test_orders_of_one_customer_count_less() -> None:
    """The same orders, of 2000 customers and of 40 who buy much the same: fewer know less."""
    rng = np.random.default_rng(4)
    held = [frozenset({0, 1}) if n % 10 == 0 else frozenset(rng.permutation(6)[:2].tolist()) for n in range(2000)]
    many, few = (
        bundles(made([(n if spread else n // 10 % 40, n % 30, each) for n, each in enumerate(held)], 6))
        for spread in (True, False)
    )
    (one,), (other,) = ([each for each in found.pairs if each.items == ("i000", "i001")] for found in (many, few))
    assert one.lift == other.lift
    assert one.lift_from > other.lift_from


def test_q_values_are_those_of_benjamini_and_hochberg() -> None:
    p = np.random.default_rng(0).random(50) ** 3
    assert q_values(p) == pytest.approx(false_discovery_control(p, method="bh"))
    assert q_values(p, 80) == pytest.approx(false_discovery_control([*p, *[1.0] * 30], method="bh")[:50])
    assert q_values([]).size == 0


def added(further: float, seed: int = 0) -> dict[tuple[str, ...], object]:
    """Earlier, item 0 is in all orders and item 1 in few; later, orders with both hold more of something else."""
    rng = np.random.default_rng(seed)
    earlier = made([(who, 0, frozenset({0, 1} if who % 5 == 0 else {0})) for who in range(400)], 2)
    baskets = [(who, 10, frozenset({0, 1} if who % 2 else {0})) for who in range(400)]
    more = {n: 5 + rng.random() + further * (n % 2) for n in range(400)}
    return effects([("i000", "i001")], earlier, made(baskets, 2, more), 20)


def test_effects_by_hand() -> None:
    effect = added(3.0)["i000", "i001"]
    assert (effect.anchor, effect.added, effect.verdict) == (("i000",), "i001", "more")
    assert (effect.orders_with, effect.orders_without, effect.matched_share) == (200, 200, 1.0)
    assert effect.further_units.mean == pytest.approx(3.0, abs=0.1)
    assert effect.further_units.low < 3.0 < effect.further_units.high
    assert effect.further_units.low == pytest.approx(effect.further_units.mean - 1.96 * (2 / 12 / 200) ** 0.5, abs=0.02)
    assert effect.units.mean == pytest.approx(effect.further_units.mean + 1, abs=0.02)
    assert added(-3.0)["i000", "i001"].verdict == "fewer"
    assert added(0.0)["i000", "i001"].verdict == "open"


def test_only_comparable_orders_are_compared() -> None:
    """Who adds the item buys more at any time: among customers of the same earlier orders there is no difference."""
    earlier = made([(who, 0, frozenset({0})) for who in range(400)], 2, {n: 50.0 * (n % 2) for n in range(400)})
    baskets = [(who, 10, frozenset({0, 1} if who % 10 < 1 + 4 * (who % 2) else {0})) for who in range(400)]
    later = made(baskets, 2, {n: 50.0 * (n % 2) + (n // 2) % 3 for n in range(400)})
    effect = effects([("i000", "i001")], earlier, later, 20)["i000", "i001"]
    assert effect.verdict == "open"
    assert abs(effect.further_units.mean) < 1


def test_too_few_are_not_judged() -> None:
    earlier = made([(who, 0, frozenset({0, 1})) for who in range(50)], 2)
    later = made([(who, 10, frozenset({0, 1} if who < 10 else {0})) for who in range(50)], 2)
    assert effects([("i000", "i001")], earlier, later, 20) == {}
    assert effects([], earlier, later, 20) == {}


def test_nothing_bought_is_no_bundle() -> None:
    assert bundles(made([], 3)).pairs == ()
    assert bundles(made([(0, 0, frozenset({0}))], 3)).triples == ()
    assert Bundle(("a", "b"), 1, 1, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0).payload()["items"] == ["a", "b"]
