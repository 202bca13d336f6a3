"""Who did what and stayed: counted by hand, and what was planted comes back where what means nothing does not."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from features.behaviours import Spans, behaviour_counts
from features.source import FramesSource
from insights.behaviours import Behaviours, behaviours
from tests.features.conftest import PartedSource, stored

FIRST = datetime(2024, 1, 1)
END = date(2024, 12, 1)


def event(who: str, day: float, feature: str) -> dict[str, Any]:
    at = FIRST + timedelta(days=day)
    return {"user_id": who, "device_id": "d", "occurred_at": at, "event": "use", "feature": feature}


def spans(leaving: bool, days: int, later: int) -> Spans:
    return Spans(END, FIRST.date(), END, days, later, leaving)


def test_first_days_by_hand() -> None:
    """a does x on a day of its own and y, and stays; b does y alone and does not; c was there from the start."""
    rows = [event("a", 40, "x"), event("a", 41, "y"), event("a", 60, "y"), event("b", 50, "y"), event("b", 50.1, "y"),
            event("c", 3, "x"), event("c", 60, "x")]  # fmt: skip
    frames = {"events": stored("events", rows, "UTC")}
    found = behaviour_counts(PartedSource(frames), spans(False, 14, 30))
    told = [tuple(row[name] for name in ("band", "stayed", "users")) for row in found.everybody.to_pylist()]
    assert told == [(1, 0, 1), (2, 1, 1)]
    names = ("behaviour", "band", "other_band", "stayed", "users")
    assert [tuple(row[name] for name in names) for row in found.doers.to_pylist()] == [
        ("feature:x", 2, 1, 1, 1), ("feature:y", 1, 0, 0, 1), ("feature:y", 2, 1, 1, 1),
    ]  # fmt: skip


def test_before_a_date_by_hand() -> None:
    """Judged 30 days before the end, and 30 before: a acts before both and after the first only, so it left at the
    second; x lies in the days before that."""
    last = (END - FIRST.date()).days
    rows = [event("a", last - 100, "y"), event("a", last - 59, "y"), event("a", last - 31, "x")]
    found = behaviour_counts(FramesSource({"events": stored("events", rows, "UTC")}), spans(True, 28, 30))
    recent = [row for row in found.everybody.to_pylist() if row["round"] in (0, 1)]
    assert [(row["round"], row["stayed"], row["users"]) for row in recent] == [(0, 0, 1), (1, 1, 1)]
    assert next((row["behaviour"], row["round"]) for row in found.doers.to_pylist()) == ("feature:x", 0)


def shop(seed: int, customers: int = 1500) -> FramesSource:
    """Customers of whom some come often and stay more; guides go with staying as such, the rest with coming often."""
    rng = np.random.default_rng(seed)
    often = rng.gamma(1.0, 1.0, customers)
    stays = rng.random(customers) < 0.25 + 0.5 * (1 - np.exp(-often))
    start = rng.integers(30, 200, customers)
    who, day, what = list[Any](), list[Any](), list[Any]()
    planted = []
    for n in range(customers):
        more = rng.permutation(13)[: rng.poisson(2 * often[n])] + 1
        for visit in (0, *more):
            acts = rng.choice(["look", "noise_1", "noise_2", "noise_3"], 1 + rng.poisson(1.5), p=[0.7, 0.1, 0.1, 0.1])
            who += [n] * len(acts)
            day += [int(start[n] + visit)] * len(acts)
            what += acts.tolist()
        if rng.random() < (0.55 if stays[n] else 0.2):
            planted.append((n, start[n], "guide"))
        if rng.random() < 0.3:
            planted.append((n, start[n] + rng.integers(0, 14), "noise_4"))
        if stays[n]:
            planted.append((n, start[n] + rng.integers(20, 90), "look"))
    for columns, value in zip((who, day, what), zip(*planted, strict=True), strict=True):
        columns.extend(value)
    moments = np.datetime64(FIRST, "us") + np.array(day) * np.timedelta64(86_400_000_000, "us")
    moment = pa.array(moments, pa.timestamp("us"))
    ids = pa.array([f"u{n}" for n in who])
    known = {"entity_id": ids, "user_id": ids, "event": pa.array(["use"] * len(who)), "feature": pa.array(what)}
    times = dict.fromkeys(("occurred_at", "recorded_at", "local_at"), moment)
    return FramesSource({"events": pa.table(known | times)})


def found(seed: int) -> Behaviours:
    return behaviours(behaviour_counts(shop(seed), spans(False, 14, 90)), leaving=False)


@pytest.mark.parametrize("seed", range(5))
def test_what_was_planted_comes_back_and_noise_does_not(seed: int) -> None:
    told = found(seed)
    assert told.payload(9)["observational"]
    verdicts = {each.behaviour.partition(":")[2]: each.verdict for each in told.all}
    assert verdicts.pop("guide") == "more"
    verdicts.pop("look", None)
    assert set(verdicts) == {f"noise_{n}" for n in range(1, 5)}
    assert set(verdicts.values()) == {"open"}
