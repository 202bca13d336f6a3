"""Last pages, joined campaigns and last uses of functions, worked out by hand."""

from datetime import date, datetime
from typing import Any

import pytest

from features.building import build_features
from features.last_uses import last_uses
from features.source import FramesSource
from tests.features.conftest import stored

AS_OF = date(2024, 7, 1)


def event(user: str, at: datetime, **more: Any) -> dict[str, Any]:
    return {"user_id": user, "occurred_at": at, "event": "view", **more}


EVENTS = [
    event("u", datetime(2024, 6, 1, 9), page="home", feature="scan"),
    event("u", datetime(2024, 6, 20, 9), page="cart", feature="pay"),
    event("u", datetime(2024, 6, 20, 8), page="search", feature="scan"),
    event("u", datetime(2024, 6, 25), campaign_id="618"),
    event("u", datetime(2024, 6, 26), campaign_id="618"),
    event("u", datetime(2024, 4, 3), campaign_id="may"),
    event("u", datetime(2024, 4, 1), campaign_id="too_old"),
    # What happens on the day itself, or is recorded then, is not known yet.
    event("u", datetime(2024, 7, 1), page="later", feature="later", campaign_id="later"),
    event("u", datetime(2024, 6, 30), page="late", feature="late", recorded_at=datetime(2024, 7, 2)),
    event("v", datetime(2024, 6, 2)),
    event("w", datetime(2024, 5, 2), feature="scan"),
]


def source() -> FramesSource:
    return FramesSource({"events": stored("events", EVENTS, "UTC")}, "UTC", acts="events")


def test_the_last_page_and_the_campaigns_joined() -> None:
    table = build_features(source(), AS_OF, families=["touchpoints"])
    rows = {row.pop("entity_id"): row for row in table.to_pylist()}
    assert rows["u"] == {"last_page": "cart", "days_since_last_page": 11, "joined_campaign_count_90d": 2}
    for user in ("v", "w"):
        assert rows[user] == {"last_page": None, "days_since_last_page": None, "joined_campaign_count_90d": 0}


def test_the_last_use_of_each_function() -> None:
    found = last_uses(source(), AS_OF)
    assert found is not None
    assert found.to_pylist() == [
        {"entity_id": "u", "feature": "pay", "last_used_on": date(2024, 6, 20)},
        {"entity_id": "u", "feature": "scan", "last_used_on": date(2024, 6, 20)},
        {"entity_id": "w", "feature": "scan", "last_used_on": date(2024, 5, 2)},
    ]


@pytest.mark.parametrize("tables", [{}, {"events": stored("events", EVENTS[9:10], "UTC")}])
def test_without_functions_there_is_none(tables: dict[str, Any]) -> None:
    assert last_uses(FramesSource(tables, "UTC", acts="events"), AS_OF) is None
