"""The replenishment clock: how long a customer makes do with an item, and so when it is due again.

The log of the k-th gap of customer c with item i, which began with quantity q, is

    m(c, i) + b·ln q + noise,   noise ~ N(0, σ²),   m(c, i) ~ N(m(i), τ²),   m(i) ~ N(m(category), ω²)

so that a gap of e^m days is a typical (median) one, and a quantity of 2 lasts 2^b times as long. Variances are found by
moments (analysis of variance for σ² and τ²; DerSimonian and Laird 1986, "Meta-analysis in clinical trials", Controlled
Clinical Trials 7, for ω²), b by regression within pairs of a customer and an item. What is known of few gaps is
drawn to the item, what is known of few customers to the category (empirical Bayes).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LEAST_FREEDOM = 30
"""Categories with fewer gaps beyond one for each pair are judged by the variances of the whole shop."""
LEAST_VARIANCE = 1e-4
"""No two customers, and no two gaps, are held to be closer than 1 %."""
_SURE = 1.959964


@dataclass(frozen=True)
class Rhythm:
    """What is common to a category: days of a typical gap, variances of logs, how much longer more lasts.

    `elasticity` is b above: 0 unless it is above 0 beyond doubt (95 %), and at most 1. `slope` and `slope_error`
    are what was measured.
    """

    gap_days: float
    within: float
    between: float
    among_items: float
    elasticity: float
    slope: float | None
    slope_error: float | None
    pairs: int


@dataclass(frozen=True)
class Clock:
    """Fitted rhythms by category ("" for items of none), and each item's own."""

    rhythms: Mapping[str, Rhythm]
    items: pa.Table
    """thing, centre (log days), within, between, elasticity; sorted by thing."""

    @classmethod
    def fit(cls, sums: pa.Table) -> Clock | None:
        """The clock of the sums of `features.cycles.clock_counts`; None where nobody bought anything twice."""
        if not sums.num_rows:
            return None
        columns = {name: _numbers(sums[name]) for name in sums.column_names if name not in ("thing", "category")}
        category = np.array(pc.fill_null(sums["category"], "").to_pylist(), dtype=object)
        whole = _Variances.of(columns)
        centre = np.empty(len(category))
        rhythms: dict[str, Rhythm] = {}
        for name in sorted(set(category)):
            rows = np.flatnonzero(category == name)
            mine = {key: values[rows] for key, values in columns.items()}
            rhythms[name], centre[rows] = _rhythm(mine, whole)
        told = [rhythms[name] for name in category]
        items = pa.table(
            {
                "thing": sums["thing"],
                "centre": centre,
                "within": [each.within for each in told],
                "between": [each.between for each in told],
                "elasticity": [each.elasticity for each in told],
            }
        )
        return cls(rhythms, items.sort_by("thing"))

    def due(self, pairs: pa.Table) -> pa.Table:
        """When the pairs of `features.cycles.clock_counts` are due: entity_id, item_id, last_day, gap_days, due_day.

        `gap_days` is how long the last purchase lasts this customer, `due_day` the day it has lasted, as whole days.
        """
        place = pc.index_in(pairs["thing"], self.items["thing"].combine_chunks()).combine_chunks()
        of = {name: self.items[name].combine_chunks().take(place).to_numpy() for name in self.items.column_names[1:]}
        count, last = _numbers(pairs["gap_count"]), _numbers(pairs["last_day"])
        own = _numbers(pairs["gap_sum"]) - of["elasticity"] * _numbers(pairs["quantity_sum"])
        known, assumed = 1 / of["within"], 1 / of["between"]
        centre = (own * known + of["centre"] * assumed) / (count * known + assumed)
        gap = np.exp(centre + of["elasticity"] * _numbers(pairs["last_quantity"]))
        return pa.table(
            {
                "entity_id": pairs["entity_id"],
                "item_id": pairs["thing"],
                "last_day": pa.array(last.astype(np.int32)),
                "gap_days": gap,
                "due_day": pa.array((last + np.maximum(np.round(gap), 1)).astype(np.int32)),
            }
        )


