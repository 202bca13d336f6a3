"""Items by what is known of them: words of the name, category, brand, attributes and price, as vectors."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from scipy.sparse import csr_matrix, diags

_WORDS = re.compile(r"[\u3400-\u9fff]+|(?:(?![\u3400-\u9fff])[^\W_])+")
_KINDS = ("category", "brand")


def described(item_ids: Sequence[str], items: pa.Table) -> Any:
    """(items, features) csr_matrix of rows of length 1, or 0 where nothing is known; the order is that of `item_ids`.

    `items` holds `item_id` and any of name, category, brand, price, attributes. A feature is a word of the name (of
    Chinese every two signs in a row), a category, a brand, an attribute, or a price that is the same to a factor of
    about two; it counts log(items / items that have it), so that what all share says nothing.
    """
    there = {name for name in ("name", "price", "attributes", *_KINDS) if name in items.column_names}
    known = {row["item_id"]: row for row in items.select(["item_id", *sorted(there)]).to_pylist()}
    places: dict[str, int] = {}
    rows, columns = [], []
    for row, item in enumerate(item_ids):
        for feature in sorted(set(_features(known.get(item, {})))):
            rows.append(row)
            columns.append(places.setdefault(feature, len(places)))
    held = csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(item_ids), len(places)))
    having = np.maximum(np.asarray(held.sum(axis=0)).ravel(), 1)
    weighed = held @ diags(np.log(max(len(item_ids), 1) / having))
    lengths = np.sqrt(np.asarray(weighed.multiply(weighed).sum(axis=1)).ravel())
    return (diags(1 / np.where(lengths > 0, lengths, 1)) @ weighed).tocsr()


def _features(item: Mapping[str, Any]) -> Iterator[str]:
    yield from words(item.get("name") or "")
    yield from (f"{kind}={item[kind]}" for kind in _KINDS if item.get(kind) is not None)
    yield from (f"attribute={each}" for each in item.get("attributes") or ())
    price = item.get("price")
    if price is not None and price > 0:
        yield f"price={round(np.log2(float(price)))}"


def words(name: str) -> Iterator[str]:
    """The words of a name in small letters; of a run of Chinese every two signs that stand together."""
    for run in _WORDS.findall(name.lower()):
        if run[0] >= "\u3400" and len(run) > 2:
            yield from (run[at : at + 2] for at in range(len(run) - 1))
        else:
            yield run
