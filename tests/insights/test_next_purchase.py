"""What is bought next: by hand, planted and found, and nothing found where there is nothing."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest

from features.cycles import Successions, successions
from features.source import FramesSource
from insights.next_purchase import next_purchases

FIRST, AS_OF = date(2024, 1, 1), date(2024, 12, 30)


def shop(seed: int, planted: float, customers: int = 500) -> FramesSource:
    """Customers who buy a, b, c or d at random; after a, with the `planted` probability, b three days later."""
    rng = np.random.default_rng(seed)
    rows = []
    for who in range(customers):
        for day in rng.choice(330, 8, replace=False):
            item = "abcd"[rng.integers(0, 4)]
            rows.append((f"u{who:04d}", int(day), item))
            if item == "a" and rng.random() < planted:
                rows.append((f"u{who:04d}", int(day) + 3, "b"))
    times = [np.datetime64(FIRST + timedelta(days=day), "us") for _, day, _ in rows]
    moments = pa.array(times, pa.timestamp("us"))
    orders = pa.table(
        {
            "entity_id": [who for who, _, _ in rows],
            "item_id": [item for _, _, item in rows],
            "ordered_at": moments,
            "recorded_at": moments,
            "local_at": moments,
            "kind": ["sale"] * len(rows),
            "amount": pa.array([5.0] * len(rows)).cast(pa.decimal128(18, 4)),
        }
    )
    return FramesSource({"orders": orders})


def counted(seed: int, planted: float) -> Successions:
    return successions(shop(seed, planted), AS_OF, AS_OF, "item", 14)


def test_by_hand() -> None:
    """100 customers bought a once, 40 then b; of 200 days of purchases a week, 50 and 30 are followed by b."""
    found = next_purchases(
        Successions(
            pa.table({"thing": ["a", "b"], "customer_count": [100, 90]}),
            pa.table({"thing": ["a"] * 3, "next_thing": ["b"] * 3, "days": [2, 5, 9], "follow_count": [10, 15, 15]}),
            pa.table({"thing": ["a"], "next_thing": ["b"], "follow_count": [40], "follow_squares": [40],
                      "products": [40]}),
            pa.table({"thing": ["a", "a"], "week": [1, 2], "start_count": [75, 25], "count_squares": [75, 25]}),
            pa.table({"week": [1, 2], "day_count": [200, 200]}),
            pa.table({"week": [1, 2], "thing": ["b", "b"], "follow_count": [50, 30]}),
        ),
        14,
    )  # fmt: skip
    (pair,) = found.pairs
    assert (pair.after, pair.next, pair.purchases, pair.customers, found.tried) == ("a", "b", 100, 100, 1)
    assert pair.share == pytest.approx(0.4)
    assert pair.base_share == pytest.approx(0.75 * 0.25 + 0.25 * 0.15)
    assert pair.lift == pytest.approx(0.4 / 0.225)
    # Wilson's 95 % interval of 40 of 100.
    assert pair.lift_from * 0.225 == pytest.approx(0.3094, abs=1e-4)
    assert pair.lift_to * 0.225 == pytest.approx(0.4980, abs=1e-4)
    assert pair.median_days == 5


def test_what_was_planted_is_found_and_nothing_else() -> None:
    found = next_purchases(counted(1, 0.5), 14)
    assert found.tried == 12
    above = [(pair.after, pair.next) for pair in found.pairs if pair.lift_from > 1]
    assert above == [("a", "b")]
    assert found.pairs[0].median_days == 3
    assert found.after("a").pairs[0].next == "b"
    assert found.payload(most=1)["pairs"][0]["after"] == "a"


def test_where_nothing_follows_nothing_is_found() -> None:
    """Twelve intervals hold 1 at once in 95 of 100 shops; the lifts are about 1, above as often as below."""
    found = [pair for seed in range(2, 6) for pair in next_purchases(counted(seed, 0.0), 14).pairs]
    assert sum(pair.sure for pair in found) <= 1
    assert np.mean([pair.lift for pair in found]) == pytest.approx(1, abs=0.05)
