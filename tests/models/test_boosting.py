import numpy as np
import pytest
from scipy.special import expit

from models.boosting import Binned, BoostingSettings, boost, parse, raw_contributions, raw_scores, sample_negatives
from warehouse.errors import DataProblemError

FAST = BoostingSettings(rounds=40, threads=1)


def _rows(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    X = generator.normal(size=(n, 6)).astype(np.float32)
    X[generator.random((n, 6)) < 0.1] = np.nan
    X[:, 5] = generator.integers(0, 4, n)
    odds = np.nan_to_num(X[:, 0]) - 2 + 1.5 * (X[:, 5] == 2)
    return X, (generator.random(n) < expit(odds)).astype(float)


X, Y = _rows(3000)


def test_the_same_rows_and_seed_give_the_same_bytes_on_any_thread_count() -> None:
    one = boost(X, Y, FAST, [5])
    assert one == boost(X, Y, FAST, [5])
    assert one.text == boost(X, Y, BoostingSettings(rounds=40, threads=2), [5]).text
    assert one.text != boost(X, Y, BoostingSettings(rounds=40, threads=1, seed=8), [5]).text


def test_trees_learn_numbers_categories_and_missing_values() -> None:
    scores = raw_scores(parse(boost(X, Y, FAST, [5]).text), X)
    assert scores[Y == 1].mean() > scores[Y == 0].mean() + 0.5
    assert expit(scores).mean() == pytest.approx(Y.mean(), abs=0.01)
    assert scores[X[:, 5] == 2].mean() > scores[X[:, 5] == 1].mean() + 0.5


def test_training_stops_where_a_later_cutoff_no_longer_gains() -> None:
    later = _rows(1500, seed=1)
    stopped = boost(X, Y, BoostingSettings(rounds=400, threads=1, learning_rate=0.3), [5], later)
    assert stopped.rounds < 100
    assert min(stopped.losses) == stopped.losses[stopped.rounds - 1]
    booster = parse(stopped.text)
    assert booster.num_trees() == stopped.rounds
    p = expit(raw_scores(booster, later[0]))
    loss = -np.mean(later[1] * np.log(p) + (1 - later[1]) * np.log1p(-p))
    assert loss == pytest.approx(stopped.losses[stopped.rounds - 1], abs=1e-9)


def test_the_chosen_number_of_trees_can_be_grown_again() -> None:
    assert parse(boost(X, Y, FAST, [5]).text).num_trees() == 40


def test_a_hundred_rows_still_train() -> None:
    assert boost(X[:100], Y[:100], FAST, [5]).rounds == 40


def test_sampled_negatives_and_their_correction_keep_the_level() -> None:
    rows, kept = sample_negatives(Y, 1400, seed=3)
    assert Y[rows].sum() == Y.sum()
    assert kept == pytest.approx((Y[rows] == 0).sum() / (Y == 0).sum())
    bare, corrected = (boost(X[rows], Y[rows], FAST, [5], kept_share=share) for share in (1.0, kept))
    scores, brought_back = (raw_scores(parse(made.text), X) for made in (bare, corrected))
    assert expit(scores).mean() > Y.mean() + 0.1
    assert expit(brought_back).mean() == pytest.approx(Y.mean(), abs=0.03)
    np.testing.assert_allclose(brought_back, scores + np.log(kept), atol=1e-12)
    everything, share = sample_negatives(Y, 5000, seed=3)
    assert (everything.size, share) == (3000, 1.0)


def test_the_correction_is_that_of_the_odds_and_reaches_what_columns_add() -> None:
    """Nothing to split by: of 100 rows 10 are positive; with a third of the negatives kept it is 10 of 40."""
    y = np.repeat([1.0, 0.0], [10, 30])
    made = boost(np.zeros((40, 1), np.float32), y, FAST, kept_share=30 / 90)
    np.testing.assert_allclose(expit(raw_scores(parse(made.text), np.zeros((1, 1), np.float32))), 0.1, atol=1e-9)
    rows, kept = sample_negatives(Y, 1400, seed=3)
    trees = parse(boost(X[rows], Y[rows], FAST, [5], kept_share=kept).text)
    np.testing.assert_allclose(raw_contributions(trees, X[:50]).sum(axis=1), raw_scores(trees, X[:50]), atol=1e-9)


def test_what_cannot_be_trained_is_refused() -> None:
    with pytest.raises(DataProblemError, match="both classes"):
        boost(X, np.zeros(3000), FAST)
    with pytest.raises(DataProblemError, match="2999 labels"):
        boost(X, Y[:-1], FAST)
    with pytest.raises(DataProblemError, match="0 and 1"):
        boost(X, Y * 2, FAST)


def test_columns_are_not_bundled_since_trees_on_a_subset_of_bundles_write_beyond_their_buffers() -> None:
    X = np.random.default_rng(0).random((500, 3), dtype=np.float32)
    y = (X[:400, 0] > 0.5).astype(float)
    text = boost((Binned(X, []), np.arange(400)), y, BoostingSettings(rounds=3)).text
    assert "[enable_bundle: 0]" in text
