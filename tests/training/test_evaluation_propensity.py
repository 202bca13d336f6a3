import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from training.evaluation import propensity as ours
from training.evaluation.intervals import metric_draws, metric_intervals, paired_interval, resample
from warehouse.errors import DataProblemError, UsageError


@st.composite
def judged(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Labels with both classes, and predictions with many ties."""
    n = draw(st.integers(4, 60))
    seed = draw(st.integers(0, 10_000))
    generator = np.random.default_rng(seed)
    y = generator.integers(0, 2, n)
    y[:2] = 0, 1
    return y, np.round(generator.uniform(0.02, 0.98, n), draw(st.integers(1, 4)))


@settings(max_examples=40)
@given(judged())
def test_sklearn_agrees(case: tuple[np.ndarray, np.ndarray]) -> None:
    y, p = case
    assert ours.auc(y, p) == pytest.approx(sk.roc_auc_score(y, p))
    assert ours.average_precision(y, p) == pytest.approx(sk.average_precision_score(y, p))
    assert ours.brier(y, p) == pytest.approx(sk.brier_score_loss(y, p))
    assert ours.log_loss(y, p) == pytest.approx(sk.log_loss(y, p))


@settings(max_examples=40)
@given(judged(), st.integers(0, 1000))
def test_no_metric_depends_on_the_order_of_rows(case: tuple[np.ndarray, np.ndarray], seed: int) -> None:
    y, p = case
    order = np.random.default_rng(seed).permutation(y.size)
    for name, value in ours.evaluate(y, p).items():
        assert ours.evaluate(y[order], p[order])[name] == pytest.approx(value, abs=1e-9), name


@settings(max_examples=40)
@given(judged(), st.floats(0.2, 5))
def test_ranking_metrics_do_not_see_an_increasing_map(case: tuple[np.ndarray, np.ndarray], power: float) -> None:
    y, p = case
    for metric in (ours.auc, ours.average_precision, ours.lift):
        assert metric(y, p**power) == pytest.approx(metric(y, p))
    assert ours.auc(y, 1 - p) == pytest.approx(1 - ours.auc(y, p))


@settings(max_examples=40)
@given(judged())
def test_deciles_add_up_to_all_rows_and_all_hits(case: tuple[np.ndarray, np.ndarray]) -> None:
    y, p = case
    table = ours.decile_table(y, p)
    assert sum(row.rows for row in table) == pytest.approx(y.size)
    assert sum(row.observed_rate * row.rows for row in table) == pytest.approx(y.sum())
    assert table[-1].cumulative_captured_share == pytest.approx(1)
    assert table[0].lift == pytest.approx(ours.lift(y, p))
    assert ours.gains(y, p)[10][1] == pytest.approx(table[0].captured_share)


def test_lift_shares_out_a_tie_at_the_border() -> None:
    # Ten rows, so the top 10 % is one of the two tied at .9, of which one is a hit: half a hit expected, of two.
    y = [1, 0, 1, 0, 0, 0, 0, 0, 0, 0]
    p = [0.9, 0.9, 0.5, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]
    assert ours.lift(y, p) == pytest.approx(0.5 / (0.1 * 2))
    assert ours.captured(y, p) == pytest.approx((0.25, 0.5))


def test_calibration_error_by_hand() -> None:
    # Ties make two bins of 3 and 1 rows: |3 × .2 − 1| and |.8 − 1|, over 4 rows.
    assert ours.calibration_error([1, 0, 0, 1], [0.2, 0.2, 0.2, 0.8]) == pytest.approx((0.4 + 0.2) / 4)
    assert ours.level_error([1, 0, 0, 1], [0.2, 0.2, 0.2, 0.8]) == pytest.approx(1.4 / 4 - 0.5)


def test_calibration_bins_have_equal_counts_and_keep_ties_together() -> None:
    assert np.bincount(ours.calibration_bins(np.linspace(0.01, 0.99, 50))).tolist() == [5] * 10
    tied = ours.calibration_bins(np.array([0.1] * 90 + list(np.linspace(0.2, 0.9, 10))))
    assert len(set(tied[:90])) == 1
    assert ours.calibration_error([0, 1], [0.5, 0.5]) == 0


def test_shape_error_is_blind_to_the_level_only() -> None:
    generator = np.random.default_rng(3)
    odds = generator.normal(-1, 1.5, 40_000)
    y = generator.random(odds.size) < 1 / (1 + np.exp(-odds))
    shifted = 1 / (1 + np.exp(-(odds + 1)))
    flattened = 1 / (1 + np.exp(-odds / 3))
    assert ours.calibration_error(y, shifted) > 0.1
    assert ours.shape_error(y, shifted) < 0.01
    assert ours.shape_error(y, flattened) > 0.05
    assert ours.shifted_to_level(y, shifted).mean() == pytest.approx(y.mean())


def test_best_cut_by_hand() -> None:
    # Value 10, cost 4: contacting the first two brings 10 + 10 − 8 = 12, all four 20 − 16 = 4; over 4 rows.
    cut = ours.best_cut([1, 1, 0, 0], [0.9, 0.8, 0.7, 0.1], value_per_hit=10, cost_per_contact=4)
    assert (cut.profit, cut.share, cut.threshold) == pytest.approx((3, 0.5, 0.8))
    nobody = ours.best_cut([0, 0, 1], [0.9, 0.8, 0.1], value_per_hit=1, cost_per_contact=5)
    assert (nobody.profit, nobody.share) == (0, 0)


@pytest.mark.parametrize(
    ("y", "p"),
    [([], []), ([0, 1], [0.5]), ([0, 2], [0.5, 0.5]), ([0, 1], [0.5, np.nan]), ([0, 1], [0.5, 1.5])],
)
def test_what_cannot_be_judged_is_refused(y: list[float], p: list[float]) -> None:
    with pytest.raises(DataProblemError):
        ours.evaluate(y, p)


def test_one_class_leaves_only_what_needs_no_ranking() -> None:
    found = ours.evaluate([0, 0, 0], [0.1, 0.2, 0.3])
    assert np.isnan(found["auc"])
    assert np.isnan(found["average_precision"])
    assert found["level_error"] == pytest.approx(0.2)


@settings(max_examples=40)
@given(judged(), st.integers(0, 100))
def test_a_draw_is_the_metric_of_the_repeated_rows(case: tuple[np.ndarray, np.ndarray], seed: int) -> None:
    y, p = case
    draws = resample(np.arange(y.size), y, draws=3, seed=seed)
    names = ["auc", "average_precision", "lift_at_10", "brier", "log_loss", "level_error"]
    found = metric_draws(draws, p, names)
    for i in range(3):
        times = draws.blocks[0][:, i]
        for name in names:
            expected = ours.METRICS[name](np.repeat(y, times), np.repeat(p, times))
            assert found[name][i] == pytest.approx(expected), name


def test_a_draw_of_the_shape_error_shifts_the_drawn_rows() -> None:
    generator = np.random.default_rng(5)
    p = generator.uniform(0.05, 0.6, 3000)
    y = generator.random(3000) < p / 2
    draws = resample(np.arange(3000), y, draws=3, seed=1)
    drawn = metric_draws(draws, p, ["shape_error", "calibration_error"])
    bins = ours.calibration_bins(p)
    for i in range(3):
        rows = np.repeat(np.arange(3000), draws.blocks[0][:, i])
        level = ours.shifted_to_level(y[rows], p[rows])
        by_hand = np.abs(np.bincount(bins[rows], weights=level - y[rows])).sum() / rows.size
        assert drawn["shape_error"][i] == pytest.approx(by_hand, abs=1e-4)
        raw = np.abs(np.bincount(bins[rows], weights=p[rows] - y[rows])).sum() / rows.size
        assert drawn["calibration_error"][i] == pytest.approx(raw)


def test_draws_keep_users_whole_and_labels_in_number() -> None:
    users = np.repeat(np.arange(50), 3)
    y = (users % 5 == 0) & (np.arange(150) % 3 == 0)
    block = resample(users, y, draws=20).blocks[0]
    per_user = block.reshape(50, 3, 20)
    assert (per_user == per_user[:, :1]).all()
    positive = np.arange(50) % 5 == 0
    assert (per_user[positive, 0].sum(axis=0) == 10).all()
    assert (per_user[~positive, 0].sum(axis=0) == 40).all()


def test_models_share_the_draws_so_equal_models_do_not_differ() -> None:
    generator = np.random.default_rng(0)
    p = generator.uniform(0.01, 0.99, 400)
    y = generator.random(400) < p
    draws = resample(np.arange(400), y, draws=200)
    same = paired_interval(draws, "auc", p, p)
    assert (same.value, same.low, same.high) == (0, 0, 0)
    better = paired_interval(draws, "auc", p, generator.uniform(0, 1, 400))
    assert better.above_zero
    alone = metric_intervals(draws, {"model": p})["model"]
    for name in ("auc", "average_precision", "lift_at_10", "brier", "log_loss", "level_error"):
        assert alone[name].low < alone[name].value < alone[name].high


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    # Scores of the classes are N(1, 1) and N(0, 1): the true AUC is Φ(1/√2) = 0.7602.
    generator = np.random.default_rng(11)
    covered = 0
    for _ in range(120):
        y = np.repeat([0, 1], [150, 100])
        p = 1 / (1 + np.exp(-(generator.normal(size=250) + y)))
        interval = metric_intervals(resample(np.arange(250), y, draws=200), {"m": p}, ["auc"])["m"]["auc"]
        covered += interval.low <= 0.7602499 <= interval.high
    # 95 % of 120 is 114; four standard errors below it are 104.
    assert 104 <= covered <= 120


def test_thinned_users_give_the_interval_of_all() -> None:
    generator = np.random.default_rng(2)
    p = generator.uniform(0.01, 0.99, 6000)
    y = generator.random(6000) < p
    whole = metric_intervals(resample(np.arange(6000), y, draws=400), {"m": p}, ["auc"])["m"]["auc"]
    few = metric_intervals(resample(np.arange(6000), y, draws=400, most_users=1500), {"m": p}, ["auc"])["m"]["auc"]
    assert few.value == whole.value
    assert few.high - few.low == pytest.approx(whole.high - whole.low, rel=0.25)


def test_an_unknown_metric_lists_the_known() -> None:
    with pytest.raises(UsageError, match="average_precision"):
        metric_draws(resample([1, 2], [0, 1]), [0.1, 0.2], ["gini"])
