"""Nobody is trained on an outcome that had not ended when the judged date began."""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import cross_val_score

from training.splitting import AsOfSplit
from warehouse.errors import DataProblemError, UsageError

FIRST = date(2024, 1, 1)


def test_by_hand():
    days = [FIRST + timedelta(days=d) for d in (0, 30, 30, 45, 60)]
    found = [(a.tolist(), b.tolist()) for a, b in AsOfSplit(30, 2).split(None, None, days)]
    assert found == [([0], [3]), ([0, 1, 2], [4])]
    assert AsOfSplit(30, 9).get_n_splits(groups=days) == 3


@given(st.lists(st.integers(0, 200), min_size=2, max_size=60), st.integers(1, 60), st.integers(1, 5))
def test_labels_have_ended_and_no_row_is_on_both_sides(offsets, horizon, n):
    days = np.array([FIRST + timedelta(days=d) for d in offsets])
    try:
        splits = list(AsOfSplit(horizon, n).split(None, None, days))
    except DataProblemError:
        assert max(offsets) - min(offsets) < horizon
        return
    assert 1 <= len(splits) <= n
    judged = [set(days[test]) for _, test in splits]
    assert all(len(each) == 1 for each in judged)
    assert [min(each) for each in judged] == sorted(min(each) for each in judged)
    for train, test in splits:
        assert train.size
        assert max(days[train]) + timedelta(days=horizon) <= min(days[test])


def test_it_serves_scikit_learn():
    days = np.repeat([FIRST + timedelta(days=30 * k) for k in range(4)], 10)
    y = np.tile([0, 1], 20)
    scores = cross_val_score(DummyClassifier(), np.zeros((40, 1)), y, cv=AsOfSplit(30), groups=days)
    assert scores.size == 3


def test_what_is_missing_is_told():
    with pytest.raises(UsageError, match="date of every row"):
        list(AsOfSplit().split([1]))
    with pytest.raises(UsageError, match="at least 1"):
        AsOfSplit(0)
