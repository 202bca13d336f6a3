import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from models.bgnbd import BetaGeoNBD
from models.gammagamma import GammaGamma
from models.regular import Regular
from models.value import FURTHEST, BuyTillYouDie, Histories, buyers, nearest, shortest, simulated
from tests.models.cdnow import FILE, HOLDOUT, cdnow
from warehouse.errors import DataProblemError

NONE = tuple((0.0,) * 4 for _ in range(4))
MODEL = BuyTillYouDie(
    BetaGeoNBD(0.5, 30.0, 0.8, 3.0, 0.0),
    NONE,
    GammaGamma(6.0, 4.0, 15.0, 0.0, tuple((0.0,) * 3 for _ in range(3))),
    Regular(5, 0.5, 4.0, 25.0, 0.7, 6.0, NONE),
)


def histories(n: int = 400, seed: int = 1) -> Histories:
    random = np.random.default_rng(seed)
    x = random.integers(0, 9, n).astype(float)
    T = random.uniform(30, 300, n)
    t_x = np.where(x > 0, T * random.random(n), 0)
    return Histories(x, t_x, T, random.gamma(3, 10, n), np.where(x > 1, random.uniform(0.2, 1.4, n), np.nan))


@pytest.mark.skipif(not FILE.exists(), reason="the CDNOW sample is not on this machine")
def test_the_holdout_of_cdnow() -> None:
    shop = cdnow()
    model = BuyTillYouDie.fit(shop.known)
    assert model.regular is None
    expected, buys = model.expected_purchases(HOLDOUT, shop.known), model.buys_probability(HOLDOUT, shop.known)
    assert np.abs(expected - shop.bought).mean() == pytest.approx(0.786, abs=0.002)
    assert roc_auc_score(shop.bought > 0, expected) == pytest.approx(0.773, abs=0.003)
    assert roc_auc_score(shop.bought > 0, buys) == pytest.approx(0.757, abs=0.003)
    outcomes = simulated(model, HOLDOUT, shop.known, 200, 1)
    for drawn, came in zip(outcomes, (shop.bought, shop.spent), strict=True):
        low, high = shortest(drawn)
        assert 0.86 < ((came >= low) & (came <= high)).mean() < 0.94
    low, high, promised = nearest(outcomes[0])
    assert ((shop.bought >= low) & (shop.bought <= high)).mean() == pytest.approx(promised.mean(), abs=0.015)
    value = model.value(HOLDOUT, shop.known)
    assert spearmanr(value, shop.spent).statistic > 0.4


def test_draws_have_the_means_that_are_expected() -> None:
    known = histories()
    purchases, money = simulated(MODEL, 60.0, known, 300, 2)
    assert purchases.mean() == pytest.approx(MODEL.expected_purchases(60.0, known).mean(), rel=0.02)
    assert money.mean() == pytest.approx(MODEL.value(60.0, known).mean(), rel=0.03)
    assert (purchases > 0).mean() == pytest.approx(MODEL.buys_probability(60.0, known).mean(), abs=0.01)


def test_unsure_parameters_widen_intervals() -> None:
    known = histories(60)
    unsure = tuple(map(tuple, np.diag([0.5] * 4).tolist()))
    wide = BuyTillYouDie(MODEL.lifetimes, unsure, MODEL.spending, None)
    sure = BuyTillYouDie(MODEL.lifetimes, NONE, MODEL.spending, None)
    widths = [np.mean(np.subtract(*shortest(simulated(m, 90.0, known, 400, 3)[1])[::-1])) for m in (wide, sure)]
    assert widths[0] > widths[1]


def test_laws_of_the_next_order() -> None:
    known = histories()
    told = MODEL.next_order(known)
    days = np.array([told.earliest, told.expected, told.latest])
    with np.errstate(invalid="ignore"):
        assert not (np.diff(days, axis=0) < 0).any()
    assert np.nanmax(days) <= FURTHEST
    assert np.isnan(told.latest).sum() >= np.isnan(told.expected).sum()
    alone = BuyTillYouDie(MODEL.lifetimes, NONE, MODEL.spending, None)
    half = alone.next_order(known).expected
    base, power = MODEL.lifetimes.alpha + known.T, MODEL.lifetimes.r + known.x
    wanted = base * (0.5 ** (-1 / power) - 1)
    inside = wanted < FURTHEST
    np.testing.assert_allclose(half[inside], wanted[inside])
    assert np.isnan(half[~inside]).all()
    assert MODEL.regular is not None
    even = Histories(*(np.array([v]) for v in (8.0, 240.0, 250.0, 10.0, 0.05)))
    assert MODEL.regular_probability(even) > 0.95
    days = MODEL.next_order(even).expected
    assert MODEL.regular.buys_within(days, *even.purchases) == pytest.approx(0.5, abs=0.02)


