"""Which questions are asked of which tables."""

import pytest

from training import targets
from warehouse.errors import SettingsError
from warehouse.settings import parse_settings

PLAIN = parse_settings("")


def by_name(text="", tables=("orders",), days=1000):
    return {t.name: t for t in targets.declared(parse_settings(text), tables, days)}


def test_orders_give_the_four_default_targets():
    found = by_name()
    assert list(found) == ["repurchase", "churn", "second_order", "win_back"]
    assert {t.horizons for t in found.values()} == {(30, 90)}
    assert found["repurchase"].population(30) == "order_count_lifetime >= 1"
    assert found["second_order"].population(90) == "order_count_lifetime = 1"
    assert found["churn"].population(30) == "days_since_last_act <= 60"
    assert found["win_back"].population(90) == "days_since_last_act > 180"


def test_churn_is_the_complement_of_repurchase_where_acts_are_sales():
    found = by_name()
    assert targets.complement_of(found["churn"], 30, found.values()) == found["repurchase"]
    assert found["churn"].outcome == "no_sale"


def test_churn_is_trained_where_the_horizons_differ():
    found = by_name("[targets.churn]\nhorizons = [60, 90]")
    assert targets.complement_of(found["churn"], 60, found.values()) is None
    assert targets.complement_of(found["churn"], 90, found.values()) is not None


@pytest.mark.parametrize(
    "text",
    [
        '[activity]\nacts = "events"',
        "[targets.repurchase]\nmin_amount = 20",
        '[targets.repurchase]\npopulation = "order_count_lifetime >= 2"',
        '[targets.churn]\nitems = ["A"]',
    ],
)
def test_churn_is_trained_where_the_questions_differ(text):
    found = by_name(text, ("orders", "events"))
    assert targets.complement_of(found["churn"], 30, found.values()) is None


def test_an_activity_window_is_as_declared():
    found = by_name("[targets.churn]\nactivity_days = 45")
    assert found["churn"].population(30) == "days_since_last_act <= 45"
    assert found["churn"].complements == "repurchase"


@pytest.mark.parametrize(("days", "horizon"), [(24, 7), (27, 7), (56, 14), (119, 14), (120, 30), (360, 90)])
def test_events_only_ask_about_acts_at_one_horizon(days, horizon):
    found = by_name(tables=("events",), days=days)
    assert list(found) == ["churn", "win_back"]
    assert {t.horizons for t in found.values()} == {(horizon,)}
    assert (found["churn"].outcome, found["win_back"].outcome) == ("no_act", "act")
    assert found["churn"].complements is None


def test_events_only_say_what_is_absent():
    assert [a.what for a in targets.unavailable({"events"})] == ["repurchase", "second_order"]
    assert str(targets.unavailable({"events"})[0]) == "repurchase: there are no orders. It needs the table orders."
    assert targets.unavailable({"orders"}) == []


def test_a_target_of_ones_own():
    found = by_name("[targets.big_spender]\nmin_amount = 500\nhorizons = [60]")
    own = found["big_spender"]
    assert (own.population(60), own.outcome, own.horizons) == ("order_count_lifetime >= 1", "sale", (60,))
    assert own.settings.min_amount == 500


def test_asking_for_sales_without_orders_is_told():
    with pytest.raises(SettingsError, match='"buyers" asks for sales'):
        by_name('[targets.buyers]\noutcome = "sale"', tables=("events",))
