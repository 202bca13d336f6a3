"""Whose level an item has: of the user who is the seller it names, else of who sold it last."""

from __future__ import annotations

from datetime import date, datetime

import pyarrow as pa

from features.seller_levels import with_seller_levels
from features.source import FramesSource
from tests.features.conftest import sale, stored
from warehouse.level_settings import LevelRules

AS_OF = date(2024, 6, 1)
RULES = LevelRules({"new": 0, "known": 10, "star": 100}, {"post": 10})


def at(day: str) -> datetime:
    return datetime.fromisoformat(day)


def source() -> FramesSource:
    orders = [
        sale("ann", at("2024-04-01"), 5, item_id="tea", seller_id="old"),
        sale("bob", at("2024-05-01"), 5, item_id="tea", seller_id="leaf"),
        sale("bob", at("2024-05-02"), -5, item_id="tea", seller_id="old"),
        sale("bob", at("2024-06-01"), 5, item_id="tea", seller_id="old"),  # at the cutoff
        sale("bob", at("2024-05-30"), 5, item_id="tea", seller_id="old", recorded_at=at("2024-06-02")),
        sale("bob", at("2024-05-01"), 5, item_id="cup", seller_id="old"),
        sale("bob", at("2024-05-01"), 5, item_id="jam", seller_id="nobody"),
        sale("bob", at("2024-05-01"), 5, item_id="pot", seller_id="pots"),
        sale("bob", at("2024-05-01"), 5, item_id="pot", seller_id="jams"),  # at that moment both: the first by id
        sale("bob", at("2024-05-01"), 5, item_id="gift"),
    ]
    users = [("cy", "leaf"), ("di", "old"), ("ed", "old"), ("flo", "jams"), ("ann", None)]
    events = [("cy", "post")] + [("ed", "post")] * 10 + [("flo", "post"), ("di", "post")]
    return FramesSource(
        {
            "orders": stored("orders", orders, "UTC"),
            "users": stored(
                "users", [{"user_id": u, "seller_id": s, "recorded_at": at("2024-01-01")} for u, s in users], "UTC"
            ),
            "events": stored(
                "events", [{"user_id": u, "event": e, "occurred_at": at("2024-05-05")} for u, e in events], "UTC"
            ),
        }
    )


def told(items: pa.Table | None) -> dict[str, str | None]:
    found = with_seller_levels(items, source(), AS_OF, LevelRules(RULES.steps, RULES.events))
    return dict(zip(found["item_id"].to_pylist(), found["seller_level"].to_pylist(), strict=True))


def test_by_who_sold_it_last() -> None:
    """The tea was last sold by cy, who posted once; of di and ed, who both are the old seller, ed is higher."""
    assert told(None) == {"tea": "known", "cup": "star", "jam": None, "pot": "known"}


def test_the_seller_that_items_name_wins() -> None:
    items = pa.table({"item_id": ["tea", "cup", "never sold", "gift"], "seller_id": ["old", None, "leaf", None]})
    assert told(items) == {
        "tea": "star",
        "cup": "star",
        "never sold": "known",
        "gift": None,
        "jam": None,
        "pot": "known",
    }
    without = pa.table({"item_id": ["cup", "tea"], "brand": ["a", "b"]})
    found = with_seller_levels(without, source(), AS_OF, LevelRules(RULES.steps, RULES.events))
    assert found["brand"].to_pylist() == ["a", "b", None, None]


def test_where_no_user_is_a_seller_nothing_has_a_level() -> None:
    alone = FramesSource({"orders": source().frames["orders"]})
    found = with_seller_levels(None, alone, AS_OF, LevelRules(RULES.steps, RULES.events))
    assert found["seller_level"].null_count == found.num_rows == 4
    assert found["seller_level"].type == pa.string()
