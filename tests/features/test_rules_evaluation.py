"""Evaluation against an evaluator that shares no code with it, and laws of three-valued logic."""

import math
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features import rules
from features.rules.language import (
    And,
    Best,
    Condition,
    Everyone,
    HasTag,
    Not,
    Or,
    to_text,
)
from warehouse.engine import connect

SCHEMA = pa.schema(
    {
        "entity_id": pa.string(),
        "num": pa.float64(),
        "whole": pa.int64(),
        "word": pa.string(),
        "flag": pa.bool_(),
        "day": pa.date32(),
        "tags": pa.list_(pa.string()),
    }
)
WORDS, TAGS = ["a", "A", "ab", "", "b'", "好", "null"], ["vip", "staff"]
numbers = st.sampled_from([-2.5, 0.0, 1.0, 1.5, 2.0, 1e9])
days = st.sampled_from([date(2011, 6, 10), date(2011, 6, 11), date(2012, 2, 29)])


def maybe(strategy):
    return st.one_of(st.none(), strategy)


rows = st.fixed_dictionaries(
    {
        "num": maybe(st.one_of(numbers, st.just(math.nan))),
        "whole": maybe(st.integers(-2, 2)),
        "word": maybe(st.sampled_from(WORDS)),
        "flag": maybe(st.booleans()),
        "day": maybe(days),
        "tags": maybe(st.lists(st.sampled_from(TAGS), max_size=2)),
    }
)
tables = st.lists(rows, max_size=20).flatmap(
    lambda found: st.permutations([f"{i:02d}" for i in range(len(found))]).map(
        lambda ids: [{"entity_id": one, **row} for one, row in zip(ids, found, strict=True)]
    )
)
pairs = st.one_of(st.tuples(st.sampled_from(["num", "whole"]), numbers), st.tuples(st.just("day"), days))
ordered = st.builds(
    lambda pair, operator: Condition(pair[0], operator, (pair[1],)),
    pairs,
    st.sampled_from(["=", "!=", "<", "<=", ">", ">="]),
)
equal = st.builds(
    lambda pair, operator: Condition(pair[0], operator, (pair[1],)),
    st.one_of(st.tuples(st.just("word"), st.sampled_from(WORDS)), st.tuples(st.just("flag"), st.booleans())),
    st.sampled_from(["=", "!="]),
)
plain = st.one_of(
    ordered,
    equal,
    st.builds(lambda a, b: Condition("num", "between", (min(a, b), max(a, b))), numbers, numbers),
    st.builds(
        lambda found, operator: Condition("word", operator, tuple(found)),
        st.lists(st.sampled_from(WORDS), min_size=1, max_size=3),
        st.sampled_from(["in", "not in"]),
    ),
    st.builds(lambda word: Condition("word", "contains", (word,)), st.sampled_from(WORDS)),
    st.builds(
        Condition,
        st.sampled_from(["num", "whole", "word", "flag", "day"]),
        st.sampled_from(["is known", "is unknown"]),
    ),
    st.builds(HasTag, st.sampled_from(TAGS)),
    st.just(Everyone()),
)
ranked = st.builds(
    lambda name, operator, share: Condition(name, operator, (share,)),
    st.sampled_from(["num", "whole", "day"]),
    st.sampled_from(["in top %", "in bottom %"]),
    st.sampled_from([0.7, 10, 33.333333, 50, 70, 100]),
)


def grown(leaves):
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.builds(Not, inner),
            st.builds(And, st.lists(inner, min_size=2, max_size=3).map(tuple)),
            st.builds(Or, st.lists(inner, min_size=2, max_size=3).map(tuple)),
            st.builds(
                Best,
                st.sampled_from(["top", "bottom"]),
                st.integers(1, 6),
                st.sampled_from(["num", "whole", "day"]),
                inner,
            ),
        ),
        max_leaves=6,
    )


nodes = grown(st.one_of(plain, ranked))


@pytest.fixture(scope="module")
def connection():
    with connect() as one:
        yield one


def table_of(found):
    return pa.Table.from_pylist(found, schema=SCHEMA)


