"""RFM types and the grid: worked out on paper with ties, and the laws that hold for any customers."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features import rules
from features.building import build_features
from features.catalogue import FEATURES, fields
from features.source import FramesSource, RfmSplit
from tests.features.conftest import make_world, sale, stored

AS_OF = date(2024, 7, 1)
MEASURES = ("recency", "frequency", "amount")
TYPES = tuple(value.value for feature in FEATURES if feature.name == "rfm_type" for value in feature.values)
SOME = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))


def bought(user: str, days_ago: int, orders: int, amount: float) -> list[dict[str, Any]]:
    """`orders` orders, the last so many days ago and the others a day apart before it, of that amount together."""
    last = datetime(2024, 7, 1, 12) - timedelta(days=days_ago)
    return [
        sale(user, last - timedelta(days=n), round(amount / orders, 4), order_id=f"{user}{n}") for n in range(orders)
    ]


def of(
    lines: list[dict[str, Any]], split: RfmSplit = "median", **more: list[dict[str, Any]]
) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    frames = {name: stored(name, rows, "UTC") for name, rows in {"orders": lines, **more}.items()}
    source = FramesSource(frames, "UTC", rfm_split=split)
    table = build_features(source, AS_OF, families=["rfm"])
    (cuts,) = source.population_tables(AS_OF)["rfm_thresholds"].to_pylist()
    return {row["entity_id"]: row for row in table.to_pylist()}, cuts


EIGHT = {
    # days ago, orders, money: twelve customers of the window, so that a half is six
    "value": (5, 4, 400),
    "value_tied": (5, 4, 400),
    "growth": (10, 1, 500),
    "keep": (200, 4, 300),
    "winback": (200, 1, 250),
    "ordinary_value": (10, 4, 40),
    "ordinary_growth": (10, 1, 10),
    "ordinary_keep": (200, 4, 60),
    "ordinary_winback": (200, 1, 20),
    "at_the_cut": (20, 2, 200),
    "just_below": (21, 1, 199),
    "one_of_many_at_once": (200, 1, 10),
}


def test_the_eight_types_on_paper() -> None:
    """Days ago 5 5 10 10 10 20 | 21 200 …: high to 20, six of twelve. Orders 4 × 5, 2, 1 × 6: high from 2, six.
    Money 500 400 400 300 250 200 | 199 …: high from 200, six."""
    lines = [line for who, told in EIGHT.items() for line in bought(who, *told)]
    lines += bought("long_gone", 400, 3, 999)  # all of it before the window: low in everything, and moves no cut
    found, cuts = of(lines, users=[{"user_id": "never_bought", "recorded_at": datetime(2024, 1, 1)}])
    assert [float(cuts[f"{m}_high"]) for m in MEASURES] == [-20, 2, 200]
    assert cuts["customers"] == 12
    assert {who: row["rfm_type"] for who, row in found.items()} == {
        "value": "important_value",
        "value_tied": "important_value",
        "growth": "important_growth",
        "keep": "important_keep",
        "winback": "important_winback",
        "ordinary_value": "ordinary_value",
        "ordinary_growth": "ordinary_growth",
        "ordinary_keep": "ordinary_keep",
        "ordinary_winback": "ordinary_winback",
        "at_the_cut": "important_value",
        "just_below": "ordinary_winback",
        "one_of_many_at_once": "ordinary_winback",
        "long_gone": "ordinary_winback",
        "never_bought": None,
    }


def test_scores_leave_out_what_ties_fill() -> None:
    """Seven of ten bought once: nobody is lower than they (1); of the others 7, 8 and 9 tenths are lower: 4, 5, 5."""
    orders = [1] * 7 + [2, 3, 4]
    lines = [line for n, count in enumerate(orders) for line in bought(f"u{n}", 10, count, 12)]
    found, cuts = of(lines)
    assert [found[f"u{n}"]["rfm_frequency_score"] for n in range(10)] == [1] * 7 + [4, 5, 5]
    # the median is 1 and parts nobody; from 2 on there are three of ten, from 3 on two, which is further from half
    assert cuts["frequency_high"] == 2
    # all have the same: no cut, so nobody is high and all have score 1
    assert cuts["recency_high"] is None
    assert cuts["amount_high"] is None
    assert {row["rfm_recency_score"] for row in found.values()} == {1}
    assert {who for who, row in found.items() if row["rfm_type"] == "ordinary_keep"} == {"u7", "u8", "u9"}


def test_by_score_on_paper() -> None:
    """Orders 1 × 7, 2, 3, 4 have the scores 1 × 7, 4, 5, 5: 2.1 in the mean, so from 2 orders on, as by the median.
    Money 10 20 … 100 has 1 1 2 2 3 3 4 4 5 5: 3 in the mean, so from the first 4 on, 70, where the median parts at 60.
    Days ago 5 × 9 and 9: a tenth is lower than nine customers, so all have score 1 and nobody is above the mean, where
    the median parts nine from one."""
    lines = [
        line
        for n, count in enumerate([1] * 7 + [2, 3, 4])
        for line in bought(f"u{n}", 9 if n == 0 else 5, count, 10 * (n + 1))
    ]
    found, cuts = of(lines, "score")
    assert [cuts[f"{m}_high"] for m in MEASURES] == [None, 2, 70]
    assert [cuts[f"{m}_high_customers"] for m in MEASURES] == [None, 3, 4]
    assert [cuts[f"{m}_all_scores"] for m in MEASURES] == [10, 21, 30]
    assert cuts["split"] == "score"
    assert {who: row["rfm_type"] for who, row in found.items()} == {
        **{f"u{n}": "ordinary_winback" for n in range(6)},
        "u6": "important_winback",
        **{f"u{n}": "important_keep" for n in (7, 8, 9)},
    }
    _, by_median = of(lines)
    assert [by_median[f"{m}_high"] for m in MEASURES] == [-5, 2, 60]


@pytest.mark.parametrize(
    ("values", "cut"),
    [
        ([1, 2, 3, 4], 3),  # halves
        ([1, 2, 3], 3),  # two of three or one of three: as far from half; the higher
        ([1, 1, 2], 2),
        ([1, 2, 2], 2),
        ([1, 1, 1, 5], 5),
        ([1, 1], None),
    ],
)
def test_the_cut_lies_nearest_to_half(values: list[int], cut: int | None) -> None:
    _, cuts = of([line for n, value in enumerate(values) for line in bought(f"u{n}", 3, 1, value)])
    assert cuts["amount_high"] == cut


def test_without_orders_acts_are_counted_and_engagement_stands_for_money() -> None:
    def acts(user: str, days_ago: int, days: int, each: int) -> list[dict[str, Any]]:
        last = datetime(2024, 7, 1, 9) - timedelta(days=days_ago)
        return [
            {"user_id": user, "device_id": "d", "event": "open", "occurred_at": last - timedelta(days=n, seconds=k)}
            for n in range(days)
            for k in range(each)
        ]

    events = [*acts("deep", 2, 3, 5), *acts("often", 2, 6, 1), *acts("once", 90, 1, 9), *acts("gone", 90, 1, 1)]
    source = FramesSource({"events": stored("events", events, "UTC")}, "UTC")
    table = build_features(source, AS_OF, families=["rfm"])
    assert dict(zip(table["entity_id"].to_pylist(), table["rfm_type"].to_pylist(), strict=True)) == {
        "deep": "important_value",
        "often": "ordinary_value",
        "once": "important_winback",
        "gone": "ordinary_winback",
    }


def _measured(table: pa.Table) -> list[dict[str, Any]]:
    return [row for row in table.to_pylist() if row["order_count_lifetime"]]


def _at_least(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return (
        one["days_since_last_order"] <= other["days_since_last_order"]
        and one["order_count_365d"] >= other["order_count_365d"]
        and one["amount_365d"] >= other["amount_365d"]
    )


@SOME
@given(st.integers(0, 10_000))
def test_exactly_one_type_each_and_more_is_never_lower(seed: int) -> None:
    world = make_world(seed, 30)
    table = build_features(world.source(), world.as_of, families=["rfm", "recency", "frequency", "money"])
    rows = _measured(table)
    assert all(row["rfm_type"] in TYPES for row in rows)
    bare = [row for row in table.to_pylist() if not row["order_count_lifetime"]]
    assert all(row["rfm_type"] is None and row["rfm_recency_score"] is None for row in bare)
    for one in rows:
        for other in rows:
            if _at_least(one, other):
                for measure in MEASURES:
                    assert one[f"rfm_{measure}_score"] >= other[f"rfm_{measure}_score"]
                assert not (other["rfm_type"].startswith("important") and one["rfm_type"].startswith("ordinary"))
                if other["rfm_type"] == "important_value":
                    assert one["rfm_type"] == "important_value"


@SOME
@given(st.integers(0, 10_000))
def test_the_cuts_are_those_of_a_plain_count(seed: int) -> None:
    """Counted anew in Python from the numbers beside them."""
    world = make_world(seed, 30)
    table = build_features(world.source(), world.as_of, families=["rfm", "recency", "frequency", "money"])
    columns = {"recency": "days_since_last_order", "frequency": "order_count_365d", "amount": "amount_365d"}
    rows = [row for row in _measured(table) if row["order_count_365d"]]
    for measure, column in columns.items():
        values = sorted(-row[column] if measure == "recency" else row[column] for row in rows)
        for row in _measured(table):
            mine = -row[column] if measure == "recency" else row[column]
            lower = sum(value < mine for value in values)
            score = 1 + 5 * lower // len(values) if rows else 1
            assert row[f"rfm_{measure}_score"] == min(5, score)


@SOME
@given(st.integers(0, 10_000))
def test_by_score_high_is_a_score_above_the_mean(seed: int) -> None:
    world = make_world(seed, 30)
    source = replace(world.source(), rfm_split="score")
    table = build_features(source, world.as_of, families=["rfm", "recency", "frequency"])
    rows = _measured(table)
    window = [row for row in rows if row["order_count_365d"]]
    high = {m: _high(rows, [row[f"rfm_{m}_score"] for row in window], m) for m in MEASURES}
    of_recent_frequent = [(True, True), (True, False), (False, True), (False, False)]
    for row, recent, frequent, important in zip(rows, *(high[m] for m in MEASURES), strict=True):
        assert row["rfm_type"] == TYPES[of_recent_frequent.index((recent, frequent)) + (0 if important else 4)]


def _high(rows: list[dict[str, Any]], window: list[float], measure: str) -> list[bool]:
    """Of whom the score is above the mean of those in the window."""
    return [bool(window) and row[f"rfm_{measure}_score"] * len(window) > sum(window) for row in rows]


def test_a_customer_alone_has_the_type_it_has_among_all() -> None:
    world = make_world(11, 40)
    source = world.source()
    whole = build_features(source, world.as_of, families=["rfm"])
    population = source.population_tables(world.as_of)
    for row in whole.to_pylist()[::5]:
        frames = {
            name: table if name == "items" else table.filter(pc.equal(table["entity_id"], row["entity_id"]))
            for name, table in world.frames().items()
        }
        alone = build_features(FramesSource({**frames, **population}, world.zone), world.as_of, families=["rfm"])
        assert alone.to_pylist() == [row]


def test_every_cell_of_the_grid_has_its_name() -> None:
    named = {
        5: "recent potential_loyal potential_loyal champion champion",
        4: "promising potential_loyal potential_loyal loyal loyal",
        3: "about_to_sleep about_to_sleep needs_attention loyal loyal",
        2: "hibernating hibernating at_risk at_risk cannot_lose",
        1: "hibernating hibernating at_risk at_risk cannot_lose",
    }
    cuts = {f"recency_{k}": -60 + 10 * k for k in range(2, 6)} | {f"frequency_{k}": k for k in range(2, 6)}
    cuts |= dict.fromkeys([*(f"amount_{k}" for k in range(2, 6)), *(f"{m}_high" for m in MEASURES), "customers"], 9)
    lines = [line for r in named for f in range(1, 6) for line in bought(f"{r}{f}", 55 - 10 * r, f, 9)]
    frames = {"orders": stored("orders", lines, "UTC"), "rfm_thresholds": pa.table({n: [v] for n, v in cuts.items()})}
    table = build_features(FramesSource(frames, "UTC"), AS_OF, families=["rfm"])
    cells = dict(zip(table["entity_id"].to_pylist(), table["rfm_grid"].to_pylist(), strict=True))
    assert cells == {f"{r}{f}": name for r, row in named.items() for f, name in enumerate(row.split(), 1)}


def test_a_rule_may_say_it_in_chinese() -> None:
    said = rules.check(rules.parse('rfm_type in ("重要价值", "重要保持")'), fields(FEATURES))
    assert said == rules.parse('rfm_type in ("important_value", "important_keep")')
