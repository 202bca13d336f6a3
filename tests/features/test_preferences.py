"""Preferences: shares worked out by hand, drawn towards everybody's by a strength that is worked out by hand too."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from random import Random
from typing import Any

import pytest

from features.building import build_features
from features.source import FramesSource
from tests.features.conftest import sale, stored

AS_OF = date(2024, 7, 1)  # a Monday
FAMILIES = ("order_preferences", "item_preferences", "act_preferences", "preference_windows")


def source(**rows: list[dict[str, Any]]) -> FramesSource:
    return FramesSource({table: stored(table, lines, "UTC") for table, lines in rows.items()}, "UTC")


def of_everybody(src: FramesSource) -> dict[str, dict[str, Any]]:
    return {row["entity_id"]: row for row in build_features(src, AS_OF, families=FAMILIES).to_pylist()}


def order(user: str, days_ago: int, channel: str | None = None, item: str | None = None, amount: int = 10) -> Any:
    at = datetime(2024, 7, 1, 13) - timedelta(days=days_ago)
    return sale(user, at, amount, order_id=f"{user}{days_ago}", channel=channel, item_id=item)


def act(user: str, days_ago: int, **more: Any) -> dict[str, Any]:
    at = datetime(2024, 7, 1, 13) - timedelta(days=days_ago)
    return {"user_id": user, "occurred_at": at, "event": "open"} | more


def test_shares_are_drawn_towards_everybody_s_as_a_dirichlet_says() -> None:
    """Ann buys 3 times in the app, 1 time on the web; Bob twice on the web; Cy once in the app, which tells nothing of
    agreement. Mean shares: app (3/4 + 0 + 1) / 3 = 7/12, web 5/12. Two orders of Ann agree in 6 of 12 pairs, of Bob
    in all: a = 3/4. Squares: b = 49/144 + 25/144 = 74/144. k = (1 - a) / (a - b) = 18/17."""
    lines = [order("ann", n, "app") for n in (1, 2, 3)] + [order("ann", 4, "web"), order("cy", 5, "app")]
    lines += [order("bob", n, "web") for n in (1, 2)]
    src = source(orders=lines)
    found = of_everybody(src)
    k, app, web = 18 / 17, 7 / 12, 5 / 12
    assert found["ann"]["preferred_channel"] == "app"
    assert found["ann"]["preferred_channel_share"] == pytest.approx((3 + k * app) / (4 + k), abs=1e-5)
    assert found["ann"]["preferred_channel_confidence"] == pytest.approx(4 / (4 + k), abs=1e-5)
    assert found["bob"]["preferred_channel_share"] == pytest.approx((2 + k * web) / (2 + k), abs=1e-5)
    assert found["cy"]["preferred_channel_share"] == pytest.approx((1 + k * app) / (1 + k), abs=1e-5)
    strengths = {row["dimension"]: row["strength"] for row in src.population_tables(AS_OF)["habit_priors"].to_pylist()}
    assert float(strengths["channel"]) == pytest.approx(k, abs=1e-4)


def test_money_has_shares_of_its_own() -> None:
    lines = [order("ann", 1, "app", amount=1), order("ann", 2, "app", amount=1), order("ann", 3, "web", amount=98)]
    lines += [order(f"u{n}", 1, "web") for n in range(3)] + [order(f"u{n}", 2, "web") for n in range(3)]
    ann = of_everybody(source(orders=lines))["ann"]
    assert ann["preferred_channel"] == "app"
    assert ann["preferred_channel_share"] > 0.3 > 0.1 > ann["preferred_channel_amount_share"]


def test_functions_are_counted_by_active_days_and_need_not_add_up() -> None:
    """On 4 active days Ann uses search daily (twice on one of them) and scan on 2; everybody else opens the app only.
    Incidences of who uses any: search 1, scan 1/2; agreement of pairs of days: 1 + 1/6 (a) against 1 + 1/4 (b): the
    days differ more than chance would have them, so the strength is at its upper end."""
    acts = [act("ann", n, feature="search") for n in (1, 1, 2, 3, 4)] + [act("ann", n, feature="scan") for n in (1, 2)]
    ann = of_everybody(source(events=[*acts, act("bob", 1)]))["ann"]
    assert (ann["preferred_app_feature"], ann["preferred_app_feature_share"]) == ("search", pytest.approx(1.0))
    assert ann["preferred_app_feature_confidence"] == pytest.approx(4 / 1004)
    assert ann["preferred_page"] is None


def test_of_the_silent_the_ninety_days_before_the_last_order_count() -> None:
    lines = [order("gone", 200, "web"), order("gone", 289, "web"), order("gone", 290, "app"), order("gone", 291, "app")]
    lines += [order("here", 90, "web"), order("here", 91, "app"), order("here", 92, "app")]
    lines += [order(f"u{n}", 1 + n, channel) for n in range(4) for channel in ("app", "web")]
    found = of_everybody(source(orders=lines))
    assert [found[who]["preferred_channel"] for who in ("gone", "here")] == ["web", "web"]
    assert [found[who]["order_preferences_are_old"] for who in ("gone", "here")] == [1, 0]
    assert found["gone"]["act_preferences_are_old"] is None


def test_days_hours_bands_categories_and_brands() -> None:
    items = [
        {"item_id": f"i{n}", "category": "tea", "brand": "b" if n else "a", "recorded_at": datetime(2023, 1, 1)}
        for n in range(5)
    ]
    lines = [order("ann", 7 * n, item="i4", amount=50) for n in (1, 2, 3)]  # Mondays at 13 o'clock, the dearest
    lines += [order("bob", 2, item=f"i{n}", amount=10 * (n + 1)) for n in range(4)]
    found = of_everybody(source(orders=lines, items=items))
    ann = found["ann"]
    told = [ann[f"preferred_{name}"] for name in ("weekday", "hour_band", "price_band", "category", "brand")]
    assert told == ["monday", "afternoon", "highest", "tea", "b"]
    assert ann["preferred_category_share"] == pytest.approx(1.0)
    # One order is one, whatever is in it: three quarters of brand b, one of a. Only of Ann are there orders to compare,
    # all alike: orders vary within no customer, so k is at its lower end.
    assert found["bob"]["preferred_brand"] == "b"
    assert found["bob"]["preferred_brand_share"] == pytest.approx((3 / 4 + 0.1 * 7 / 8) / 1.1, abs=1e-5)
    assert found["bob"]["preferred_brand_confidence"] == pytest.approx(1 / 1.1, abs=1e-5)


KINDS = [{"item_id": name, "category": name, "recorded_at": datetime(2023, 1, 1)} for name in ("tea", "coffee", "cake")]


def basket(user: str, days_ago: int, *items: str) -> list[dict[str, Any]]:
    return [order(user, days_ago, item=item) for item in items]


def test_an_order_is_one_split_over_its_lines() -> None:
    """Ann's orders are ¾ tea, ¼ coffee, and all tea; Bob's all coffee, and half and half. Everybody's: tea (⅞ + ¼) / 2.
    Two orders agree with probability ¾ and ½: a = ⅝; of two customers b = (9/16)² + (7/16)² = 65/128; one with itself
    ((⅝ + 1) / 2 and (1 + ½) / 2) s = 25/32. k = (s - a) / (a - b) = (20/128) / (15/128) = 4/3."""
    lines = [*basket("ann", 1, "tea", "tea", "tea", "coffee"), *basket("ann", 2, "tea", "tea")]
    lines += [*basket("bob", 1, "coffee"), *basket("bob", 2, "coffee", "tea")]
    found = of_everybody(source(orders=lines, items=KINDS))
    told = {who: (row["preferred_category"], row["preferred_category_share"]) for who, row in found.items()}
    assert told == {"ann": ("tea", pytest.approx(0.75, abs=1e-5)), "bob": ("coffee", pytest.approx(0.625, abs=1e-5))}
    assert found["ann"]["preferred_category_confidence"] == pytest.approx(0.6, abs=1e-5)


def test_what_is_in_every_large_basket_is_not_what_its_buyers_prefer() -> None:
    """Everybody puts a cake into every order of many teas (or coffees): none prefers cake."""
    lines = [line for n in (1, 2, 3) for line in basket("ann", n, "cake", *["tea"] * 5)]
    lines += [line for n in (1, 2, 3) for line in basket("bob", n, "cake", *["coffee"] * 5)]
    found = of_everybody(source(orders=lines, items=KINDS))
    assert [found[who]["preferred_category"] for who in ("ann", "bob")] == ["tea", "coffee"]


def test_shares_add_up_and_do_not_count_the_lines() -> None:
    """Everybody's shares of a kind of preference are 1 in all, and lines in two pieces tell the same."""
    draw = Random(3)
    lines = [
        line
        for days_ago in range(1, 121)
        for line in basket(draw.choice("abc"), days_ago, *draw.choices(["tea", "coffee", "cake"], k=draw.randint(1, 7)))
    ]
    src = source(orders=lines, items=KINDS)
    wholes: dict[str, float] = {}
    for row in src.population_tables(AS_OF)["habit_priors"].to_pylist():
        wholes[row["dimension"]] = wholes.get(row["dimension"], 0) + float(row["share"])
    assert wholes == pytest.approx(dict.fromkeys(("category", "price_band", "weekday", "hour_band"), 1), abs=1e-5)
    assert of_everybody(source(orders=[*lines, *lines], items=KINDS)) == of_everybody(src)


def test_a_value_that_nobody_had_is_told_by_a_population_that_does_not_know_it() -> None:
    """A customer whose lines come alone, with the population of yesterday."""
    population = source(orders=[order(f"u{n}", m, "web") for n in range(3) for m in (1, 2)]).population_tables(AS_OF)
    frames = {"orders": stored("orders", [order("new", 1, "kiosk")], "UTC"), **population}
    (row,) = build_features(FramesSource(frames, "UTC"), AS_OF, families=FAMILIES).to_pylist()
    assert row["preferred_channel"] == "kiosk"
    assert 0 < row["preferred_channel_share"] == row["preferred_channel_confidence"]