def evaluated(node, found, connection):
    return rules.evaluate(rules.parse(to_text(node)), table_of(found), connection).tolist()


# --- the independent evaluator: None is unknown ---------------------------------------------------------------------


def known(value):
    return value is not None and value == value


def worth(node, found):
    """True, False or None for each row."""
    if isinstance(node, Everyone):
        return [True] * len(found)
    if isinstance(node, HasTag):
        return [node.tag in (row["tags"] or []) for row in found]
    if isinstance(node, Not):
        return [None if value is None else not value for value in worth(node.part, found)]
    if isinstance(node, And | Or):
        decisive = isinstance(node, Or)
        columns = zip(*(worth(part, found) for part in node.parts), strict=True)
        return [decisive if decisive in row else None if None in row else not decisive for row in columns]
    if isinstance(node, Best):
        inside = [row for row, value in zip(found, worth(node.of, found), strict=True) if value is True]
        chosen = best(inside, node.by, node.end == "top", node.count)
        return [row["entity_id"] in chosen for row in found]
    return condition(node, found)


def best(found, name, highest, count):
    inside = sorted((row for row in found if known(row[name])), key=lambda row: row["entity_id"])
    inside.sort(key=lambda row: row[name], reverse=highest)
    return {row["entity_id"] for row in inside[:count]}


def condition(node, found):
    name, operator, values = node.field, node.operator, node.values
    if operator in ("is known", "is unknown"):
        return [known(row[name]) == (operator == "is known") for row in found]
    if operator in ("in top %", "in bottom %"):
        among = sum(known(row[name]) for row in found)
        size = math.ceil(Fraction(str(values[0])) * among / 100)
        chosen = best(found, name, operator == "in top %", size)
        return [row["entity_id"] in chosen if known(row[name]) else None for row in found]
    asked = {
        "=": lambda x: x == values[0],
        "!=": lambda x: x != values[0],
        "<": lambda x: x < values[0],
        "<=": lambda x: x <= values[0],
        ">": lambda x: x > values[0],
        ">=": lambda x: x >= values[0],
        "between": lambda x: values[0] <= x <= values[1],
        "in": lambda x: x in values,
        "not in": lambda x: x not in values,
        "contains": lambda x: values[0] in x,
    }[operator]
    return [asked(row[name]) if known(row[name]) else None for row in found]


# --- laws -----------------------------------------------------------------------------------------------------------


@given(nodes, tables)
@settings(max_examples=200)
def test_engine_and_plain_python_agree(connection, node, found):
    assert evaluated(node, found, connection) == [value is True for value in worth(node, found)]


@given(grown(plain), grown(plain), tables)
@settings(max_examples=30)
def test_de_morgan_holds_with_unknowns_too(connection, a, b, found):
    for left, right in (
        (Not(And((a, b))), Or((Not(a), Not(b)))),
        (Not(Or((a, b))), And((Not(a), Not(b)))),
        (Not(Not(a)), And((a, a))),
    ):
        assert evaluated(left, found, connection) == evaluated(right, found, connection)


@given(ordered, tables)
@settings(max_examples=30)
def test_a_rule_and_its_opposite_leave_out_the_unknown_only(connection, node, found):
    yes, no = evaluated(node, found, connection), evaluated(Not(node), found, connection)
    assert [a or b for a, b in zip(yes, no, strict=True)] == [known(row[node.field]) for row in found]
    assert not any(a and b for a, b in zip(yes, no, strict=True))


@given(nodes, tables, st.randoms(use_true_random=False))
@settings(max_examples=30)
def test_the_order_of_rows_changes_nobody(connection, node, found, random):
    shuffled = random.sample(found, len(found))
    before = dict(zip((row["entity_id"] for row in found), evaluated(node, found, connection), strict=True))
    after = dict(zip((row["entity_id"] for row in shuffled), evaluated(node, shuffled, connection), strict=True))
    assert before == after


