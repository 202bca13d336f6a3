"""Member levels: laws of the fold against a slow one, day by day; what earns points, worked by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.level_acts import Levels, levels
from features.levels import NEVER, NO_ACT, UNIT, WHY, Acts, Changes, Scheme, State, advance
from features.source import FramesSource
from tests.features.conftest import sale, stored
from warehouse.errors import SettingsError, UsageError
from warehouse.level_settings import PRESETS, LevelRules
from warehouse.settings import parse_settings

Row = tuple[int, int, int, bool]
"""Customer, day, points, lasting."""
LAST = 24


def acts(rows: Sequence[Row]) -> Acts:
    columns = np.array(sorted(rows, key=lambda row: row[:2]), np.int64).reshape(-1, 4).T
    return Acts(columns[0], columns[1], columns[2] * UNIT, columns[3] > 0, np.zeros(columns.shape[1], np.int64))


def told(changes: Changes) -> list[tuple[int, ...]]:
    columns = (changes.entity, changes.day, changes.before, changes.after, changes.why, changes.units)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def day_by_day(scheme: Scheme, rows: Sequence[Row], now: int) -> tuple[int, int, int, list[tuple[int, ...]]]:
    """Level, day of expiry, units and changes of one customer (its own rows), by walking through every day."""
    level, until, changes = 0, NEVER, []
    done: list[Row] = []

    def units(day: int) -> int:
        counting = sum(points for _, on, points, lasting in done if not lasting and on > day - scheme.window_days)
        return UNIT * (max(counting, 0) + sum(points for *_, points, lasting in done if lasting))

    def earned(day: int) -> int:
        return int(scheme.earned(np.array([units(day)]))[0])

    def change(day: int, to: int, why: int) -> None:
        nonlocal level, until
        changes.append((day, level, to, why, units(day)))
        level, until = to, day + scheme.valid_days if to else NEVER

    for day in range(now + 1):
        if until == day:
            fallen = level - 1 if scheme.one_step else earned(day)
            to = earned(day) if earned(day) >= level else fallen
            change(day, to, WHY.index("kept") if to == level else WHY.index("fell" if to < level else "reached"))
        for act in [None, *(row for row in rows if row[1] == day)]:
            done += [act] if act else []
            if earned(day) > level:
                change(day, earned(day), WHY.index("reached"))
    return level, until, units(now), changes


schemes = st.builds(
    lambda steps, window, valid, one: Scheme(np.cumsum([0, *steps]) * UNIT, window, valid, one),
    st.lists(st.integers(1, 9), min_size=2, max_size=6), st.integers(1, 12), st.integers(1, 12), st.booleans(),
)  # fmt: skip
histories = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, LAST - 1), st.integers(-8, 12), st.booleans()), min_size=4, max_size=60
).map(lambda rows: sorted((e, d, p, lasting and p > 0) for e, d, p, lasting in rows))


@settings(deadline=None, max_examples=60)
@given(schemes, histories)
def test_the_fold_is_what_walking_through_every_day_gives(scheme: Scheme, rows: list[Row]) -> None:
    state, changes = advance(State.start(scheme, 4), acts(rows), LAST)
    for one in range(4):
        level, until, units, slow = day_by_day(scheme, [row for row in rows if row[0] == one], LAST)
        assert (state.level[one], state.until[one], state.units()[one]) == (level, until, units)
        assert [row[1:] for row in told(changes) if row[0] == one] == slow


@settings(deadline=None, max_examples=60)
@given(schemes, histories, st.lists(st.integers(0, 40), max_size=4))
def test_the_same_levels_however_history_is_cut(scheme: Scheme, rows: list[Row], cuts: list[int]) -> None:
    """Cut anywhere, in the middle of a day too: by time first, so that a piece ends on one day for all."""
    whole, every = advance(State.start(scheme, 4), acts(rows), LAST)
    by_time = sorted(rows, key=lambda row: row[1])
    edges = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    state, found = State.start(scheme, 4), []
    for a, b in pairwise(edges):
        piece = by_time[a:b]
        now = LAST if b == len(rows) else max([state.now, *(row[1] for row in piece)])
        state, changes = advance(state, acts(piece), now)
        found += told(changes)
    assert sorted(found, key=lambda row: row[0]) == told(every)
    for name in ("level", "until", "since", "lasting"):
        assert getattr(state, name).tolist() == getattr(whole, name).tolist()
    assert state.units().tolist() == whole.units().tolist()
    assert state.units(state.until).tolist() == whole.units(whole.until).tolist()


@settings(deadline=None, max_examples=40)
@given(schemes, histories)
def test_nobody_stands_below_what_they_earned_nor_falls_before_expiry(scheme: Scheme, rows: list[Row]) -> None:
    state, changes = advance(State.start(scheme, 4), acts(rows), LAST)
    assert (state.level >= scheme.earned(state.units())).all()
    until: dict[int, int] = {}
    for entity, day, before, after, why, _ in told(changes):
        assert (why == WHY.index("reached")) == (after > before)
        if why != WHY.index("reached"):
            assert until[entity] == day
        until[entity] = day + scheme.valid_days


RULES = LevelRules(
    {"member": 0, "silver": 100, "gold": 300}, {"review": 20, "sign_in": 2}, per_order=10, per_amount=1,
    per_referral=50, profile=30, once_a_day=("sign_in",), attributes={"followers": 0.5},
)  # fmt: skip


ALONE = replace(RULES, attributes=None)


def on(month: int, day: int, hour: int = 12) -> datetime:
    return datetime(2024, month, day, hour)


def event(user: str, at: datetime, name: str) -> dict[str, Any]:
    return {"user_id": user, "occurred_at": at, "event": name}


def shop(*orders: dict[str, Any], events: Sequence[dict[str, Any]] = (), users: pa.Table | None = None) -> FramesSource:
    frames = {"orders": stored("orders", orders, "Asia/Shanghai"), "events": stored("events", events, "Asia/Shanghai")}
    return FramesSource(frames | ({} if users is None else {"users": users}), "Asia/Shanghai")


def standing(found: Levels) -> dict[str, tuple[str, float]]:
    rows = found.standing.to_pylist()
    return {row["entity_id"]: (found.names[row["level"]], row["units"] / UNIT) for row in rows}


def test_orders_events_and_returns_by_hand() -> None:
    source = shop(
        # one order of two lines: 10 + 60.5 + 30
        sale("ann", on(1, 5), 60.5, order_id="1", item_id="a"), sale("ann", on(1, 5), 30, order_id="1", item_id="b"),
        sale("ann", on(2, 1), -30, order_id="1", item_id="b"),
        # wholly given back: the order's 10 go too; what is given back of an unknown order takes its amount only
        sale("bob", on(1, 5), 80, order_id="2"), sale("bob", on(1, 6), -80, order_id="2"),
        sale("cy", on(1, 5), 5, order_id="3"), sale("cy", on(1, 6), -2, order_id="x"),
        events=[event("cy", on(1, 7, 1), "sign_in"), event("cy", on(1, 7, 15), "sign_in"), event("cy", on(1, 7, 16),
                "sign_in"), event("cy", on(1, 7, 17), "review"), event("cy", on(1, 7, 17), "other")],
    )  # fmt: skip
    found = levels(source, date(2024, 3, 1), ALONE)
    # ann reached silver with 100.5 and keeps it though 30 were taken back; cy signed in on two days of Shanghai
    assert standing(found) == {"ann": ("silver", 70.5), "bob": ("member", 0), "cy": ("member", 10 + 5 - 2 + 4 + 20)}
    [change] = found.changes.to_pylist()
    assert change | {"day": 0} == {
        "entity_id": "ann", "day": 0, "before": 0, "after": 1, "why": "reached", "units": 1005000, "what": "order"
    }  # fmt: skip
    before, after = (standing(levels(source, date(2025, 1, day), ALONE))["ann"] for day in (3, 4))
    assert (before[0], after[0]) == ("silver", "member")
    assert levels(source, date(2025, 1, 4), ALONE).changes.to_pylist()[1]["why"] == "fell"
    assert levels(source, date(2025, 1, 4), ALONE, date(2024, 6, 1)).changes.num_rows == 1


def test_a_profile_and_followers_count_from_when_they_were_known_and_for_good() -> None:
    users = pa.table(
        {
            "entity_id": ["ann", "ann", "bob", "cy"],
            "recorded_at": pa.array([on(1, 1), on(3, 1), on(2, 1), on(2, 2)], pa.timestamp("us")),
            "registered_at": pa.array([on(1, 1), on(1, 1), on(2, 1), on(2, 2)], pa.timestamp("us")),
            "region": ["n", "n", None, None], "gender": [None, "f", None, None], "followers": [10, 100, None, None],
            "referred_by": [None, None, "ann", "ann"],
        }
    )  # fmt: skip
    source = shop(sale("bob", on(2, 1), 1, order_id="1"), users=users)
    assert standing(levels(source, date(2024, 2, 1), RULES))["ann"] == ("member", 10 + 5)
    assert standing(levels(source, date(2024, 2, 10), RULES))["ann"] == ("silver", 10 + 5 + 100)
    assert standing(levels(source, date(2024, 4, 1), RULES))["ann"] == ("silver", 20 + 50 + 100)
    # what lasts remains, what is done wears off
    assert standing(levels(source, date(2025, 4, 1), RULES))["ann"] == ("member", 20 + 50)
    with pytest.raises(UsageError, match="followings"):
        levels(source, date(2024, 4, 1), replace(RULES, attributes={"followings": 1.0}))


@settings(deadline=None, max_examples=5)
@given(st.permutations(range(6)))
def test_rows_of_one_moment_are_played_by_id(order: list[int]) -> None:
    lines = [sale("ann", on(1, 5), amount, order_id=str(n)) for n, amount in enumerate((290, -290, 50, -20, 300, 1))]
    plain, other = (levels(shop(*rows), date(2024, 2, 1), ALONE) for rows in (lines, [lines[n] for n in order]))
    assert plain.standing.equals(other.standing)
    assert plain.changes.equals(other.changes)
    assert plain.changes.num_rows


def test_settings() -> None:
    rules = parse_settings('[levels]\npreset = "content"\nwindow_days = 30\n[levels.events]\nsign_in = 7').levels
    assert rules is not None
    assert (rules.rules.window_days, rules.rules.events, rules.rules.once_a_day) == (30, {"sign_in": 7}, ("sign_in",))
    assert rules.rules.steps == PRESETS["content"].steps
    assert "levels" not in parse_settings("").model_dump()
    for wrong in ("steps = { a = 0, b = 5 }", "steps = { a = 0, b = 5, c = 5 }", "benefits = { nobody = 'x' }"):
        with pytest.raises(SettingsError, match="levels"):
            parse_settings(f"[levels]\n{wrong}")
    assert NO_ACT == -1
