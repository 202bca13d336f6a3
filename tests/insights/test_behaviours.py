"""Behaviours: differences, intervals, tests and their correction by hand and against scipy, on counts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2, chi2_contingency, false_discovery_control, hypergeom

from features.behaviours import Counts, Spans
from insights.behaviours import FALSE_DISCOVERIES, Behaviour, Behaviours, _Table, behaviours

Side = tuple[int, int]
"""Customers, and how many of them stayed."""


def counts(others: Mapping[int, Side], doers: Mapping[str, tuple[int, int, Side]]) -> Counts:
    """Who did nothing by band, and who did each behaviour: (days with others, all days, how many of them stayed)."""
    did = [
        {"behaviour": name, "round": 0, "alike": 0, "band": band, "other_band": other, "stayed": k, "users": users}
        for name, (other, band, (all_, stayed)) in doers.items() for k, users in enumerate((all_ - stayed, stayed))
    ]  # fmt: skip
    everybody = [
        {"round": 0, "alike": 0, "band": band, "stayed": k, "users": users}
        for band, (all_, stayed) in [*others.items(), *((band, side) for _, band, side in doers.values())]
        for k, users in enumerate((all_ - stayed, stayed))
    ]
    return Counts(pa.Table.from_pylist(did), pa.Table.from_pylist(everybody))


def one(
    others: Mapping[int, Side], doers: tuple[int, int, Side], leaving: bool = False
) -> tuple[Behaviour, Behaviours]:
    told = behaviours(counts(others, {"x": doers}), leaving)
    return told.all[0], told


def test_the_difference_nearer_to_nothing_with_an_interval_over_both() -> None:
    """.8 of who did it stayed; of who did as much else .2, of who came as often .4."""
    found, told = one({1: (150, 30), 2: (100, 40)}, (1, 2, (100, 80)))
    assert (found.verdict, found.share, found.users, found.compared) == ("more", 0.8, 100, 150)
    assert found.difference == pytest.approx(0.4)
    assert told.share == pytest.approx(150 / 350)
    error = [np.sqrt(0.8 * 0.2 / 100 + p * (1 - p) / n) for p, n in ((0.2, 150), (0.4, 100))]
    # One found of one tried: intervals of 99 %.
    assert told.interval_level == 1 - FALSE_DISCOVERIES
    assert (found.low, found.high) == pytest.approx((0.4 - 2.575829 * error[1], 0.6 + 2.575829 * error[0]))
    left, _ = one({1: (100, 20), 2: (100, 40)}, (1, 2, (100, 80)), leaving=True)
    assert (left.verdict, left.share) == ("less", pytest.approx(0.2))
    assert left.difference == pytest.approx(-0.4)


@pytest.mark.parametrize("stayed", [80, 50, 20])
def test_what_holds_in_one_likeness_only_is_open(stayed: int) -> None:
    """80: more than who did as much else, as many as who came as often; 20: the other way round; 50: both, opposed."""
    found, _ = one({1: (100, 20), 2: (100, 80)}, (1, 2, (100, stayed)))
    assert found.verdict == "open"
    assert found.q > 0.5


def test_few_are_not_tried() -> None:
    others = {1: (100, 20), 2: (100, 40)}
    assert behaviours(counts(others, {"x": (1, 2, (29, 29))}), False).all == []
    assert behaviours(counts(others | {2: (29, 0)}, {"x": (1, 2, (100, 80))}), False).all == []
    assert len(behaviours(counts(others, {"x": (1, 2, (30, 29))}), False).all) == 1


def test_all_that_were_tried_are_corrected_for() -> None:
    stayed = [49, 33, 35, 37, 39, 43]
    names = {f"b{k}": (1, 1, (100, each)) for k, each in enumerate(stayed)}
    told = {each.behaviour: each for each in behaviours(counts({1: (5000, 1500)}, names), False).all}
    everybody = np.array([5000 + 600, 1500 + sum(stayed)])
    p = []
    for each in stayed:
        m, x = everybody - [100, each]
        pearson = chi2_contingency([[each, 100 - each], [x, m - x]], correction=False).statistic
        p.append(chi2.sf(pearson * (m + 99) / (m + 100), 1))  # Mantel and Haenszel's, of one stratum
    q = false_discovery_control(p)
    assert [told[name].q for name in names] == pytest.approx(list(q))
    assert [told[name].verdict for name in names] == ["more" if each <= FALSE_DISCOVERIES else "open" for each in q]
    # Alone it would be found; beside five others it is not.
    assert any(alone <= FALSE_DISCOVERIES < beside for alone, beside in zip(p, q, strict=True))


sides = st.integers(2, 60).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n)))


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(sides, sides), min_size=1, max_size=5))
def test_over_strata_as_the_definitions_have_it(strata: list[tuple[Side, Side]]) -> None:
    n, y, m, x = (np.array([s[k][j] for s in strata], float) for k in (0, 1) for j in (0, 1))
    table = _Table(n, y, m, x)
    # Given the margins, hits among doers are hypergeometric.
    mean = variance = 0.0
    for (a, b), (c, d) in strata:
        k = np.arange(a + 1)
        p = hypergeom.pmf(k, a + c, b + d, a)
        mean, variance = mean + p @ k, variance + p @ k**2 - (p @ k) ** 2
    if variance > 1e-9:
        assert table.p == pytest.approx(chi2.sf((y.sum() - mean) ** 2 / variance, 1), rel=1e-6, abs=1e-12)
    weight = n * m / (n + m)
    difference, error = table.difference
    assert difference == pytest.approx(np.average(y / n - x / m, weights=weight))
    # Sato's variance: of one stratum it is the usual one of two shares.
    [first, *_] = strata
    (a, b), (c, d) = first
    usual = b / a * (1 - b / a) / a + d / c * (1 - d / c) / c
    alone = _Table(*(np.array([v], float) for v in (a, b, c, d))).difference[1]
    assert alone**2 == pytest.approx(usual, abs=1e-12)
    # The same stratum twice halves it.
    twice = _Table(*(np.concatenate([v, v]) for v in (n, y, m, x)))
    assert twice.difference == pytest.approx((difference, error / 2**0.5))


def test_dates_judged_do_not_overlap_and_are_watched_in_full() -> None:
    since = date(2024, 1, 1)
    until = since + timedelta(days=200)
    rounds: dict[str, list[Any]] = Spans(until, since, until, 28, 30, True).rounds.to_pydict()
    first = (since - date(1970, 1, 1)).days
    assert [day - first for day in rounds["day"]] == [170, 140, 110]  # 80 is within 28 settled days and 60 active ones
    assert rounds["round"] == [0, 1, 2]