def test_the_shortest_interval_begins_at_nothing_for_whoever_may_not_buy() -> None:
    low, high = shortest(
        np.array([[0.0] * 5 + [1, 2, 3, 4, 90], [0.0] * 9 + [5], [10, 11, 12, 13, 14, 15, 16, 17, 18, 99]])
    )
    np.testing.assert_array_equal(low, [0, 0, 10])
    np.testing.assert_array_equal(high, [4, 0, 18])


def test_the_nearest_interval_of_whole_numbers_by_hand() -> None:
    low, high, held = nearest(
        np.array([[0.0] * 9 + [1], [0] * 7 + [1, 1, 5], [0] * 8 + [1, 2], [3] * 5 + [4] * 4 + [9], [0] * 10])
    )
    np.testing.assert_array_equal(low, [0, 0, 0, 3, 0])
    np.testing.assert_array_equal(high, [0, 1, 1, 4, 0])
    np.testing.assert_allclose(held, [0.9, 0.9, 0.9, 0.9, 1])


@given(st.lists(st.lists(st.integers(0, 12), min_size=20, max_size=20), min_size=1, max_size=8))
def test_no_interval_that_holds_most_for_its_width_is_nearer(rows: list[list[int]]) -> None:
    drawn = np.array(rows, dtype=float)
    low, high, held = nearest(drawn)
    np.testing.assert_allclose(held, ((drawn >= low[:, None]) & (drawn <= high[:, None])).mean(axis=1))
    for row, first, last, share in zip(drawn, low, high, held, strict=True):
        most = [max(((row >= a) & (row <= a + width)).mean() for a in range(13)) for width in range(13)]
        assert share == pytest.approx(most[int(last - first)])
        offs = [round(abs(each - 0.9), 9) for each in most]
        assert last - first == offs.index(min(offs))


def test_who_is_long_overdue_and_still_there_buys_by_chance() -> None:
    assert MODEL.regular is not None
    punctual = Histories(*(np.array(v, float) for v in ([8] * 2, [240] * 2, [250, 420], [10] * 2, [0.05] * 2)))
    assert (MODEL.regular_probability(punctual) > 0.95).all()
    even, overdue = MODEL.next_order(punctual).expected
    chance = BuyTillYouDie(MODEL.lifetimes, NONE, MODEL.spending, None).next_order(punctual).expected
    assert even == pytest.approx(20, abs=5)
    # P(still there) of the two kinds, by hand: what is left of the regular ones is a handful, and their clock is late.
    regular, by_chance = (each.alive_probability(*punctual.purchases)[1] for each in (MODEL.regular, MODEL.lifetimes))
    p = MODEL.regular_probability(punctual)[1]
    weight = p * regular / (p * regular + (1 - p) * by_chance)
    base, power = MODEL.lifetimes.alpha + 420, MODEL.lifetimes.r + 8
    reached = weight * MODEL.regular.buys_within(overdue, *(v[1:] for v in punctual.purchases))[0]
    reached += (1 - weight) * (1 - (base / (base + overdue)) ** power)
    assert reached == pytest.approx(0.5, abs=0.02)
    assert weight < p
    assert chance[1] > even


def test_a_tiny_shop_gets_answers_and_wide_intervals() -> None:
    known = Histories(*(np.array(v, float) for v in ([0, 1, 0], [0, 20, 0], [40, 50, 5], [10, 20, 30], [np.nan] * 3)))
    model = BuyTillYouDie.fit(known)
    assert np.isfinite(model.value(90, known)).all()
    low, high = shortest(simulated(model, 90, known, 200, 1)[1])
    assert (low == 0).all()
    assert (high > model.value(90, known)).any()
    assert BuyTillYouDie.from_json(model.to_json()) == model


def test_histories_come_from_features() -> None:
    columns = {
        "order_day_count_lifetime": [3.0, None],
        "days_between_first_and_last_order": [20.0, None],
        "days_since_first_order": [50.0, None],
        "amount_lifetime": [60.0, 0.0],
        "days_between_orders_variation": [0.5, None],
    }
    table = pa.table(columns)
    assert buyers(table).tolist() == [True, False]
    known = Histories.of(table.filter(pa.array(buyers(table))))
    assert (known.x[0], known.t_x[0], known.T[0], known.mean_amount[0]) == (2, 20, 50, 20)
    with pytest.raises(DataProblemError, match="amount_lifetime"):
        Histories.of(table.drop_columns(["amount_lifetime"]))
