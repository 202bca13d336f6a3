"""The chain of the lifecycle: its steps by hand, and where it settles."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from insights.chain import State, drawn, expected, retention_to_hold, settled_share

SOME = st.floats(0.05, 0.95)


def state(new: float, active: float, dormant: list[float], lapsed: float) -> State:
    return State(np.array([new]), np.array([active]), np.array([dormant]), np.array([lapsed]))


def test_one_step_by_hand() -> None:
    """100 old of whom 60 stay, 20 new of whom 5 stay, 40 dormant of whom 10 wake, 200 lapsed of whom 20 return."""
    after = expected(state(20, 100, [40], 200), np.array([0.6, 0.25, 0.25, 0.1]), 30)
    assert after.new.tolist() == [30]
    assert after.active.tolist() == [60 + 5 + 10 + 20]
    assert after.dormant.tolist() == [[40 + 15]]
    assert after.lapsed.tolist() == [200 - 20 + 30]
    assert after.active_rate[0] == pytest.approx((30 + 95) / (360 + 30))


def test_the_longer_silent_pass_on_through_their_stages() -> None:
    after = expected(state(0, 100, [40, 8], 10), np.array([0.9, 0.5, 0.5, 0.0]), 0)
    assert after.dormant.tolist() == [[pytest.approx(10), 20]]
    assert after.lapsed.tolist() == [10 + 4]
    assert after.active.tolist() == [90 + 24]


def test_with_one_period_who_leaves_has_lapsed() -> None:
    after = expected(state(10, 100, [], 50), np.array([0.9, 0.5, 0.0, 0.2]), 0)
    assert after.lapsed.tolist() == [pytest.approx(40 + 10 + 5)]
    assert after.active.tolist() == [pytest.approx(90 + 5 + 10)]


@settings(deadline=None, max_examples=25)
@given(SOME, SOME, SOME, SOME, st.integers(1, 4), st.lists(st.floats(1, 1000), min_size=6, max_size=6))
def test_it_settles_where_the_formula_says(
    r: float, fresh: float, w: float, b: float, lapsed_after: int, start: list[float]
) -> None:
    now = state(start[0], start[1], start[2 : 2 + lapsed_after - 1], start[5])
    for _ in range(600):
        now = expected(now, np.array([r, fresh, w, b]), 0)
    share = settled_share((r, fresh, w, b), lapsed_after)
    assert share is not None
    assert now.active_rate[0] == pytest.approx(share, abs=1e-9)
    assert now.ever_seen[0] == pytest.approx(sum(start[: 2 + lapsed_after - 1]) + start[5])
    if lapsed_after == 2:
        assert share == pytest.approx(1 / (1 + (1 - r) + (1 - r) * (1 - w) / b))
    assert retention_to_hold(share, (r, fresh, w, b), lapsed_after) == pytest.approx(r)


def test_for_other_periods_of_silence_the_formula_of_two_does_not_hold() -> None:
    rates = (0.6, 0.3, 0.25, 0.1)
    assert settled_share(rates, 1) == pytest.approx(1 / (1 + 0.4 / 0.1))
    assert settled_share(rates, 2) == pytest.approx(1 / (1 + 0.4 + 0.4 * 0.75 / 0.1))
    assert settled_share(rates, 3) == pytest.approx(1 / (1 + 0.4 + 0.4 * 0.75 + 0.4 * 0.75**2 / 0.1))


def test_the_same_number_of_new_ones_every_period_tends_there_too_and_growing_numbers_stay_above() -> None:
    rates = np.array([0.6, 0.3, 0.25, 0.1])
    share = settled_share(rates, 2) or 0.0
    steady = growing = state(100, 0, [0], 0)
    apart = []
    for k in range(4000):
        steady = expected(steady, rates, 100)
        growing = expected(growing, rates, 100 * 1.02**k) if k < 500 else growing
        apart.append(steady.active_rate[0] - share)
    assert 0 < apart[-1] < 0.002
    assert apart[-1] == pytest.approx(apart[1999] / 2, rel=0.01)
    assert growing.active_rate[0] > share + 0.02


def test_where_nobody_returns_it_never_settles() -> None:
    assert settled_share((0.6, 0.3, 0.25, 0.0), 2) is None
    assert settled_share((1.0, 0.3, 0.25, 0.0), 2) == 1
    assert retention_to_hold(0.5, (0.6, 0.3, 0.25, 0.0), 2) is None


def test_draws_are_whole_customers_and_their_mean_is_the_expected_step() -> None:
    random = np.random.default_rng(3)
    start, rates = state(200, 1000, [400, 150], 3000), np.array([[0.6, 0.3, 0.25, 0.1]])
    after = drawn(start.repeated(4000), np.repeat(rates, 4000, axis=0), np.full(4000, 50.0), random)
    mean = expected(start, rates[0], 50)
    assert np.array_equal(after.active, np.rint(after.active))
    assert (after.ever_seen == 4800).all()
    assert after.active.mean() == pytest.approx(mean.active[0], abs=2)
    assert after.dormant.mean(axis=0) == pytest.approx(mean.dormant[0], abs=2)
