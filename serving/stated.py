"""What a customer said, stated beside what drives the models: ratings, complaints and reasons, in plain words."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from serving.reasons import Language

_COLUMNS = (
    "complaint_count_90d",
    "days_since_last_complaint",
    "last_rating",
    "days_since_last_rating",
    "stated_reason",
)


def stated(row: pa.Table, language: Language) -> tuple[str, ...]:
    """The sentences of a customer's row of features; none of whom nothing is known, or where there are no events."""
    complaints, complained, rating, rated, reason = (_value(row, name) for name in _COLUMNS)
    zh = language == "zh"
    told = []
    if complaints:
        often = "once" if complaints == 1 else f"{complaints:.0f} times"
        told.append(
            f"近90天投诉{complaints:.0f}次，最近一次在{complained:.0f}天前。"
            if zh
            else f"Complained {often} in the last 90 days, last {_ago(complained)}."
        )
    if rating is not None:
        told.append(f"最近一次评分{rating:g}分，{rated:.0f}天前。" if zh else f"Last rated {rating:g}, {_ago(rated)}.")
    if reason is not None:
        told.append(f"自述原因：{reason}。" if zh else f"Gave as the reason: {reason}.")
    return tuple(told)


def _value(row: pa.Table, name: str) -> Any:
    return row[name][0].as_py() if name in row.column_names and row.num_rows else None


def _ago(days: float) -> str:
    return "1 day ago" if days == 1 else f"{days:.0f} days ago"
