"""The CDNOW sample as purchase histories, for tests that need it; it is read from beside the project."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from models.value import Histories

FILE = Path(__file__).parents[3] / "shared/data/cdnow/cdnow_sample.parquet"
END = 10_135
"""1997-10-01, the first day of the 39 weeks of holdout."""
WEEK = 7
HOLDOUT = 39 * WEEK


@dataclass(frozen=True)
class Cdnow:
    """Histories before the holdout, repeat amounts of the published fit, purchases and money in the holdout."""

    known: Histories
    repeat_mean: np.ndarray
    bought: np.ndarray
    spent: np.ndarray


def cdnow() -> Cdnow:
    table = pq.read_table(FILE, columns=["master_id", "date", "dollar_value"])
    _, who = np.unique(np.asarray(table["master_id"].to_pylist()), return_inverse=True)
    day = pc.cast(pc.cast(table["date"], "date32"), "int32").to_numpy()
    keys, line = np.unique(np.column_stack([who, day]), axis=0, return_inverse=True)
    amount = np.bincount(line.ravel(), table["dollar_value"].to_numpy())
    n = who.max() + 1
    user, when, before = keys[:, 0], keys[:, 1], keys[:, 1] < END
    held = (when >= END) & (when < END + HOLDOUT)
    count = np.bincount(user[before], minlength=n)
    starts = np.flatnonzero(np.diff(user[before], prepend=-1))
    first, last = when[before][starts], when[before][starts + count - 1]
    total = np.bincount(user[before], amount[before], minlength=n)
    gaps = np.diff(when[before]).astype(float)
    inside = np.diff(user[before]) == 0
    squares = np.bincount(user[before][1:][inside], gaps[inside] ** 2, minlength=n)
    x = count - 1.0
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = (last - first) / x
        variation = np.sqrt((squares - x * mean**2) / (x - 1)) / mean
        repeat = (total - amount[before][starts]) / x
    known = Histories(x, (last - first).astype(float), END - 1.0 - first, total / count, variation)
    bought, spent = np.bincount(user[held], minlength=n), np.bincount(user[held], amount[held], minlength=n)
    return Cdnow(known, repeat, bought, spent)
