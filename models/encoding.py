"""From a table of features to the matrix a tree model reads, the same way when training and when serving."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from warehouse.errors import DataProblemError

MAX_CATEGORIES = 254
"""LightGBM keeps at most 255 bins of a column; rarer values than the first 254 are read as missing."""


@dataclass(frozen=True)
class FeatureSchema:
    """The columns a model reads, in order, and the code of every category seen in training.

    `categories` holds, for each category column, its values in the order of their codes 0, 1, …; a column that is
    not in it is a number. A value that was not seen, NULL, NaN, an infinite number and an absent column are all
    missing (NaN).
    """

    names: tuple[str, ...]
    categories: Mapping[str, tuple[str, ...]]

    @classmethod
    def from_table(cls, table: pa.Table, names: Sequence[str] | None = None) -> FeatureSchema:
        """Reads kinds and categories from training rows; all columns but `entity_id` where no names are given.

        Raises `DataProblemError` for a name that is absent or given twice, and for a column that is neither number
        nor text.
        """
        chosen = tuple(names) if names is not None else tuple(n for n in table.column_names if n != "entity_id")
        repeated = sorted({name for name in chosen if chosen.count(name) > 1})
        absent = [name for name in chosen if name not in table.column_names]
        if repeated or absent or not chosen:
            raise DataProblemError(
                f"The features of a model must be there, once each; absent: {', '.join(absent) or 'none'}; "
                f"repeated: {', '.join(repeated) or 'none'}; named: {len(chosen)}.",
                hint=f"There are: {', '.join(table.column_names)}.",
            )
        texts = {name for name in chosen if _kind(name, table.schema.field(name).type) == "category"}
        return cls(chosen, {name: _frequent_values(table.column(name)) for name in chosen if name in texts})

    @property
    def kinds(self) -> tuple[str, ...]:
        """ "number" or "category" for each of `names`."""
        return tuple("category" if name in self.categories else "number" for name in self.names)

    @property
    def categorical(self) -> list[int]:
        """Positions of the category columns."""
        return [i for i, name in enumerate(self.names) if name in self.categories]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the schema: equal exactly when names, order, kinds and codes are equal."""
        text = json.dumps(self.to_json(), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def encode(self, table: pa.Table) -> NDArray[np.float32]:
        """The matrix (rows × `names`) as float32, C-contiguous; the order of the table's columns does not matter.

        Raises `DataProblemError` where a column is of another kind than in training.
        """
        matrix = np.full((table.num_rows, len(self.names)), np.nan, dtype=np.float32)
        for position, (name, kind) in enumerate(zip(self.names, self.kinds, strict=True)):
            found = table.schema.get_all_field_indices(name)
            if len(found) > 1:
                raise DataProblemError(f"The column {name} is there {len(found)} times.", hint="Keep one of them.")
            if found and not pa.types.is_null(table.schema.field(found[0]).type):
                column = table.column(found[0])
                if _kind(name, column.type) != kind:
                    raise DataProblemError(
                        f"The feature {name} is {column.type}; the model was trained on a {kind}.",
                        hint="Give the column the kind it had in training, or train again.",
                    )
                matrix[:, position] = _numbers(column) if kind == "number" else self._codes(name, column)
        return matrix

    def _codes(self, name: str, column: pa.ChunkedArray) -> NDArray[np.float64]:
        known = pa.array(self.categories[name], pa.string())
        codes = pc.index_in(_text(column), value_set=known)
        return np.asarray(codes.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)

    def to_json(self) -> dict[str, Any]:
        """Plain lists and texts, from which `from_json` makes an equal schema."""
        return {"names": list(self.names), "categories": {k: list(v) for k, v in self.categories.items()}}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> FeatureSchema:
        """The schema that `to_json` wrote."""
        return cls(tuple(document["names"]), {k: tuple(v) for k, v in document["categories"].items()})


def _kind(name: str, kind: pa.DataType) -> str:
    value = kind.value_type if pa.types.is_dictionary(kind) else kind
    if pa.types.is_string(value) or pa.types.is_large_string(value) or pa.types.is_string_view(value):
        return "category"
    if (
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_boolean(kind)
    ):
        return "number"
    if pa.types.is_null(kind):
        return "number"
    raise DataProblemError(f"The feature {name} is {kind}; a model reads numbers and text.", hint="Leave it out.")


def _text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return (
        column.cast(column.type.value_type).cast(pa.string())
        if pa.types.is_dictionary(column.type)
        else column.cast(pa.string())
    )


def _numbers(column: pa.ChunkedArray) -> NDArray[np.float32]:
    values = np.asarray(column.cast(pa.float64(), safe=False).to_numpy(), dtype=np.float64)
    with np.errstate(over="ignore"):
        narrow = values.astype(np.float32)
    narrow[~np.isfinite(narrow)] = np.nan
    return narrow


def _frequent_values(column: pa.ChunkedArray) -> tuple[str, ...]:
    """The most frequent values, ties by value, then sorted by value: codes do not depend on the order of rows."""
    counts = pc.value_counts(_text(column).drop_null())
    pairs = sorted((-row["counts"].as_py(), row["values"].as_py()) for row in counts)[:MAX_CATEGORIES]
    return tuple(sorted(value for _, value in pairs))
