"""Whether a rule fits the fields there are: names, kinds, ranges and closed lists of values."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

import pyarrow as pa

from features.rules.language import (
    SHARES,
    And,
    Best,
    Condition,
    HasTag,
    Node,
    Not,
    Or,
    Rule,
    RuleError,
    Span,
    Value,
    value_text,
    walk,
)
from features.rules.parsing import point

TAGS = "tags"
"""The field that `has tag` asks: a list of texts, or texts joined by `|`."""

_OF_VALUE = "it is told of releases with a value of customers, which needs orders with amounts and `reprise run`"
_NOT_MADE = {
    "predicted_clv": f"{_OF_VALUE}. What customers have spent is amount_lifetime",
    "expected_date_of_next_order": f"{_OF_VALUE}. When items are due is next_due_date",
    "historic_clv": f"{_OF_VALUE}. The same is amount_lifetime",
    "average_order_value": f"{_OF_VALUE}. The same is average_order_value_lifetime",
}
"""Fields that people look for and not every release has, with what is missing."""

_ORDERED = ("<", "<=", ">", ">=", "between")
_PROBABILITY = re.compile(r"(^|_)probability(_|$)")
_KIND_WORDS = {"number": "a number", "text": "a text", "flag": "yes or no", "date": "a date", "tags": "a list of tags"}
_WRITTEN = {
    "number": "a bare number such as 30",
    "text": 'text in quotes such as "vip"',
    "flag": "yes or no",
    "date": "a bare date such as 2011-06-11",
}


@dataclass(frozen=True)
class Field:
    """A field a rule may name. `values` is the closed list of a text field's values; empty: any text.

    `names` are what people call these values, in their order; a rule may use either. Empty: no other names.
    """

    name: str
    kind: Literal["number", "text", "flag", "date", "tags"]
    values: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


def fields_from_schema(schema: pa.Schema) -> dict[str, Field]:
    """The fields of a table by its Arrow types: what `evaluate` checks a rule against."""
    fields = {}
    for column in schema:
        kind = "tags" if column.name == TAGS else _kind(column.type)
        if kind:
            fields[column.name] = Field(column.name, kind)
    return fields


def _kind(type_: pa.DataType) -> Literal["number", "text", "flag", "date"] | None:
    if pa.types.is_dictionary(type_):
        return _kind(type_.value_type)
    if pa.types.is_boolean(type_):
        return "flag"
    if pa.types.is_integer(type_) or pa.types.is_floating(type_) or pa.types.is_decimal(type_):
        return "number"
    if pa.types.is_string(type_) or pa.types.is_large_string(type_) or pa.types.is_string_view(type_):
        return "text"
    return "date" if pa.types.is_date(type_) or pa.types.is_timestamp(type_) else None


def fields_of(rule: Rule) -> tuple[str, ...]:
    """The names of the fields a rule needs, each once, in order of first use."""
    names: dict[str, None] = {}
    for node in walk(rule.root):
        if isinstance(node, Condition):
            names[node.field] = None
        elif isinstance(node, Best):
            names[node.by] = None
        elif isinstance(node, HasTag):
            names[TAGS] = None
    return tuple(names)


def check(rule: Rule, fields: Mapping[str, Field]) -> Rule:
    """The rule to evaluate, in which values called by their names are the values themselves.

    Or one `RuleError` that tells every word of the rule that does not fit the fields.
    """
    problems = [point(rule.source, at, message) for at, message in _problems(rule, fields)]
    if problems:
        raise RuleError("\n".join(problems))
    return replace(rule, root=_unnamed(rule.root, fields))


def _unnamed(node: Node, fields: Mapping[str, Field]) -> Node:
    if isinstance(node, And | Or):
        return replace(node, parts=tuple(_unnamed(part, fields) for part in node.parts))
    if isinstance(node, Not):
        return replace(node, part=_unnamed(node.part, fields))
    if isinstance(node, Best):
        return replace(node, of=_unnamed(node.of, fields))
    if isinstance(node, Condition) and node.operator != "contains":
        meant = dict(zip(fields[node.field].names, fields[node.field].values, strict=False))
        return replace(node, values=tuple(meant.get(v, v) if isinstance(v, str) else v for v in node.values))
    return node


def _problems(rule: Rule, fields: Mapping[str, Field]) -> Iterator[tuple[Span, str]]:
    for node in walk(rule.root):
        if isinstance(node, HasTag):
            if TAGS not in fields:
                yield node.at, "There are no tags here: has tag needs the table tags."
            else:
                yield from _unlisted(fields[TAGS], [(node.tag, node.at)])
        elif isinstance(node, Condition | Best):
            name = node.by if isinstance(node, Best) else node.field
            if name not in fields:
                yield node.at, _unknown(name, fields)
            elif isinstance(node, Best):
                yield from _unordered(fields[name], f"{node.end} {node.count} by", node.at)
            else:
                yield from _misfits(node, fields[name], _scale(name, fields))


def _unknown(name: str, fields: Mapping[str, Field]) -> str:
    if name in _NOT_MADE:
        return f'There is no field "{name}": {_NOT_MADE[name]}.'
    lowered = {field.lower(): field for field in fields}
    close = difflib.get_close_matches(name.lower(), list(lowered), n=3, cutoff=0.6)
    begun = [field for field in lowered if field.startswith(f"{name.lower()}_") and field not in close]
    near = [*close, *sorted(begun)[: 4 - len(close)]]
    if near:
        return f'There is no field "{name}". Did you mean {" or ".join(lowered[word] for word in near)}?'
    some = ", ".join(sorted(fields)[:8])
    return f'There is no field "{name}". There are {len(fields)} fields{f", such as {some}" if some else ""}.'


def _unordered(field: Field, asked: str, at: Span) -> Iterator[tuple[Span, str]]:
    if field.kind not in ("number", "date"):
        yield at, f'"{asked}" needs numbers or dates; {field.name} is {_KIND_WORDS[field.kind]}.'


def _scale(name: str, fields: Mapping[str, Field]) -> int | None:
    """The upper end of a score: 1 for a probability, 100 for the percentile that stands beside one; else None."""
    if _PROBABILITY.search(name):
        return 1
    return 100 if "percentile" in name and name.replace("percentile", "probability") in fields else None


def _misfits(node: Condition, field: Field, scale: int | None) -> Iterator[tuple[Span, str]]:
    if field.kind == "tags":
        yield node.at, 'Tags are asked by has tag "vip".'
    elif node.operator in SHARES:
        yield from _unordered(field, node.operator, node.at)
    elif node.operator == "contains" and field.kind != "text":
        yield node.at, f'"contains" needs text; {field.name} is {_KIND_WORDS[field.kind]}.'
    else:
        if node.operator in _ORDERED:
            yield from _unordered(field, node.operator, node.at)
        yield from _values(node, field, scale)


def _values(node: Condition, field: Field, scale: int | None) -> Iterator[tuple[Span, str]]:
    fitting = []
    for value, at in zip(node.values, node.values_at, strict=True):
        if kind_of(value) != field.kind:
            yield at, f"{field.name} is {_KIND_WORDS[field.kind]}; compare it to {_WRITTEN[field.kind]}."
        elif scale and isinstance(value, int | float) and (beside := _out_of_scale(scale, value)):
            yield at, f"{field.name} {beside}."
        else:
            fitting.append((value, at))
    if node.operator == "between" and len(fitting) == 2 and fitting[0][0] > fitting[1][0]:  # type: ignore[operator]
        yield fitting[0][1], "The smaller end of between comes first."
    yield from _uncontained(field, fitting) if node.operator == "contains" else _unlisted(field, fitting)


def _out_of_scale(scale: int, value: float) -> str | None:
    """What to say to 80 for a probability or to 0.9 for a percentile: nobody means it, and it would pass silently."""
    if scale == 1 and not 0 <= value <= 1:
        return "is a probability between 0 and 1" + (
            f"; write {value / 100:g} for {value:g} %" if 1 < value <= 100 else ""
        )
    if scale == 100 and (not 0 <= value <= 100 or 0 < value < 1):
        return "is a percentile between 0 and 100" + (f"; write {value * 100:g} for {value:g}" if 0 < value < 1 else "")
    return None


def _unlisted(field: Field, values: Sequence[tuple[Value, Span]]) -> Iterator[tuple[Span, str]]:
    for value, at in values:
        known = (*field.values, *field.names)
        if known and value not in known:
            near = difflib.get_close_matches(str(value), known, n=3, cutoff=0.5)
            listed = " or ".join(value_text(word) for word in near)
            told = f"Did you mean {listed}?" if near else _its_values(field)
            yield at, f"{field.name} is never {value_text(value)}. {told}"


def _uncontained(field: Field, values: Sequence[tuple[Value, Span]]) -> Iterator[tuple[Span, str]]:
    """A part of a text that none of the values has; names are not looked into."""
    for value, at in values:
        if field.values and not any(str(value) in each for each in field.values):
            yield at, f"No value of {field.name} contains {value_text(value)}. {_its_values(field)}"


def _its_values(field: Field) -> str:
    names = field.names or [""] * len(field.values)
    listed = [f"{value} ({name})" if name else value for value, name in zip(field.values, names, strict=True)]
    return f"Its values: {', '.join(listed[:12])}."


def kind_of(value: Value) -> str:
    """The kind of field a value can be compared to."""
    if isinstance(value, bool):
        return "flag"
    if isinstance(value, str):
        return "text"
    return "date" if isinstance(value, date) else "number"
