"""What a customer said is stated in words, and nothing where nothing was said."""

from __future__ import annotations

import pyarrow as pa

from serving.stated import stated

UNHAPPY = {
    "complaint_count_90d": 2.0,
    "days_since_last_complaint": 1.0,
    "last_rating": 2.0,
    "days_since_last_rating": 12.0,
    "stated_reason": "price",
}


def test_feedback_is_stated_in_both_languages() -> None:
    row = pa.Table.from_pylist([UNHAPPY])
    assert stated(row, "en") == (
        "Complained 2 times in the last 90 days, last 1 day ago.",
        "Last rated 2, 12 days ago.",
        "Gave as the reason: price.",
    )
    assert stated(row, "zh") == (
        "近90天投诉2次，最近一次在1天前。",
        "最近一次评分2分，12天前。",
        "自述原因：price。",
    )


def test_nothing_is_stated_of_who_said_nothing() -> None:
    nothing = pa.Table.from_pylist(
        [{**dict.fromkeys(UNHAPPY), "complaint_count_90d": 0.0}],
        schema=pa.schema([(name, pa.string() if name == "stated_reason" else pa.float64()) for name in UNHAPPY]),
    )
    assert stated(nothing, "en") == ()
    assert stated(pa.table({"entity_id": ["u"]}), "en") == ()
