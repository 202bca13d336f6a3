"""May a model be used: the promotion rule and the leak check, as pure functions.

A leak check has three parts. Labels shuffled within their cutoff go through the whole recipe: what then still ranks
the judged rows has seen them. No single feature may rank almost perfectly. Scores must not change when rows at or
after as_of are deleted; whoever holds the raw rows makes that trial and gives its answer here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.logistic import labels
from training.evaluation.intervals import Interval
from training.evaluation.propensity import auc
from warehouse.errors import DataProblemError

SMALLEST_OTHER = -0.005
"""How much the metric that need not win may lose, at the lower end of its interval."""
LARGEST_SHAPE_ERROR = 0.04
SHUFFLED_BAND = 0.05
"""How far from ½ the AUC of shuffled labels may lie."""
LARGEST_SINGLE_AUC = 0.95

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class LeakCheck:
    """What the leak check found; clean where `problems` is empty. Each problem is one sentence."""

    problems: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        """Whether nothing was found."""
        return not self.problems

    def __add__(self, other: LeakCheck) -> LeakCheck:
        return LeakCheck(self.problems + other.problems)


@dataclass(frozen=True)
class Verdict:
    """Whether the challenger replaces the champion, and the one sentence that says why."""

    promote: bool
    why: str


def judge(
    challenger: str,
    champion: str,
    average_precision: Interval,
    auc: Interval,
    shape_error: float,
    leaks: LeakCheck,
) -> Verdict:
    """The promotion rule: `average_precision` and `auc` are paired intervals of challenger − champion.

    Promoted where one of them lies above 0 and the other's lower end above −0.005, the challenger's shape error is at
    most 0.04 and the leak check is clean. An interval that could not be computed counts as not won.
    """
    if not leaks.clean:
        return Verdict(False, f"{challenger} does not replace {champion}: {leaks.problems[0]}")
    if not shape_error <= LARGEST_SHAPE_ERROR:
        return Verdict(
            False,
            f"{challenger} does not replace {champion}: its shape error is {shape_error:.3f}, above "
            f"{LARGEST_SHAPE_ERROR:.2f}, so its probabilities do not keep their word.",
        )
    compared = (
        ("average precision", average_precision, auc, "AUC"),
        ("AUC", auc, average_precision, "average precision"),
    )
    for name, winner, other, other_name in compared:
        if winner.above_zero and other.low > SMALLEST_OTHER:
            return Verdict(
                True, f"{challenger} replaces {champion}: {_told(name, winner)}, and {_told(other_name, other)}."
            )
    return Verdict(
        False,
        f"{challenger} does not replace {champion}: it is not surely better; "
        f"{_told('average precision', average_precision)}, {_told('AUC', auc)}.",
    )


def _told(name: str, interval: Interval) -> str:
    if np.isnan(interval.low):
        return f"{name} could not be compared"
    return f"{name} differs by {interval.value:+.3f} (95 % interval {interval.low:+.3f} to {interval.high:+.3f})"


def check_shuffled_labels(
    recipe: Callable[[Floats], Floats],
    y: ArrayLike,
    cutoff: ArrayLike,
    judged: ArrayLike,
    seed: int,
    repeats: int = 3,
) -> LeakCheck:
    """Runs the whole recipe on labels that mean nothing.

    `y` and `cutoff` describe all rows of all cutoffs, training and judged; `judged` marks the judged ones. Labels are
    shuffled within each cutoff, which keeps its base rate. `recipe(shuffled)` must do everything that reads a label
    (encoding, training, stopping, calibrating) and return the scores of the judged rows, in their order.
    """
    target, groups, mask = labels(y), np.asarray(cutoff), np.asarray(judged, dtype=bool)
    if not target.shape == groups.shape == mask.shape:
        raise DataProblemError(f"{target.size} labels, {groups.size} cutoffs and {mask.size} marks do not fit.")
    generator = np.random.default_rng(seed)
    found = []
    for _ in range(repeats):
        shuffled = target.copy()
        for group in np.unique(groups):
            rows = np.flatnonzero(groups == group)
            shuffled[rows] = generator.permutation(shuffled[rows])
        found.append(ranking(shuffled[mask], recipe(shuffled)))
    positives = int(target[mask].sum())
    return shuffled_labels_clean(found, positives, int(mask.sum()) - positives)


def shuffled_labels_clean(aucs: Sequence[float], positives: int, negatives: int) -> LeakCheck:
    """Whether the mean AUC of shuffled labels lies in 0.45 … 0.55, or within what chance allows on few rows.

    Chance: three standard errors of the mean of such AUCs, each √((n₊ + n₋ + 1) / (12 n₊ n₋)) (Mann and Whitney 1947).
    """
    if not aucs or positives == 0 or negatives == 0:
        return LeakCheck(("the shuffled labels could not be judged: one class only.",))
    chance = 3 * np.sqrt((positives + negatives + 1) / (12 * positives * negatives) / len(aucs))
    mean, allowed = float(np.mean(aucs)), max(SHUFFLED_BAND, float(chance))
    if abs(mean - 0.5) <= allowed:
        return LeakCheck()
    return LeakCheck(
        (
            f"shuffled labels are ranked with AUC {mean:.2f}, outside {0.5 - allowed:.2f} to {0.5 + allowed:.2f}, so "
            "the recipe sees the labels it is judged on.",
        )
    )


def check_single_features(
    X: NDArray[np.float32],
    names: Sequence[str],
    y: ArrayLike,
    categorical: Collection[int] = (),
    named: Collection[str] = (),
) -> LeakCheck:
    """No column of X (rows × names) may rank y with an AUC above 0.95, in either direction, unless it is `named`.

    A missing value counts once as lowest and once as highest. A category counts as the rate of its value in the other
    half of the rows.
    """
    target = labels(y)
    if target.min() == target.max():
        return LeakCheck()
    problems = []
    for position, name in enumerate(names):
        column = np.asarray(X[:, position], dtype=np.float64)
        if name in named:
            continue
        strength = _category_auc(column, target) if position in categorical else _number_auc(column, target)
        if strength > LARGEST_SINGLE_AUC:
            problems.append(
                f"the feature {name} alone ranks with AUC {strength:.3f}, above {LARGEST_SINGLE_AUC:.2f}: "
                "it may know the outcome."
            )
    return LeakCheck(tuple(problems))


def check_unchanged(changed: int, rows: int) -> LeakCheck:
    """The answer of the third trial: `changed` of `rows` scores moved when rows at or after as_of were deleted."""
    if changed == 0:
        return LeakCheck()
    return LeakCheck((f"{changed} of {rows} scores change when rows at or after as_of are deleted.",))


def _number_auc(column: Floats, y: Floats) -> float:
    missing = np.isnan(column)
    sides = []
    for filled in (-np.inf, np.inf) if missing.any() else (0.0,):
        ranked = ranking(y, np.where(missing, filled, column))
        sides.append(max(ranked, 1 - ranked))
    return max(sides)


def _category_auc(column: Floats, y: Floats) -> float:
    codes = np.where(np.isnan(column), -1, column).astype(np.intp) + 1
    half = np.arange(y.size) % 2
    encoded = np.empty(y.size)
    for own, other in ((half == 0, half == 1), (half == 1, half == 0)):
        rows = np.bincount(codes[other], minlength=codes.max() + 1)
        hits = np.bincount(codes[other], weights=y[other], minlength=codes.max() + 1)
        base = float(y[other].mean()) if other.any() else 0.5
        encoded[own] = ((hits + base) / (rows + 1))[codes[own]]
    return ranking(y, encoded)


def ranking(y: Floats, scores: ArrayLike) -> float:
    """AUC of any numbers, by their ranks."""
    _, rank = np.unique(np.asarray(scores, dtype=np.float64), return_inverse=True)
    return auc(y, (rank + 1) / (rank.max() + 2))
