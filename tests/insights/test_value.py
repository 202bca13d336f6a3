"""The money expected of customers, by decile and by group: worked by hand."""

from datetime import date

import pyarrow as pa
import pytest

from insights.value import Value
from warehouse.errors import UsageError

CARD = {
    "model": "buy_till_you_die", "horizon_days": 90, "why": "It serves.", "customers": 21, "regular_buyers": 3.0,
    "total": {"expected": 220.0, "low": 200.0, "high": 240.0},
    "judged": {"buy_till_you_die": {"total_ratio": 1.0}},
    "deciles": [{"decile": 1, "customers": 2, "expected_mean": 19.5, "spent_mean": 18.0, "spent_share": 0.2}],
}  # fmt: skip
N = 20
TABLE = pa.table(
    {
        "entity_id": [f"u{k:02d}" for k in range(N)] + ["refused"],
        "predicted_clv": [float(k + 1) for k in range(N)] + [None],
        "expected_order_day_count": [1.0] * (N + 1),
        "predicted_order_value": [10.0] * (N + 1),
        "expected_date_of_next_order": [date(2024, 7, 1)] * N + [None],
        "historic_clv": [100.0] * (N + 1),
        "rfm_type": ["high" if k >= 10 else "low" for k in range(N)] + [None],
        "region": ["north", None] * 10 + ["north"],
    }
)


def test_deciles_and_groups_add_up() -> None:
    found = Value.of(TABLE, CARD, "rfm_type")
    told = found.payload(2)
    assert (told["customers"], told["told_of"]) == (21, 20)
    assert [row["customers"] for row in told["deciles"]] == [2] * 10
    assert told["deciles"][0]["predicted_clv"] == 39
    assert sum(row["share"] for row in told["deciles"]) == pytest.approx(1)
    assert [(row["group"], row["predicted_clv"], row["customers"]) for row in told["groups"]] == [
        ("high", 155.0, 10), ("low", 55.0, 10),
    ]  # fmt: skip
    assert [row["user_id"] for row in told["most"]] == ["u19", "u18"]


@pytest.mark.parametrize(("language", "words"), [("en", "1 refused profiling"), ("zh", "1人拒绝画像")])
def test_lines_say_who_is_left_out(language, words) -> None:
    lines = list(Value.of(TABLE, CARD, None).lines(language, 3))
    assert any(words in line for line in lines)
    assert any(line.startswith("1\t2\t39\t") and "19.50\t18.00" in line for line in lines)
    assert lines[-1].startswith("u17\t18.00")


def test_any_text_makes_groups_and_nothing_else_does() -> None:
    assert {row["group"] for row in Value.of(TABLE, CARD, "region").groups()} == {"north", ""}
    for by in ("predicted_clv", "nothing"):
        with pytest.raises(UsageError, match="grouped by"):
            Value.of(TABLE, CARD, by)
