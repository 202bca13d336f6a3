"""Funnels told: shares of the step before with intervals, lower medians, the K factor by hand."""

from datetime import date

import pyarrow as pa
import pytest

from features.funnels import Asked, Counted, Referrals, parse_step
from insights.funnels import aarrr, duration, funnel, referral

DAY = date(2024, 6, 1)
COUNTED = Counted(
    pa.table({"value": ["a", "a", "b", None], "furthest": [1, 2, 2, 1], "users": [60, 20, 10, 10]}),
    pa.table({"step": [2, 2, 2], "seconds": [10, 60, 200], "users": [14, 1, 15]}),
    pa.table({"step": [1, 2], "users": [100, 45]}),
    open=3,
    devices=0,
)


def test_shares_and_medians_by_hand() -> None:
    asked = Asked([parse_step("event:view"), parse_step("order")], 30, DAY, DAY)
    told = funnel("mine", ["seen", "bought"], asked, COUNTED, "source").payload()
    first, second = told["steps"]
    assert (first["users"], first["furthest_here"], first["conversion"]) == (100, 70, None)
    assert (second["users"], second["did_it_ever"], second["median_seconds"]) == (30, 45, 60)
    assert second["conversion"]["share"] == 0.3
    # Wilson by hand: (30 + 1.9208) / 103.8416 ± 1.96 √(21 + .9604) / 103.8416
    assert (second["conversion"]["low"], second["conversion"]["high"]) == pytest.approx((0.21895, 0.39585), abs=1e-4)
    assert [group["value"] for group in told["groups"]] == ["a", "b", None]
    assert sum(group["steps"][1]["users"] for group in told["groups"]) == second["users"]


def test_stages_follow_the_data() -> None:
    def steps(*tables: str, of_what: bool = True, referrals: bool = False) -> list[str]:
        return [step.text for step in aarrr(frozenset(tables), of_what, referrals).values()]

    assert steps("orders", "events", referrals=True) == ["acquired", "activated", "retained", "order", "referred"]
    assert steps("orders", "users", of_what=False) == ["acquired", "order", "retained"]
    # nobody is heard of before the first order
    assert steps("orders", of_what=False) == ["acquired", "retained"]
    assert steps("events") == ["acquired", "activated", "retained"]
    # events that name neither item nor feature
    assert steps("orders", "events", of_what=False) == ["acquired", "order", "retained"]
    assert steps("events", of_what=False) == ["acquired", "retained"]


def test_the_k_factor_by_hand() -> None:
    brought = pa.table({"referrals": [0, 1, 3], "users": [6, 3, 1]})
    values = pa.table({
        "was_referred": [0, 1], "users": [2, 2], "buyers": [1, 2], "amount": [10.0, 30.0], "squares": [100.0, 500.0],
    })  # fmt: skip
    told = referral(Referrals(brought, values), 90)
    assert told is not None
    # 6 brought by 10; squares 12, so the variance is (12 − 3.6) / 9
    assert (told.k.mean, told.k.variance) == pytest.approx((0.6, 8.4 / 9))
    mean, low, high = told.difference or (0, 0, 0)
    # 15 − 5, variances 50 and 50, so ± 1.96 √(25 + 25)
    assert (mean, low, high) == pytest.approx((10, -3.859, 23.859), abs=1e-3)
    assert told.payload()["observational"]


def test_durations_as_people_say_them() -> None:
    assert [duration(s) for s in (None, 40, 720, 19_800, 276_480)] == [None, "40 s", "12 min", "5.5 h", "3.2 d"]
