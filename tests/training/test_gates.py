import numpy as np
import pytest

from training import gates
from training.evaluation.intervals import Interval
from training.gates import LeakCheck, check_shuffled_labels, check_single_features, judge

BETTER = Interval(0.03, 0.01, 0.05)
NO_WORSE = Interval(0.001, -0.004, 0.006)
WORSE = Interval(0.0, -0.006, 0.006)
UNKNOWN = Interval(0.03, float("nan"), float("nan"))
CLEAN = LeakCheck()


@pytest.mark.parametrize(
    ("average_precision", "auc", "shape_error", "leaks", "promote", "says"),
    [
        (BETTER, NO_WORSE, 0.02, CLEAN, True, "average precision differs by +0.030"),
        (NO_WORSE, BETTER, 0.04, CLEAN, True, "AUC differs by +0.030"),
        (BETTER, WORSE, 0.02, CLEAN, False, "not sure"),
        (NO_WORSE, NO_WORSE, 0.02, CLEAN, False, "not sure"),
        (Interval(0.02, 0.0, 0.04), NO_WORSE, 0.02, CLEAN, False, "not sure"),
        (BETTER, BETTER, 0.041, CLEAN, False, "shape error is 0.041"),
        (BETTER, BETTER, float("nan"), CLEAN, False, "shape error"),
        (BETTER, BETTER, 0.02, LeakCheck(("the label leaks.",)), False, "the label leaks"),
        (BETTER, UNKNOWN, 0.02, CLEAN, False, "could not be compared"),
    ],
)
def test_the_promotion_rule(
    average_precision: Interval, auc: Interval, shape_error: float, leaks: LeakCheck, promote: bool, says: str
) -> None:
    verdict = judge("LightGBM", "bg_nbd", average_precision, auc, shape_error, leaks)
    assert verdict.promote is promote
    assert says in verdict.why
    assert verdict.why.startswith("LightGBM replaces bg_nbd" if promote else "LightGBM does not replace bg_nbd")
    assert verdict.why.endswith(".")


def _shop(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    cutoff = np.repeat([0, 1, 2], n)
    y = (np.random.default_rng(0).random(3 * n) < 0.3).astype(float)
    return y, cutoff, cutoff == 2


def test_an_honest_recipe_cannot_rank_shuffled_labels() -> None:
    y, cutoff, judged = _shop(600)
    feature = np.random.default_rng(1).normal(size=y.size)

    def recipe(labels: np.ndarray) -> np.ndarray:
        slope = np.cov(feature[~judged], labels[~judged])[0, 1]
        return slope * feature[judged]

    assert check_shuffled_labels(recipe, y, cutoff, judged, seed=1).clean


def test_a_recipe_that_reads_the_judged_labels_is_caught() -> None:
    y, cutoff, judged = _shop(600)
    noise = np.random.default_rng(2).normal(size=int(judged.sum()))
    found = check_shuffled_labels(lambda labels: labels[judged] + 2 * noise, y, cutoff, judged, seed=1)
    assert not found.clean
    assert "shuffled labels" in found.problems[0]


def test_few_rows_are_not_condemned_for_noise_but_many_are() -> None:
    assert gates.shuffled_labels_clean([0.57], positives=50, negatives=100).clean
    assert not gates.shuffled_labels_clean([0.57], positives=5000, negatives=10000).clean
    assert not gates.shuffled_labels_clean([0.44], positives=5000, negatives=10000).clean
    assert not gates.shuffled_labels_clean([], positives=50, negatives=100).clean


@pytest.mark.parametrize("sign", [1, -1])
def test_a_feature_that_knows_the_outcome_is_named(sign: int) -> None:
    generator = np.random.default_rng(4)
    y = (generator.random(500) < 0.3).astype(float)
    X = np.column_stack([generator.normal(size=500), sign * y + 0.1 * generator.normal(size=500)]).astype(np.float32)
    found = check_single_features(X, ["honest", "leaking"], y)
    assert len(found.problems) == 1
    assert "leaking" in found.problems[0]
    assert check_single_features(X, ["honest", "leaking"], y, named=["leaking"]).clean


def test_a_leak_by_absence_or_by_category_is_found() -> None:
    generator = np.random.default_rng(5)
    y = (generator.random(500) < 0.3).astype(float)
    absent = np.where(y == 1, np.nan, generator.normal(size=500))
    # Codes 0 … 3 of which 1 and 2 mean y = 1: no order of the codes shows it.
    coded = np.where(y == 1, generator.integers(1, 3, 500), 3 * generator.integers(0, 2, 500))
    innocent = generator.integers(0, 30, 500)
    X = np.column_stack([absent, coded, innocent]).astype(np.float32)
    found = check_single_features(X, ["absent", "coded", "innocent"], y, categorical=[1, 2])
    assert [problem.split()[2] for problem in found.problems] == ["absent", "coded"]


def test_scores_that_move_with_the_future_are_a_leak() -> None:
    assert gates.check_unchanged(0, 100).clean
    both = gates.check_unchanged(3, 100) + CLEAN
    assert both.problems == ("3 of 100 scores change when rows at or after as_of are deleted.",)
