"""Law: trees of all positives and a part of the negatives keep their word as trees of all rows do."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.metrics import log_loss, roc_auc_score

from models.boosting import BoostingSettings, boost, parse, raw_scores, sample_negatives

ROWS = 12_000
TREES = BoostingSettings(rounds=60, threads=1, learning_rate=0.1, num_leaves=6)


@settings(deadline=None, max_examples=5)
@given(st.integers(0, 10_000), st.floats(-4.0, -1.5))
def test_level_shape_and_ranking_stay_within_noise(seed: int, intercept: float) -> None:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(2 * ROWS, 5)).astype(np.float32)
    truth = expit(intercept + X[:, 0] - 0.8 * X[:, 1] + 0.6 * (X[:, 2] > 1) * X[:, 0])
    y = (rng.random(2 * ROWS) < truth).astype(float)
    seen, judged = slice(0, ROWS), slice(ROWS, None)
    kept, share = sample_negatives(y[seen], max(4_000, int(2.5 * y[seen].sum())), seed)
    assert share < 1
    assert y[kept].sum() == y[seen].sum()
    every, some = (
        expit(raw_scores(parse(boost(X[rows], y[rows], TREES, kept_share=part).text), X[judged]))
        for rows, part in ((np.arange(ROWS), 1.0), (kept, share))
    )
    noise = np.sqrt((truth[judged] * (1 - truth[judged])).sum()) / ROWS
    assert abs(some.mean() - every.mean()) < 5 * noise
    # Against the truth itself, in thirds of the predictions: the shape, too, and not only the mean.
    for third in np.array_split(np.argsort(some), 3):
        assert abs(some[third].mean() - truth[judged][third].mean()) < 12 * noise
    assert roc_auc_score(y[judged], some) > roc_auc_score(y[judged], every) - 0.015
    assert log_loss(y[judged], some) < log_loss(y[judged], every) * 1.02