@dataclass(frozen=True)
class _Variances:
    """σ², τ² and b of some items, with the degrees of freedom they were found from."""

    within: float
    between: float
    elasticity: float
    slope: float | None
    slope_error: float | None
    freedom: float

    @classmethod
    def of(cls, sums: Mapping[str, Floats]) -> _Variances:
        pairs, gaps = sums["pair_count"].sum(), sums["gap_count"].sum()
        freedom = gaps - pairs
        squares = float((sums["gap_squares"] - sums["gap_between"]).sum())
        quantities = float((sums["quantity_squares"] - sums["quantity_between"]).sum())
        products = float((sums["products"] - sums["product_between"]).sum())
        slope = error = None
        left = squares
        if freedom > 1 and quantities > 1e-6:
            slope = products / quantities
            left = max(squares - slope * products, 0.0)
            error = float(np.sqrt(left / (freedom - 1) / quantities))
        sure = slope is not None and error is not None and slope - _SURE * error > 0
        b = min(slope, 1.0) if sure and slope is not None else 0.0
        within = (squares - 2 * b * products + b * b * quantities) / max(freedom, 1)
        within = max(float(within), LEAST_VARIANCE)
        return cls(within, cls._between(sums, b, within), b, slope, error, freedom)

    @staticmethod
    def _between(sums: Mapping[str, Floats], b: float, within: float) -> float:
        """τ² by the mean squares of pairs about their items."""
        gaps = sums["gap_count"]
        about = _net_squares(sums, b) - _net(sums, b) ** 2 / gaps
        freedom = gaps - sums["count_squares"] / gaps
        if freedom.sum() <= 0:
            return LEAST_VARIANCE
        found = (about.sum() - (sums["pair_count"] - 1).sum() * within) / freedom.sum()
        return max(float(found), LEAST_VARIANCE)


def _rhythm(sums: Mapping[str, Floats], whole: _Variances) -> tuple[Rhythm, Floats]:
    """The rhythm of one category, and the centres (log days) of its items drawn to it."""
    own = _Variances.of(sums)
    held = own if own.freedom >= LEAST_FREEDOM else whole
    gaps = sums["gap_count"]
    means = _net(sums, held.elasticity) / gaps
    errors = held.within / gaps + held.between * sums["count_squares"] / gaps**2
    among, centre = _pooled(means, errors)
    items = (means / errors + centre / among) / (1 / errors + 1 / among)
    rhythm = Rhythm(
        float(np.exp(centre)),
        held.within,
        held.between,
        among,
        held.elasticity,
        own.slope,
        own.slope_error,
        int(sums["pair_count"].sum()),
    )
    return rhythm, items


def _pooled(means: Floats, errors: Floats) -> tuple[float, float]:
    """Variance among items and their common centre (DerSimonian and Laird)."""
    weight = 1 / errors
    fixed = float(weight @ means / weight.sum())
    scale = weight.sum() - (weight**2).sum() / weight.sum()
    excess = float(weight @ (means - fixed) ** 2) - (len(means) - 1)
    among = max(excess / float(scale), LEAST_VARIANCE) if scale > 0 else LEAST_VARIANCE
    weight = 1 / (errors + among)
    return among, float(weight @ means / weight.sum())


def _net(sums: Mapping[str, Floats], b: float) -> Floats:
    """Sums of logs of gaps, less what quantities explain."""
    return sums["gap_sum"] - b * sums["quantity_sum"]


def _net_squares(sums: Mapping[str, Floats], b: float) -> Floats:
    """Over the pairs, each one's net sum squared over its number of gaps."""
    return sums["gap_between"] - 2 * b * sums["product_between"] + b * b * sums["quantity_between"]


def _numbers(column: pa.ChunkedArray) -> Floats:
    numbers: Floats = column.cast(pa.float64()).to_numpy()
    return numbers
