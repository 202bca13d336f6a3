"""Lifecycle and concentration of single customers: equal to the last period of growth, and worked out on paper."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.building import build_features
from features.families import FAMILIES
from features.lifecycle import GROUPS
from features.source import FramesSource
from insights.growth import growth
from tests.features.conftest import sale, stored
from tests.insights.conftest import history

LAWS = settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))


@LAWS
@given(st.integers(0, 10_000), st.integers(1, 4), st.sampled_from(["sales", "events", "events only"]))
def test_the_groups_of_customers_are_those_of_the_last_period(seed: int, lapsed_after: int, acts: Any) -> None:
    world = history(seed)
    frames = world.frames()
    if acts == "events only":
        del frames["orders"]
    source = FramesSource(frames, world.zone, acts="sales" if acts == "sales" else "events", lapsed_after=lapsed_after)
    table = build_features(source, world.as_of, families=["lifecycle"]).to_pylist()
    months, weeks = (growth(source, world.as_of, grain).payload() for grain in ("month", "week"))
    complete = [period for period in months["periods"] if period["complete"]]

    def counted(name: str) -> dict[str, int]:
        found = Counter(row[name] for row in table)
        return {group: found[group] for group in GROUPS}

    assert counted("lifecycle_group") == months["periods"][-1]["groups"]
    assert counted("lifecycle_group_week") == weeks["periods"][-1]["groups"]
    assert counted("lifecycle_group_complete") == (complete[-1]["groups"] if complete else dict.fromkeys(GROUPS, 0))
    ended = months["concentration"]["ends"][-1]["groups"]
    found = Counter(row["concentration_group"] for row in table)
    assert {group: found[group] for group in ("ordinary", "active", "core")} == {
        group: ended[group] for group in ("ordinary", "active", "core")
    }


def groups(days: list[datetime], as_of: date) -> list[str | None]:
    frames = {"orders": stored("orders", [sale("u", day, 10) for day in days], "UTC")}
    (row,) = build_features(FramesSource(frames, "UTC"), as_of, families=["lifecycle"]).to_pylist()
    return [row[f"lifecycle_group{suffix}"] for suffix in ("", "_complete", "_week")]


@pytest.mark.parametrize(
    ("days", "as_of", "expected"),
    [
        (["2024-05-20"], "2024-06-01", ["new", "new", "dormant"]),
        (["2024-05-20"], "2024-06-02", ["dormant", "new", "dormant"]),
        (["2024-05-20", "2024-06-01"], "2024-06-02", ["last_new", "new", "last_new"]),
        (["2024-06-01"], "2024-06-02", ["new", None, "new"]),
        (["2024-03-31", "2024-05-01"], "2024-06-01", ["awakened", "awakened", "lapsed"]),
        (["2024-03-31"], "2024-06-01", ["lapsed", "lapsed", "lapsed"]),
        (["2024-01-31", "2024-05-31"], "2024-06-01", ["returned", "returned", "returned"]),
    ],
)
def test_groups_by_hand(days: list[str], as_of: str, expected: list[str | None]) -> None:
    assert groups([datetime.fromisoformat(day) for day in days], date.fromisoformat(as_of)) == expected


def test_the_core_is_who_is_active_and_holds_the_head_of_the_value() -> None:
    """60 + 20 of 100 are 80 %: the head ends at 20. Money of a year and a day ago counts no more."""
    as_of = date(2024, 7, 1)
    near, far, old = (datetime(2024, 7, 1) - timedelta(days=n) for n in (30, 31, 366))
    rows = [
        sale("rich", near, 60), sale("head", near, 20), sale("small", near, 15), sale("silent", far, 5),
        sale("old", old, 500), sale("gave_back", near, -5),
    ]  # fmt: skip
    table = build_features(
        FramesSource({"orders": stored("orders", rows, "UTC")}, "UTC"), as_of, families=["lifecycle"]
    )
    found = dict(zip(table["entity_id"].to_pylist(), table["concentration_group"].to_pylist(), strict=True))
    assert found == {
        "rich": "core", "head": "core", "small": "active", "silent": "ordinary", "old": "ordinary",
        "gave_back": "potential",
    }  # fmt: skip


def test_models_do_not_read_the_lifecycle() -> None:
    assert not next(family for family in FAMILIES if family.name == "lifecycle").modelled
