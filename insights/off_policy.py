"""Off-policy comparison: how another model's lists would have done, from what was shown of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from insights.position_bias import Examination
from insights.shown import Floats, Rows, Shown, draws_by_user, interval

CLIP = 10.0
LEAST_COVERAGE = 0.5
LEAST_SAMPLE = 50.0


@dataclass(frozen=True)
class Comparison:
    """Clicks per examined place of the lists that were shown and of the other model's, with intervals by user.

    `coverage`: the share of the other's lists, weighed by how often their places are looked at, that was shown to those
    users, or could have been by a known chance. `effective_sample`: as how many exposures the weighted ones count
    (Kish). `refused` says why there is no comparison; the figures are then None.
    """

    coverage: float
    effective_sample: float
    clipped: float
    logged: tuple[float, tuple[float, float] | None] | None = None
    other: tuple[float, tuple[float, float] | None] | None = None
    difference: tuple[float, tuple[float, float] | None] | None = None
    refused: str | None = None

    def payload(self) -> dict[str, Any]:
        told = {name: _told(getattr(self, name)) for name in ("logged", "other", "difference")}
        return {
            **{name: getattr(self, name) for name in ("coverage", "effective_sample", "clipped", "refused")},
            **told,
        }


def compare(shown: Shown, other_rank: Rows, wanted: tuple[Rows, Floats], looked: Examination) -> Comparison:
    """What the clicks say of another model's lists, under the position-based model of `position_bias`.

    `other_rank` says per exposure the place that the other model gives that item for that user, 0 where it does not
    list it. `wanted` are all places of the other's lists for those users, and whether what stands there was shown: 1 /
    its propensity, else 0.
    Self-normalised inverse propensities (Swaminathan and Joachims 2015) by item and place (Li et al., KDD 2018): Σ w
    click / Σ θ_other with w = θ_other / θ_shown, at most `CLIP`, over the propensity, which is known and never clipped.
    What could not be shown says nothing, so the figure is of the part that could, of which what was shown is an
    unbiased estimate (Horvitz and Thompson 1952); below half of the lists, or where the places are not known, there is
    none.
    """
    places, was_shown = wanted
    mass = np.nan_to_num(looked.at(places))
    coverage = min(float((mass * was_shown).sum() / mass.sum()), 1.0) if mass.sum() else 0.0
    theta = looked.at(shown.position)
    theirs = np.where(other_rank > 0, np.nan_to_num(looked.at(other_rank)), 0.0)
    used = np.isfinite(theta)
    with np.errstate(invalid="ignore"):
        raw = np.where(used, theirs / theta, 0.0)
    weight = np.minimum(raw, CLIP) / (1.0 if shown.propensity is None else shown.propensity)
    effective = float(weight.sum() ** 2 / (weight**2).sum()) if weight.any() else 0.0
    clipped = float((raw > CLIP).sum() / max((raw > 0).sum(), 1))
    if why := _why_not(looked, coverage, effective):
        return Comparison(coverage, effective, clipped, refused=why)
    columns = np.stack(
        [
            shown.clicked * used,
            np.where(used, theta, 0.0),
            weight * shown.clicked,
            np.where(used, weight * np.nan_to_num(theta), 0.0),
        ],
        axis=1,
    )
    total = columns.sum(axis=0)
    drawn = draws_by_user(shown.user, csr_matrix(columns))
    logged, other, difference = _estimates(total, drawn)
    return Comparison(coverage, effective, clipped, logged, other, difference)


def _estimates(total: Floats, drawn: Floats) -> list[tuple[float, tuple[float, float] | None]]:
    def of(sums: Floats) -> list[Floats]:
        with np.errstate(invalid="ignore", divide="ignore"):
            logged, other = sums[..., 0] / sums[..., 1], sums[..., 2] / sums[..., 3]
        return [logged, other, other - logged]

    return [(float(one), interval(draws)) for one, draws in zip(of(total), of(drawn), strict=True)]


def _why_not(looked: Examination, coverage: float, effective: float) -> str | None:
    if not looked.known:
        return "how often each place is looked at is not known"
    if coverage < LEAST_COVERAGE:
        return f"only {coverage:.0%} of the other's lists was ever shown to these users; of the rest nothing is known"
    if effective < LEAST_SAMPLE:
        return f"what was shown of them counts as {effective:.0f} exposures only"
    return None


def _told(estimate: tuple[float, tuple[float, float] | None] | None) -> dict[str, float | None] | None:
    if estimate is None:
        return None
    low, high = estimate[1] or (None, None)
    return {"value": estimate[0], "low": low, "high": high}
