"""The curve of buying again: a published example, an independent estimator, weights, and what is read from it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from models.cycles import Curve

# Remission of 21 patients under 6-MP in weeks (Freireich et al. 1963), the textbook example of Kaplan–Meier curves.
WEEKS = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
ENDED = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]
INTERVALS = st.lists(st.tuples(st.integers(1, 40), st.booleans(), st.integers(1, 4)), min_size=1, max_size=40)


def fitted(days: object, returned: object, weight: object = None, least: float = 0.0) -> Curve:
    curve = Curve.fit(days, returned, weight, least_watched=least)  # type: ignore[arg-type]
    assert curve is not None
    return curve


def test_the_published_example() -> None:
    curve = fitted(WEEKS, ENDED)
    assert curve.days.tolist() == [6, 7, 10, 13, 16, 22, 23]
    assert curve.surviving.round(3).tolist() == [0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448]
    errors = curve.surviving * np.sqrt(curve.variance)
    assert errors.round(4).tolist() == [0.0764, 0.0869, 0.0963, 0.1068, 0.1141, 0.1282, 0.1346]
    assert [curve.day_by(share) for share in (0.25, 0.5, 0.75)] == [13, 23, None]
    assert curve.never_returning == pytest.approx(0.448, abs=5e-4)
    assert curve.horizon == 35


@settings(max_examples=40, deadline=None)
@given(INTERVALS)
def test_it_is_the_curve_of_scipy(rows: list[tuple[int, bool, int]]) -> None:
    """Weights of 1 are so many intervals; whole weights are so many copies."""
    days, returned, copies = (np.array(column) for column in zip(*rows, strict=True))
    many, ended = np.repeat(days, copies), np.repeat(returned, copies)
    curve = fitted(days, returned, copies)
    theirs = stats.ecdf(stats.CensoredData(uncensored=many[ended], right=many[~ended])).sf if ended.any() else None
    for day in range(42):
        assert curve.at(day) == pytest.approx(1.0 if theirs is None else float(theirs.evaluate(day)), abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(INTERVALS)
def test_laws(rows: list[tuple[int, bool, int]]) -> None:
    days, returned, weight = (np.array(column) for column in zip(*rows, strict=True))
    curve = fitted(days, returned, weight)
    assert (np.diff(curve.surviving) <= 1e-12).all()
    assert 0 <= curve.never_returning <= 1
    reached = [curve.day_by(share) for share in (0.25, 0.5, 0.75)]
    told = [day for day in reached if day is not None]
    assert told == sorted(told)
    for share, day in zip((0.25, 0.5, 0.75), reached, strict=True):
        assert (day is None) == (curve.never_returning > 1 - share + 1e-9)
    if window := curve.reminder_window:
        assert 1 < window[0] <= window[1]
        inside = curve.at(window[0] - 1) - curve.at(window[1])
        assert inside >= 0.5 * (1 - curve.never_returning) - 1e-6


def test_one_weight_a_customer() -> None:
    """a came back after 10, 10 and 10 days and is away since 5, b is away since 30: 3/4 of a's weight is back."""
    curve = fitted([10, 10, 10, 5, 30], [1, 1, 1, 0, 0], [0.25, 0.25, 0.25, 0.25, 1])
    assert curve.at(9) == 1
    assert curve.at(10) == pytest.approx(1 - 0.75 / 1.75)


def test_the_curve_ends_where_too_few_are_watched() -> None:
    curve = fitted([5] * 30 + [300] * 5 + [400], [1] * 30 + [1] * 5 + [0], least=6)
    assert curve.horizon == 300
    assert fitted([5] * 30 + [300] * 5 + [400], [1] * 35 + [0], least=7).horizon == 5
    assert Curve.fit([3], [True], [0.0]) is None


def test_a_reminder_only_where_returns_gather() -> None:
    rng = np.random.default_rng(0)
    even = fitted(np.ceil(rng.gamma(9, 30 / 9, 4000)), np.ones(4000))
    window = even.reminder_window
    assert window is not None
    assert 18 <= window[0] < 28 <= window[1] < 36
    assert fitted(np.ceil(rng.exponential(30, 4000)), np.ones(4000)).reminder_window is None


def test_the_interval_of_the_median_holds_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(300):
        gaps, ends = np.ceil(rng.gamma(3, 10, 120)), rng.integers(10, 120, 120)
        low, high = fitted(np.minimum(gaps, ends), gaps <= ends).interval_of_returning(0.5)
        truth = np.ceil(stats.gamma(3, scale=10).ppf(0.5))
        held += (low or 0) <= truth <= (high or 10**6)
    assert held >= 270
