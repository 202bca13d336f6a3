"""What customers will spend, by trees: P(buys at all) × how much by who buys, or both at once.

Amounts have a heavy tail. `two_part` learns logs of amounts and brings the mean back by smearing (Duan 1983, "Smearing
estimate", JASA 78); `tweedie` learns the mean itself, of many zeros and few large amounts. Either is scaled by one
factor, so that what is expected of customers who were not learnt from adds up to what they spent.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.special import expit

from models.boosting import BoostingSettings, boost, grow, parse, raw_scores
from models.encoding import FeatureSchema
from warehouse.errors import RepriseError

Floats = NDArray[np.float64]
Form = Literal["two_part", "tweedie"]
FORMS: tuple[Form, ...] = ("two_part", "tweedie")
CAP = 0.999
"""Amounts above this quantile are learnt as if they were it: one order of a wholesaler would bend all trees."""
_HIGHEST = 40.0


@dataclass(frozen=True)
class ValueTrees:
    """Fitted trees as LightGBM's texts; `buys` is "" for `tweedie`. `rounds` are those of both."""

    form: Form
    schema: FeatureSchema
    buys: str
    amounts: str
    rounds: tuple[int, int]
    factor: float = 1.0

    @classmethod
    def fit(
        cls,
        form: Form,
        table: pa.Table,
        spent: Floats,
        features: Sequence[str],
        settings: BoostingSettings,
        later: tuple[pa.Table, Floats] | None = None,
        rounds: tuple[int, int] | None = None,
    ) -> ValueTrees:
        """Learns what the customers of `table` spent; with `later`, rows of a later cutoff, stops by it, else grows
        `rounds`. Raises `DataProblemError` where all bought, or nobody did."""
        schema = FeatureSchema.from_table(table, [name for name in features if name in table.column_names])
        X, cap = schema.encode(table), float(np.quantile(spent[spent > 0], CAP)) if (spent > 0).any() else 0.0
        y = np.minimum(spent, cap)
        other = (schema.encode(later[0]), np.minimum(later[1], cap)) if later else None
        trees = [replace(settings, rounds=n) for n in rounds] if rounds else [settings, settings]
        if form == "tweedie":
            unit = float(y.mean()) or 1.0
            watched = (other[0], other[1] / unit) if other else None
            amounts = grow(X, y / unit, trees[1], "tweedie", schema.categorical, watched)
            return cls(form, schema, "", amounts.text, (0, amounts.rounds), unit)
        bought = spent > 0
        watched = (other[0], (other[1] > 0).astype(float)) if other else None
        buys = boost(X, bought.astype(float), trees[0], schema.categorical, watched)
        watched = (other[0][other[1] > 0], np.log(other[1][other[1] > 0])) if other else None
        amounts = grow(X[bought], np.log(y[bought]), trees[1], "regression", schema.categorical, watched)
        left = np.log(y[bought]) - raw_scores(parse(amounts.text), X[bought])
        return cls(form, schema, buys.text, amounts.text, (buys.rounds, amounts.rounds), float(np.exp(left).mean()))

    def predict(self, table: pa.Table) -> Floats:
        """Expected money within the horizon for every row."""
        X = self.schema.encode(table)
        amount = np.exp(np.minimum(raw_scores(parse(self.amounts), X), _HIGHEST))
        share = expit(raw_scores(parse(self.buys), X)) if self.buys else 1.0
        return np.asarray(self.factor * share * amount, dtype=np.float64)

    def scaled(self, table: pa.Table, spent: Floats) -> ValueTrees:
        """The same, scaled so that what is expected of these customers adds up to what they spent."""
        expected = float(self.predict(table).sum())
        total = float(np.sum(spent))
        return replace(self, factor=self.factor * total / expected) if expected > 0 and total > 0 else self

    def to_json(self) -> dict[str, Any]:
        """Plain values with a hash of the texts, from which `from_json` makes an equal object."""
        told = {**vars(self), "schema": self.schema.to_json(), "rounds": list(self.rounds)}
        return {**told, "sha256": _digest(self.buys, self.amounts)}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> ValueTrees:
        """What `to_json` wrote; `RepriseError` where the texts are not those (damaged ones would kill the process)."""
        if told["sha256"] != _digest(told["buys"], told["amounts"]):
            raise RepriseError("The value model is damaged.", hint="Train again: `reprise train value`.")
        kept = {name: value for name, value in told.items() if name != "sha256"}
        schema, rounds = FeatureSchema.from_json(told["schema"]), tuple(told["rounds"])
        return cls(**{**kept, "schema": schema, "rounds": rounds})


def _digest(*texts: str) -> str:
    return hashlib.sha256("\x1f".join(texts).encode()).hexdigest()
