"""Sections on data that lack something: what is told is what is there."""

from datetime import date, datetime
from types import SimpleNamespace
from typing import Any

import pyarrow as pa

from console.report.sections import rfm
from features.source import FramesSource

AT = [datetime(2024, 5, day, hour) for day in range(1, 9) for hour in range(1, day + 1)]
EVENTS = pa.table(
    {
        "entity_id": [f"u{at.day}" for at in AT],
        "user_id": [f"u{at.day}" for at in AT],
        "occurred_at": pa.array(AT, pa.timestamp("us")),
        "local_at": pa.array(AT, pa.timestamp("us")),
        "recorded_at": pa.array(AT, pa.timestamp("us")),
        "event": ["launch"] * len(AT),
    }
)


def facts(language: str) -> Any:
    return SimpleNamespace(
        language=language,
        say=lambda en, zh: zh if language == "zh" else en,
        source=FramesSource({"events": EVENTS}),
        as_of=date(2024, 6, 1),
    )


def test_of_events_alone_no_money_is_told() -> None:
    types, _ = rfm.pictures(facts("en"))
    assert "money" not in types.question + types.answer + " ".join(types.table.columns)
    assert len(types.figure["data"]) == 1
    assert "engagement" in types.notes[0]
    types, _ = rfm.pictures(facts("zh"))
    assert "金额" not in types.question + types.answer + "".join(types.table.columns) + types.notes[0]
