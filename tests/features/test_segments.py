"""Segments: worked out on paper, cut from the numbers beside them, and asked for by rules under either name."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pytest

from features import rules
from features.building import build_features
from features.catalogue import FEATURES, fields, markdown
from features.source import FramesSource
from tests.features.conftest import make_world, sale, stored

AS_OF = date(2024, 7, 1)
SEGMENTS = tuple(feature for feature in FEATURES if feature.is_segment)


def of_everybody(segment: str, **rows: list[dict[str, Any]]) -> dict[str, str | None]:
    frames = {table: stored(table, lines, "UTC") for table, lines in rows.items()}
    table = build_features(FramesSource(frames, "UTC"), AS_OF)
    return dict(zip(table["entity_id"].to_pylist(), table[segment].to_pylist(), strict=True))


def orders(user: str, *discounts: float, item: str | None = None) -> list[dict[str, Any]]:
    """An order a day from 1 June on, with these discounts."""
    return [
        sale(user, datetime(2024, 6, day), 10, order_id=f"{user}{day}", item_id=item, discount=discount)
        for day, discount in enumerate(discounts, start=1)
    ]


def test_buyers_are_told_apart_by_their_orders() -> None:
    lines = [*orders("once", 0), *orders("twice", 0, 0), sale("gave_back", datetime(2024, 6, 1), -5)]
    lines += [sale("later", datetime(2024, 7, 1), 10), sale("later", datetime(2024, 6, 1), 0)]
    users = [{"user_id": "registered", "recorded_at": datetime(2024, 1, 1)}]
    assert of_everybody("buyer_type", orders=lines, users=users) == {
        "once": "one_time",
        "twice": "repeat",
        "gave_back": "never_bought",
        "later": "never_bought",
        "registered": "never_bought",
    }


def test_two_lines_of_an_order_are_one_order() -> None:
    line = sale("u", datetime(2024, 6, 1), 10, order_id="a")
    assert of_everybody("buyer_type", orders=[line, line]) == {"u": "one_time"}


@pytest.mark.parametrize(
    ("discounts", "expected"),
    [
        ([3], None),  # one order tells no habit
        ([0, 0], "full_price"),
        ([3, 0, 0, 0, 0], "full_price"),  # exactly 20 %
        ([3, 0, 0, 0], "mixed"),
        ([3, 3, 3, 0, 0], "mixed"),  # exactly 60 %
        ([3, 3, 0], "discount"),
        ([3, 3], "discount"),
    ],
)
def test_the_share_of_orders_with_a_discount(discounts: list[float], expected: str | None) -> None:
    assert of_everybody("discount_affinity", orders=orders("u", *discounts)) == {"u": expected}


def test_price_levels_are_thirds_of_the_place_in_the_category() -> None:
    """Three items at 10, 20 and 30: the cheapest stands at 1/3, the next at 2/3, the dearest at 1."""
    prices = {"cheap": 10, "usual": 20, "dear": 30}
    bought = {
        "budget": ["cheap"],
        "at_two_thirds": ["usual"],
        "premium": ["dear"],
        "third_and_one": ["cheap", "dear"],  # (1/3 + 1) / 2 = 2/3
        "above": ["usual", "usual", "dear"],  # (2/3 + 2/3 + 1) / 3 = 7/9
        "between": ["cheap", "usual"],  # 1/2
    }
    lines = [
        sale(user, datetime(2024, 6, day), prices[item], item_id=item)
        for user, items in bought.items()
        for day, item in enumerate(items, start=1)
    ]
    assert of_everybody("price_level", orders=[*lines, sale("no_item", datetime(2024, 6, 1), 9)]) == {
        "budget": "budget",
        "at_two_thirds": "middle",
        "premium": "premium",
        "third_and_one": "middle",
        "above": "premium",
        "between": "middle",
        "no_item": None,
    }


@pytest.mark.parametrize("seed", range(3))
def test_segments_cut_the_numbers_beside_them(seed: int) -> None:
    table = build_features(make_world(seed, 60).source(), make_world(seed, 60).as_of).to_pylist()
    assert {row["buyer_type"] for row in table} == {"never_bought", "one_time", "repeat"}
    for row in table:
        count = row["order_count_lifetime"]
        assert row["buyer_type"] == ("never_bought" if not count else "one_time" if count == 1 else "repeat")
        assert (row["price_level"] is None) == (row["average_price_percentile_lifetime"] is None)
        assert (row["discount_affinity"] is None) == (count < 2)
        if count >= 2:
            share = row["discount_order_share_lifetime"]
            cut = "full_price" if share <= 0.2 else "mixed" if share <= 0.6 else "discount"
            assert row["discount_affinity"] == cut


def test_nobody_has_a_value_that_is_not_listed() -> None:
    world = make_world(5, 60)
    table = build_features(world.source(), world.as_of)
    for segment in SEGMENTS:
        assert set(table[segment.name].drop_null().to_pylist()) <= {each.value for each in segment.values}


def test_names_of_values_cannot_be_mixed_up() -> None:
    assert {"buyer_type", "price_level", "discount_affinity", "rfm_type", "rfm_grid"} <= {s.name for s in SEGMENTS}
    for segment in SEGMENTS:
        said = [word for each in segment.values for word in (each.value, each.zh)]
        assert len(set(said)) == len(said)
        assert segment.absent is None or segment.absent in said


def test_the_page_shows_values_and_their_names() -> None:
    assert "| `buyer_type` | `repeat` | repeat buyer | 复购客 |" in markdown()


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ('buyer_type = "复购客"', 'buyer_type = "repeat"'),
        ('not buyer_type != "复购客"', 'not buyer_type != "repeat"'),
        ('price_level in ("低价位", "middle")', 'price_level in ("budget", "middle")'),
        (
            '(price_level = "高价位" or everyone) and buyer_type not in ("未购") top 5 by amount_lifetime',
            '(price_level = "premium" or everyone) and buyer_type not in ("never_bought") top 5 by amount_lifetime',
        ),
    ],
)
def test_a_rule_may_use_the_chinese_names(said: str, meant: str) -> None:
    known = fields(FEATURES)
    for rule in (rules.parse(said), rules.from_json(rules.parse(said).to_json())):
        assert rules.check(rule, known) == rules.parse(meant)
    assert rules.check(rules.parse(meant), known) == rules.parse(meant)


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ('buyer_type = "repeated"', 'buyer_type is never "repeated". Did you mean "repeat"?'),
        ('buyer_type = "复购"', 'buyer_type is never "复购". Did you mean "复购客" or "未购"?'),
        (
            'buyer_type in ("repeat", "xyz")',
            'buyer_type is never "xyz". Its values: never_bought (未购), one_time (一次客), repeat (复购客).',
        ),
        (
            'price_level contains "价"',
            'No value of price_level contains "价". Its values: budget (低价位), middle (中价位), premium (高价位).',
        ),
    ],
)
def test_a_value_that_is_not_listed_is_told(rule: str, told: str) -> None:
    with pytest.raises(rules.RuleError) as caught:
        rules.check(rules.parse(rule), fields(FEATURES))
    message, line, carets = str(caught.value).splitlines()
    assert (message, line.strip(), set(carets.strip())) == (told, rule, {"^"})
