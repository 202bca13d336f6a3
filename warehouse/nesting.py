"""Nested columns of text become flat ones: fields get names of their own, entries of a list rows of their own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

POSITION = "position"
_VALUES = ("string_value", "int_value", "float_value", "double_value", "value")

Nested = list[Any]


def decoded(texts: pa.ChunkedArray) -> Nested:
    """Texts of JSON as objects and lists, numbers as they are written; what is no JSON stays text."""
    return [_decoded(text) for text in texts.to_pylist()]


def _decoded(text: str | None) -> Any:
    if not text or text.lstrip()[:1] not in ("{", "["):
        return text or None
    try:
        return json.loads(text, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return text


def as_text(value: Any) -> str | None:
    """A value as it would be written in a file of text."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def fields_of(name: str, value: Any, whole: frozenset[str]) -> dict[str, Any]:
    """The fields of a nested value by their dotted names; a column of `whole` stays as it is.

    A list of keys and values has a field for each key; a list of one object has the fields of that object; any other
    list is a value.
    """
    if name in whole:
        return {name: value}
    if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
        if all("key" in each for each in value):
            return {f"{name}.{each['key']}": _value_of(each.get("value")) for each in value}
        if len(value) == 1:
            return fields_of(name, value[0], whole)
    if isinstance(value, dict):
        return {
            path: inner
            for key, part in value.items()
            for path, inner in fields_of(f"{name}.{key}", part, whole).items()
        }
    return {name: value}


def _value_of(value: Any) -> Any:
    """The one that is filled of the values by type."""
    if not isinstance(value, Mapping):
        return value
    return next((value[kind] for kind in _VALUES if value.get(kind) is not None), None)


def flattened(name: str, values: Nested, whole: frozenset[str]) -> dict[str, Nested]:
    """A nested column as its fields, each as long as the column."""
    columns: dict[str, Nested] = {}
    for row, value in enumerate(values):
        if value is None:
            continue
        for path, inner in fields_of(name, value, whole).items():
            columns.setdefault(path, [None] * len(values))[row] = inner
    return columns


def exploded(name: str, values: Nested) -> tuple[npt.NDArray[np.int64], dict[str, Nested]]:
    """For each entry of the lists the row it belongs to, and the fields; a row without entries gives one row.

    `name.position` counts the entries of a row from 1.
    """
    rows: list[int] = []
    columns: dict[str, Nested] = {f"{name}.{POSITION}": []}
    for row, value in enumerate(values):
        entries: Sequence[Any] = value if isinstance(value, list) and value else [value]
        for position, entry in enumerate(entries, 1):
            found = fields_of(name, entry, frozenset()) if entry not in (None, []) else {}
            found[f"{name}.{POSITION}"] = str(position)
            for path, inner in found.items():
                columns.setdefault(path, [None] * len(rows)).append(inner)
            rows.append(row)
            for column in columns.values():
                if len(column) < len(rows):
                    column.append(None)
    return np.array(rows, dtype=np.int64), columns
