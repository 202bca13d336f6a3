"""What was shown: each once, as of a date, and what followed it."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from features.shown import bought_within, exposures, followed
from features.source import FramesSource


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
