import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import approx_fprime

from models.gammagamma import GammaGamma, _negative, log_likelihood
from tests.models.cdnow import FILE, cdnow
from warehouse.errors import DataProblemError

PUBLISHED = GammaGamma(6.25, 3.74, 15.44, 0.0)


@pytest.mark.skipif(not FILE.exists(), reason="the CDNOW sample is not on this machine")
def test_the_parameters_of_fader_and_hardie_2013() -> None:
    shop = cdnow()
    fitted = GammaGamma.fit(shop.known.x, shop.repeat_mean)
    assert (fitted.p, fitted.q, fitted.gamma) == pytest.approx((6.25, 3.74, 15.44), abs=0.006)
    assert all(0 < error < getattr(PUBLISHED, name) for name, error in fitted.standard_errors.items())


def _simulated(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    x = random.integers(1, 9, n).astype(float)
    dearness = random.gamma(PUBLISHED.q, 1 / PUBLISHED.gamma, n)
    return x, random.gamma(PUBLISHED.p * x) / dearness / x, PUBLISHED.p / dearness


def test_known_parameters_return_within_three_standard_errors() -> None:
    x, mean, _ = _simulated(6000, 1)
    fitted = GammaGamma.fit(x, mean)
    for name, error in fitted.standard_errors.items():
        assert abs(getattr(fitted, name) - getattr(PUBLISHED, name)) < 3 * error
    assert not fitted.note


def test_what_is_expected_is_the_mean_of_what_comes() -> None:
    x, mean, truth = _simulated(60_000, 2)
    told = PUBLISHED.expected_amount(x, mean)
    for group in (x == 1, x > 5, mean > 50):
        assert told[group].mean() == pytest.approx(truth[group].mean(), rel=0.03)
    assert PUBLISHED.expected_amount(0, np.nan) == pytest.approx(6.25 * 15.44 / 2.74)


def test_the_likelihood_is_a_density_and_its_slopes_are_its_own() -> None:
    def density(mean: float) -> float:
        return float(np.exp(log_likelihood((6.25, 3.74, 15.44), np.array([3.0]), np.array([mean])))[0])

    assert quad(density, 0, np.inf)[0] == pytest.approx(1, abs=1e-6)
    x, mean, _ = _simulated(50, 3)
    logs = np.log([2.0, 3.0, 10.0])
    slopes = approx_fprime(logs, lambda at: _negative(at, x, mean)[0])
    np.testing.assert_allclose(_negative(logs, x, mean)[1], slopes, rtol=1e-4)


def test_money_may_be_counted_in_any_unit() -> None:
    x, mean, _ = _simulated(800, 4)
    cents, euros = GammaGamma.fit(x, 100 * mean), GammaGamma.fit(x, mean)
    np.testing.assert_allclose(cents.expected_amount(x, 100 * mean), 100 * euros.expected_amount(x, mean), rtol=1e-4)


def test_few_customers_give_wide_errors_and_none_are_refused() -> None:
    few = GammaGamma.fit([1, 2], [10.0, 30.0])
    assert np.isfinite(few.expected_amount([1], [10.0])).all()
    assert max(np.sqrt(np.diag(few.spread))) > 1
    assert GammaGamma.from_json(few.to_json()) == few
    with pytest.raises(DataProblemError, match="spent"):
        GammaGamma.fit([0, 1], [5.0, 0.0])
