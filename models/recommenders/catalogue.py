"""What rules of suggestions know of items: category, brand, price, and what one of them earns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from models.recommenders.history import Floats, Rows
from models.recommenders.interactions import Interactions


@dataclass(frozen=True)
class Kind:
    """One attribute of items: `names` are its values, `of` (items,) the place among them; −1: not known."""

    names: tuple[str, ...]
    of: Rows

    def among(self, wanted: tuple[str, ...]) -> npt.NDArray[np.bool_]:
        """Per item whether it is one of these; one of which it is not known is none."""
        return np.isin(self.of, [place for place, name in enumerate(self.names) if name in wanted])

    def factors(self, wanted: dict[str, float]) -> Floats:
        """Per item the factor said of its value, 1 where nothing is said."""
        return np.array([*(wanted.get(name, 1.0) for name in self.names), 1.0])[self.of]


@dataclass(frozen=True)
class Catalogue:
    """Of each item, a value per item row: `price` and `margin` (price less cost) in the currency, NaN: not known."""

    category: Kind
    brand: Kind
    price: Floats
    margin: Floats
    seller_level: Kind

    @classmethod
    def of(cls, held: Interactions, items: pa.Table | None) -> Catalogue:
        """From the versions of items known at the cutoff (`item_id`, and any of category, brand, price, cost,
        seller_level).

        An item without a price is worth what was paid for one on average. One without a cost earns the median share
        of its price that the others earn.
        """
        price, cost = _numbers(held, items, "price"), _numbers(held, items, "cost")
        price = np.where(np.isnan(price), _paid(held), price)
        with np.errstate(invalid="ignore", divide="ignore"):
            share = np.where(price > 0, (price - cost) / price, np.nan)
        usual = np.median(share[~np.isnan(share)]) if (~np.isnan(share)).any() else np.nan
        margin = np.where(np.isnan(cost), price * usual, price - cost)
        category, brand, level = (_kind(held, items, name) for name in ("category", "brand", "seller_level"))
        return cls(category, brand, price, margin, level)

    def kinds(self) -> tuple[Kind, ...]:
        """The attributes that any item has."""
        return tuple(kind for kind in (self.category, self.brand) if kind.names)


def _paid(held: Interactions) -> Floats:
    """Per item the mean price of what was sold of it; NaN where nothing was."""
    amount, quantity = (
        np.bincount(held.indices, values, minlength=held.shape[1]) for values in (held.amount, held.quantity)
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where((quantity > 0) & (amount >= 0), amount / quantity, np.nan), dtype=np.float64)


def _column(held: Interactions, items: pa.Table | None, name: str) -> pa.Array | None:
    """The values of a column in the order of item rows, null where there is none."""
    if items is None or name not in items.column_names:
        return None
    place = pc.index_in(held.item_ids, items.column("item_id").combine_chunks().cast(held.item_ids.type))
    return items.column(name).combine_chunks().take(place)


def _numbers(held: Interactions, items: pa.Table | None, name: str) -> Floats:
    values: Any = _column(held, items, name)
    if values is None:
        return np.full(held.shape[1], np.nan)
    filled = pc.fill_null(values.cast(pa.float64()), float("nan"))
    return np.asarray(filled.to_numpy(zero_copy_only=False), dtype=np.float64)


def _kind(held: Interactions, items: pa.Table | None, name: str) -> Kind:
    values = _column(held, items, name)
    if values is None or values.null_count == len(values):
        return Kind((), np.full(held.shape[1], -1))
    coded = values.cast(pa.string()).dictionary_encode()
    of = pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    return Kind(tuple(coded.dictionary.to_pylist()), of)
