"""What is read from the ledger: money that adds up, cohorts, purchases, second orders and concentration, by hand."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.periods import Grain
from features.source import FramesSource
from insights.growth import growth
from tests.features.conftest import sale, stored
from tests.insights.conftest import act_days, history, local_day, named

LAWS = settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
MOVEMENTS = ("new", "resurrected", "expansion", "contraction", "left")


def told(as_of: date, grain: Grain = "month", items: dict[str, str] | None = None, **rows: Any) -> dict[str, Any]:
    frames = {table: stored(table, lines, "UTC") for table, lines in rows.items()}
    if items:
        versions = [{"item_id": i, "category": c, "recorded_at": datetime(2020, 1, 1)} for i, c in items.items()]
        frames["items"] = stored("items", versions, "UTC")
    return growth(FramesSource(frames, "UTC"), as_of, grain).payload()


@LAWS
@given(st.integers(0, 10_000), st.sampled_from(["month", "week"]))
def test_sections_agree_with_the_rows_and_with_each_other(seed: int, grain: Grain) -> None:
    world = history(seed)
    found = growth(world.source(), world.as_of, grain).payload()
    rows = [r for r in world.rows["orders"] if r["kind"] == "sale" and r["amount"] > 0]
    rows = [r for r in rows if local_day(r["ordered_at"], world.zone) < world.as_of]
    spent: dict[str, Decimal] = {}
    for row in rows:
        name = named(local_day(row["ordered_at"], world.zone), grain)
        spent[name] = spent.get(name, Decimal(0)) + row["amount"]
    before = Decimal(0)
    for period, money in zip(found["periods"], found["accounting"]["money"], strict=True):
        assert money["amount"] == spent.get(period["period"], Decimal(0))
        assert money["amount_before"] == before
        assert money["amount"] - before == sum(money[movement] for movement in MOVEMENTS)
        assert all(money[gain] >= 0 for gain in MOVEMENTS[:3])
        assert all(money[loss] <= 0 for loss in MOVEMENTS[3:])
        before = money["amount"]
    for users, period in zip(found["accounting"]["users"], found["periods"], strict=True):
        assert users["active"] - users["active_before"] == users["new"] + users["resurrected"] - users["left"]
        assert users["active"] == period["active_users"] == users["retained"] + users["new"] + users["resurrected"]
    for dimension in ("by_channel", "by_buyer"):
        for at, whole in enumerate(found["purchasing"]["all"]):
            assert sum(v["periods"][at]["amount"] for v in found["purchasing"][dimension]) == whole["amount"]
    acts = act_days(world)
    for cohort in found["cohorts"]["all"]:
        names = [period["period"] for period in found["periods"]]
        start = names.index(cohort["cohort"])
        members = [days for days in acts.values() if named(min(days), grain) == cohort["cohort"]]
        assert cohort["size"] == len(members)
        for age, active in enumerate(cohort["active"]):
            period = found["periods"][start + age]
            expected = sum(any(named(day, grain) == period["period"] for day in days) for days in members)
            assert active == (expected if period["complete"] else None)
    within = 12 if grain == "month" else 52
    for at, active in enumerate(found["activity"]):
        recent = {period["period"] for period in found["periods"][max(0, at - within + 1) : at + 1]}
        assert active["seen_in_year"] == sum(any(named(d, grain) in recent for d in days) for days in acts.values())
        assert active["active_rate_of_year"] == (active["active_users"] / active["seen_in_year"])


def test_money_by_hand() -> None:
    """10 → 15 (a grows by 5), b 20 gone, then back with 8; a falls to 12."""
    rows = [
        sale("a", datetime(2024, 1, 5), 10), sale("b", datetime(2024, 1, 6), 20), sale("a", datetime(2024, 2, 5), 15),
        sale("a", datetime(2024, 3, 5), 12), sale("b", datetime(2024, 3, 6), 8), sale("b", datetime(2024, 3, 7), -8),
    ]  # fmt: skip
    january, february, march = told(date(2024, 4, 1), orders=rows)["accounting"]["money"]
    assert [january[m] for m in MOVEMENTS] == [30, 0, 0, 0, 0]
    assert [february[m] for m in MOVEMENTS] == [0, 0, 5, 0, -20]
    assert [march[m] for m in MOVEMENTS] == [0, 8, 0, -3, 0]
    assert [february["quick_ratio"], january["quick_ratio"]] == [0.25, None]
    assert march["users"] == {"new": 0, "resurrected": 1, "expansion": 0, "unchanged": 0, "contraction": 1, "left": 0}


def test_purchases_by_hand() -> None:
    """a orders twice in January, once in February; b once in January; the order o1 has a line of each category."""
    rows = [
        sale("a", datetime(2024, 1, 5), 10, order_id="o1", item_id="x", quantity=2.0, channel="app"),
        sale("a", datetime(2024, 1, 5), 30, order_id="o1", item_id="y", quantity=1.0, channel="app"),
        sale("a", datetime(2024, 1, 5), 8, order_id="o2", item_id="x", quantity=1.0, channel="web"),
        sale("b", datetime(2024, 1, 9), 4, order_id="o3", item_id="x", quantity=4.0, channel="web"),
        sale("a", datetime(2024, 2, 9), 6, order_id="o4", item_id="y", quantity=1.0, channel="web"),
    ]  # fmt: skip
    found = told(date(2024, 3, 1), orders=rows, items={"x": "tea", "y": "cups"})["purchasing"]
    january, february = found["all"]
    assert (january["buyers"], january["repeat_buyers"], january["repeat_rate"]) == (2, 1, 0.5)
    assert (january["orders"], january["units_per_order"], january["order_value"]) == (3, 8 / 3, 52 / 3)
    assert (february["buyers_before"], february["again_buyers"], february["again_rate"]) == (2, 1, 0.5)
    assert january["again_rate"] is None
    tea = next(each for each in found["by_category"] if each["value"] == "tea")["periods"]
    assert (tea[0]["orders"], tea[0]["amount"], tea[0]["repeat_buyers"], tea[1]["again_rate"]) == (3, 22, 1, 0.0)
    web = next(each for each in found["by_channel"] if each["value"] == "web")["periods"]
    assert (web[0]["buyers"], web[1]["again_buyers"], web[1]["order_value"]) == (2, 1, 6.0)
    returning = next(each for each in found["by_buyer"] if each["value"] == "returning")["periods"]
    assert [each["buyers"] for each in returning] == [0, 1]


def test_second_orders_by_hand() -> None:
    """Windows count only for cohorts old enough; two orders of one day are no second one."""
    rows = [
        sale("a", datetime(2024, 1, 1), 1, order_id="1"), sale("a", datetime(2024, 1, 1), 1, order_id="2"),
        sale("b", datetime(2024, 1, 10), 1), sale("b", datetime(2024, 2, 9), 1),
        sale("c", datetime(2024, 1, 31), 1), sale("c", datetime(2024, 3, 30), 1),
        sale("d", datetime(2024, 3, 20), 1),
    ]  # fmt: skip
    found = told(date(2024, 4, 1), orders=rows)["second_order"]
    january, march = found["cohorts"]
    assert january["within"] == {"30": 1, "60": 2, "90": None, "180": None, "365": None}
    assert january["rates"]["60"] == 2 / 3
    assert (march["within"]["30"], march["first_buyers"], march["second_so_far"]) == (None, 1, 0)
    # At 30 days b came of the three who were seen so long; d was seen for 11 days. At 59 c came of two.
    assert [each["share"] for each in found["curve"]][:2] == pytest.approx([1 / 3, 1 - 2 / 3 * 1 / 2])
    assert [each["share"] for each in found["curve"]][3:] == [None, None]


def test_cohorts_are_split_by_the_first_day() -> None:
    rows = [
        sale("a", datetime(2024, 1, 5, 9), 10, item_id="x", channel="web", discount=1.0),
        sale("a", datetime(2024, 1, 5, 8), 5, item_id="y", channel="app"),
        sale("a", datetime(2024, 2, 5), 5, item_id="y", channel="shop"),
        sale("b", datetime(2024, 1, 6), 5, item_id="y", channel="web"),
    ]
    found = told(date(2024, 3, 10), orders=rows, items={"x": "tea", "y": "cups"})["cohorts"]
    assert found["all"][0]["active"] == [2, 1, None]
    sizes = {
        name: {each["value"]: each["cohorts"][0]["active"] for each in found[f"by_first_{name}"]}
        for name in ("channel", "category", "discount")
    }
    assert sizes["channel"] == {"app": [1, 1, None], "web": [1, 0, None]}
    assert sizes["category"] == {"tea": [1, 1, None], "cups": [1, 0, None]}
    assert sizes["discount"] == {"discounted": [1, 1, None], "full_price": [1, 0, None]}


def test_concentration_by_hand() -> None:
    """100 in all: the highest of six (a fifth, rounded up: two) hold 80; the smallest head that holds 80 is two."""
    spent = {"a": 60, "b": 20, "c": 10, "d": 5, "e": 3, "f": 2}
    rows = [sale(who, datetime(2024, 5, 1 + (who != "b")), amount) for who, amount in spent.items()]
    people = [
        {"user_id": who, "registered_at": datetime(2024, 1, 1), "recorded_at": datetime(2024, 1, 1)} for who in "abz"
    ]
    acts = [
        {"device_id": "d1", "occurred_at": datetime(2024, 5, 3), "event": "open"},
        {"device_id": "d2", "occurred_at": datetime(2024, 5, 3), "event": "open"},
        {"device_id": "d2", "user_id": "a", "occurred_at": datetime(2024, 5, 4), "event": "open"},
    ]
    end = told(date(2024, 6, 1), orders=rows, users=people, events=acts)["concentration"]["ends"][-1]
    assert (end["users_with_value"], end["value"], end["head_users"], end["head_value"]) == (6, 100.0, 2, 20.0)
    assert (end["top_20_users"], end["top_20_share"]) == (2, 0.8)
    # b bought 31 days before the end; z registered and never acted; on d1 nobody ever signed in.
    assert end["groups"] == {"potential": 2, "ordinary": 1, "active": 4, "core": 1}
    assert end["devices_never_signed_in"] == 1


def test_events_alone_have_no_money() -> None:
    acts = [{"user_id": "u", "occurred_at": datetime(2024, 5, day), "event": "open"} for day in (1, 2)]
    found = told(date(2024, 6, 1), events=acts)
    assert (found["accounting"]["money"], found["purchasing"], found["second_order"]) == (None, None, None)
    assert found["acts"] == "events"
    assert found["concentration"]["ends"][-1]["users_with_value"] == 1
