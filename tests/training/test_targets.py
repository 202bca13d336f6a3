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


def with_labels(text="", tables=("orders", "labels"), labelled=("contract_churn",)):
    return {t.name: t for t in targets.declared(parse_settings(text), tables, 1000, labelled)}


def test_every_name_in_the_labels_is_a_target_of_one_horizon():
    found = with_labels(
        '[targets.signed]\noutcome = "labels"\nhorizons = [60]\n', labelled=("contract_churn", "signed")
    )
    assert list(found) == ["repurchase", "churn", "second_order", "win_back", "signed", "contract_churn"]
    assert (found["contract_churn"].outcome, found["contract_churn"].horizons) == ("labels", (30,))
    assert found["contract_churn"].population(30) == "everyone"
    assert found["signed"].horizons == (60,)
    assert targets.complement_of(found["signed"], 60, found.values()) is None


def test_labels_take_a_built_in_target_s_place_only_where_that_is_said():
    with pytest.raises(SettingsError, match="also the name of a built-in target"):
        with_labels(labelled=("churn",))
    found = with_labels('[targets.churn]\noutcome = "labels"', labelled=("churn",))
    assert found["churn"].of_labels
    assert found["churn"].population(30) == "everyone"
    assert with_labels(tables=("labels",), labelled=("churn",))["churn"].of_labels


def test_a_target_that_asks_for_sales_stays_one_though_labels_have_its_name():
    found = with_labels('[targets.contract_churn]\noutcome = "sale"')
    assert found["contract_churn"].outcome == "sale"


def test_labels_that_say_nothing_of_a_target_are_told():
    with pytest.raises(SettingsError, match="say nothing of it"):
        with_labels('[targets.left]\noutcome = "labels"')
