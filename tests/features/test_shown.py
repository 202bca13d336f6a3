"""What was shown: each once, as of a date, and what followed it."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.shown import bought_within, exposures, followed, learnt_from, weighed_acts
from features.source import FramesSource
from tests.features.conftest import sale, stored


def frames(rows: list[tuple[str, str, str, datetime, float | None, datetime | None]]) -> FramesSource:
    names = ("entity_id", "item_id", "suggestion_id", "shown_at", "position", "clicked_at")
    columns = dict(zip(names, zip(*rows, strict=True), strict=True))
    kinds = {"shown_at": pa.timestamp("us"), "clicked_at": pa.timestamp("us"), "position": pa.float64()}
    arrays = {name: pa.array(columns[name], kinds.get(name, pa.string())) for name in names}
    local = pa.array([at + timedelta(hours=8) for at in columns["shown_at"]], pa.timestamp("us"))
    return FramesSource({"exposures": pa.table({**arrays, "local_at": local})}, time_zone="Asia/Shanghai")


def test_a_suggestion_shown_at_one_moment_is_one_and_days_are_local() -> None:
    at = datetime(2024, 6, 1, 20)  # 04:00 of the second in Shanghai
    rows = [("ann", "tea", "s1", at, 2.0, None), ("ann", "tea", "s1", at, 2.0, at + timedelta(hours=1)),
            ("ann", "tea", "s1", at + timedelta(days=9), None, None)]  # fmt: skip
    told = exposures(frames(rows), date(2024, 6, 5)).to_pylist()
    day = (date(2024, 6, 2) - date(1970, 1, 1)).days
    assert told == [{"user_id": "ann", "item_id": "tea", "suggestion_id": "s1", "shown_at": at, "position": 2.0,
                     "clicked": True, "day": day}]  # fmt: skip
    assert exposures(frames(rows), date(2024, 6, 2)).num_rows == 0
    assert exposures(FramesSource({}), date(2024, 6, 2)).num_rows == 0


def test_a_click_after_the_date_is_not_known_yet() -> None:
    at = datetime(2024, 6, 1, 12)
    told = exposures(frames([("ann", "tea", "s1", at, None, at + timedelta(days=3))]), date(2024, 6, 3))
    assert told["clicked"].to_pylist() == [False]


PAIRS = st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xy"), st.integers(19_000, 19_030)), max_size=12)


def days(rows: list[tuple[str, str, int]]) -> pa.Table:
    users, items, day = zip(*rows, strict=True) if rows else ((), (), ())
    return pa.table({"user_id": pa.array(users, pa.string()), "item_id": pa.array(items, pa.string()),
                     "day": pa.array(day, pa.int64())})  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(sales=PAIRS, shown=PAIRS, within=st.integers(1, 9))
def test_following_is_what_a_loop_says(sales: list, shown: list, within: int) -> None:  # type: ignore[type-arg]
    def after(sale: tuple[str, str, int], one: tuple[str, str, int]) -> bool:
        return sale[:2] == one[:2] and 0 <= sale[2] - one[2] < within

    assert followed(days(sales), days(shown), within).tolist() == [any(after(s, e) for e in shown) for s in sales]
    bought = bought_within(days(shown), days(sales), within)
    assert bought.tolist() == [any(after(s, e) for s in sales) for e in shown]
    assert bought.dtype == np.bool_


def acts(rows: list[tuple[str, float | None]]) -> pa.Table:
    events, seconds = zip(*rows, strict=True)
    n = len(rows)
    return pa.table({"user_id": ["a"] * n, "item_id": ["x"] * n, "day": [*range(n)], "event": pa.array(events),
                     "dwell_seconds": pa.array(seconds, pa.float64())})  # fmt: skip


def test_what_acts_are_worth_by_hand() -> None:
    """Beside the median of its kind (40 of views, 5 of carts), within a tenth and ten times; 1 where not known."""
    table = acts([("view", 10.0), ("view", 40.0), ("view", 9000.0), ("view", None), ("cart", 5.0), ("view", 0.0)])
    kinds = {"view": 0.2, "cart": 0.5}
    assert weighed_acts(table, kinds, 0)["worth"].to_pylist() == [0.2, 0.2, 0.2, 0.2, 0.5, 0.2]
    told = weighed_acts(table, kinds, 0.5)["worth"].to_pylist()
    assert told == pytest.approx([0.1, 0.2, 0.2 * 10**0.5, 0.2, 0.5, 0.2 * 0.1**0.5])


@settings(max_examples=60, deadline=None)
@given(seconds=st.lists(st.floats(0, 1e5), min_size=1, max_size=9), longer=st.floats(0, 1e5), power=st.floats(0, 2))
def test_a_longer_look_is_never_worth_less(seconds: list[float], longer: float, power: float) -> None:
    before = weighed_acts(acts([("view", each) for each in seconds]), {"view": 0.2}, power)["worth"].to_numpy()
    more = [seconds[0] + longer, *seconds[1:]]
    after = weighed_acts(acts([("view", each) for each in more]), {"view": 0.2}, power)["worth"].to_numpy()
    assert after[0] >= before[0] - 1e-12
    assert (after > 0).all()


def world() -> FramesSource:
    at = datetime(2024, 6, 1, 12)
    orders = stored("orders", [sale("a", at, 5, item_id="tea"), sale("b", at, 5, item_id="cup")], "UTC")
    looks = [{"user_id": user, "event": "view", "occurred_at": at, "item_id": item}
             for user, item in (("b", "tea"), ("c", "tea"), ("c", "never sold"))]  # fmt: skip
    shown = frames([("b", "tea", "s1", at, None, None), ("a", "tea", "s2", at - timedelta(days=9), None, None)])
    return FramesSource({"orders": orders, "events": stored("events", looks, "UTC"), **shown.frames})


def test_acts_are_learnt_from_below_the_sales_and_without_those_that_followed() -> None:
    day, source = date(2024, 7, 1), world()
    plain = learnt_from(source, day, 0)
    assert "worth" not in plain.column_names
    assert learnt_from(source, day, 0, {}).equals(plain)
    both = learnt_from(source, day, 0, {"view": 0.3})
    assert [(row["user_id"], row["item_id"], row["worth"]) for row in both.to_pylist()] == [
        ("a", "tea", None), ("b", "cup", None), ("b", "tea", 0.3), ("c", "tea", 0.3)]  # fmt: skip
    left = learnt_from(source, day, 7, {"view": 0.3})  # b was shown the tea that day
    assert left["user_id"].to_pylist() == ["a", "b", "c"]
    orders_alone = FramesSource({"orders": source.frames["orders"]})
    assert learnt_from(orders_alone, day, 0, {"view": 0.3}).equals(plain)
