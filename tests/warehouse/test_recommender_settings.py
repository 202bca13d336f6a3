"""What the settings say of each recommender reaches its keyword arguments, and nothing else does."""

from __future__ import annotations

import json
from inspect import signature

from models import recommenders
from warehouse.recommender_settings import WEIGHED, RecommendSettings, WeightSettings
from warehouse.settings import parse_settings

BESIDE = {"k", "horizon", "models", "weights", "rules", "shown_days", "learn_from_shown", "new_items", "explore"}


def test_every_setting_is_one_of_the_recommender() -> None:
    for name in RecommendSettings.model_fields.keys() - BESIDE:
        section = RecommendSettings.model_fields[name].annotation.__args__[0]
        assert set(section.model_fields) <= set(signature(type(recommenders.create(name))).parameters), name


def test_weights_reach_all_recommenders_that_weigh() -> None:
    known = set(WeightSettings.model_fields)
    weigh = {n for n in recommenders.names() if known <= set(signature(type(recommenders.create(n))).parameters)}
    assert weigh == set(WEIGHED)


def test_a_recommender_s_own_weights_win() -> None:
    text = '[recommend.weights]\ncount = "binary"\nhalf_life_days = 9\n[recommend.ease]\nhalf_life_days = 3\n'
    fits = parse_settings(text).recommend.fits()
    assert fits["ease"] == {"count": "binary", "half_life_days": 3}
    assert fits["als"] == {"count": "binary", "half_life_days": 9}
    assert set(fits) == {*WEIGHED, "two_stage"}
    assert json.loads(fits["two_stage"]["fits"])["ease"] == fits["ease"]  # the first stage is fitted the same
    assert recommenders.create("ease", fits["ease"]).settings()["count"] == "binary"
    assert parse_settings("").recommend.fits() == {}


def test_acts_that_count_are_those_worth_something_and_no_setting_of_a_recommender() -> None:
    text = "[recommend.weights]\nkinds = { view = 0.3, search = 0, cart = 0.5 }\ndwell = 0.5\n"
    told = parse_settings(text).recommend
    assert told.acts == {"kinds": {"cart": 0.5, "view": 0.3}, "dwell": 0.5}
    assert told.fits() == {}
    for text in (
        "",
        "[recommend.weights]\ncount = 'log'\n",
        "[recommend.weights]\nkinds = { search = 0 }\ndwell = 1\n",
    ):
        assert parse_settings(text).recommend.acts == {}
    dumped = parse_settings("[recommend.weights]\ncount = 'log'\n").model_dump(mode="json")["recommend"]["weights"]
    assert dumped.keys() == set(WeightSettings.model_fields)  # what is not said leaves releases as they were
