"""What a rule is made of, and its two written forms: one line of text and JSON of equal meaning."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field as part_of
from datetime import date
from decimal import Decimal
from typing import Any, Literal

from warehouse.errors import UsageError

Value = int | float | str | bool | date
Span = tuple[int, int]
"""First character and the one after the last, in the text of the rule."""

NOWHERE: Span = (0, 0)
IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
COMPARISONS = ("=", "!=", "<", "<=", ">", ">=")
SHARES = ("in top %", "in bottom %")
OPERATORS = (*COMPARISONS, "between", "in", "not in", "contains", "is known", "is unknown", *SHARES)
_JOINING = ("and", "or", "not", "everyone")
_ASKING = ("in", "is", "known", "unknown", "between", "contains", "has", "tag", "top", "bottom", "by")
KEYWORDS = frozenset((*_JOINING, *_ASKING, "yes", "no", "true", "false"))


class RuleError(UsageError):
    """A rule that cannot be read or does not fit the fields; the message shows the word meant."""


@dataclass(frozen=True)
class Everyone:
    """True for every customer."""


@dataclass(frozen=True)
class Condition:
    """A field compared to values. `is known` and `is unknown` have none, `between` two, `in` one or more."""

    field: str
    operator: str
    values: tuple[Value, ...] = ()
    at: Span = part_of(default=NOWHERE, compare=False, repr=False)
    values_at: tuple[Span, ...] = part_of(default=(), compare=False, repr=False)


@dataclass(frozen=True)
class HasTag:
    """True for customers who carry the tag, false for all others: no tag is not an unknown tag."""

    tag: str
    at: Span = part_of(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True)
class Not:
    part: Node


@dataclass(frozen=True)
class And:
    parts: tuple[Node, ...]


@dataclass(frozen=True)
class Or:
    parts: tuple[Node, ...]


@dataclass(frozen=True)
class Best:
    """The `count` customers with the highest (top) or lowest (bottom) `by` among those for whom `of` is true."""

    end: Literal["top", "bottom"]
    count: int
    by: str
    of: Node
    at: Span = part_of(default=NOWHERE, compare=False, repr=False)


Node = Everyone | Condition | HasTag | Not | And | Or | Best


@dataclass(frozen=True)
class Rule:
    """A parsed rule. Two rules are equal when they say the same in the same order, however they were spaced."""

    root: Node
    source: str = part_of(compare=False, repr=False)

    def text(self) -> str:
        """The canonical line; parsing it gives an equal rule."""
        return to_text(self.root)

    def to_json(self) -> dict[str, Any]:
        """The JSON form of equal meaning."""
        return _to_json(self.root)


def walk(node: Node) -> Iterator[Node]:
    """The node and everything below it, in the order of the text."""
    if isinstance(node, And | Or):
        for part in node.parts:
            yield from walk(part)
    elif isinstance(node, Not):
        yield from walk(node.part)
    elif isinstance(node, Best):
        yield from walk(node.of)
    yield node


def to_text(node: Node) -> str:
    """One line in canonical form."""
    if isinstance(node, Everyone):
        return "everyone"
    if isinstance(node, Condition):
        return _condition_text(node)
    if isinstance(node, HasTag):
        return f"has tag {value_text(node.tag)}"
    if isinstance(node, Not):
        return f"not {_enclosed(node.part, And | Or | Best)}"
    if isinstance(node, And):
        return " and ".join(_enclosed(part, And | Or | Best) for part in node.parts)
    if isinstance(node, Or):
        return " or ".join(_enclosed(part, Or | Best) for part in node.parts)
    chosen = f"{node.end} {node.count} by {name_text(node.by)}"
    return chosen if isinstance(node.of, Everyone) else f"{to_text(node.of)} {chosen}"


def _enclosed(node: Node, looser: Any) -> str:
    return f"({to_text(node)})" if isinstance(node, looser) else to_text(node)


def _condition_text(node: Condition) -> str:
    name, values = name_text(node.field), [value_text(value) for value in node.values]
    if node.operator in SHARES:
        return f"{name} {node.operator.removesuffix(' %')} {Decimal(values[0]):f} %"
    if node.operator in ("in", "not in"):
        return f"{name} {node.operator} ({', '.join(values)})"
    return " ".join([name, node.operator, " and ".join(values)]).rstrip()


def name_text(name: str) -> str:
    """A field's name as written in a rule: in backquotes where it is also a word of the language."""
    return f"`{name}`" if name.lower() in KEYWORDS else name


def value_text(value: Value) -> str:
    """A value as written in a rule."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return value.isoformat() if isinstance(value, date) else repr(value)


def _to_json(node: Node) -> dict[str, Any]:
    if isinstance(node, Everyone):
        return {"everyone": True}
    if isinstance(node, Condition):
        told: dict[str, Any] = {"field": node.field, "op": node.operator}
        values = [{"date": value.isoformat()} if isinstance(value, date) else value for value in node.values]
        if node.operator in ("between", "in", "not in"):
            told["values"] = values
        elif values:
            told["value"] = values[0]
        return told
    if isinstance(node, HasTag):
        return {"tag": node.tag}
    if isinstance(node, Not):
        return {"not": _to_json(node.part)}
    if isinstance(node, And):
        return {"all": [_to_json(part) for part in node.parts]}
    if isinstance(node, Or):
        return {"any": [_to_json(part) for part in node.parts]}
    return {node.end: node.count, "by": node.by, "of": _to_json(node.of)}


def number(value: float) -> int | float:
    """Whole numbers as int where a float holds them exactly, so that 10 and 10.0 are written alike."""
    return int(value) if math.isfinite(value) and value == int(value) and abs(value) < 2**53 else value
