"""One person in two roles: what they bought is theirs as a user, what they sold as the seller they name."""

from __future__ import annotations

from datetime import date, datetime

import pyarrow.compute as pc

from features.selling import selling
from features.source import FramesSource
from tests.features.conftest import sale, stored

AS_OF = date(2024, 6, 1)


def at(day: str) -> datetime:
    return datetime.fromisoformat(day)


def test_by_hand() -> None:
    orders = stored(
        "orders",
        [
            # two orders of cups, one of two lines; what was given back, is older, or comes later does not count
            sale("ann", at("2024-05-01"), 10, order_id="1", seller_id="cups"),
            sale("ann", at("2024-05-01"), 5.5, order_id="1", seller_id="cups"),
            sale("bob", at("2024-05-02"), 7, seller_id="cups"),
            sale("bob", at("2024-05-03"), -7, seller_id="cups"),
            sale("bob", at("2023-06-01"), 9, seller_id="cups"),
            sale("bob", at("2024-06-01"), 9, seller_id="cups"),
            sale("cy", at("2024-05-05"), 3, seller_id="tea"),
        ],
        "UTC",
    )
    users = stored(
        "users",
        [
            {"user_id": "cy", "seller_id": "cups", "recorded_at": at("2024-01-01")},
            {"user_id": "di", "seller_id": "pots", "recorded_at": at("2024-01-01")},
            {"user_id": "ann", "recorded_at": at("2024-01-01")},
        ],
        "UTC",
    )
    found = selling(FramesSource({"orders": orders, "users": users}), AS_OF)
    assert found is not None
    assert [tuple(row.values()) for row in found.to_pylist()] == [("cy", "cups", 2, 22.5), ("di", "pots", 0, 0)]
    assert selling(FramesSource({"orders": orders}), AS_OF) is None
    nobody = users.filter(pc.is_null(users["seller_id"]))
    assert selling(FramesSource({"orders": orders, "users": nobody}), AS_OF) is None
