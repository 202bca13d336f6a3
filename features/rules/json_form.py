"""The JSON form of a rule. It is written out as text and parsed, so both forms pass through one door."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import date
from typing import Any

from features.rules.language import (
    IDENTIFIER,
    NOWHERE,
    OPERATORS,
    SHARES,
    And,
    Best,
    Condition,
    Everyone,
    HasTag,
    Node,
    Not,
    Or,
    Rule,
    RuleError,
    Value,
    number,
    to_text,
)
from features.rules.parsing import MAX_CHARACTERS, MAX_DEPTH, parse

_SHAPES = '"all", "any", "not", "field", "tag", "top", "bottom" or "everyone"'
_SEVERAL = {"between": (2, 2), "in": (1, MAX_CHARACTERS), "not in": (1, MAX_CHARACTERS)}


def from_json(obj: object) -> Rule:
    """The rule of a JSON form; `RuleError` names the place by its path, or points into the rule written as text.

    `{"all": […]}`, `{"any": […]}`, `{"not": …}`, `{"field": F, "op": O, "value": v}` (`values` for between, in and
    not in), `{"tag": t}`, `{"top": n, "by": F, "of": …}`, `{"everyone": true}`. A date is `{"date": "2011-06-11"}`.
    """
    return parse(to_text(_node(obj, "$", 0)))


def read(text: str) -> Rule:
    """The rule of a text in either form: one that begins with `{` is the JSON form."""
    if not text.lstrip().startswith("{"):
        return parse(text)
    try:
        obj = json.loads(text, object_pairs_hook=_each_once)
    except (ValueError, RecursionError) as error:
        raise RuleError(f"The rule begins with {{ but is no JSON: {error}.") from None
    return from_json(obj)


def _each_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len(found := dict(pairs)) < len(pairs):
        raise ValueError("a key is given twice")
    return found


def _node(obj: object, path: str, depth: int) -> Node:
    if depth > 3 * MAX_DEPTH:
        raise RuleError(f"The rule is nested more than {MAX_DEPTH} deep.")
    if not isinstance(obj, Mapping):
        raise RuleError(f"{path}: a rule in JSON is an object with {_SHAPES}.")
    keys = set(obj)
    if keys in ({"all"}, {"any"}):
        return _joined(obj, path, depth)
    if keys == {"not"}:
        return Not(_node(obj["not"], f"{path}.not", depth + 1))
    if keys == {"everyone"} and obj["everyone"] is True:
        return Everyone()
    if keys == {"tag"}:
        return HasTag(_text(obj["tag"], f"{path}.tag"))
    if "field" in keys and keys <= {"field", "op", "value", "values"}:
        return _condition(obj, path)
    if keys <= {"top", "bottom", "by", "of"} and len(keys & {"top", "bottom"}) == 1 and "by" in keys:
        return _best(obj, path, depth)
    raise RuleError(f"{path}: an object with {_SHAPES} and nothing else is expected.")


def _joined(obj: Mapping[str, object], path: str, depth: int) -> Node:
    word, parts = next(iter(obj.items()))
    if not isinstance(parts, list) or not 1 <= len(parts) <= MAX_CHARACTERS:
        raise RuleError(f"{path}.{word}: a list of one or more rules is expected.")
    nodes = tuple(_node(part, f"{path}.{word}[{i}]", depth + 1) for i, part in enumerate(parts))
    return nodes[0] if len(nodes) == 1 else And(nodes) if word == "all" else Or(nodes)


def _best(obj: Mapping[str, object], path: str, depth: int) -> Best:
    end = "top" if "top" in obj else "bottom"
    count = obj[end]
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count < 10**12:
        raise RuleError(f"{path}.{end}: how many customers, a whole number of at least 1, is expected.")
    of = _node(obj["of"], f"{path}.of", depth + 1) if "of" in obj else Everyone()
    return Best("top" if end == "top" else "bottom", count, _name(obj["by"], f"{path}.by"), of, NOWHERE)


def _condition(obj: Mapping[str, object], path: str) -> Condition:
    name, operator = _name(obj["field"], f"{path}.field"), obj.get("op")
    if operator not in OPERATORS:
        raise RuleError(f"{path}.op: one of {', '.join(OPERATORS)} is expected.")
    key = "values" if operator in _SEVERAL else "value"
    found = set(obj) - {"field", "op"}
    if str(operator).startswith("is "):
        if found:
            raise RuleError(f'{path}: "{operator}" takes no value.')
        return Condition(name, str(operator))
    if found != {key}:
        raise RuleError(f'{path}: "{operator}" takes "{key}" and nothing else.')
    given: Any = obj[key] if key == "values" else [obj[key]]
    low, high = _SEVERAL.get(str(operator), (1, 1))
    if not isinstance(given, list) or not low <= len(given) <= high:
        raise RuleError(f"{path}.values: a list of {low if low == high else 'one or more'} values is expected.")
    values = tuple(_value(value, f"{path}.{key}") for value in given)
    if operator in SHARES and (isinstance(values[0], bool) or not isinstance(values[0], int | float)):
        raise RuleError(f"{path}.value: a share such as 10 is expected.")
    return Condition(name, str(operator), values)


def _value(value: object, path: str) -> Value:
    if isinstance(value, bool | str):
        return value
    if isinstance(value, int | float) and _finite(value):
        return number(float(value))
    if isinstance(value, Mapping) and set(value) == {"date"}:
        try:
            return date.fromisoformat(_text(value["date"], path))
        except ValueError as error:
            raise RuleError(f"{path}: a date is written 2011-06-11.") from error
    raise RuleError(f'{path}: a finite number, true, false, a text or {{"date": "2011-06-11"}} is expected.')


def _finite(value: float) -> bool:
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def _text(value: object, path: str) -> str:
    if not isinstance(value, str):
        raise RuleError(f"{path}: a text is expected.")
    return value


def _name(value: object, path: str) -> str:
    if not IDENTIFIER.fullmatch(_text(value, path)):
        raise RuleError(f"{path}: a field's name has letters, digits and underscores, at most 63.")
    return str(value)
