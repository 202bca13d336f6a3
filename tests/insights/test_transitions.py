"""Moves between RFM types: on paper, with cuts frozen at the first date, beside a placebo."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.building import build_features
from features.population import count_population
from features.source import FramesSource
from insights.rates import Rate, difference
from insights.transitions import BEST, HIGH, TYPES, transitions
from tests.features.conftest import PartedSource, make_world, sale, stored
from warehouse.errors import NotReadyError, UsageError

START, END, FIRST = date(2024, 4, 1), date(2024, 7, 1), date(2023, 1, 1)


def on(user: str, day: date, amount: float) -> dict[str, Any]:
    return sale(user, datetime.combine(day, datetime.min.time()) + timedelta(hours=12), amount, order_id=f"{user}{day}")


def ago(user: str, days: int, amount: float, before: date = START) -> dict[str, Any]:
    return on(user, before - timedelta(days=days), amount)


def history() -> list[dict[str, Any]]:
    """Four customers before START; cuts there: recency 10 days, frequency 2 orders, money 100.

    days since    orders   money
    best    5     2        300     important_value
    once    10    1        100     important_growth (R 10, F 1, M 100)
    gone    90    2        50      ordinary_keep
    small   80    1        20      ordinary_winback
    """
    return [
        ago("best", 5, 150), ago("best", 9, 150),
        ago("once", 10, 100),
        ago("gone", 90, 25), ago("gone", 95, 25),
        ago("small", 80, 20),
    ]  # fmt: skip


def source(lines: list[dict[str, Any]]) -> FramesSource:
    return FramesSource({"orders": stored("orders", lines, "UTC")}, "UTC")


def test_moves_on_paper() -> None:
    """Until END: once buys 1 for 10 (R 3, F 2, M 110), gone 1 for 10 (R 3, F 3, M 60), best nothing (R 96)."""
    later = [ago("once", 3, 10, END), ago("gone", 3, 10, END), ago("fresh", 4, 100, END), ago("fresh", 5, 1, END)]
    found = transitions(source([*history(), *later]), START, END, FIRST, shift=1000)
    assert dict(found.moves.counts) == {
        ("important_value", "important_keep"): 1,
        ("important_growth", "important_value"): 1,
        ("ordinary_keep", "ordinary_value"): 1,
        ("ordinary_winback", "ordinary_winback"): 1,
        (None, "important_value"): 1,
    }
    payload = found.payload()
    (once,) = [row for row in payload["from"] if row["type"] == "important_growth"]
    assert (once["hits"], once["n"], once["share"]) == (1, 1, 1.0)
    assert once["had_to_flip"] == ["frequency"]
    (gone,) = [row for row in payload["from"] if row["type"] == "ordinary_keep"]
    assert gone["had_to_flip"] == ["recency", "amount"]
    assert [gone["high_after"][name]["hits"] for name in ("recency", "frequency", "amount")] == [1, 1, 0]
    assert payload["newcomers"]["hits"] == 1
    assert payload["matrix"]["none"] == {"important_value": 1}
    assert payload["placebo"] is None
    assert {note["code"] for note in payload["notes"]} == {"no_placebo"}


def test_what_others_do_moves_nobody() -> None:
    """Ten who spend far more come after START: the cuts of START still hold."""
    richer = [ago(f"rich{k}", 1 + n, 9000, END) for k in range(10) for n in range(5)]
    later = [ago("once", 3, 10, END)]
    alone = transitions(source([*history(), *later]), START, END, FIRST, shift=1000)
    among = transitions(source([*history(), *later, *richer]), START, END, FIRST, shift=1000)
    known = {pair: n for pair, n in among.moves.counts.items() if pair[0] is not None}
    assert known == {pair: n for pair, n in alone.moves.counts.items() if pair[0] is not None}
    assert among.moves.became("important_growth").hits == 1
    # by cuts of their own day once would not be important
    own = build_features(source([*history(), *later, *richer]), END, families=["rfm"]).to_pylist()
    assert {row["entity_id"]: row["rfm_type"] for row in own}["once"].startswith("ordinary")


def test_the_placebo_is_the_same_question_asked_earlier() -> None:
    world = make_world(1, 60)
    first = world.as_of - timedelta(days=400)
    start, end = world.as_of - timedelta(days=60), world.as_of
    found = transitions(world.source(), start, end, first, shift=90)
    days = timedelta(days=90)
    earlier = transitions(world.source(), start - days, end - days, first)
    assert found.placebo == earlier.moves
    for row in found.payload()["from"]:
        apart = difference(found.moves.became(row["type"]), earlier.moves.became(row["type"]))
        assert row["difference"] == (None if apart is None else dict(zip(("value", "low", "high"), apart, strict=True)))


@settings(max_examples=3, deadline=None)
@given(st.integers(0, 10_000), st.integers(20, 200))
def test_everybody_moves_once(seed: int, days: int) -> None:
    world = make_world(seed, 30)
    start = world.as_of - timedelta(days=days)
    parted = PartedSource(world.frames(), world.zone)
    moves = transitions(parted, start, world.as_of, start).moves
    frozen = world.source().with_population(count_population(world.source(), start, ["rfm"]))
    after = build_features(frozen, world.as_of, families=["rfm"]).to_pylist()
    assert sum(moves.counts.values()) == len(after)
    assert sum(n for (_, end), n in moves.counts.items() if end == BEST) == sum(r["rfm_type"] == BEST for r in after)
    assert sum(moves.of(value.value) for value in TYPES) + moves.of(None) == len(after)
    for kind in HIGH:
        assert moves.became(kind).hits <= min(moves.high_after(kind, k).hits for k in range(3))


def test_dates_that_cannot_be_compared() -> None:
    with pytest.raises(UsageError, match="does not lie before"):
        transitions(source(history()), END, START, FIRST)
    with pytest.raises(NotReadyError, match="Nobody had a type on 2023-02-01"):
        transitions(source(history()), date(2023, 2, 1), END, FIRST)


def test_a_window_that_is_not_full_is_told() -> None:
    found = transitions(source(history()), START, END, date(2023, 12, 1), shift=10)
    assert [note.code for note in found.notes] == ["placebo", "short_window"]
    assert found.placebo is not None
    assert found.placebo.became("important_keep") == Rate(0, 1)  # gone; the others came later
    lines = list(found.lines("zh"))
    assert any(line.startswith("重要发展\t0 / 1\t0.0%") for line in lines)
