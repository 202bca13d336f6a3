"""Levels of the business: moves add up to the levels then and now, whoever is about to rise or fall by hand."""

from __future__ import annotations

from datetime import date, datetime

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from features.level_acts import levels
from features.source import FramesSource
from insights.levels import history, summary
from tests.features.conftest import sale, stored
from warehouse.level_settings import LevelRules

AS_OF = date(2024, 6, 1)
RULES = LevelRules(
    {"member": 0, "silver": 100, "gold": 200}, {}, per_amount=1, window_days=90, valid_days=60, benefits={"gold": "tea"}
)


def source(rows: list[tuple[str, str, float]]) -> FramesSource:
    lines = [sale(who, datetime.fromisoformat(at), amount, order_id=str(k)) for k, (who, at, amount) in enumerate(rows)]
    return FramesSource({"orders": stored("orders", lines, "UTC")}, "UTC")


def test_by_hand() -> None:
    shop = source(
        [("ann", "2024-04-10", 150), ("bob", "2024-03-20", 120), ("cy", "2024-05-20", 185), ("di", "2024-05-25", 5)]
    )
    found = summary(levels(shop, AS_OF, RULES), 30)
    told = found.payload()
    # bob's silver of 20 March was judged anew on 19 May and kept; ann's of 10 April will be on 9 June, and keeps it
    assert told["changes"] == {"reached": 1, "kept": 1, "fell": 0}
    assert told["moves"] == [{"from": "member", "to": "silver", "customers": 1}]
    assert [(row["level"], row["before"], row["customers"]) for row in told["levels"]] == [
        ("member", 2, 1), ("silver", 2, 3), ("gold", 0, 0)
    ]  # fmt: skip
    about = dict(zip(*(found.table()[name].to_pylist() for name in ("user_id", "about_to")), strict=True))
    assert about == {"ann": None, "bob": None, "cy": "rise", "di": None}
    later = dict.fromkeys(about) | {"bob": "fall"}
    falls = summary(levels(shop, date(2024, 7, 1), RULES), 30).table()
    assert dict(zip(*(falls[name].to_pylist() for name in ("user_id", "about_to")), strict=True)) == later | {
        "cy": "rise"
    }
    assert [row["why"] for row in history(levels(shop, date(2024, 8, 1), RULES), "bob")] == ["reached", "kept", "fell"]
    assert "tea" in "\n".join(found.lines("zh"))


@settings(deadline=None, max_examples=3)
@given(
    st.lists(
        st.tuples(st.sampled_from("abcd"), st.integers(1, 150), st.integers(1, 150)), min_size=1, max_size=15
    ),
    st.integers(1, 80),
)  # fmt: skip
def test_moves_lead_from_the_levels_then_to_those_now(rows: list[tuple[str, int, int]], days: int) -> None:
    first = date(2024, 1, 1).toordinal()
    shop = source([(who, str(date.fromordinal(first + day)), amount) for who, day, amount in rows])
    now = levels(shop, AS_OF, RULES)
    then = levels(shop, date.fromordinal(AS_OF.toordinal() - days), RULES)
    told = summary(now, days).payload()["levels"]
    assert [row["customers"] for row in told] == [counted(now.table(), name) for name in RULES.steps]
    newcomers = now.standing.num_rows - then.standing.num_rows
    assert [row["before"] for row in told] == [
        counted(then.table(), name) + newcomers * (name == "member") for name in RULES.steps
    ]


def counted(table: pa.Table, name: str) -> int:
    return table["level"].to_pylist().count(name)
