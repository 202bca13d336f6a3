"""What is special about a group: on paper, planted and found, and not found where there is nothing."""

from __future__ import annotations

from math import comb

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.catalogue import by_name
from insights.differences import Difference, _corrected, differences, fifths, p_value
from insights.rates import Rate, ratio


def test_fifths_keep_equal_numbers_together() -> None:
    assert fifths(np.arange(10.0)) == [("at_least", 8.0), ("at_most", 1.0)]
    # nine in ten have nothing: only who has something can be told apart, and once is enough
    assert fifths(np.array([0.0] * 9 + [1.0])) == [("at_least", 1.0)]
    assert fifths(np.array([0.0] * 5 + [1.0] * 3 + [2.0] * 2)) == [("at_least", 2.0), ("at_most", 0.0)]
    assert fifths(np.array([3.0, 3.0])) == []


def test_on_paper() -> None:
    """Ten inside and forty outside. Inside: eight of ten spend 9 (outside four of forty); six from the north of the
    eight whose region is known (outside ten of forty)."""
    inside = np.array([True] * 10 + [False] * 40)
    spent = [9.0] * 8 + [1.0] * 2 + [9.0] * 4 + [1.0] * 36
    region = ["north"] * 6 + ["south"] * 2 + [None] * 2 + ["north"] * 10 + ["south"] * 29 + ["west"]
    table = pa.table({"entity_id": [str(k) for k in range(50)], "spent": spent, "region": region})
    found = differences(table, inside)
    by_name = {(each.feature, each.value): each for each in found.differences}
    assert set(by_name) == {("spent", 9.0), ("region", "north"), ("region", "south")}  # one of the west is too few
    assert (by_name["spent", 9.0].inside, by_name["spent", 9.0].outside) == (Rate(8, 10), Rate(4, 40))
    assert (by_name["region", "north"].inside, by_name["region", "north"].outside) == (Rate(6, 8), Rate(10, 40))
    assert by_name["spent", 9.0].medians == (9.0, 1.0)
    assert by_name["spent", 9.0].means == (7.4, 1.8)
    # Fisher: of twelve who spend 9, eight or more among ten of fifty; the smallest of three p: times three
    ways = comb(12, 8) * comb(38, 2) + comb(12, 9) * comb(38, 1) + comb(12, 10)
    assert by_name["spent", 9.0].p == pytest.approx(ways / comb(50, 10))
    assert by_name["spent", 9.0].q == pytest.approx(3 * by_name["spent", 9.0].p)
    payload = found.payload()
    assert payload["differences"][0]["feature"] == "spent"
    assert payload["differences"][0]["ratio"] == pytest.approx(8.0)
    assert (payload["comparisons"], payload["found"]) == (3, sum(each.found for each in found.differences))
    # as many hold as are found of all compared: the level of their intervals
    assert found.level == pytest.approx(1 - 0.05 * payload["found"] / 3)
    assert "spent ≥ 9\t80.0% (8 / 10)\t10.0% (4 / 40)\t8.00" in "\n".join(found.lines())


def test_q_is_that_of_benjamini_and_hochberg_1995() -> None:
    """Their example: of fifteen p-values the first four are found at 5 %."""
    p = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590]
    _, judged = _corrected([Difference("f", "is", "v", Rate(1, 2), Rate(1, 2), each) for each in [*p, 1.0]])
    assert [each.found for each in judged] == [True] * 4 + [False] * 11


def _customers(rng: np.random.Generator, n: int) -> dict[str, pa.Array]:
    return {
        **{f"number_{k}": pa.array(rng.exponential(size=n)) for k in range(10)},
        **{f"count_{k}": pa.array(rng.poisson(0.5, n).astype(float)) for k in range(10)},
        **{f"kind_{k}": pa.array(rng.choice(["a", "b", "c", "d"], n)) for k in range(5)},
    }


def test_nothing_is_found_where_there_is_nothing() -> None:
    """Of forty groups drawn by lot, about one in twenty may show anything at all."""
    shown = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        found = differences(pa.table(_customers(rng, 1500)), rng.random(1500) < 0.2)
        shown += any(each.found for each in found.differences)
    assert shown <= 5


def test_what_was_planted_is_found_first() -> None:
    rng = np.random.default_rng(5)
    columns = _customers(rng, 3000)
    planted = np.asarray(columns["number_3"].to_numpy()) > 2
    inside = rng.random(3000) < np.where(planted, 0.4, 0.1)
    found = differences(pa.table(columns), inside)
    assert found.differences[0].feature == "number_3"
    assert found.differences[0].more
    # the truth: of the planted four times as many are inside
    _, low, high = ratio(found.differences[0].inside, found.differences[0].outside)
    assert 1.5 < low < high


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_the_group_and_the_others_are_opposites(seed: int) -> None:
    """Of the others asked, every ratio is turned over, and what is found is the same."""
    rng = np.random.default_rng(seed)
    table, inside = pa.table(_customers(rng, 300)), rng.random(300) < 0.3
    one, other = differences(table, inside), differences(table, ~inside)
    turned = {(each.feature, each.side, each.value): each for each in other.differences}
    for each in one.differences:
        twin = turned[each.feature, each.side, each.value]
        assert (each.inside, each.outside) == (twin.outside, twin.inside)
        assert each.q == pytest.approx(twin.q)
        assert each.strength == pytest.approx(twin.strength)


def test_unknown_values_are_of_no_side() -> None:
    inside = np.array([True, True, False, False] * 10)
    numbers = pa.array([1.0, None, 2.0, None] * 10)
    (each,) = differences(pa.table({"x": numbers}), inside).differences
    assert (each.inside.n, each.outside.n) == (10, 10)
    assert each.inside.hits == 0
    nothing = pa.table({"x": pa.nulls(40, pa.float64()), "y": pa.nulls(40, pa.string())})
    assert differences(nothing, inside).differences == []


def test_what_the_rule_says_is_marked_and_left_out_of_the_lines() -> None:
    rng = np.random.default_rng(1)
    orders = rng.poisson(2, 400).astype(float)
    table = pa.table({"order_count_90d": orders, "order_count_365d": orders + 1, "amount_90d": orders * 10})
    found = differences(table, orders >= 3, by_name(), {"order_count_90d"})
    related = {each.feature for each in found.differences if each.related}
    assert related == {"order_count_90d", "order_count_365d"}
    assert "orders in the last" not in "\n".join(found.lines())
    assert "money spent in the last 90 days ≥" in "\n".join(found.lines())
    narrowed = differences(table, orders >= 3, by_name(), {"order_count_90d"}, only={"money"})
    assert {each.feature for each in narrowed.differences} == {"amount_90d"}


def test_p_values_at_the_ends() -> None:
    assert p_value(Rate(0, 5), Rate(0, 9)) == 1.0
    assert p_value(Rate(5, 5), Rate(9, 9)) == 1.0
    # many, by the normal one: (0.6 - 0.5) / sqrt(0.55 * 0.45 * 2 / 1000) = 4.4947, two-sided 7.0e-6
    assert p_value(Rate(600, 1000), Rate(500, 1000)) == pytest.approx(6.97e-06, rel=0.01)
