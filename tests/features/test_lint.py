"""Every SQL file keeps to what the engines share; planted violations are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.lint import check_sql
from features.statements import FOLDER

GOOD = """-- one row per customer as of :as_of
with counted as (
    select
        entity_id,
        count(*) as orders
    from baskets
    where day >= :w30
    group by entity_id
)

select
    entity_id,
    orders
from counted
"""


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.sql")), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_files_keep_the_rules(path: Path) -> None:
    assert check_sql(path.read_text("utf-8")) == []


def test_a_good_file_has_no_problem() -> None:
    assert check_sql(GOOD) == []


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("-- one row per customer as of :as_of\n", "", "grain"),
        ("count(*)", "date_diff('day', day, 3)", "date_diff()"),
        ("count(*)", "arg_max(day, hour)", "arg_max()"),
        ("count(*)", "mode(day)", "mode()"),
        (":w30", "current_date", "current_date reads the clock"),
        (":w30", "now()", "now()"),
        (":w30", "date '2024-01-01'", "date is written"),
        (":w30", "'2024-01-01'", "date is written"),
        (":w30", "day::int", "`::`"),
        ("    entity_id,\n    orders\nfrom counted", "    *\nfrom counted", "does not list"),
        ("    entity_id,\n    orders\nfrom counted", "    counted.*\nfrom counted", "does not list"),
        ("group by", "GROUP BY", "lower case"),
        ("from counted\n", "from counted;\n", "semicolon"),
    ],
)
def test_planted_violations_are_told(old: str, new: str, told: str) -> None:
    problems = check_sql(
        GOOD.replace(old, new, 1) if old != "    entity_id,\n    orders\nfrom counted" else GOOD.replace(old, new)
    )
    assert any(told in problem for problem in problems), problems
