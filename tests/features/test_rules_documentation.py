"""What docs/rules.md shows is so."""

import json
import re
from pathlib import Path

import pyarrow as pa
import pytest

from features import rules
from features.catalogue import FEATURES, fields
from warehouse.engine import connect

PAGE = (Path(__file__).parents[2] / "docs" / "rules.md").read_text(encoding="utf-8")
FIELDS = fields(FEATURES) | {
    field.name: field
    for field in (
        rules.Field("churn_probability", "number"),
        rules.Field("churn_percentile", "number"),
        rules.Field("city", "text"),
        rules.Field("blocked", "flag"),
        rules.Field("registered_at", "date"),
        rules.Field("tags", "tags"),
    )
}


def blocks(kind):
    found = re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"no {kind} blocks left on the page"
    return found


def rows_of(header):
    """The cells of the Markdown table with that first column."""
    lines = PAGE[PAGE.index(f"| {header} |") :].split("\n\n")[0].splitlines()
    return [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines if "---" not in line]


@pytest.mark.parametrize("text", [line for block in blocks("rule") for line in block.splitlines()])
def test_rules(text):
    rule = rules.parse(text)
    rules.check(rule, FIELDS)
    assert rules.from_json(rule.to_json()) == rule


@pytest.mark.parametrize("text", blocks("json"))
def test_json(text):
    rule = rules.from_json(json.loads(text))
    rules.check(rule, FIELDS)
    assert rule.to_json() == json.loads(text)


@pytest.mark.parametrize("block", blocks("error"))
def test_errors(block):
    text, told = block.split("\n---\n")
    with pytest.raises(rules.RuleError) as caught:
        rules.check(rules.parse(text), FIELDS)
    assert str(caught.value) == told.rstrip("\n")


def test_the_table_of_who_is_meant():
    names, *customers = rows_of("entity_id")
    table = pa.table(
        {
            name: [
                row[place] if name == "entity_id" else float(row[place]) if row[place] else None for row in customers
            ]
            for place, name in enumerate(names)
        }
    )
    with connect() as connection:
        for text, who in rows_of("rule")[1:]:
            chosen = rules.evaluate(rules.parse(text), table, connection)
            assert ", ".join(table["entity_id"].filter(pa.array(chosen)).to_pylist()) == who, text
    assert len(rows_of("rule")) > 6


def test_every_word_and_sign_of_the_language_is_on_the_page():
    for word in (*rules.language.KEYWORDS, *rules.language.COMPARISONS, "且", "或", "非"):
        assert word in PAGE, word