@given(st.integers(1, 100), st.integers(0, 400), st.integers(1, 5))
@settings(max_examples=30)
def test_a_share_has_exactly_its_size(connection, share, count, distinct):
    table = pa.table(
        {"entity_id": [f"{i:03d}" for i in range(count)], "f": pa.array([i % distinct for i in range(count)], "int64")}
    )
    for end in ("top", "bottom"):
        chosen = rules.evaluate(rules.parse(f"f in {end} {share} %"), table, connection)
        assert chosen.sum() == -(-share * count // 100)


# --- worked by hand -------------------------------------------------------------------------------------------------


def test_ten_percent_of_thirty_is_three(connection):
    table = pa.table({"entity_id": [f"{i:02d}" for i in range(30)], "f": [1.0] * 30})
    chosen = rules.evaluate(rules.parse("f in top 10 %"), table, connection)
    assert np.flatnonzero(chosen).tolist() == [0, 1, 2], "ties go to the first ids"


def test_the_suffix_chooses_among_those_who_match_and_the_share_among_everyone(connection):
    table = pa.table({"entity_id": list("abcdef"), "f": [6, 5, 4, 3, 2, 1], "x": [0, 0, 1, 1, 1, 1]})
    asked = {
        "x = 1 top 2 by f": "cd",
        "x = 1 and (top 2 by f)": "",
        "x = 1 and (top 3 by f)": "c",
        "x = 1 and f in top 50 %": "c",
        "not (top 2 by f)": "cdef",
        "x = 1 bottom 1 by f": "f",
        "x = 1 top 3 by f bottom 1 by f": "e",
    }
    for text, expected in asked.items():
        chosen = rules.evaluate(rules.parse(text), table, connection)
        assert "".join(np.array(list("abcdef"))[chosen]) == expected, text


def test_unknown_is_never_true_and_nobody_without_tags_has_one(connection):
    table = pa.table(
        {"entity_id": ["1", "2"], "f": [None, 1.0], "tags": pa.array([None, ["vip"]], pa.list_(pa.string()))}
    )
    for text, expected in {
        "f = 1": [False, True],
        "f != 1": [False, False],
        "not f = 2": [False, True],
        "f = 1 or f is unknown": [True, True],
        'not has tag "vip"': [True, False],
    }.items():
        assert rules.evaluate(rules.parse(text), table, connection).tolist() == expected, text


def test_other_types_of_columns_mean_the_same(connection):
    table = pa.table(
        {
            "entity_id": pa.array(["1", "2"]).dictionary_encode(),
            "money": pa.array([Decimal("12.5000"), None], pa.decimal128(18, 4)),
            "moment": pa.array([datetime(2011, 6, 11, 23, 59), None], pa.timestamp("us")),
            "category": pa.array(["x", None]).dictionary_encode(),
            "tags": ["vip|staff", None],
            "float32": pa.array([1.5, math.nan], pa.float32()),
        }
    )
    for text in (
        "money >= 12.5",
        "moment = 2011-06-11",
        "moment <= 2011-06-11",
        'category = "x"',
        'has tag "staff"',
        "float32 is known",
        "float32 in top 100 %",
        'entity_id = "1"',
        "top 1 by money",
    ):
        assert rules.evaluate(rules.parse(text), table, connection).tolist() == [True, False], text


def test_a_rule_that_does_not_fit_the_table_is_refused(connection):
    table = pa.table({"entity_id": ["1", "1"], "f": [1, 2], "F": [1, 2], "word": ["a", "b"]})
    for text in ("g = 1", "word = 1", "f in top 10 %", "f = 1 and F = 1"):
        with pytest.raises(rules.RuleError):
            rules.evaluate(rules.parse(text), table, connection)
    with pytest.raises(rules.RuleError):
        rules.evaluate(rules.parse("top 1 by f"), pa.table({"f": [1]}), connection)


def test_without_a_connection_it_opens_one_and_an_empty_table_has_no_answer():
    assert rules.evaluate(rules.parse("f = 1"), pa.table({"f": [1, 2]})).tolist() == [True, False]
    assert (
        rules.evaluate(
            rules.parse("f = 1 top 1 by f"),
            table_of([]).append_column("f", [[]]).cast(pa.schema([*SCHEMA, ("f", pa.float64())])),
        ).tolist()
        == []
    )
