from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from models.bgnbd import BetaGeoNBD
from warehouse.errors import DataProblemError

CDNOW = Path(__file__).parents[3] / "shared/data/cdnow/cdnow_sample.parquet"
WEEK = 7
PUBLISHED = BetaGeoNBD(r=0.243, alpha=4.414, a=0.793, b=2.426, log_likelihood=-9582.4)


def _simulate(model: BetaGeoNBD, T: np.ndarray, more: float, seed: int) -> tuple[np.ndarray, ...]:
    """(x, t_x, purchases in the time `more` after T) of customers who follow the model."""
    generator = np.random.default_rng(seed)
    n = T.size
    rate = generator.gamma(model.r, 1 / model.alpha, n)
    leaving = generator.beta(model.a, model.b, n)
    time, alive = np.zeros(n), np.ones(n, dtype=bool)
    x, t_x, later = np.zeros(n), np.zeros(n), np.zeros(n)
    while alive.any():
        time[alive] += generator.exponential(1 / np.maximum(rate[alive], 1e-300))
        alive &= time < T + more
        before = alive & (time <= T)
        x[before] += 1
        t_x[before] = time[before]
        later[alive & (time > T)] += 1
        alive &= generator.random(n) >= leaving
    return x, t_x, later


@pytest.mark.skipif(not CDNOW.exists(), reason="the CDNOW sample is not on this machine")
def test_table_2_of_fader_hardie_and_lee_2005() -> None:
    table = pq.read_table(CDNOW, columns=["master_id", "date"])
    days = table.append_column("day", pc.cast(pc.cast(table["date"], "date32"), "int32")).drop_columns("date")
    end = 10_134  # 1997-09-30
    days = days.filter(pc.less_equal(days["day"], end)).group_by(["master_id", "day"]).aggregate([])
    users = days.group_by("master_id").aggregate([("day", "min"), ("day", "max"), ("day", "count")])
    first, last, count = (users[name].to_numpy() for name in ("day_min", "day_max", "day_count"))
    fitted = BetaGeoNBD.fit(count - 1, (last - first) / WEEK, (end - first) / WEEK)
    assert fitted.converged
    assert (fitted.r, fitted.alpha, fitted.a, fitted.b) == pytest.approx((0.243, 4.414, 0.793, 2.426), abs=6e-4)
    assert fitted.log_likelihood == pytest.approx(-9582.4, abs=0.05)


def test_known_parameters_return() -> None:
    truth = BetaGeoNBD(r=0.8, alpha=20.0, a=1.2, b=4.0, log_likelihood=0)
    T = np.random.default_rng(1).integers(100, 400, 12_000).astype(float)
    x, t_x, _ = _simulate(truth, T, 0, seed=2)
    fitted = BetaGeoNBD.fit(x, t_x, T)
    assert fitted.converged
    assert (fitted.r, fitted.alpha) == pytest.approx((truth.r, truth.alpha), rel=0.1)
    assert fitted.a / (fitted.a + fitted.b) == pytest.approx(truth.a / (truth.a + truth.b), rel=0.1)


def test_both_forecasts_agree_with_simulation_for_every_number_of_purchases() -> None:
    T = np.full(150_000, 39.0)
    x, t_x, later = _simulate(PUBLISHED, T, 13, seed=3)
    p, expected = PUBLISHED.buys_probability(13, x, t_x, T), PUBLISHED.expected_purchases(13, x, t_x, T)
    for group in (x == 0, x == 1, (x >= 2) & (x <= 4), (x >= 5) & (t_x > 30), (x >= 5) & (t_x <= 30)):
        n = group.sum()
        assert abs((later[group] > 0).mean() - p[group].mean()) < 4 * np.sqrt(0.25 / n)
        assert abs(later[group].mean() - expected[group].mean()) < 4 * later[group].std() / np.sqrt(n)


def test_time_may_be_counted_in_any_unit() -> None:
    T = np.random.default_rng(4).integers(10, 50, 3000).astype(float)
    x, t_x, _ = _simulate(PUBLISHED, T, 0, seed=5)
    weeks, days = BetaGeoNBD.fit(x, t_x, T), BetaGeoNBD.fit(x, t_x * WEEK, T * WEEK)
    assert days.alpha == pytest.approx(WEEK * weeks.alpha, rel=1e-3)
    in_weeks = weeks.buys_probability(4, x, t_x, T)
    np.testing.assert_allclose(days.buys_probability(28, x, t_x * WEEK, T * WEEK), in_weeks, rtol=1e-3)


def test_laws_of_a_forecast() -> None:
    x, t_x, T = np.array([0, 1, 5, 5]), np.array([0.0, 10, 35, 12]), np.full(4, 39.0)
    p = PUBLISHED.buys_probability(8, x, t_x, T)
    assert ((p > 0) & (p < 1)).all()
    assert p[2] > p[3]
    assert PUBLISHED.alive_probability(x, t_x, T)[0] == 1
    assert (PUBLISHED.expected_purchases(8, x, t_x, T) >= p).all()
    np.testing.assert_allclose(PUBLISHED.buys_probability(0, x, t_x, T), 0)
    assert BetaGeoNBD.from_json(PUBLISHED.to_json()) == PUBLISHED


def test_one_purchase_each_is_flagged_and_still_answers() -> None:
    T = np.linspace(10, 100, 200)
    fitted = BetaGeoNBD.fit(np.zeros(200), np.zeros(200), T)
    assert not fitted.converged
    assert "nobody bought twice" in fitted.note
    assert np.isfinite(fitted.buys_probability(30, np.zeros(200), np.zeros(200), T)).all()


@pytest.mark.parametrize("history", [(-1, 0, 5), (1, 6, 5), (1, 1, 0), (1, np.nan, 5)])
def test_impossible_histories_are_refused(history: tuple[float, float, float]) -> None:
    with pytest.raises(DataProblemError, match="1 of 1"):
        BetaGeoNBD.fit(*([v] for v in history))
    with pytest.raises(DataProblemError):
        BetaGeoNBD.fit([], [], [])


def test_the_expectation_of_very_many_purchases_is_finite_and_small_steps_add_up() -> None:
    x, t_x, T = np.array([500.0, 2000, 10_000]), np.full(3, 38.9), np.full(3, 39.0)
    assert np.isfinite(PUBLISHED.expected_purchases(39, x, t_x, T)).all()
    for model in (BetaGeoNBD(0.5, 5, 2000, 9000, 0), BetaGeoNBD(0.5, 5, 0.3, 0.2, 0), BetaGeoNBD(3, 50, 8, 0.5, 0)):
        told = [model.expected_purchases(t, [0, 3, 60], [0, 20, 38], [39, 39, 39]) for t in (1, 10, 100)]
        assert (np.diff(told, axis=0) > 0).all()


def test_uncertainty_shrinks_with_the_number_of_customers() -> None:
    T = np.random.default_rng(6).integers(10, 50, 4000).astype(float)
    x, t_x, _ = _simulate(PUBLISHED, T, 0, seed=7)
    few, many = (BetaGeoNBD.fit(*rows).uncertainty(*rows) for rows in ((x[:400], t_x[:400], T[:400]), (x, t_x, T)))
    assert (np.diag(many)[:2] < np.diag(few)[:2] / 3).all()
    fitted, errors = BetaGeoNBD.fit(x, t_x, T), np.sqrt(np.diag(many))
    assert (np.abs(fitted.logs - PUBLISHED.logs) < 3.5 * errors).all()
