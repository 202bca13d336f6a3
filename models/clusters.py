"""Clusters of customers: how many there are is what stays the same on other customers, if there are any at all.

k-means on robustly standardised numbers. The number of clusters is the largest whose prediction strength is at least
`STRENGTH` (Tibshirani and Walther 2005, "Cluster validation by prediction strength", JCGS 14): of the pairs that one
half of the customers puts together, the share that the other half's centres put together too, in the worst cluster.
A cloud that is only longer than wide is cut in the same place each time, so a number must also part the customers
better than it parts normal clouds of the same covariance (Liu, Hayes, Nobel and Marron 2008, "Statistical significance
of clustering", JASA 103); where none does, everybody is one group.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

STRENGTH = 0.8
MOST = 8
FARTHEST = 3.0
"""Standardised numbers beyond it are drawn in, so that single customers make no cluster."""
LEAST_CUSTOMERS = 100
LEAST_SHARE = 0.02
"""No cluster is smaller."""
_FIT_ROWS, _TRIAL_ROWS, _HALVES, _CLOUDS = 20_000, 3_000, 4, 19


@dataclass(frozen=True)
class Scaling:
    """How numbers are made comparable: the log of 1 + x where `logs`, less the `middle` (median), over the `spread`
    (quartiles' distance of a normal distribution's, the standard deviation where the quartiles are equal)."""

    names: tuple[str, ...]
    logs: tuple[bool, ...]
    middle: tuple[float, ...]
    spread: tuple[float, ...]

    @classmethod
    def fit(cls, columns: Mapping[str, Floats], logs: Mapping[str, bool]) -> Scaling:
        """Of the columns those that vary; what is unknown (NaN) is left out here and counts as the median after."""
        kept = []
        for name, column in columns.items():
            x = _logged(column[~np.isnan(column)], logs[name])
            if x.size and (spread := _spread(x)) > 0:
                kept.append((name, logs[name], float(np.median(x)), spread))
        return cls(*(tuple(part) for part in zip(*kept, strict=True))) if kept else cls((), (), (), ())

    def apply(self, columns: Mapping[str, Floats]) -> Floats:
        """The numbers standardised: a row per customer, a column per name."""
        parts = zip(self.names, self.logs, self.middle, self.spread, strict=True)
        scaled = [(_logged(columns[name], log) - middle) / spread for name, log, middle, spread in parts]
        return np.clip(np.nan_to_num(np.stack(scaled, axis=1)), -FARTHEST, FARTHEST)

    def seen_by(self, other: Scaling, centres: Floats) -> Floats:
        """Centres on this scale, told on another one of the same names."""
        logged = centres * np.array(self.spread) + np.array(self.middle)
        found: Floats = (logged - np.array(other.middle)) / np.array(other.spread)
        return found


def _logged(x: Floats, log: bool) -> Floats:
    logged: Floats = np.log1p(np.maximum(x, 0)) if log else x
    return logged


def _spread(x: Floats) -> float:
    low, high = np.percentile(x, [25, 75])
    return float((high - low) / 1.349) or float(x.std())


@dataclass(frozen=True)
class Tried:
    """One number of clusters on halves: mean prediction strength, mean adjusted Rand index (Hubert and Arabie 1985),
    and whether it parts customers better than normal clouds (None: not asked, as it was not stable)."""

    number: int
    strength: float
    rand: float
    parted: bool | None = None


@dataclass(frozen=True)
class Clusters:
    """Fitted clusters: `labels` are their lasting names, `centres` their middles on the scale."""

    scaling: Scaling
    centres: Floats
    labels: tuple[str, ...]
    used: int
    """So many labels have ever been given."""
    tried: tuple[Tried, ...]

    def assign(self, columns: Mapping[str, Floats]) -> Ints:
        """The place of the nearest centre for every customer."""
        return nearest(self.scaling.apply(columns), self.centres)

    def to_json(self) -> dict[str, Any]:
        return {
            "scaling": vars(self.scaling), "centres": self.centres.tolist(), "labels": self.labels, "used": self.used,
            "tried": [vars(each) for each in self.tried],
        }  # fmt: skip

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Clusters:
        scaling = Scaling(**{name: tuple(values) for name, values in told["scaling"].items()})
        tried = tuple(Tried(**each) for each in told["tried"])
        return cls(scaling, np.array(told["centres"]), tuple(told["labels"]), told["used"], tried)


def nearest(x: Floats, centres: Floats) -> Ints:
    """The place of the nearest centre of each row; of equally near ones the first."""
    found: Ints = np.argmin((centres**2).sum(axis=1) - 2 * x @ centres.T, axis=1)
    return found


def fit(
    columns: Mapping[str, Floats], logs: Mapping[str, bool], before: Clusters | None = None, seed: int = 7
) -> Clusters:
    """Clusters of the customers whose numbers these are, in a lasting order of rows; named after those `before`."""
    scaling = Scaling.fit(columns, logs)
    rng = np.random.default_rng(seed)
    rows = len(next(iter(columns.values())))
    if not scaling.names or rows < LEAST_CUSTOMERS:
        return _named(scaling, np.zeros((1, len(scaling.names))), (), before)
    x = scaling.apply(columns)
    if rows > _FIT_ROWS:
        x = x[np.sort(rng.choice(rows, _FIT_ROWS, replace=False))]
    trial = x[rng.permutation(len(x))[:_TRIAL_ROWS]]
    tried = [_halves(trial, number, rng) for number in range(2, MOST + 1)]
    chosen = 1
    for place, each in reversed([*enumerate(tried)]):
        if each.strength >= STRENGTH and chosen == 1:
            parted = _parted(trial, each.number, rng)
            tried[place] = Tried(each.number, each.strength, each.rand, parted)
            chosen = each.number if parted else 1
    centres = _centres(x, chosen, rng)
    sizes = np.bincount(nearest(x, centres), minlength=chosen)
    return _named(scaling, centres[np.argsort(-sizes, kind="stable")], tuple(tried), before)


def _k_means(x: Floats, number: int, rng: np.random.Generator) -> Any:
    from sklearn.cluster import KMeans

    # A few thousand rows: threads would mostly wait for each other, on a busy machine for seconds.
    with threadpool_limits(1):
        return KMeans(number, n_init=4, random_state=int(rng.integers(2**31))).fit(x)


def _centres(x: Floats, number: int, rng: np.random.Generator) -> Floats:
    if number == 1:
        middle: Floats = x.mean(axis=0, keepdims=True)
        return middle
    found: Floats = _k_means(x, number, rng).cluster_centers_
    return found


def _halves(x: Floats, number: int, rng: np.random.Generator) -> Tried:
    """How well the clusters of one half of the rows foretell those of the other, over several cuts, both ways."""
    from sklearn.metrics import adjusted_rand_score

    strengths, rands = [], []
    for _ in range(_HALVES):
        order = rng.permutation(len(x))
        halves = x[order[: len(x) // 2]], x[order[len(x) // 2 :]]
        centres = [_centres(half, number, rng) for half in halves]
        for k, half in enumerate(halves):
            own, told = nearest(half, centres[k]), nearest(half, centres[1 - k])
            strengths.append(_strength(own, told, number))
            rands.append(adjusted_rand_score(own, told))
    return Tried(number, float(np.mean(strengths)), float(np.mean(rands)))


def _strength(own: Ints, told: Ints, number: int) -> float:
    """Of the pairs of a cluster the share that is together as told, in the worst cluster; 0 where one is too small."""
    together = np.zeros((number, number))
    np.add.at(together, (own, told), 1)
    sizes = together.sum(axis=1)
    if sizes.min() < max(2, LEAST_SHARE * len(own)):
        return 0.0
    return float(((together * (together - 1)).sum(axis=1) / (sizes * (sizes - 1))).min())


def _parted(x: Floats, number: int, rng: np.random.Generator) -> bool:
    """Whether the rows lie closer to so many centres than those of any of `_CLOUDS` normal clouds do (p ≤ 0.05)."""
    covariance = np.atleast_2d(np.cov(x, rowvar=False))
    mine = _within(x, number, rng)
    clouds = (rng.multivariate_normal(np.zeros(x.shape[1]), covariance, len(x)) for _ in range(_CLOUDS))
    return all(mine < _within(cloud, number, rng) for cloud in clouds)


def _within(x: Floats, number: int, rng: np.random.Generator) -> float:
    """Squares around the centres over squares around the mean."""
    return float(_k_means(x, number, rng).inertia_ / ((x - x.mean(axis=0)) ** 2).sum())


def _named(scaling: Scaling, centres: Floats, tried: tuple[Tried, ...], before: Clusters | None) -> Clusters:
    """The clusters with the labels of those before that they continue, and new ones for the others.

    One may continue another where it is nearer to it than half of what lies between that one and its nearest neighbour.
    Pairs are chosen for the most that is left of these halves (Hungarian method), so that a cluster far from all of
    those before takes no name from one that continues.
    """
    if len(centres) == 1:
        return Clusters(scaling, centres, ("all",), before.used if before else 0, tried)
    labels: list[str | None] = [None] * len(centres)
    used = before.used if before else 0
    if before is not None and before.scaling.names == scaling.names and len(before.centres) > 1:
        from scipy.optimize import linear_sum_assignment

        seen = scaling.seen_by(before.scaling, centres)
        apart = _distances(before.centres, before.centres) + np.diag(np.full(len(before.centres), np.inf))
        beyond = np.minimum(_distances(seen, before.centres) - apart.min(axis=1) / 2, 0)
        for new, old in zip(*linear_sum_assignment(beyond), strict=True):
            if beyond[new, old] < 0:
                labels[new] = before.labels[old]
    for place, label in enumerate(labels):
        if label is None:
            labels[place] = label_of(used)
            used += 1
    return Clusters(scaling, centres, tuple(label for label in labels if label is not None), used, tried)


def _distances(some: Floats, others: Floats) -> Floats:
    found: Floats = np.sqrt(((some[:, None, :] - others[None, :, :]) ** 2).sum(axis=2))
    return found


def label_of(place: int) -> str:
    """A, B, …, Z, AA, AB, …"""
    letters = ascii_uppercase[place % 26]
    return letters if place < 26 else label_of(place // 26 - 1) + letters


def apart(x: Floats, codes: Ints, number: int) -> Floats:
    """By cluster and column: the mean inside less that of everybody else, in standard deviations of all."""
    spread = np.where(x.std(axis=0) > 0, x.std(axis=0), 1.0)
    rows = [
        (x[codes == k].mean(axis=0) - x[codes != k].mean(axis=0)) / spread
        if (codes == k).any() and (codes != k).any()
        else np.zeros(x.shape[1])
        for k in range(number)
    ]
    return np.stack(rows)


def strongest(differences: Floats, most: int = 3, least: float = 0.5) -> Sequence[int]:
    """The columns with the largest differences, at most so many and none below `least`, the largest first."""
    order = np.argsort(-np.abs(differences), kind="stable")[:most]
    return [int(place) for place in order if abs(differences[place]) >= least]
