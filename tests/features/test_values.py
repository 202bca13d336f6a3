"""One small customer of each kind worked out on paper, family by family."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import pytest

from tests.features.conftest import sale, utc

Build = Callable[..., dict[str, Any]]
AS_OF = date(2024, 7, 1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.fixture
def shopper(one: Build) -> dict[str, Any]:
    """Three orders: 1 June 09:00 (two lines), 11 June 23:00, 26 June 12:00 (a Wednesday); a return on 28 June."""
    orders = [
        sale("u1", at("2024-06-01 09:00"), 10, order_id="a", item_id="tea", quantity=2.0, channel="app"),
        sale("u1", at("2024-06-01 09:00"), 30, order_id="a", item_id="pot", discount=10, coupon_id="c", channel="app"),
        sale("u1", at("2024-06-11 23:00"), 10, order_id="b", item_id="tea", quantity=2.0, channel="web"),
        sale("u1", at("2024-06-26 12:00"), 50, order_id="c", item_id="cup", quantity=5.0, channel="web"),
        sale("u1", at("2024-06-28 12:00"), -30, order_id="r", item_id="pot"),
        sale("u1", at("2024-06-29 12:00"), 0, order_id="free", item_id="gift"),
    ]
    items = [
        {"item_id": "tea", "category": "food", "recorded_at": at("2024-01-01")},
        {"item_id": "pot", "category": "home", "recorded_at": at("2024-01-01")},
        {"item_id": "cup", "category": "home", "recorded_at": at("2024-01-01")},
    ]
    return one({"orders": orders, "items": items}, AS_OF)


def expect(found: dict[str, Any], **values: Any) -> None:
    for name, value in values.items():
        assert found[name] == (value if value is None or isinstance(value, str) else pytest.approx(value, abs=1e-9)), (
            name
        )


def test_recency_and_activity(shopper: dict[str, Any]) -> None:
    expect(
        shopper,
        days_since_last_order=5,
        days_since_first_order=30,
        days_since_second_last_order_day=20,
        days_since_third_last_order_day=30,
        days_between_first_and_last_order=25,
        recency_share_of_tenure=5 / 30,
        days_since_last_act=5,
        days_since_first_act=30,
        act_day_count_lifetime=3,
    )


def test_frequency(shopper: dict[str, Any]) -> None:
    expect(shopper, order_count_7d=1, order_count_14d=1, order_count_30d=3, order_count_lifetime=3)
    expect(shopper, order_day_count_30d=3, active_month_count_360d=1, orders_per_30_days_lifetime=3)
    expect(shopper, order_count_same_season_last_year=0)


def test_regularity(shopper: dict[str, Any]) -> None:
    expect(
        shopper,
        average_days_between_orders=12.5,
        median_days_between_orders=12.5,
        days_between_orders_deviation=12.5**0.5,
        shortest_days_between_orders=10,
        longest_days_between_orders=15,
        last_days_between_orders=15,
        days_between_orders_variation=12.5**0.5 / 12.5,
        overdue_ratio=5 / 12.5,
        days_overdue=-7.5,
        last_gap_ratio=15 / 12.5,
    )


def test_money(shopper: dict[str, Any]) -> None:
    expect(
        shopper,
        amount_7d=50,
        amount_30d=100,
        amount_lifetime=100,
        average_order_value_lifetime=100 / 3,
        highest_order_amount_lifetime=50,
        lowest_order_amount_lifetime=10,
        median_order_amount_lifetime=40,
        order_amount_deviation_lifetime=20.81666,
        first_order_day_amount=40,
        last_order_day_amount=50,
        amount_per_30_days_lifetime=100,
    )


def test_discount(shopper: dict[str, Any]) -> None:
    expect(
        shopper,
        discount_share_lifetime=10 / 110,
        discount_order_share_lifetime=1 / 3,
        coupon_order_share_lifetime=1 / 3,
        discount_amount_30d=10,
        days_since_last_full_price_order_day=5,
    )


def test_price_position(shopper: dict[str, Any]) -> None:
    # List prices: tea 20 / 4 = 5, alone in food (1.0); pot 40, cup 10: cup 0.5 and pot 1.0 in home.
    expect(
        shopper,
        amount_per_unit_lifetime=10,
        average_price_percentile_lifetime=(1 + 1 + 1 + 0.5) / 4,
        highest_price_percentile_lifetime=1,
        premium_line_share_lifetime=0.75,
        budget_line_share_lifetime=0,
    )


def test_items(shopper: dict[str, Any]) -> None:
    expect(
        shopper,
        item_count_30d=3,
        item_count_lifetime=3,
        new_item_count_30d=3,
        repeat_item_count_lifetime=1,
        repeat_item_share_lifetime=1 / 3,
        repeat_line_share_lifetime=0.5,
        top_item_line_share_lifetime=0.5,
        top_item_amount_share_lifetime=0.5,
    )


def test_categories(shopper: dict[str, Any]) -> None:
    expect(
        shopper,
        category_count_lifetime=2,
        category_count_30d=2,
        new_category_count_90d=2,
        top_category_lifetime="home",
        top_category_share_lifetime=0.8,
        days_since_top_category=5,
        second_category_lifetime="food",
        category_concentration_lifetime=0.8**2 + 0.2**2,
    )


def test_basket(shopper: dict[str, Any]) -> None:
    expect(
        shopper,
        unit_count_30d=10,
        units_per_order_lifetime=10 / 3,
        lines_per_order_lifetime=4 / 3,
        highest_units_per_order_lifetime=5,
        highest_lines_per_order_lifetime=2,
        single_line_order_share_lifetime=2 / 3,
        channel_count_lifetime=2,
    )


def test_returns(shopper: dict[str, Any]) -> None:
    expect(
        shopper,
        return_count_30d=1,
        return_count_lifetime=1,
        return_amount_lifetime=30,
        return_line_share_lifetime=0.25,
        return_amount_share_lifetime=0.3,
        net_amount_lifetime=70,
        days_since_last_return=3,
    )


def test_week(shopper: dict[str, Any]) -> None:
    # 1 June 2024 is a Saturday, the 11th a Tuesday, the 26th a Wednesday.
    expect(
        shopper,
        weekend_order_share_lifetime=1 / 3,
        morning_order_share_lifetime=1 / 3,
        night_order_share_lifetime=1 / 3,
        afternoon_order_share_lifetime=1 / 3,
        evening_order_share_lifetime=0,
        monday_order_share_lifetime=0,
        average_order_hour_lifetime=(9 + 23 + 12) / 3,
        weekday_count_lifetime=3,
    )


def test_season(shopper: dict[str, Any]) -> None:
    # 618 ends on 20 June.
    expect(
        shopper,
        festival_order_share_lifetime=2 / 3,
        festival_amount_share_lifetime=0.5,
        festival_order_count_365d=2,
        order_count_618_lifetime=2,
        order_count_qixi_lifetime=0,
        order_count_double_eleven_lifetime=0,
        order_count_christmas_lifetime=0,
    )


def test_trend(one: Build) -> None:
    # Periods of 30 days back from 1 July: two orders in the last one, one in the one before, one in the sixth.
    orders = [
        sale("u1", at(day), amount)
        for day, amount in (("2024-06-30", 40), ("2024-06-15", 20), ("2024-05-20", 30), ("2024-01-10", 10))
    ]
    expect(
        one({"orders": orders}, AS_OF),
        order_count_slope_180d=(2.5 * 2 + 1.5 * 1 - 2.5 * 1) / 17.5,
        amount_slope_180d=(2.5 * 60 + 1.5 * 30 - 2.5 * 10) / 17.5,
        order_count_change_30d=1,
        amount_change_30d=30,
        order_count_change_90d=2,
        amount_change_90d=80,
        recent_order_share_180d=0.5,
        recent_amount_share_365d=0.9,
    )


def test_browsing_sessions_interest_and_feature_use(one: Build) -> None:
    def event(day: str, name: str, **more: Any) -> dict[str, Any]:
        return {"user_id": "u1", "occurred_at": at(day), "event": name, **more}

    events = [
        event("2024-06-30 23:30", "view_item", item_id="tea", session_id="s1", dwell_seconds=12.5),
        event("2024-06-30 23:31", "add_to_cart", item_id="tea", session_id="s1"),
        event("2024-06-20 10:00", "search", session_id="s2", page="home"),
        event("2024-06-20 10:01", "view_item", item_id="cup", session_id="s2", dwell_seconds=7.5),
        event("2024-05-15 10:00", "rating", item_id="cup", rating=4.0, feature="scan"),
        event("2024-04-15 10:00", "app_feature", feature="scan"),
        event("2024-04-15 10:00", "app_feature", feature="points"),
    ]
    orders = [sale("u1", at("2024-06-26"), 5, item_id="tea")]
    expect(
        one({"events": events, "orders": orders}, AS_OF),
        event_count_1d=2,
        event_count_7d=2,
        event_count_30d=4,
        event_count_lifetime=7,
        event_day_count_30d=2,
        event_day_count_lifetime=4,
        days_since_last_event=1,
        days_since_first_event=77,
        item_event_count_30d=3,
        page_event_count_30d=1,
        cart_event_count_7d=1,
        search_event_count_30d=1,
        dwell_seconds_30d=20,
        night_event_share_lifetime=2 / 7,
        average_rating_lifetime=4,
        rating_count_lifetime=1,
        days_since_last_cart_event=1,
        days_since_last_search_event=11,
        recent_event_share_30d=0.5,
        event_count_change_30d=3,
        session_count_7d=1,
        session_count_lifetime=2,
        events_per_session_lifetime=2,
        viewed_item_count_30d=2,
        viewed_item_count_lifetime=2,
        viewed_not_bought_item_count_30d=1,
        viewed_item_bought_share_lifetime=0.5,
        app_feature_count_lifetime=2,
        app_feature_count_90d=2,
        app_feature_use_count_lifetime=3,
        top_app_feature_lifetime="scan",
        days_since_last_app_feature_use=47,
        days_since_last_act=5,
    )


def test_acts_may_be_chosen_events(one: Build) -> None:
    rows = {
        "orders": [sale("u1", at("2024-06-01"), 5)],
        "events": [
            {"user_id": "u1", "occurred_at": at("2024-06-20"), "event": "play"},
            {"user_id": "u1", "occurred_at": at("2024-06-29"), "event": "open"},
        ],
    }
    assert one(rows, AS_OF)["days_since_last_act"] == 30
    assert one(rows, AS_OF, acts="events")["days_since_last_act"] == 2
    assert one(rows, AS_OF, acts=("play",))["days_since_last_act"] == 11


def test_contacts_and_responses(one: Build) -> None:
    def touch(day: str, campaign: str, arm: str = "treated", channel: str = "sms") -> dict[str, Any]:
        return {"user_id": "u1", "touched_at": at(day), "campaign_id": campaign, "arm": arm, "channel": channel}

    contacts = [
        touch("2024-06-28", "k3"),
        touch("2024-06-10", "k2", channel="push"),
        touch("2024-06-10", "k9", arm="control"),
        touch("2024-02-01", "k1"),
    ]
    # Bought on the sixth day after k2's touch (answered) and long after k1's; k3's week is not over.
    orders = [sale("u1", at("2024-06-16"), 5), sale("u1", at("2024-06-29"), 5)]
    expect(
        one({"contacts": contacts, "orders": orders}, AS_OF),
        contact_count_7d=1,
        contact_count_30d=2,
        contact_count_lifetime=3,
        campaign_count_90d=2,
        campaign_count_lifetime=3,
        contact_channel_count_lifetime=2,
        days_since_last_contact=3,
        days_since_first_contact=151,
        answered_contact_count_lifetime=1,
        answered_contact_share_lifetime=0.5,
    )


def test_tags_and_attributes(one: Build) -> None:
    tags = [
        {"user_id": "u1", "tag": "vip", "set_at": at("2024-06-01")},
        {"user_id": "u1", "tag": "care", "set_at": at("2024-06-20"), "expires_at": at("2024-06-25")},
        {"user_id": "u1", "tag": "new", "set_at": at("2024-06-21"), "expires_at": at("2024-08-01")},
        {"user_id": "u1", "tag": "late", "set_at": at("2024-07-01")},
    ]
    users = [
        {"user_id": "u1", "registered_at": at("2024-05-01"), "region": "old", "recorded_at": at("2024-05-01")},
        {
            "user_id": "u1",
            "registered_at": at("2024-05-01"),
            "region": "north",
            "gender": "f",
            "birth_year": 1980,
            "referred_by": "u9",
            "recorded_at": at("2024-06-01"),
        },
        {"user_id": "u1", "region": "future", "recorded_at": at("2024-07-01")},
    ]
    found = one({"tags": tags, "users": users}, AS_OF)
    expect(found, tag_count=2, days_since_last_tag=10, days_since_registration=61, region="north", gender="f")
    expect(found, birth_year=1980, was_referred=1)


def test_a_first_version_that_is_too_young_stays_out_of_features(one: Build) -> None:
    rows = {
        "orders": [sale("u1", at("2024-06-01"), 5)],
        "users": [{"user_id": "u1", "region": "north", "recorded_at": at("2024-07-01")}],
    }
    assert one(rows, AS_OF)["region"] is None
    assert one(rows, AS_OF, static=frozenset({"users"}))["region"] == "north"


@pytest.mark.parametrize(
    ("zone", "wall", "as_of", "days"),
    [
        ("Asia/Shanghai", "2024-06-30 23:59:59", date(2024, 7, 1), 1),
        ("Asia/Shanghai", "2024-06-30 00:00:00", date(2024, 7, 1), 1),
        ("Asia/Shanghai", "2024-06-29 23:59:59", date(2024, 7, 1), 2),
        ("Europe/London", "2024-03-31 00:30:00", date(2024, 4, 1), 1),  # the day of 23 hours
        ("Europe/London", "2024-03-30 23:59:59", date(2024, 4, 1), 2),
        ("Europe/London", "2024-10-27 01:30:00", date(2024, 10, 28), 1),  # the day of 25 hours
        ("Europe/London", "2024-10-27 00:00:00", date(2024, 11, 3), 7),
        ("Europe/London", "2024-10-26 23:59:59", date(2024, 11, 3), 8),
    ],
)
def test_days_are_those_of_the_business_zone(one: Build, zone: str, wall: str, as_of: date, days: int) -> None:
    found = one({"orders": [sale("u1", utc(wall, zone), 5)]}, as_of, zone)
    assert found["days_since_last_order"] == days
    assert found["order_count_7d"] == (1 if days <= 7 else 0)


def test_midnight_of_the_cutoff_is_not_before_it(one: Build) -> None:
    for zone in ("Europe/London", "Asia/Shanghai"):
        rows = [
            sale("u1", utc("2024-06-30 23:59:59.999999", zone), 5),
            sale("u1", utc("2024-07-01 00:00:00", zone), 7),
        ]
        assert one({"orders": rows}, AS_OF, zone)["amount_lifetime"] == 5


def test_an_order_over_midnight_is_one_order_and_the_last_sale_counts(one: Build) -> None:
    rows = [sale("u1", at("2024-06-23 23:59"), 5, order_id="a"), sale("u1", at("2024-06-24 00:01"), 5, order_id="a")]
    found = one({"orders": rows}, AS_OF)
    assert (found["order_count_lifetime"], found["days_since_last_order"], found["days_since_last_act"]) == (1, 7, 7)


def test_without_order_ids_a_day_is_an_order(one: Build) -> None:
    rows = [sale("u1", at(moment), 5) for moment in ("2024-06-23 09:00", "2024-06-23 21:00", "2024-06-24 09:00")]
    found = one({"orders": rows}, AS_OF)
    assert (found["order_count_lifetime"], found["lines_per_order_lifetime"]) == (2, 1.5)


def test_a_category_nobody_told_is_unknown_beside_one_that_was_told(one: Build) -> None:
    users = [
        {"user_id": who, "recorded_at": at("2024-05-01"), "gender": told} for who, told in (("u1", None), ("u2", "f"))
    ]
    assert one({"users": users}, AS_OF)["gender"] is None
    assert one({"users": users}, AS_OF, who="u2")["gender"] == "f"


def test_a_customer_may_spend_a_fortune(one: Build) -> None:
    """Squares of sums beyond 100,000 do not fit into 64 bits."""
    orders = [
        sale("u1", at("2024-05-01 10:00"), 8_000_000_000, order_id="a", item_id="pen"),
        sale("u1", at("2024-05-02 10:00"), 2_000_000_000, order_id="b", item_id="ink"),
    ]
    items = [
        {"item_id": "pen", "category": "a", "recorded_at": at("2024-01-01")},
        {"item_id": "ink", "category": "b", "recorded_at": at("2024-01-01")},
    ]
    expect(one({"orders": orders, "items": items}, AS_OF), category_concentration_lifetime=0.68)
