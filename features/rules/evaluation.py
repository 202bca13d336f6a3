"""What a rule is worth for every customer: compiled to SQL with bound values, run by the locked engine.

Three-valued: a condition on an unknown value is unknown, `not unknown` is unknown, and at the end only true counts.
"""

from __future__ import annotations

from contextlib import closing
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from features.rules.checking import TAGS, check, fields_from_schema, fields_of
from features.rules.language import (
    COMPARISONS,
    SHARES,
    And,
    Best,
    Condition,
    Everyone,
    HasTag,
    Node,
    Not,
    Rule,
    RuleError,
    Value,
    walk,
)
from warehouse.engine import shared

TABLE = "customers"
"""The relation that compiled rules read: one row per `entity_id`, with the fields as columns."""

# A space cannot occur in a field's name, so this column never hides one.
_ROW = "row number"
_SHARE_UNIT = 1_000_000


def compile(rule: Rule) -> tuple[str, dict[str, Any]]:
    """A SQL condition over the relation `customers` and the values of its named parameters.

    Names come out quoted and are identifiers by the grammar; values are never part of the text. The condition may be
    NULL (unknown). NaN counts as a number in SQL: `evaluate` makes it unknown beforehand.
    """
    parameters: dict[str, Any] = {}
    return _sql(rule.root, parameters), parameters


def evaluate(rule: Rule, table: pa.Table, connection: duckdb.DuckDBPyConnection | None = None) -> npt.NDArray[np.bool_]:
    """For every row of `table`, in its order, whether the rule is true.

    `table` has one row per `entity_id`. Shares and choices (`in top 10 %`, `top 5000 by`) are relative to its rows.
    Given a `connection` nobody else is using, it is used and left as it was; else a cursor of the process's own, for
    to open an engine costs more time than the rule. `RuleError` where the rule does not fit the columns.
    """
    check(rule, fields_from_schema(table.schema))
    if any(isinstance(n, Best) or (isinstance(n, Condition) and n.operator in SHARES) for n in walk(rule.root)):
        _one_row_each(table)
    customers = _projected(rule, table)
    if connection is not None:
        return _run(rule, customers, connection)
    with closing(shared().cursor()) as own:
        return _run(rule, customers, own)


def _one_row_each(table: pa.Table) -> None:
    if "entity_id" not in table.column_names:
        raise RuleError("A rule that ranks customers needs the column entity_id.")
    ids = table.column("entity_id")
    if ids.null_count or len(ids.unique()) != len(ids):
        raise RuleError("A rule that ranks customers needs one row for each entity_id, none without.")


def _run(rule: Rule, customers: pa.Table, connection: duckdb.DuckDBPyConnection) -> npt.NDArray[np.bool_]:
    condition, parameters = compile(rule)
    connection.register(TABLE, customers)
    try:
        told = connection.sql(
            f'select coalesce({condition}, false) as chosen from {TABLE} order by "{_ROW}"', params=parameters
        ).to_arrow_table()
    finally:
        connection.unregister(TABLE)
    return np.asarray(told.column("chosen").combine_chunks().to_numpy(zero_copy_only=False), dtype=np.bool_)


def _projected(rule: Rule, table: pa.Table) -> pa.Table:
    """The columns the rule needs, in the types its SQL is written for, and the row number."""
    columns = {name: _column(name, table.column(name)) for name in fields_of(rule)}
    if "entity_id" in table.column_names:
        columns["entity_id"] = _column("entity_id", table.column("entity_id"))
    if len({name.lower() for name in columns}) < len(columns):
        raise RuleError("A rule cannot use two fields that differ in upper and lower case only.")
    return pa.table({**columns, _ROW: pa.array(np.arange(table.num_rows))})


def _column(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if name == TAGS and not _is_list(column.type):
        return pc.split_pattern(column.cast(pa.string()), "|")
    if pa.types.is_floating(column.type):
        return pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    return column


def _is_list(type_: pa.DataType) -> bool:
    return bool(pa.types.is_list(type_) or pa.types.is_large_list(type_))


def _sql(node: Node, parameters: dict[str, Any]) -> str:
    if isinstance(node, Everyone):
        return "true"
    if isinstance(node, Condition):
        return _condition(node, parameters)
    if isinstance(node, HasTag):
        return f'coalesce(list_contains("{TAGS}", {_bound(node.tag, parameters)}), false)'
    if isinstance(node, Not):
        return f"(not {_sql(node.part, parameters)})"
    if isinstance(node, Best):
        return _best(node, parameters)
    word = " and " if isinstance(node, And) else " or "
    return f"({word.join(_sql(part, parameters) for part in node.parts)})"


def _condition(node: Condition, parameters: dict[str, Any]) -> str:
    name, operator = f'"{node.field}"', node.operator
    if operator == "is known":
        return f"({name} is not null)"
    if operator == "is unknown":
        return f"({name} is null)"
    if operator in SHARES:
        return _share(node, parameters)
    left, values = _typed(name, node.values[0]), [_bound(value, parameters) for value in node.values]
    if operator in COMPARISONS:
        return f"({left} {operator} {values[0]})"
    if operator == "between":
        return f"({left} between {values[0]} and {values[1]})"
    if operator == "contains":
        return f"contains({left}, {values[0]})"
    return f"({left} {operator} ({', '.join(values)}))"


def _typed(name: str, value: Value) -> str:
    """The column as the kind of the value it is compared to; times become their days, money a double."""
    if isinstance(value, str):
        return name
    if isinstance(value, bool):
        return f"cast({name} as boolean)"
    return f"cast({name} as {'double' if isinstance(value, int | float) else 'date'})"


def _bound(value: Any, parameters: dict[str, Any]) -> str:
    key = f"p{len(parameters)}"
    parameters[key] = float(value) if isinstance(value, int) and not isinstance(value, bool) else value
    return f"${key}"


def _share(node: Condition, parameters: dict[str, Any]) -> str:
    """Exactly ceil(share × known) customers; whole-number arithmetic, so that 10 % of 30 is 3 and not 4."""
    key = f"p{len(parameters)}"
    parameters[key] = round(float(node.values[0]) * _SHARE_UNIT)  # type: ignore[arg-type]
    whole = 100 * _SHARE_UNIT
    size = f'(select (count("{node.field}") * ${key} + {whole - 1}) // {whole} from {TABLE})'
    chosen = _ranked(node.field, node.operator == "in top %", "true", size)
    return f'(case when "{node.field}" is not null then "entity_id" in ({chosen}) end)'


def _best(node: Best, parameters: dict[str, Any]) -> str:
    among = _sql(node.of, parameters)
    return f'("entity_id" in ({_ranked(node.by, node.end == "top", among, str(node.count))}))'


def _ranked(name: str, highest_first: bool, among: str, size: str) -> str:
    order = f'"{name}" {"desc" if highest_first else "asc"}, "entity_id"'
    return f'select "entity_id" from {TABLE} where "{name}" is not null and {among} order by {order} limit {size}'
