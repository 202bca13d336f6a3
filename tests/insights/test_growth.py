"""Growth: both identities and the balance of the active, over histories that are told again customer by customer."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features import rules
from features.building import build_features
from features.catalogue import available, fields
from features.lifecycle import ACTIVE_GROUPS, GROUPS
from features.periods import Grain, name_of, number_of, periods
from features.source import FramesSource
from insights.growth import growth
from tests.features.conftest import PartedSource, World, sale, stored, utc
from tests.insights.conftest import BASES, RATED, act_days, group_at, history, named, retold
from warehouse.errors import NotReadyError

LAWS = settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
GRAINS = st.sampled_from(["month", "week"])


def holds(told: list[dict[str, Any]]) -> None:
    """Identity 1, identity 2 and the balance of the active, in whole numbers."""
    earlier: dict[str, Any] | None = None
    for period in told:
        groups, bases, flows = period["groups"], period["bases"], period["flows"]
        assert list(groups) == list(GROUPS)
        assert all(isinstance(n, int) and n >= 0 for n in groups.values())
        assert period["ever_seen"] == sum(groups.values())
        assert period["active_users"] == sum(groups[g] for g in ACTIVE_GROUPS)
        before = earlier["groups"] if earlier else dict.fromkeys(GROUPS, 0)
        assert bases == {rate: sum(before[g] for g in over) for rate, over in BASES.items()}
        added = 0
        for rate, base in bases.items():
            assert (period["rates"][rate] is None) == (base == 0)
            term = round(base * period["rates"][rate]) if base else 0
            assert term == groups[RATED[rate]]
            if base:
                assert period["rates"][rate] == groups[RATED[rate]] / base
            added += term
        assert period["active_users"] == groups["new"] + added
        gone = sum(n for f, to in flows.items() if f in ACTIVE_GROUPS for g, n in to.items() if g not in ACTIVE_GROUPS)
        was_active = earlier["active_users"] if earlier else 0
        resurrected = groups["awakened"] + groups["returned"]
        assert period["active_users"] - was_active == groups["new"] + resurrected - gone
        for group in GROUPS:
            assert sum(flows.get(group, {}).values()) == before[group]
            assert sum(to.get(group, 0) for to in flows.values()) == groups[group] - (group == "new") * groups[group]
        earlier = period


def same(told: list[dict[str, Any]], again: dict[str, Any]) -> None:
    assert [period["period"] for period in told] == list(again)
    for period in told:
        expected = again[period["period"]]
        assert period["groups"] == expected.groups, period["period"]
        flows = {(f, g): n for f, to in period["flows"].items() for g, n in to.items()}
        assert flows == expected.flows, period["period"]


@LAWS
@given(st.integers(0, 10_000), GRAINS, st.integers(1, 4), st.sampled_from(["sales", "events"]))
def test_identities_hold_and_every_group_is_what_its_definition_says(
    seed: int, grain: Grain, lapsed_after: int, acts: Any
) -> None:
    world = history(seed)
    told = growth(world.source(acts=acts), world.as_of, grain, lapsed_after).payload()["periods"]
    holds(told)
    same(told, retold(act_days(world, acts), world.as_of, grain, lapsed_after))


@settings(LAWS, max_examples=4)
@given(st.integers(0, 10_000), GRAINS)
def test_the_number_of_parts_changes_nothing(seed: int, grain: Grain) -> None:
    world = history(seed)
    parted = PartedSource(world.frames(), world.zone)
    assert growth(world.source(), world.as_of, grain).payload() == growth(parted, world.as_of, grain).payload()


def test_one_customer_by_hand() -> None:
    """Acts in January, February, March, May, September: with L = 2 and L = 3 only the way back differs."""
    days = [datetime(2024, month, 10) for month in (1, 2, 3, 5, 9)]
    source = FramesSource({"orders": stored("orders", [sale("u", day, 10) for day in days], "UTC")}, "UTC")
    paths = {}
    for lapsed_after in (2, 3):
        told = growth(source, date(2024, 10, 1), "month", lapsed_after).payload()["periods"]
        paths[lapsed_after] = [next(g for g, n in period["groups"].items() if n) for period in told]
    assert paths[2] == ["new", "last_new", "active", "dormant", "awakened", "dormant", "lapsed", "lapsed", "returned"]
    assert paths[3] == ["new", "last_new", "active", "dormant", "awakened", "dormant", "dormant", "lapsed", "returned"]


def test_the_business_zone_says_on_which_day_an_act_falls() -> None:
    """23:30 UTC on 31 January is 1 February in Shanghai; as of 1 February it has not happened there."""
    at = datetime(2024, 1, 31, 23, 30)
    rows = [sale("early", utc("2024-01-15 12:00", "UTC"), 1), sale("late", at, 1)]
    seen = {}
    for zone in ("UTC", "Asia/Shanghai"):
        source = FramesSource({"orders": stored("orders", rows, zone)}, zone)
        seen[zone] = [each["groups"]["new"] for each in growth(source, date(2024, 2, 10)).payload()["periods"]]
        until = growth(source, date(2024, 2, 1)).payload()["periods"]
        assert [each["groups"]["new"] for each in until] == [2 if zone == "UTC" else 1]
    assert seen == {"UTC": [2, 0], "Asia/Shanghai": [1, 1]}


def test_weeks_are_iso_weeks_over_the_turn_of_a_year() -> None:
    """2020 had 53 weeks; 1 to 3 January 2021 belong to the last of them, and the next is 2021-W01."""
    days = ["2020-12-27", "2021-01-03", "2021-01-04"]
    rows = [sale("u", utc(f"{day} 12:00", "UTC"), 1) for day in days]
    source = FramesSource({"orders": stored("orders", rows, "UTC")}, "UTC")
    told = growth(source, date(2021, 1, 12), "week").payload()["periods"]
    assert [each["period"] for each in told] == ["2020-W52", "2020-W53", "2021-W01", "2021-W02"]
    assert [each["start"] for each in told][:2] == [date(2020, 12, 21), date(2020, 12, 28)]
    assert [next(g for g, n in each["groups"].items() if n) for each in told] == [
        "new",
        "last_new",
        "active",
        "dormant",
    ]
    assert [each["complete"] for each in told] == [True, True, True, False]


@settings(LAWS)
@given(st.dates(date(1970, 1, 1), date(2100, 12, 31)), GRAINS)
def test_numbers_and_names_of_periods_agree_with_the_calendar(day: date, grain: Grain) -> None:
    number = number_of(day, grain)
    span = periods(day, day + timedelta(days=1), grain)[0]
    assert (span.number, span.name) == (number, named(day, grain))
    assert span.name == name_of(number, grain)
    assert span.start <= day < span.end


def test_a_period_is_complete_when_all_of_it_was_observed() -> None:
    spans = periods(date(2024, 1, 10), date(2024, 4, 1), "month", observed_until=date(2024, 3, 30))
    assert [span.complete for span in spans] == [True, True, False]
    assert [s.complete for s in periods(date(2024, 1, 10), date(2024, 4, 1), "month")] == [True, True, True]
    assert [s.complete for s in periods(date(2024, 1, 10), date(2024, 3, 31), "month")] == [True, True, False]


def test_registered_and_never_active_is_a_stock_outside() -> None:
    people = [
        {"user_id": "buyer", "registered_at": datetime(2024, 1, 5), "recorded_at": datetime(2024, 1, 5)},
        {"user_id": "idle", "registered_at": datetime(2023, 6, 1), "recorded_at": datetime(2024, 1, 5)},
        {"user_id": "newcomer", "registered_at": datetime(2024, 3, 2), "recorded_at": datetime(2024, 3, 2)},
        {"user_id": "future", "registered_at": datetime(2024, 4, 2), "recorded_at": datetime(2024, 3, 2)},
        {"user_id": "unknown", "recorded_at": datetime(2024, 2, 2)},
    ]
    rows = [
        sale("early", datetime(2024, 1, 1), 1),
        sale("buyer", datetime(2024, 2, 1), 1),
        sale("idle", datetime(2024, 2, 3), -5),
    ]
    frames = {"orders": stored("orders", rows, "UTC"), "users": stored("users", people, "UTC")}
    told = growth(FramesSource(frames, "UTC"), date(2024, 4, 1)).payload()["periods"]
    assert [each["registered_never_active"] for each in told] == [2, 2, 3]
    assert [each["ever_seen"] for each in told] == [1, 2, 2]
    without = growth(FramesSource({"orders": frames["orders"]}, "UTC"), date(2024, 4, 1)).payload()["periods"]
    assert [each["registered_never_active"] for each in without] == [None] * 3


def test_nobody_has_acted() -> None:
    source = FramesSource({"orders": stored("orders", [sale("u", datetime(2024, 1, 1), -1)], "UTC")}, "UTC")
    with pytest.raises(NotReadyError, match="Nobody has acted before 2024-02-01"):
        growth(source, date(2024, 2, 1))


def answered(world: World, text: str, end: date) -> set[str]:
    """Who answers the rule as of a day, by the whole feature table of that day."""
    table = build_features(world.source(), end)
    rule = rules.check(rules.parse(text), fields(available(world.source().tables)))
    chosen = rules.evaluate(rule, table)
    return {who for who, yes in zip(table["entity_id"].to_pylist(), chosen, strict=True) if yes}


def path_of(days: set[date], names: list[str], lapsed_after: int) -> list[str | None]:
    active = sorted({names.index(named(day, "month")) for day in days})
    return [group_at(active, t, lapsed_after) for t in range(len(names))]


def test_a_split_tells_every_period_unless_only_the_latest_are_asked_for() -> None:
    world, rule = history(14, users=3, weeks=5), rules.parse("order_count_lifetime >= 2")
    source = FramesSource({"orders": world.frames()["orders"]}, world.zone)
    told = growth(source, world.as_of, "week", split=rule).payload()
    whole = told["split"]
    assert len(whole["yes"]) == len(told["periods"]) > 3
    two = growth(source, world.as_of, "week", split=rule, split_latest=2).payload()["split"]
    assert two == {**whole, **{side: whole[side][-2:] for side in ("yes", "no")}}


@pytest.mark.parametrize(
    ("seed", "text", "lapsed_after"),
    [(11, "amount_lifetime in top 30 %", 2), (12, 'days_since_registration <= 60 or buyer_type = "复购客"', 3)],
)
def test_both_sides_of_a_rule_keep_the_identities(seed: int, text: str, lapsed_after: int) -> None:
    world = history(seed, users=15, weeks=16)
    told = growth(world.source(), world.as_of, "month", lapsed_after, rules.parse(text)).payload()
    whole, split = told["periods"], told["split"]
    names = [period["period"] for period in whole]
    ends = [whole[0]["start"], *(min(p.end, world.as_of) for p in periods(whole[0]["start"], world.as_of, "month"))]
    chosen = [answered(world, text, end) for end in ends]
    paths = {who: path_of(days, names, lapsed_after) for who, days in act_days(world).items()}
    for side, wanted in (("yes", True), ("no", False)):
        earlier = dict.fromkeys(GROUPS, 0)
        for t, period in enumerate(split[side]):
            now = Counter(path[t] for who, path in paths.items() if (who in chosen[t + 1]) == wanted and path[t])
            assert period["groups"] == {group: now[group] for group in GROUPS}
            # Identity 1, by the answer at the end of the period.
            assert period["ever_seen"] == sum(period["groups"].values())
            assert period["active_users"] == sum(period["groups"][g] for g in ACTIVE_GROUPS)
            # Identity 2, by the answer at the end of the period before.
            before = period["of_side_before"]
            assert before["bases"] == {rate: sum(earlier[g] for g in over) for rate, over in BASES.items()}
            rated = {rate: round(base * before["rates"][rate]) if base else 0 for rate, base in before["bases"].items()}
            assert rated == {rate: before["groups"][RATED[rate]] for rate in BASES}
            assert before["active_users"] == before["new"] + sum(rated.values())
            assert before["active_before"] == sum(earlier[g] for g in ACTIVE_GROUPS)
            gained = before["new"] + before["resurrected"] - before["left"]
            assert before["active_users"] - before["active_before"] == gained
            earlier = period["groups"]
    for yes, no, both in zip(split["yes"], split["no"], whole, strict=True):
        for group in GROUPS:
            assert yes["groups"][group] + no["groups"][group] == both["groups"][group]
            sides = [each["of_side_before"]["groups"][group] for each in (yes, no)]
            assert sum(sides) == both["groups"][group]
