"""What customers will spend, over HTTP, in rules, in profiles; nothing of who refused profiling."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from features import rules
from features.rules import RuleError
from serving import answers, erasing
from serving.customers import customers, fields
from serving.release import Release, ReleaseContents, open_release, write_release
from serving.schemas import VALUE
from serving.standing import with_standing

CARD = {"model": "buy_till_you_die", "horizon_days": 90}
NEXT = (date(2024, 6, 20), date(2024, 6, 3), None)
TABLE = pa.Table.from_pylist(
    [
        dict(zip(VALUE.names, ("007", 90.0, 2.0, 45.0, 0.1, *NEXT, 200.0, 50.0), strict=True)),
        dict(zip(VALUE.names, ("a/b", 120.0, 2.0, 60.0, 0.9, *NEXT, 300.0, 50.0), strict=True)),
        dict(zip(VALUE.names, ("小明", *([None] * 7), 80.0, 40.0), strict=True)),
    ],
    schema=VALUE,
)


@pytest.fixture(scope="module")
def folder(contents: ReleaseContents, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("value") / "r1"
    made = replace(contents, tables={**contents.tables, "value": TABLE}, cards={**contents.cards, "value": CARD})
    write_release(target, made)
    return target


@pytest.fixture(scope="module")
def valued(folder: Path) -> Release:
    return open_release(folder, canary=False)


def test_rules_read_it_and_unknown_is_not_zero(valued: Release) -> None:
    assert set(VALUE.names[1:]) <= set(fields(valued))
    rule = rules.check(rules.read("predicted_clv < 200"), fields(valued))
    table = customers(valued, ["predicted_clv"])
    found = dict(zip(table["entity_id"].to_pylist(), rules.evaluate(rule, table).tolist(), strict=True))
    assert [user for user, inside in found.items() if inside] == ["007", "a/b"]
    dated = rules.check(rules.read("expected_date_of_next_order < 2024-07-01"), fields(valued))
    assert rules.evaluate(dated, customers(valued, ["expected_date_of_next_order"])).sum() == 2


def test_profiles_say_it_over_http(valued: Release) -> None:
    told = answers.user_profile(valued, "a/b")["profile"]
    assert told["predicted_clv"] == 120
    assert told["expected_date_of_next_order"] == "2024-06-20"
    assert told["next_order_earliest"] == "2024-06-03"
    refused = answers.user_profile(valued, "007")["profile"]
    assert refused["profiling_refused"]
    assert refused["predicted_clv"] is None


def test_a_release_without_it_says_what_is_missing(release: Release) -> None:
    with pytest.raises(RuleError, match="needs orders with amounts and `reprise run`"):
        rules.check(rules.read("predicted_clv > 1"), fields(release))
    assert "predicted_clv" not in answers.user_profile(release, "007")["profile"]


def test_who_has_not_ordered_has_no_value() -> None:
    told = with_standing(pa.table({"entity_id": ["小明", "x"]}), {"value": TABLE}, VALUE.names)
    assert told["average_order_value"].to_pylist() == [40.0, None]
    assert told["predicted_clv"].null_count == 2


def test_an_erased_customer_is_gone_from_it(folder: Path) -> None:
    gone = erasing.Gone(frozenset({"007"}), frozenset({"007"}))
    erasing.without(folder, gone, None)
    again = open_release(folder, canary=False)
    assert again.tables["value"]["entity_id"].to_pylist() == ["a/b", "小明"]
    assert again.standing["value"].of("007") == []
