"""The simple rules that judge every propensity model, and serve where there is none.

A rule makes one number of a few columns. A one-variable logistic, fitted on the training cutoffs, makes it a
probability and finds its direction: for repurchase more is likelier, for churn the sign turns by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from models.bgnbd import BetaGeoNBD
from models.logistic import Logistic, labels
from warehouse.errors import DataProblemError, UsageError

Floats = NDArray[np.float64]

RULES = ("days_since_last_order", "order_days", "order_days_minus_recency", "rfm_sum", "bg_nbd")
"""Names of the rules; on data without orders they read active days instead, under the same names."""

BASE_RATE = "base_rate"
"""The rule of tables in which nobody orders or acts: everybody has the share of y = 1 in training."""

COLUMNS: Mapping[str, tuple[str, str, str]] = {
    "orders": ("days_since_last_order", "order_day_count_lifetime", "days_since_first_order"),
    "acts": ("days_since_last_act", "act_day_count_lifetime", "days_since_first_act"),
}
"""Recency, frequency and age: the columns each basis reads; days as numbers."""

MONEY = "amount_lifetime"
"""The column that is M of RFM; where it is absent the sum is that of R and F."""


def basis_of(table: pa.Table) -> str:
    """ "orders" where the table has order days, else "acts"; `DataProblemError` where it has neither."""
    for basis, columns in COLUMNS.items():
        if all(name in table.column_names and table.column(name).null_count < table.num_rows for name in columns):
            return basis
    raise DataProblemError(
        "The simple rules need order days or active days, and there are none.",
        hint=f"Needed: {', '.join(COLUMNS['orders'])}; or {', '.join(COLUMNS['acts'])}.",
    )


@dataclass(frozen=True)
class Rule:
    """A fitted rule.

    `missing` stands for a number that cannot be computed (somebody without any order); it is the least active one
    met in training. `edges` are the quintile bins of RFM; `lifetimes` the BG/NBD parameters, time in days; `note`
    says where a fit is only the best that was found.
    """

    name: str
    basis: str
    horizon_days: int
    logistic: Logistic
    missing: float
    edges: Mapping[str, tuple[float, ...]]
    lifetimes: BetaGeoNBD | None

    @classmethod
    def fit(cls, name: str, table: pa.Table, y: ArrayLike, horizon_days: int) -> Rule:
        """Fits bins, lifetimes and the logistic on training rows; `y` is 0 or 1 for each row of `table`."""
        if name not in (*RULES, BASE_RATE):
            raise UsageError(f'There is no rule "{name}".', hint=f"There are: {', '.join(RULES)}.")
        target = labels(y)
        if target.size != table.num_rows:
            raise DataProblemError(f"{target.size} labels for {table.num_rows} rows.")
        basis = basis_of(table) if name != BASE_RATE else "none"
        edges = _rfm_edges(table, basis) if name == "rfm_sum" else {}
        lifetimes = _fit_lifetimes(table, basis) if name == "bg_nbd" else None
        bare = cls(name, basis, horizon_days, Logistic(0.0, 0.0, 0.0), np.nan, edges, lifetimes)
        raw = bare._computed(table)
        missing = float(np.nanmin(raw)) if np.isfinite(raw).any() else 0.0
        logistic = Logistic.fit(np.where(np.isnan(raw), missing, raw), target)
        return cls(name, basis, horizon_days, logistic, missing, edges, lifetimes)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the rule reads."""
        if self.name == BASE_RATE:
            return ()
        recency, frequency, age = COLUMNS[self.basis]
        return {
            "days_since_last_order": (recency,),
            "order_days": (frequency,),
            "order_days_minus_recency": (recency, frequency),
            "rfm_sum": tuple(self.edges),
            "bg_nbd": (recency, frequency, age),
        }[self.name]

    @property
    def note(self) -> str:
        """What the reader must know of the fit; empty where nothing."""
        return self.lifetimes.note if self.lifetimes is not None else ""

    def score(self, table: pa.Table) -> Floats:
        """The rule's number for each row, turned so that higher means y = 1 is likelier."""
        raw = self._raw(table)
        return -raw if self.logistic.slope < 0 else raw

    def log_odds(self, table: pa.Table) -> Floats:
        """Log-odds of y = 1 for each row."""
        return self.logistic.log_odds(self._raw(table))

    def contributions(self, table: pa.Table) -> tuple[dict[str, Floats], float]:
        """What each column adds to the log-odds of each row, and what every row starts from: together `log_odds`.

        Order days count from the training mean of the rule's number, recency from 0 days. A rule that is no weighted
        sum of columns gives all of it to its first column.
        """
        center = float(self.logistic.log_odds(np.array([self.logistic.center]))[0])
        total = self.log_odds(table) - center
        if self.name == BASE_RATE:
            return {}, center
        if self.name != "order_days_minus_recency":
            return {self.columns[0]: total}, center
        recency, frequency = self.columns
        share = np.nan_to_num(-self.logistic.slope * _numbers(table, recency) / 1000)
        return {recency: share, frequency: total - share}, center

    def predict(self, table: pa.Table) -> Floats:
        """Probability of y = 1 for each row."""
        return np.asarray(expit(self.log_odds(table)), dtype=np.float64)

    def _raw(self, table: pa.Table) -> Floats:
        raw = self._computed(table)
        return np.where(np.isnan(raw), self.missing, raw)

    def _computed(self, table: pa.Table) -> Floats:
        """Higher = more active; NaN where a column is missing."""
        if self.name == BASE_RATE:
            return np.zeros(table.num_rows)
        recency, frequency, _ = COLUMNS[self.basis]
        match self.name:
            case "days_since_last_order":
                return -_numbers(table, recency)
            case "order_days":
                return _numbers(table, frequency)
            case "order_days_minus_recency":
                return _numbers(table, frequency) - _numbers(table, recency) / 1000
            case "rfm_sum":
                return self._rfm_sum(table)
            case _:
                return self._lifetime_log_odds(table)

    def _rfm_sum(self, table: pa.Table) -> Floats:
        recency = COLUMNS[self.basis][0]
        total = np.zeros(table.num_rows)
        for column, edges in self.edges.items():
            values = _numbers(table, column)
            bins = 1.0 + np.searchsorted(np.asarray(edges), values, side="left")
            total += np.where(np.isnan(values), np.nan, 6 - bins if column == recency else bins)
        return total

    def _lifetime_log_odds(self, table: pa.Table) -> Floats:
        """Log-odds of at least one purchase within the horizon under BG/NBD."""
        histories, complete = _histories(table, self.basis)
        raw = np.full(table.num_rows, np.nan)
        if self.lifetimes is not None and complete.any():
            p = self.lifetimes.buys_probability(self.horizon_days, *histories[complete].T)
            p = np.clip(p, 1e-12, 1 - 1e-12)
            raw[complete] = np.log(p) - np.log1p(-p)
        return raw

    def to_json(self) -> dict[str, Any]:
        """Plain values, from which `from_json` makes an equal rule."""
        return {
            "name": self.name,
            "basis": self.basis,
            "horizon_days": self.horizon_days,
            "logistic": self.logistic.to_json(),
            "missing": self.missing,
            "edges": {column: list(edges) for column, edges in self.edges.items()},
            "lifetimes": self.lifetimes.to_json() if self.lifetimes is not None else None,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Rule:
        """The rule that `to_json` wrote."""
        lifetimes = document["lifetimes"]
        return cls(
            str(document["name"]), str(document["basis"]), int(document["horizon_days"]),
            Logistic.from_json(document["logistic"]), float(document["missing"]),
            {column: tuple(edges) for column, edges in document["edges"].items()},
            BetaGeoNBD.from_json(lifetimes) if lifetimes is not None else None,
        )  # fmt: skip


def _numbers(table: pa.Table, column: str) -> Floats:
    if column not in table.column_names:
        return np.full(table.num_rows, np.nan)
    values = table.column(column).cast(pa.float64(), safe=False).to_numpy()
    return np.where(np.isfinite(values), values, np.nan).astype(np.float64)


def _rfm_edges(table: pa.Table, basis: str) -> dict[str, tuple[float, ...]]:
    """The four inner quintile edges of each column; a value equal to an edge lies below it, so ties stay together."""
    recency, frequency, _ = COLUMNS[basis]
    money = (MONEY,) if basis == "orders" else ()
    edges = {}
    for column in (recency, frequency, *money):
        values = _numbers(table, column)
        known = values[~np.isnan(values)]
        if known.size:
            edges[column] = tuple(float(v) for v in np.quantile(known, (0.2, 0.4, 0.6, 0.8), method="lower"))
    return edges


def _histories(table: pa.Table, basis: str) -> tuple[Floats, NDArray[np.bool_]]:
    """(x, t_x, T) of each row, in days, and whether all of it is there and possible."""
    recency, frequency, age = (_numbers(table, column) for column in COLUMNS[basis])
    rows = np.column_stack([frequency - 1, age - recency, age])
    return rows, ~np.isnan(rows).any(axis=1) & (rows[:, 0] >= 0) & (rows[:, 1] >= 0) & (recency >= 0) & (age > 0)


def _fit_lifetimes(table: pa.Table, basis: str) -> BetaGeoNBD:
    histories, complete = _histories(table, basis)
    return BetaGeoNBD.fit(*histories[complete].T)
