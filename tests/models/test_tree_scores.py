"""Trees gone through by column: LightGBM's sums to the last bit, whatever the trees and whatever is missing."""

from __future__ import annotations

import lightgbm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import tree_scores
from models.boosting import BoostingSettings, boost, parse, raw_scores
from models.tree_scores import TreeScores


def _grown(leaves: int, missing: float, seed: int, most: float = 1.0) -> tuple[str, np.ndarray]:
    draw = np.random.default_rng(seed)
    X = (draw.normal(size=(1500, 4)) * [1, most, 1e-3, 0]).clip(-3e38, 3e38).astype(np.float32)
    X[:, 3] = draw.integers(0, 3, len(X))  # thresholds between whole numbers, and around 0
    X[draw.random(X.shape) < missing] = np.nan
    target = np.nan_to_num(X[:, 0]) * (X[:, 3] == 1) + np.isnan(X[:, 1])
    data = lightgbm.Dataset(X, target, params={"min_data_in_leaf": 5, "verbosity": -1})
    settings = {"num_leaves": leaves, "min_data_in_leaf": 5, "num_threads": 1, "verbosity": -1, "seed": seed}
    return lightgbm.train(settings, data, num_boost_round=12).model_to_string(), X


@settings(max_examples=12, deadline=None)
@given(st.integers(2, 70), st.sampled_from([0.0, 0.3]), st.integers(0, 99), st.sampled_from([1.0, 1e38]), st.booleans())
def test_sums_are_those_of_lightgbm_to_the_last_bit(
    leaves: int, missing: float, seed: int, most: float, by_column: bool
) -> None:
    text, X = _grown(leaves, missing, seed, most)
    columns = [[float(t) for t in line[10:].split()] for line in text.splitlines() if line.startswith("threshold=")]
    thresholds = np.array([t for each in columns for t in each])
    asked = np.random.default_rng(seed).choice(thresholds, (1200, 4)).astype(np.float32)  # on the edges themselves
    asked[np.random.default_rng(seed).random(asked.shape) < 0.2] = np.nan  # also where nothing was missing
    for rows in (X, asked):
        given_ = np.asfortranarray(rows) if by_column else rows
        assert np.array_equal(TreeScores(text)(given_), raw_scores(parse(text), rows))


@pytest.mark.parametrize("leaves", [8, 64])
def test_trees_of_numbers_are_gone_through_here(leaves: int, monkeypatch: pytest.MonkeyPatch) -> None:
    text, X = _grown(leaves, 0.3, 1)
    expected = raw_scores(parse(text), X)
    monkeypatch.setattr(tree_scores, "raw_scores", None)
    assert np.array_equal(TreeScores(text)(X), expected)


def test_categories_and_few_rows_are_left_to_lightgbm() -> None:
    draw = np.random.default_rng(2)
    X = draw.integers(0, 6, (1500, 2)).astype(np.float32)
    text = boost(X, (X[:, 0] == 2) | (draw.random(len(X)) < 0.1), BoostingSettings(rounds=5), [0]).text
    assert TreeScores(text)._trees is None
    assert np.array_equal(TreeScores(text)(X), raw_scores(parse(text), X))
    assert TreeScores(_grown(8, 0.0, 3)[0])(np.zeros((0, 4), np.float32)).shape == (0,)
