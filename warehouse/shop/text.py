"""Numbers become the text of ids and the local times of files, a whole column at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from warehouse.shop.world import Flags, Ints


def numbered(prefix: str, number: Ints, width: int) -> pa.Array:
    """`prefix` and each number filled up with zeros to `width` digits."""
    digits = pc.utf8_lpad(pa.array(number).cast(pa.string()), width, "0")
    return pc.binary_join_element_wise(prefix, digits, "") if prefix else digits


def chosen(values: pa.Array | Sequence[str], position: Ints, where: Flags | None = None) -> pa.Array:
    """The value at each position; NULL where `where` is false."""
    values = values if isinstance(values, pa.Array) else pa.array(values)
    return values.take(pa.array(position, mask=None if where is None else ~where))


def times(start: date, seconds: Ints, where: Flags | None = None) -> pa.Array:
    """Local wall times from whole seconds since 00:00 of `start`; NULL where `where` is false."""
    first = np.datetime64(start, "s")
    return pa.array(first + seconds.astype("timedelta64[s]"), mask=None if where is None else ~where)
