"""Which families of features a ranking needs: on past dates, before the judged one, each is shuffled as a whole.

The columns of a family are shuffled together among the customers of a date, so that what they say of each other stays
and what they say of the customer goes (grouped permutation; Breiman 2001, section 10). What the ranking loses is what
the family is worth beside all others: two families that say the same are each worth little. So those that seem worth
nothing are also left out together, and everything is trained anew without them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.catalogue import by_name
from models.calibration import Calibration
from training.candidates import Fitted, Matrix
from training.evaluation.propensity import auc, average_precision
from training.judging import TREES
from training.recipes import Recipe
from training.tuning import Past, Search
from warehouse.progress import Progress, silent

REPEATS = 5


@dataclass(frozen=True)
class Family:
    """What the mean of average precision and AUC loses when a family is shuffled: on average, and on each date.

    `spread` is the standard deviation of one shuffle around its date's mean.
    """

    name: str
    columns: int
    loss: float
    by_date: tuple[float, ...]
    spread: float

    @property
    def useful(self) -> bool:
        """Whether shuffling it costs anything on average."""
        return self.loss > 0

    def to_json(self) -> dict[str, Any]:
        return {"family": self.name, "columns": self.columns, "loss": self.loss, "by_date": list(self.by_date),
                "spread": self.spread, "useful": self.useful}  # fmt: skip


@dataclass(frozen=True)
class Usefulness:
    """All families, the most useful first, and what leaving out the useless ones together changes when trained anew."""

    families: tuple[Family, ...]
    dates: tuple[str, ...]
    whole: float
    without: float | None

    @property
    def useless(self) -> tuple[str, ...]:
        return tuple(f.name for f in self.families if not f.useful)

    def to_json(self) -> dict[str, Any]:
        return {
            "dates": list(self.dates),
            "value": self.whole,
            "families": [f.to_json() for f in self.families],
            "useless": list(self.useless),
            "value_without_useless": self.without,
        }


def usefulness(search: Search, progress: Progress = silent) -> Usefulness:
    """Every family of the search's base recipe, on its tuning dates."""
    families = grouped(search.base.features)
    losses: dict[str, list[NDArray[np.float64]]] = {name: [] for name in families}
    values = []
    for done, past in enumerate(search.past):
        progress("families shuffled", done, len(search.past))
        fitted, calibration = past.parts.fitted(past.matrix)
        whole = _value(past, past.parts.judged.table, fitted, calibration)
        values.append(whole)
        for name, columns in families.items():
            drawn = [_shuffled(past.parts.judged.table, columns, seed) for seed in range(REPEATS)]
            losses[name].append(np.array([whole - _value(past, table, fitted, calibration) for table in drawn]))
    found = sorted((_family(name, families[name], losses[name]) for name in families), key=lambda f: (-f.loss, f.name))
    useless = [f.name for f in found if not f.useful]
    kept = [c for name, columns in families.items() if name not in useless for c in columns]
    without = _trained_anew(search, kept) if useless and kept else None
    return Usefulness(tuple(found), tuple(str(day) for day in search.dates), float(np.mean(values)), without)


def grouped(columns: Sequence[str]) -> dict[str, list[str]]:
    """The columns by their families, in their order; those the catalogue does not know are families of their own."""
    known = by_name()
    found: dict[str, list[str]] = {}
    for column in columns:
        found.setdefault(known[column].family if column in known else column, []).append(column)
    return found


def _family(name: str, columns: Sequence[str], losses: Sequence[NDArray[np.float64]]) -> Family:
    by_date = tuple(float(each.mean()) for each in losses)
    spread = float(np.mean([each.std(ddof=1) for each in losses]))
    return Family(name, len(columns), float(np.mean(by_date)), by_date, spread)


def _shuffled(table: pa.Table, columns: Sequence[str], seed: int) -> pa.Table:
    order = pa.array(np.random.default_rng(seed).permutation(table.num_rows))
    for name in columns:
        if name in table.column_names:
            table = table.set_column(table.column_names.index(name), name, table.column(name).take(order))
    return table


def _value(past: Past, table: pa.Table, fitted: Fitted, calibration: Calibration) -> float:
    y, p = past.parts.judged.y, calibration.apply(fitted.raw(table))
    return (average_precision(y, p) + auc(y, p)) / 2


def _trained_anew(search: Search, columns: Sequence[str]) -> float:
    """The value of the base recipe that reads these columns only."""
    recipe: Recipe = replace(search.base, features=tuple(columns))
    found = []
    for past in search.past:
        p = past.parts.trees(TREES, Matrix(past.parts.training, recipe, search.horizon)).p
        y = past.parts.judged.y
        found.append((average_precision(y, p) + auc(y, p)) / 2)
    return float(np.mean(found))


def lines(found: Mapping[str, Any]) -> list[str]:
    """The table for reading; cells are parted by tabs."""
    told = ["\t".join(("family", "columns", "loss", *found["dates"], "spread of a shuffle"))]
    for each in found["families"]:
        cells = (f"{loss:+.4f}" for loss in each["by_date"])
        told.append(
            "\t".join((each["family"], str(each["columns"]), f"{each['loss']:+.4f}", *cells, f"{each['spread']:.4f}"))
        )
    told.append(f"loss: of (average precision + AUC) / 2, which is {found['value']:.4f} with all of them")
    if found["value_without_useless"] is not None:
        names = ", ".join(found["useless"])
        told.append(f"trained anew without {names}: {found['value_without_useless']:.4f}")
    return told
