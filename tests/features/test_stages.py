"""Value stages: everybody is in exactly one, the first from the top whose rule holds; what is measured, by hand."""

from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.stages import BUILT_IN, REST, stage_codes, stage_table, stages_of
from insights.stages import Cut, Measured, measure
from warehouse.settings import parse_settings
from warehouse.stage_settings import StageSettings

numbers = st.one_of(st.none(), st.integers(0, 6).map(float))
rules = st.builds(
    "{} {} {}".format, st.sampled_from(["order_count_lifetime", "days_since_last_order"]),
    st.sampled_from(["=", ">=", "<"]), st.integers(0, 6),
)  # fmt: skip


def table(rows: list[tuple[float | None, float | None]]) -> pa.Table:
    columns = [pa.array([row[k] for row in rows], pa.float64()) for k in (0, 1)]
    ids = pa.array([f"u{k}" for k in range(len(rows))], pa.string())
    return pa.table([ids, *columns], names=["entity_id", "order_count_lifetime", "days_since_last_order"])


@settings(deadline=None, max_examples=12)
@given(st.lists(rules, min_size=1, max_size=4), st.booleans(), st.lists(st.tuples(numbers, numbers), max_size=12))
def test_the_first_rule_that_holds(asked: list[str], rest: bool, rows: list[tuple[float | None, float | None]]) -> None:
    said = {f"s{k}": StageSettings(rule=rule) for k, rule in enumerate(asked)}
    stages = stages_of(said | ({"last": StageSettings()} if rest else {}), [])
    assert stages[-1].name == ("last" if rest else REST)

    def holds(rule: str, row: tuple[float | None, float | None]) -> bool:
        name, operator, number = rule.split()
        value = row[name != "order_count_lifetime"]
        against = {"=": float.__eq__, ">=": float.__ge__, "<": float.__lt__}[operator]
        return value is not None and against(value, float(number))

    first = [next((k for k, rule in enumerate(asked) if holds(rule, row)), len(asked)) for row in rows]
    assert stage_codes(stages, table(rows)).tolist() == first
    told = stage_table(stages, table(rows))
    assert told["value_stage"].to_pylist() == [stages[place].name for place in first]
    assert told["entity_id"].to_pylist() == table(rows)["entity_id"].to_pylist()


def test_of_the_built_in_ones_those_that_can_be_told() -> None:
    there = {"order_count_lifetime", "days_since_last_order", "event_count_30d"}
    assert [stage.name for stage in stages_of({}, there)] == [stage.name for stage in BUILT_IN]
    assert [stage.name for stage in stages_of({}, {"event_count_30d"})] == ["interest", "contact"]
    counts = {"order_count_lifetime"}  # loyalty reads days, too
    assert [stage.name for stage in stages_of({}, counts)] == ["repurchase", "purchase", "contact"]
    [stage, _] = stages_of(
        parse_settings('[stages.best]\nrule = "order_count_lifetime > 1"\nkpi = "amount"').stages, ()
    )
    assert (stage.name, stage.kpi, stage.title) == ("best", "amount", ("best", "best"))
    assert "stages" not in parse_settings("").model_dump()


def test_figures_by_hand() -> None:
    """Stages 0 (highest) to 2; `new` comes in between."""
    before = {"order_count_lifetime": np.array([1.0, 1, 2, np.nan]), "amount_lifetime": np.array([5.0, 5, 9, np.nan])}
    after = {"order_count_lifetime": np.array([3.0, 1, 2, 1, 1]), "amount_lifetime": np.array([11.0, 5, 9, 8, 1])}
    first = Cut(date(2024, 1, 1), pa.array(["a", "b", "c", "d"]), np.array([1, 1, 1, 2]), before)
    last = Cut(date(2024, 2, 1), pa.array(["a", "b", "c", "d", "new"]), np.array([0, 1, 2, 1, 0]), after)
    assert measure("onward", 1, first, last).value == pytest.approx(1 / 3)
    assert measure("stayed", 1, first, last).value == pytest.approx(2 / 3)
    assert measure("buyers", 1, first, last).value == pytest.approx(1 / 3)
    assert measure("buyers", 2, first, last).value == 1
    spent = measure("amount", 1, first, last)
    half = 1.959964 * np.std([6, 0, 0], ddof=1) / 3**0.5
    assert (spent.value, spent.low, spent.high) == pytest.approx((2, 2 - half, 2 + half))
    assert measure("amount", 2, first, last) == Measured(8.0, None, None)
    assert measure("onward", 0, first, last) == measure("active", 1, first, last) == Measured(None, None, None)
