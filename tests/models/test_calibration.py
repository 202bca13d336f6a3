import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from models.calibration import IDENTITY, Calibration
from warehouse.errors import DataProblemError


def _sample(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    odds = generator.normal(-1, 1.2, n)
    return odds, (generator.random(n) < expit(odds)).astype(float)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.floats(-30, 30), st.integers(0, 1)), min_size=1, max_size=40),
    st.lists(st.floats(-500, 500), min_size=2, max_size=30),
)
def test_the_map_rises_stays_inside_and_survives_json(pairs, raw) -> None:
    fitted = Calibration.fit([s for s, _ in pairs], [y for _, y in pairs])
    again = Calibration.from_json(json.loads(json.dumps(fitted.to_json())))
    assert again == fitted
    p = fitted.apply(np.sort(raw))
    assert (np.diff(p) >= 0).all()
    assert ((p > 0) & (p < 1)).all()


def test_the_map_is_strictly_increasing_where_models_score() -> None:
    odds, y = _sample(500, 1)
    grid = np.linspace(-8, 8, 2000)
    fitted = Calibration.fit(3 * odds + 1, y)
    assert (np.diff(fitted.apply(grid)) > 0).all()
    step = 1e-6
    numeric = (fitted.log_odds(grid + step) - fitted.log_odds(grid - step)) / (2 * step)
    np.testing.assert_allclose(fitted.slope(grid), numeric, rtol=1e-5)


def test_a_distorted_score_is_put_right() -> None:
    odds, y = _sample(30_000, 2)
    fitted = Calibration.fit(2 * odds + 1, y)
    grid = np.linspace(-4, 2, 13)
    np.testing.assert_allclose(fitted.apply(2 * grid + 1), expit(grid), atol=0.02)
    assert fitted.apply(2 * odds + 1).mean() == pytest.approx(y.mean(), abs=1e-3)


def test_few_rows_stay_near_the_identity_and_none_of_one_class_runs_away() -> None:
    odds, y = _sample(20, 3)
    few = Calibration.fit(odds, y)
    assert 0.4 < few.low < 2.5
    assert 0.4 < few.high < 2.5
    none = Calibration.fit(odds, np.zeros(20))
    assert 0 < none.apply(odds).max() < 0.25


def test_the_identity_changes_nothing() -> None:
    raw = np.linspace(-20, 20, 9)
    np.testing.assert_array_equal(IDENTITY.apply(raw), expit(raw))


def test_what_cannot_be_calibrated_is_refused() -> None:
    for raw, y in (([np.nan], [1]), ([0.1, 0.2], [1]), ([], []), ([0.1], [0.5])):
        with pytest.raises(DataProblemError):
            Calibration.fit(raw, y)
    with pytest.raises(DataProblemError):
        Calibration.from_json({"method": "beta", "shift": 0, "low": -1, "high": 1})
