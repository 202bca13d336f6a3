"""Is a new release like the one it replaces? The shift of each target's scores, for a gate before publication."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from serving.complements import Key
from serving.release import Release

BINS = 10
LARGE = 0.25
"""A population stability index above this is commonly taken as another population; below 0.1 as the same."""


@dataclass(frozen=True)
class Shift:
    """How far one target's scores moved. `constant` is true where the new model gives everybody the same."""

    target: str
    horizon_days: int
    stability_index: float
    constant: bool

    @property
    def suspicious(self) -> bool:
        return self.constant or self.stability_index > LARGE


def stability_index(before: npt.NDArray[np.float64], after: npt.NDArray[np.float64], bins: int = BINS) -> float:
    """Population stability index of two samples: Σ (a − b) ln(a / b) over bins of equal count of the first.

    a and b are the shares in a bin; half a row is added to each bin, so that an empty one stays finite. 0 where either
    sample is empty.
    """
    if not before.size or not after.size:
        return 0.0
    edges = np.unique(np.quantile(before, np.linspace(0, 1, bins + 1)[1:-1]))
    shares = []
    for sample in (before, after):
        counts = np.bincount(np.searchsorted(edges, sample, side="right"), minlength=edges.size + 1) + 0.5
        shares.append(counts / counts.sum())
    old, new = shares
    return float(np.sum((new - old) * np.log(new / old)))


def shifts(old: Release, new: Release) -> list[Shift]:
    """The shift of every target and horizon both releases have."""
    return [_shift(key, old, new) for key in new.scores.reference if key in old.scores.reference]


def lost_features(old: Release, new: Release) -> dict[Key, tuple[str, ...]]:
    """For each model both have, the columns the new one no longer reads."""
    lost = {}
    for key, model in new.models.items():
        if key in old.models:
            before = old.models[key].columns
            lost[key] = tuple(name for name in before if name not in model.columns)
    return {key: names for key, names in lost.items() if names}


def _shift(key: Key, old: Release, new: Release) -> Shift:
    before, after = old.scores.reference[key], new.scores.reference[key]
    constant = bool(after.size > 1 and after[0] == after[-1])
    return Shift(key[0], key[1], stability_index(before, after), constant)
