"""What a release scores with: a trained model, or the complement of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from models.propensity import PropensityModel

Key: TypeAlias = tuple[str, int]
"""(target, horizon in days)."""


@dataclass(frozen=True)
class Complement:
    """A target whose probability is one minus that of another model: churn from repurchase of the same horizon.

    It has a population and a base rate of its own.
    """

    target: str
    population: str
    base_rate: float
    of: PropensityModel

    @property
    def horizon_days(self) -> int:
        return self.of.horizon_days

    @property
    def version(self) -> str:
        return self.of.version

    @property
    def kind(self) -> str:
        return self.of.kind

    @property
    def columns(self) -> tuple[str, ...]:
        return self.of.columns

    def predict(self, table: pa.Table) -> npt.NDArray[np.float64]:
        """1 − P of the other model, for every row."""
        return 1.0 - self.of.predict(table)


Model: TypeAlias = PropensityModel | Complement


def base_models(models: Mapping[Key, Model]) -> dict[Key, PropensityModel]:
    """Those of the models that were fitted, complements left out."""
    return {key: model for key, model in models.items() if not isinstance(model, Complement)}
