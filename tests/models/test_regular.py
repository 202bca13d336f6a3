import numpy as np
import pytest
from scipy.integrate import quad

from models.bgnbd import BetaGeoNBD
from models.regular import Regular, _log_density

TRUTH = Regular(stages=5, share=1.0, r=4.0, alpha=25.0, a=0.7, b=6.0)
WATCHED, MORE = 300.0, 60.0


def simulated(stages: int, n: int, seed: int) -> tuple[np.ndarray, ...]:
    """(x, t_x, T, variation, purchases in the days to come) of customers whose gaps have that many stages."""
    random = np.random.default_rng(seed)
    rate, leaving = random.gamma(TRUTH.r, 1 / TRUTH.alpha, n) * stages / 5, random.beta(TRUTH.a, TRUTH.b, n)
    x, t_x, squares, later, time = (np.zeros(n) for _ in range(5))
    there = np.ones(n, dtype=bool)
    while there.any():
        gap = random.gamma(stages, 1 / rate)
        time += np.where(there, gap, 0)
        there &= time < WATCHED + MORE
        seen = there & (time <= WATCHED)
        x[seen] += 1
        t_x[seen] = time[seen]
        squares[seen] += gap[seen] ** 2
        later[there & (time > WATCHED)] += 1
        there &= random.random(n) >= leaving
    with np.errstate(invalid="ignore", divide="ignore"):
        variation = np.sqrt(np.maximum(squares - t_x**2 / x, 0) / (x - 1)) / (t_x / x)
    return x, t_x, np.full(n, WATCHED), np.where(x > 1, variation, np.nan), later


def test_regular_buyers_are_recognised_among_others() -> None:
    even, chance = simulated(5, 800, 1), simulated(1, 800, 2)
    x, t_x, T, variation, _ = (np.concatenate(pair) for pair in zip(even, chance, strict=True))
    found = Regular.fit(x, t_x, T, variation)
    assert found is not None
    known = x >= 2
    assert abs(found.stages - 5) <= 1
    assert found.share == pytest.approx(known[:800].sum() / known.sum(), abs=0.1)
    regular = found.probability(x, t_x, variation)
    assert regular[:800][known[:800]].mean() > 0.7 > 0.4 > regular[800:][known[800:]].mean()
    assert (regular[~known] == 0).all()


def test_where_gaps_come_by_chance_nobody_is_regular() -> None:
    x, t_x, T, variation, _ = simulated(1, 1500, 3)
    assert Regular.fit(x, t_x, T, variation) is None
    assert Regular.fit(x[:20], t_x[:20], T[:20], variation[:20]) is None


def test_forecasts_agree_with_simulation_where_a_purchase_is_due_and_where_it_is_not() -> None:
    x, t_x, T, _, later = simulated(5, 25_000, 4)
    some = x >= 2
    x, t_x, T, later = x[some], t_x[some], T[some], later[some]
    alive = TRUTH.alive_probability(x, t_x, T)
    buys, expected = alive * TRUTH.buys_within(MORE, x, t_x, T), TRUTH.expected_purchases(MORE, x, t_x, T)
    age = (T - t_x) / (t_x / x)
    for group in (age < 0.3, (age > 0.8) & (age < 1.2), (age > 1.5) & (age < 3), x > 15):
        n = group.sum()
        assert abs((later[group] > 0).mean() - buys[group].mean()) < 4 * np.sqrt(0.25 / n)
        assert abs(later[group].mean() - expected[group].mean()) < 4 * later[group].std() / np.sqrt(n) + 1e-3


def test_one_stage_is_bg_nbd() -> None:
    x, t_x, T = np.array([1.0, 3, 8]), np.array([20.0, 100, 250]), np.array([300.0, 200, 260])
    one, plain = Regular(1, 1.0, 0.8, 20.0, 0.9, 3.0), BetaGeoNBD(0.8, 20.0, 0.9, 3.0, 0.0)
    alive = one.alive_probability(x, t_x, T)
    np.testing.assert_allclose(alive, plain.alive_probability(x, t_x, T))
    np.testing.assert_allclose(alive * one.buys_within(30, x, t_x, T), plain.buys_probability(30, x, t_x, T))
    np.testing.assert_allclose(
        one.expected_purchases(30, x, t_x, T), plain.expected_purchases(30, x, t_x, T), rtol=1e-3
    )


@pytest.mark.parametrize(("gaps", "stages"), [(2, 1), (2, 6), (7, 1), (7, 6)])
def test_evenness_has_a_density(gaps: int, stages: int) -> None:
    def density(at: float) -> float:
        return float(np.exp(_log_density(np.array([at]), np.array([float(gaps)]), stages))[0])

    assert quad(density, 0, 1)[0] == pytest.approx(1, abs=1e-4)
    shares = np.random.default_rng(5).dirichlet([stages] * gaps, 40_000)
    even = (gaps * (shares**2).sum(axis=1) - 1) / (gaps - 1)
    assert quad(lambda at: at * density(at), 0, 1)[0] == pytest.approx(even.mean(), rel=0.03)


def test_daily_buyers_are_many_and_finite() -> None:
    told = [TRUTH.expected_purchases(t, [3000.0], [3000.0], [3000.5])[0] for t in (300.0, 380.0, 460.0, 600.0)]
    assert np.isfinite(told).all()
    assert (np.diff(told) > 0).all()
    assert TRUTH.buys_within(30, [3000.0], [3000.0], [3000.5])[0] == pytest.approx(1)


def test_json_gives_it_back() -> None:
    assert Regular.from_json(TRUTH.to_json()) == TRUTH
