"""The list of one offer: the customers it was given to, with why each has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

OFFER = "offer"
"""What the manifest of an offer's list declares, and that of no other audience."""
HABIT, TO_WIN = "habit", "to_win"
GIVEN = pa.schema(
    [("entity_id", pa.string()), ("probability", pa.float64()), ("worth", pa.float64()), ("buyer", pa.string())]
)
"""One row per customer of an offer: P(buys the item within the horizon) as they are now contacted, what the pair was
worth in the assignment, and `buyer`: `habit` (bought it before and due) or `to_win`."""


@dataclass(frozen=True)
class Offered:
    """An offer of one item and the customers it was given to, `GIVEN`; `terms` are what was asked for it."""

    item_id: str
    terms: Mapping[str, Any]
    given: pa.Table
    kind: ClassVar[str] = OFFER
    by_scores: ClassVar[bool] = True

    def declared(self) -> dict[str, Any]:
        return {"item_id": self.item_id, **self.terms}

    def drawn(self, ids: pa.Array, left: npt.NDArray[np.bool_], salt: str) -> npt.NDArray[np.bool_]:
        """Who of `left` has the offer; nobody else takes the place of who must not be contacted any more."""
        inside = pc.is_in(ids, value_set=self.given["entity_id"].combine_chunks().cast(ids.type))
        return np.asarray(left & np.asarray(inside), dtype=bool)

    def counts(self, ids: pa.Array, left: npt.NDArray[np.bool_]) -> dict[str, int]:
        """How many were given it, and how many of them by habit."""
        habits = pc.sum(pc.equal(self.given["buyer"], HABIT)).as_py() or 0
        return {"given": self.given.num_rows, HABIT: int(habits), TO_WIN: self.given.num_rows - int(habits)}

    def columns(self, ids: pa.ChunkedArray) -> dict[str, pa.Array]:
        known = self.given["entity_id"].combine_chunks()
        place = pc.index_in(ids.combine_chunks().cast(pa.string()), value_set=known)
        of = {name: self.given[name].combine_chunks().take(place) for name in GIVEN.names[1:]}
        return {"item_id": pa.repeat(pa.scalar(self.item_id), len(ids)), **of}
