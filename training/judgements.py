"""What a model said of each judged customer, kept in the workspace so that two models can be compared in pairs.

Customers are known by a hash of their id. The file stays here: nothing on a tracking server tells of single customers.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from training.judging import Judged, slices
from training.targets import Target
from warehouse.files import atomic_file

_SLICE = "slice_"


def _hashed(customer: object) -> str:
    return blake2b(str(customer).encode(), digest_size=10).hexdigest()


def forget(folder: Path, customers: Collection[str]) -> None:
    """Writes the judgements in a folder anew without some customers, where they are in them."""
    gone = np.array([_hashed(one) for one in customers], dtype=np.str_)
    for path in sorted(folder.glob("*.parquet")):
        judgement = Judgement.read(path)
        if (held := np.isin(judgement.customers, gone)).any():
            judgement.where(~held).write(path)


@dataclass(frozen=True)
class Judgement:
    """One model on its judged date: hashed customers, labels, probabilities, and who is in which slice."""

    customers: NDArray[np.str_]
    y: NDArray[np.float64]
    p: NDArray[np.float64]
    slices: dict[str, NDArray[np.bool_]]

    @classmethod
    def of(cls, judged: Judged, target: Target, name: str) -> Judgement:
        """Of one contender."""
        hashed = np.array([_hashed(i) for i in judged.sample.table.column("entity_id").to_pylist()], dtype=np.str_)
        found = slices(judged.sample.table, target.activity_days(judged.protocol.horizon))
        return cls(hashed, judged.sample.y, judged.p(name), found)

    def write(self, path: Path) -> None:
        """One Parquet file, sorted by customer."""
        columns = {"customer": pa.array(self.customers), "y": pa.array(self.y), "p": pa.array(self.p)}
        columns |= {_SLICE + name: pa.array(inside) for name, inside in self.slices.items()}
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(path) as temporary:
            pq.write_table(pa.table(columns).sort_by("customer"), temporary, compression="zstd")

    @classmethod
    def read(cls, path: Path) -> Judgement:
        """What `write` wrote."""
        table = pq.read_table(path)
        held = {name: table.column(name).to_numpy() for name in table.column_names}
        inside = {name.removeprefix(_SLICE): value for name, value in held.items() if name.startswith(_SLICE)}
        return cls(held["customer"].astype(np.str_), held["y"], held["p"], inside)

    def both(self, other: Judgement) -> tuple[Judgement, Judgement]:
        """The two for the customers that are in both, in the same order."""
        _, mine, theirs = np.intersect1d(self.customers, other.customers, return_indices=True)
        return self._of(mine), other._of(theirs)

    def where(self, inside: NDArray[np.bool_]) -> Judgement:
        """Some of the customers."""
        return self._of(np.flatnonzero(inside))

    def _of(self, rows: NDArray[np.intp]) -> Judgement:
        inside = {name: value[rows] for name, value in self.slices.items()}
        return Judgement(self.customers[rows], self.y[rows], self.p[rows], inside)
