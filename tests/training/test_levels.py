"""The level: a shift of all log-odds, forecast from steps between past dates, and never more than a shift."""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training import cards, levels, protocol
from training.evaluation.propensity import level_error
from training.levels import SHRINKAGE, USUAL_SPREAD, Level, Step, drift, forecast, never_seen, shifted
from training.propensity import train_target

FIRST = date(2024, 1, 1)
UNTIL = FIRST + timedelta(days=170)


def steps(*shifts, horizon=30):
    return [
        Step(FIRST + timedelta(days=horizon * k), FIRST + timedelta(days=horizon * (k + 1)), 100, 0.3, shift)
        for k, shift in enumerate(shifts)
    ]


def test_the_mean_of_steps_is_shrunken_by_steps_of_nothing():
    assert drift([], 30) == (0.0, USUAL_SPREAD)
    assert drift(steps(-0.3), 30)[0] == pytest.approx(-0.3 / (1 + SHRINKAGE))
    shift, spread = drift(steps(-0.1, -0.2, -0.3, -0.2), 30)
    assert shift == pytest.approx(-0.8 / (4 + SHRINKAGE))
    assert spread == pytest.approx(np.std([-0.1, -0.2, -0.3, -0.2], ddof=1) * np.sqrt(1 + 1 / 4))


def test_a_longer_step_counts_by_the_horizon():
    long = [Step(FIRST, FIRST + timedelta(days=45), 100, 0.3, -0.45)]
    assert drift(long, 30)[0] == pytest.approx(-0.3 / (1 + SHRINKAGE))


@given(st.lists(st.floats(0.001, 0.999), min_size=2, max_size=40), st.floats(-3, 3))
def test_a_shift_keeps_every_ranking_and_every_tie(p, shift):
    p = np.round(np.array(p), 4)
    moved = shifted(p, shift)
    order = np.sign(p[:, None] - p[None, :])
    assert (np.sign(np.round(moved[:, None] - moved[None, :], 15)) == order).all()
    assert shifted(moved, -shift) == pytest.approx(p, abs=1e-9)


def test_a_shift_of_nothing_changes_nothing_and_a_known_one_meets_the_level():
    p = np.array([0.2, 0.5, 0.8])
    assert shifted(p, 0.0) == pytest.approx(p, abs=1e-15)
    assert shifted(np.array([0.5]), np.log(3)) == pytest.approx([0.75])


def test_months_and_festivals_that_were_never_learnt_from():
    closed = [date(2024, 8, 1), date(2024, 9, 1)]
    assert never_seen(closed, date(2024, 9, 20), 30) == ("October",)
    assert never_seen(closed, date(2024, 10, 25), 30) == ("October", "November", "double_eleven")
    assert never_seen([date(2023, 10, 20), *closed], date(2024, 10, 25), 30) == ()


@pytest.fixture(scope="module")
def trained(snapshots, targets_by_name, shop, recipe):
    def made(level):
        settings = shop.training.model_copy(update={"level": level})
        planned = protocol.plan(UNTIL, UNTIL, FIRST, 14, 2)
        return train_target(snapshots, targets_by_name["repurchase"], 14, planned, settings, recipe, UNTIL)

    return made("as_learnt"), made("forecast")


def test_no_label_of_the_forecast_day_is_read(snapshots, targets_by_name, trained):
    judged = trained[0].judged
    assert judged.level.steps
    assert all(s.at + timedelta(days=14) <= judged.protocol.judge for s in judged.level.steps)
    assert all(s.before + timedelta(days=14) <= s.at for s in judged.level.steps)


def test_the_setting_shifts_what_is_judged_and_what_serves_and_nothing_else(trained, snapshots):
    plain, moved = trained
    shift = moved.judged.level.shift
    assert shift == plain.judged.level.shift != 0
    assert shifted(plain.judged.p("lightgbm"), shift) == pytest.approx(moved.judged.p("lightgbm"), abs=1e-12)
    for metric in ("auc", "average_precision", "lift_at_10"):
        values = [t.judged.intervals["lightgbm"][metric].value for t in trained]
        assert values[0] == pytest.approx(values[1], abs=1e-12)
    table = snapshots.features(UNTIL)
    first, second = plain.model.predict(table), moved.model.predict(table)
    assert shifted(first, moved.level.shift) == pytest.approx(second, abs=1e-12)
    assert plain.model.trees == moved.model.trees


def test_the_card_says_how_sure_the_level_is(trained):
    for each in trained:
        card = cards.card(each)
        assert card["level"]["low"] < card["level"]["shift"] < card["level"]["high"]
        assert any("80 % of the time" in note for note in card["notes"])
        level = card["judged"]["level"]
        y, p = each.judged.sample.y, each.judged.p("lightgbm")
        told = level["error_forecast"] if each.level.applied else level["error_as_learnt"]
        assert told == pytest.approx(level_error(y, p), abs=1e-9)


def test_the_interval_of_the_share_is_about_what_is_published():
    p = np.full(10, 0.5)
    plain = Level(-0.2, 0.1, (), (), False)
    low, high = plain.of(p)
    assert low < 0.45 < high < 0.5
    applied = Level(-0.2, 0.1, (), (), True)
    assert np.mean(applied.of(shifted(p, -0.2))) == pytest.approx(np.mean(plain.of(p)), abs=1e-9)


def test_few_customers_give_no_step(snapshots, targets_by_name):
    found = forecast(snapshots, targets_by_name["repurchase"], 14, [FIRST + timedelta(days=60)], UNTIL, 20, False)
    assert (found.steps, found.shift, found.spread) == ((), 0.0, levels.USUAL_SPREAD)
