"""Intervals of shares: values printed in the papers, and a library's where it has the same."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from insights.rates import Rate, difference, log_ratio, ratio


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_is_what_scipy_says(counts: tuple[int, int]) -> None:
    hits, n = counts
    told = binomtest(hits, n).proportion_ci(0.95, method="wilson")
    assert Rate(hits, n).interval == pytest.approx((told.low, told.high), abs=1e-9)


def test_nobody_says_nothing() -> None:
    assert Rate(0, 0).payload() == {"hits": 0, "n": 0, "share": None, "low": None, "high": None}
    assert difference(Rate(0, 0), Rate(1, 2)) is None


def test_newcombe_s_example() -> None:
    """Newcombe (1998), table II, method 10: 56/70 less 48/80 is 0.2, from 0.0524 to 0.3339; 9/10 less 3/10 …"""
    assert difference(Rate(56, 70), Rate(48, 80)) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)
    assert difference(Rate(9, 10), Rate(3, 10)) == pytest.approx((0.6, 0.1705, 0.8090), abs=5e-5)
    assert difference(Rate(10, 10), Rate(0, 10)) == pytest.approx((1.0, 0.6075, 1.0), abs=5e-5)


def test_ratio_on_paper() -> None:
    """30 of 100 against 10 of 100: (30.5 / 100.5) / (10.5 / 100.5); variance 1/30.5 + 1/10.5 - 2/100.5."""
    half = 1.959964 * math.sqrt(1 / 30.5 + 1 / 10.5 - 2 / 100.5)
    middle, low, high = ratio(Rate(30, 100), Rate(10, 100))
    assert middle == pytest.approx(3.0)
    assert (math.log(low), math.log(high)) == pytest.approx(
        (math.log(30.5 / 10.5) - half, math.log(30.5 / 10.5) + half), abs=1e-6
    )


def test_ratio_where_nobody_outside_is_a_hit() -> None:
    middle, low, high = ratio(Rate(5, 10), Rate(0, 1000))
    assert middle is None
    assert 1 < low < high < math.inf
    assert log_ratio(Rate(0, 10), Rate(0, 10))[0] < 0 < log_ratio(Rate(0, 10), Rate(0, 10))[1]


def test_a_higher_level_is_a_wider_interval() -> None:
    narrow, wide = (ratio(Rate(30, 100), Rate(10, 100), level) for level in (0.95, 0.999))
    assert wide[1] < narrow[1] < narrow[2] < wide[2]
