"""The protocol of design: worked dates of Online Retail, and laws over any dates."""

import itertools
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training import protocol
from warehouse.errors import NotReadyError, UsageError

FIRST = date(2010, 12, 1)
UNTIL = date(2011, 9, 10)


def replay(judge: date, horizon: int) -> protocol.Protocol:
    return protocol.plan(judge + timedelta(days=horizon), UNTIL, FIRST, horizon)


def test_run_on_2011_06_11_judges_30_days_on_05_12_with_two_training_cutoffs():
    planned = protocol.plan(date(2011, 6, 11), UNTIL, FIRST, 30)
    assert planned == protocol.Protocol(
        "full",
        30,
        date(2011, 5, 12),
        date(2011, 4, 12),
        date(2011, 3, 13),
        (date(2011, 2, 3), date(2011, 2, 11)),
    )


def test_run_on_2011_06_11_finds_90_days_too_short():
    planned = protocol.plan(date(2011, 6, 11), UNTIL, FIRST, 90)
    assert planned == protocol.Protocol("too_short", 90, date(2011, 3, 13))


@pytest.mark.parametrize(
    ("judge", "horizon", "kind"),
    [
        (date(2011, 3, 13), 30, "short"),
        (date(2011, 4, 12), 30, "short"),
        (date(2011, 5, 12), 30, "full"),
        (date(2011, 8, 10), 30, "full"),
        (date(2011, 5, 12), 90, "short"),
        (date(2011, 6, 11), 90, "short"),
    ],
)
def test_replayed_dates(judge, horizon, kind):
    planned = replay(judge, horizon)
    assert (planned.kind, planned.judge) == (kind, judge)


def test_the_latest_cutoffs_are_kept():
    planned = protocol.plan(date(2013, 1, 1), date(2013, 1, 1), FIRST, 30, max_cutoffs=3)
    last = date(2013, 1, 1) - timedelta(days=120)
    assert planned.train == (last - timedelta(days=16), last - timedelta(days=8), last)


def test_replay_dates_go_back_from_the_latest_known_label():
    dates = protocol.replay_dates(UNTIL, FIRST, 30)
    assert dates[-1] == date(2011, 8, 11)
    assert dates[0] == date(2011, 2, 12)
    assert {(b - a).days for a, b in itertools.pairwise(dates)} == {30}


def test_no_label_at_all():
    with pytest.raises(NotReadyError, match="No label of 90 days"):
        protocol.plan(date(2011, 2, 1), UNTIL, FIRST, 90)


def test_a_horizon_below_one_day_is_refused():
    with pytest.raises(UsageError):
        protocol.plan(UNTIL, UNTIL, FIRST, 0)


days = st.integers(0, 1500).map(lambda n: FIRST + timedelta(days=n))
plans = st.tuples(days, days, st.integers(1, 200), st.integers(2, 20))


@given(plans)
def test_no_label_is_seen_before_its_time(case):
    latest, until, horizon, most = case
    try:
        planned = protocol.plan(latest, until, FIRST, horizon, most)
    except NotReadyError:
        assert min(latest, until) - timedelta(days=horizon) <= FIRST
        return
    H = timedelta(days=horizon)
    assert planned.judge + H == min(latest, until)
    if planned.kind == "full":
        assert planned.stop is not None
        assert planned.calibrate is not None
        parts = [planned.train[-1], planned.stop, planned.calibrate, planned.judge]
        assert all(earlier + H <= later for earlier, later in itertools.pairwise(parts))
        assert len(planned.train) >= 2
    if planned.kind == "short":
        assert planned.train[-1] + H <= planned.judge
    history = {"full": 60, "short": 30, "too_short": 0}[planned.kind]
    assert all((cutoff - FIRST).days >= history for cutoff in planned.train)
    assert len(planned.train) <= most
    gaps = {(b - a).days for a, b in zip(planned.train, planned.train[1:], strict=False)}
    assert gaps <= {protocol.step_days(horizon)}
    assert planned.closed == tuple(sorted(set(planned.closed)))
    assert planned.known_from <= until


@given(plans, st.sets(st.integers(0, 20)))
def test_skipping_cutoffs_keeps_the_order_of_time(case, skipped):
    latest, until, horizon, most = case
    try:
        planned = protocol.plan(latest, until, FIRST, horizon, most)
    except NotReadyError:
        return
    unusable = frozenset(c for i, c in enumerate(planned.closed) if i in skipped)
    left = protocol.without(planned, unusable)
    if planned.judge in unusable:
        assert left is None
        return
    assert left is not None
    assert left.judge == planned.judge
    assert not set(left.closed) & unusable
    H = timedelta(days=horizon)
    assert all(cutoff + H <= left.judge for cutoff in left.closed if cutoff != left.judge)
    if not unusable:
        assert left == planned


def test_a_full_protocol_without_its_calibration_cutoff_becomes_short():
    planned = protocol.plan(date(2011, 6, 11), UNTIL, FIRST, 30)
    left = protocol.without(planned, frozenset({planned.calibrate}))
    assert left is not None
    assert left.kind == "short"
    assert left.train == (date(2011, 2, 3), date(2011, 2, 11), date(2011, 3, 13))
