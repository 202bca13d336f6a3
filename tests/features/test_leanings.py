"""Discount sensitivity, festivals, campaigns, gifts and feedback: by hand, and refused where data are few."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from benchmarks.truth import counted, measures
from features.building import build_features
from features.seasons import festival_days
from features.source import FramesSource
from features.windows import day_number
from tests.features.conftest import sale, stored

AS_OF = date(2024, 7, 1)
RETAIL = Path(__file__).parents[3] / "shared" / "data" / "online_retail" / "online_retail_to_2011-09-09.parquet"


def of_everybody(family: str, as_of: date = AS_OF, **rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    frames = {table: stored(table, lines, "UTC") for table, lines in rows.items()}
    table = build_features(FramesSource(frames, "UTC"), as_of, families=[family])
    return {row["entity_id"]: row for row in table.to_pylist()}


def order(user: str, day: date, discount: float = 0, amount: float = 100, **more: Any) -> dict[str, Any]:
    at = datetime.combine(day, datetime.min.time()) + timedelta(hours=12)
    return sale(user, at, amount, order_id=f"{user}{day}", discount=discount, **more)


def test_depth_is_compared_with_the_same_week() -> None:
    """In a week Ann pays 20 % less and Bob nothing less: 10 points above and below. In the next week all get 50 %."""
    first, second = date(2024, 6, 3), date(2024, 6, 10)
    lines = [
        order("ann", first, 20, 80),
        order("bob", first),
        order("ann", second, 50, 50),
        order("bob", second, 50, 50),
    ]
    found = of_everybody("discount_sensitivity", orders=lines)
    # Ann has 0.1 and 0, Bob -0.1 and 0: the variance within is 0.01 / 2, that between (0.01 - 0.005) / 2; k is 2.
    assert found["ann"]["discount_sensitivity"] == pytest.approx(0.1 / (2 + 2))
    assert found["bob"]["discount_sensitivity"] == pytest.approx(-0.1 / (2 + 2))
    assert found["ann"]["discount_sensitivity_confidence"] == pytest.approx(2 / 4)
    assert found["ann"]["discount_lover"] == "too_few"


def deals() -> list[dict[str, Any]]:
    """Twenty customers pay full price, four take 25 % off, two half price that leaves no margin; an order a week."""
    lines = []
    for k in range(26):
        depth = 0 if k < 20 else 25 if k < 24 else 50
        who = f"{'full' if k < 20 else 'lover' if k < 24 else 'hunter'}{k}"
        lines += [
            order(who, date(2024, 6, 2) - timedelta(days=7 * n), depth + n % 2, 100 - depth - n % 2, item_id="i")
            for n in range(5)
        ]
    return lines


def test_who_seeks_discounts_is_told_from_who_hunts_coupons() -> None:
    items = [{"item_id": "i", "category": "c", "cost": 48, "recorded_at": datetime(2020, 1, 1)}]
    found = of_everybody("discount_sensitivity", orders=deals(), items=items)
    assert {who[:4]: (row["discount_lover"], row["coupon_hunter"]) for who, row in found.items()} == {
        "full": ("no", "no"),
        "love": ("yes", "no"),
        "hunt": ("no", "yes"),
    }
    assert found["hunter24"]["margin_share_365d"] == pytest.approx(1 - 5 * 48 / (5 * 50 - 2))


def test_without_costs_returns_tell_who_hunts_coupons() -> None:
    back = [sale("hunter24", datetime(2024, 6, 20), -50, order_id=f"r{n}") for n in range(4)]
    found = of_everybody("discount_sensitivity", orders=deals() + back)
    assert [who for who, row in found.items() if row["coupon_hunter"] == "yes"] == ["hunter24"]


def shoppers(years: int) -> list[dict[str, Any]]:
    """An order every 30 days by twelve, two of whom buy on the 10th of June besides, for so many Junes."""
    first = date(2024, 6, 25) - timedelta(days=365 * years)
    lines = []
    for k in range(12):
        lines += [order(f"u{k}", first + timedelta(days=30 * n)) for n in range(365 * years // 30 + 1)]
        junes = [date(2024 - n, 6, 11) for n in range(years)] if k < 2 else []
        lines += [order(f"u{k}", day + timedelta(days=n)) for day in junes for n in range(4)]
    return lines


def test_one_year_tells_nothing_of_festivals() -> None:
    found = of_everybody("festivals", orders=shoppers(1))
    assert {row["festival_lover_618"] for row in found.values()} == {"not_enough_years"}
    assert {row["festival_lover"] for row in found.values()} == {"not_enough_years"}


def test_who_buys_more_at_a_festival_than_others_do() -> None:
    found = of_everybody("festivals", orders=shoppers(3))
    assert {who for who, row in found.items() if row["festival_lover_618"] == "yes"} == {"u0", "u1"}
    assert {found[f"u{k}"]["festival_lover_618"] for k in range(2, 12)} == {"no"}
    assert found["u0"]["festival_preference_618"] > 1.25 > 1 > found["u5"]["festival_preference_618"]


def test_a_day_of_a_festival_counts_by_what_everybody_buys_on_it() -> None:
    """Counted anew in plain Python: 618 of three years, on four days of which two of twelve buy."""
    lines = shoppers(3)
    found = of_everybody("festivals", orders=lines)
    days: dict[str, list[date]] = {}
    for line in lines:
        days.setdefault(line["user_id"], []).append(line["ordered_at"].date())
    every = {row["day"]: row["festival"] for row in festival_days().to_pylist()}
    first, last = min(min(of) for of in days.values()), max(max(of) for of in days.values())
    life = [first + timedelta(days=n) for n in range(1, (last - first).days + 1)]
    plain = [day for day in life if day_number(day) not in every]
    outside = sum(day in set(plain) for of in days.values() for day in of) / len(plain) / len(days)
    festive = [day for day in life if day_number(day) in every]
    season = {day: sum(of.count(day) for of in days.values()) / len(days) / outside for day in festive}
    brought = {day: max(1 - 1 / s, 0) if s else 0 for day, s in season.items()}
    ours = [day for day in festive if every[day_number(day)] == "618"]
    whole_days = len(plain) + sum(season.values())
    share, squares = (sum(season[day] * brought[day] ** n for day in ours) / whole_days for n in (1, 2))
    counts = {who: len([day for day in of if day > first]) for who, of in days.items()}
    y = {who: sum(brought[day] for day in of if day in ours) for who, of in days.items()}
    e = {who: n * share for who, n in counts.items()}
    excess = sum((y[who] - e[who]) ** 2 - n * (squares - share**2) for who, n in counts.items())
    strength = sum(each**2 for each in e.values()) / excess
    for who, row in found.items():
        assert row["festival_preference_618"] == pytest.approx((strength + y[who]) / (strength + e[who]), rel=1e-4)
    # the eleventh of June: two of twelve where a day outside has about four tenths of one
    assert brought[date(2024, 6, 11)] == pytest.approx(1 - 12 * outside / 2)


def test_orders_in_a_festival_that_is_not_over_yet_count_nowhere() -> None:
    until = date(2024, 6, 19)
    before = [line for line in shoppers(3) if line["ordered_at"] < datetime(2024, 6, 1)]
    more = [order("u5", date(2024, 6, n)) for n in range(1, 15)]
    one, other = (of_everybody("festivals", until, orders=lines) for lines in (before + more[-1:], before + more))
    assert one["u6"] == other["u6"]


def test_on_one_christmas_of_real_orders_the_tag_refuses() -> None:
    if not RETAIL.exists():
        pytest.skip("Online Retail is not at ../shared/data/online_retail")
    raw = pd.read_parquet(RETAIL, columns=["CustomerID", "InvoiceDate", "InvoiceNo", "Quantity", "UnitPrice"])
    raw = raw[raw["CustomerID"].notna() & (raw["UnitPrice"] > 0) & (raw["Quantity"] > 0)]
    wall = pa.array(raw["InvoiceDate"].astype("datetime64[us]"))
    orders = pa.table(
        {
            "entity_id": raw["CustomerID"].astype("int64").astype(str).to_numpy(),
            "ordered_at": wall, "local_at": wall, "recorded_at": wall,
            "order_id": raw["InvoiceNo"].astype(str).to_numpy(),
            "amount": pa.array(np.round(raw["Quantity"] * raw["UnitPrice"], 2)).cast(pa.decimal128(18, 4), safe=False),
            "kind": pa.repeat(pa.scalar("sale"), len(raw)),
        }
    )  # fmt: skip
    told = build_features(FramesSource({"orders": orders}, "UTC"), date(2011, 9, 9), families=["festivals"])
    for name in ("618", "qixi", "double_eleven", "christmas"):
        assert set(told[f"festival_lover_{name}"].to_pylist()) == {"not_enough_years"}
    assert set(told["festival_lover"].to_pylist()) == {"not_enough_years"}


def test_weeks_of_a_campaign_against_other_weeks() -> None:
    """Ten are touched every four weeks. Five buy on the day after each touch, five 14 days after it."""
    first = date(2024, 1, 1)
    lines, touches = [], []
    for k in range(10):
        lines.append(order(f"u{k}", first))
        for n in range(6):
            day = first + timedelta(days=2 + 28 * n)
            touches.append({"campaign_id": f"c{n}", "user_id": f"u{k}", "arm": "treatment", "touched_at": day})
            lines.append(order(f"u{k}", day + timedelta(days=1 if k < 5 else 14)))
    rows = [{**touch, "touched_at": datetime.combine(touch["touched_at"], datetime.min.time())} for touch in touches]
    found = of_everybody("campaign_dependence", orders=lines, contacts=rows)
    assert found["u0"]["act_days_per_campaign_week"] == 1
    assert found["u9"]["act_days_per_campaign_week"] == 0
    # Six weeks of seven days of 181 since the first act: everybody's ratio is 3.31.
    ratio = (30 / 420) / (30 / 1390)
    assert found["u9"]["campaign_dependence"] < ratio < found["u0"]["campaign_dependence"]


def test_gift_goods_are_told_by_attribute_else_by_their_peak() -> None:
    items = [{"item_id": i, "gift": g, "recorded_at": datetime(2020, 1, 1)} for i, g in (("a", True), ("b", False))]
    lines = [order("u", date(2024, 5, n + 1), item_id="a" if n else "b") for n in range(4)]
    assert of_everybody("gifts", orders=lines, items=items)["u"]["gift_line_share_lifetime"] == 0.75
    peak = [order(f"p{n}", date(2023, 12, 20), item_id="a") for n in range(10)]
    plain = [order(f"q{n}", date(2024, 4, 1) + timedelta(days=n), item_id="b") for n in range(20)]
    found = of_everybody("gifts", orders=peak + plain)
    assert (found["p0"]["gift_line_share_lifetime"], found["q0"]["gift_line_share_lifetime"]) == (1, 0)


def test_feedback() -> None:
    def said(user: str, days_ago: int, event: str = "rating", **more: Any) -> dict[str, Any]:
        at = datetime(2024, 7, 1, 9) - timedelta(days=days_ago)
        return {"user_id": user, "occurred_at": at, "event": event} | more

    acts = [said("ann", 200, rating=5.0), said("ann", 20, rating=2.0), said("bob", 300, rating=4.0)]
    acts += [said("cy", 90, "complaint"), said("dee", 91, "投诉"), said("dee", 40, "leaving_reason", feature="price")]
    acts += [said("dee", 50, "leaving_reason", feature="moved")]
    found = of_everybody("feedback", events=acts)
    assert {who: row["satisfaction"] for who, row in found.items()} == {
        "ann": "unhappy", "bob": "happy", "cy": "unhappy", "dee": None,
    }  # fmt: skip
    assert (found["ann"]["last_rating"], found["ann"]["days_since_last_rating"]) == (2, 20)
    assert [found["dee"][f"complaint_count_{days}d"] for days in (90, 365)] == [0, 1]
    assert found["dee"]["stated_reason"] == "price"


def test_the_truth_of_the_made_up_shop_comes_back(tmp_path: Path) -> None:
    """One seed, small; `benchmarks.truth` makes the table of five."""
    found = measures(counted(tmp_path, seed=6, users=1500, days=900))
    assert found["discount lovers: AUC"] > 0.94
    assert found["discount lovers: precision"] > 0.75
    assert found["discount lovers: recall"] > 0.65
    assert found["coupon hunters: AUC"] > 0.97
    assert found["coupon hunters: precision"] > 0.75
    assert found["coupon hunters: recall"] > 0.8
    assert found["festival lovers: AUC"] > 0.62
    assert found["price bands: rank correlation"] > 0.85
    assert found["price bands: at most one apart"] > 0.7
