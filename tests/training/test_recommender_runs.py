"""What a choice of a recommender leaves on a real tracking store, and that it is made again from that alone."""

import json
from dataclasses import replace
from datetime import date, datetime

import numpy as np
import pytest

from features.outcomes import interactions
from features.source import FramesSource
from models import recommenders
from models.recommenders.interactions import Interactions
from tests.features.conftest import stored as stored_rows
from training import act_counts, recommender_runs
from training.recommendation import TrainedRecommender
from training.recommender_runs import Inputs, digest, log, reproduce, train
from warehouse.errors import NotReadyError

AS_OF = date(2024, 6, 10)
ASKED = Inputs("the data", AS_OF, date(2024, 1, 1), AS_OF, 30, ("gp_topfreq", "als", "popularity"), 50, 7)
NAMES = ("gp_topfreq", "als", "popularity")


@pytest.fixture(scope="module")
def source(make_orders, make_rows):
    return FramesSource({"orders": make_orders(make_rows(300))})


@pytest.fixture(scope="module")
def trained(source):
    return train(source, ASKED)


@pytest.fixture(scope="module")
def run(tracker, stored, trained):
    log(tracker, trained, ASKED)
    tracker.log(recommender_runs.Record("tests", "last", {}, {})).result()
    [found] = stored.runs(f"{trained.name}-20240610")
    return found


def test_a_run_says_data_settings_dates_and_why(run, stored, trained):
    params = stored.params(run)
    assert params["data_fingerprint"] == "the data"
    assert (params["seed"], params["bootstrap_draws"], params["horizon"]) == ("7", "50", "30")
    assert params["models"] == "gp_topfreq, als, popularity"
    assert (params["as_of"], params["first_day"], params["observed_until"]) == (
        "2024-06-10",
        "2024-01-01",
        "2024-06-10",
    )
    assert (params["window.choose"], params["window.judge"]) == ("2024-04-11", "2024-05-11")
    assert (params["serves"], params["why"]) == (trained.name, trained.why)


def test_every_recommender_has_its_measures_with_intervals(run, stored):
    metrics = stored.metrics(run)
    for role in ("choose", "judge"):
        for name in NAMES:
            for measure in ("recall", "ndcg", "hit_rate", "repeat_recall", "explore_recall"):
                for k in (10, 20):
                    told = f"{role}/{name}/{measure}_at_{k}"
                    assert metrics[f"{told}_low"] <= metrics[told] <= metrics[f"{told}_high"]
            assert 0 < metrics[f"{role}/{name}/coverage_at_10"] <= 1


def test_the_choice_is_registered_with_a_card_and_names_no_customer(run, stored, tracker, trained, source):
    assert stored.with_alias("recommend", "champion") == run
    card = tracker.read(run, "card.md")
    assert trained.why in card
    assert "Window to judge: 30 days from 2024-05-11" in card
    assert all(f"| {name} | " in card for name in NAMES)
    texts = [
        tracker.read(run, name) for name in ("inputs.json", "card.json", "judged.json", "model/data/recommender.json")
    ]
    assert not any("u00" in text for text in [card, *texts])
    assert "pickle" not in tracker.read(run, "model/MLmodel")


def test_the_run_gives_the_same_arrays_again(run, tracker, source):
    assert reproduce(tracker, run, source, "the data")
    with pytest.raises(NotReadyError, match="made from other data"):
        reproduce(tracker, run, source, "other data")


def test_other_sales_give_other_arrays(run, tracker, make_orders, make_rows):
    other = FramesSource({"orders": make_orders(make_rows(300, seed=4))})
    assert not reproduce(tracker, run, other, "the data")


def test_the_inputs_come_back_from_what_is_logged(run, tracker):
    assert Inputs.from_json(json.loads(tracker.read(run, "inputs.json"))) == ASKED


@pytest.mark.parametrize("name", recommenders.names())
def test_any_recommender_fitted_again_has_the_same_digest(name, source):
    sales = interactions(source, AS_OF)
    one, other = (recommenders.create(name).fit(Interactions.from_table(sales, AS_OF)) for _ in range(2))
    assert digest(one) == digest(other)


def test_the_digest_sees_every_number(source):
    arrays = recommenders.create("als").fit(Interactions.from_table(interactions(source, AS_OF), AS_OF)).arrays()
    assert all(array.dtype != np.object_ for array in arrays.values())
    als = type(recommenders.create("als"))
    name = next(name for name, array in arrays.items() if name.startswith("model_") and array.dtype.kind == "f")
    changed = arrays[name].copy()
    changed.flat[0] += 1e-3
    assert digest(als.from_arrays(arrays | {name: changed})) != digest(als.from_arrays(arrays))


def test_where_there_is_nothing_to_suggest_nothing_is_logged(tracker, stored):
    log(tracker, TrainedRecommender(None, None, [], "No suggestions.", {}, {}), ASKED)
    tracker.log(recommender_runs.Record("tests", "after nothing", {}, {})).result()
    assert stored.runs("None-20240610") == []


def test_acts_are_judged_with_and_kept_by_the_recommender_that_serves(source, trained):
    """An act between the windows and today is known to the last fit alone; its kind is told, a misspelt one too."""
    held = trained.model.interactions
    item, buyer = held.item_ids[0].as_py(), held.user_ids[0].as_py()
    rows = [{"user_id": user, "event": "view", "occurred_at": datetime(2024, month, 20, 12), "item_id": item}
            for user, month in ((buyer, 4), ("looker", 5))]  # fmt: skip
    with_events = FramesSource({**source.frames, "events": stored_rows("events", rows, "UTC")})
    asked = replace(ASKED, models=("gp_topfreq", "bm25"), acts={"kinds": {"view": 0.3, "veiw": 0.1}, "dwell": 0.0})
    assert Inputs.from_json(asked.to_json()) == asked
    assert "acts" not in ASKED.to_json()
    seen = []

    def looking(model, interactions):
        seen.append((model.name, interactions.as_of, interactions.user_rows(["looker"])[0] >= 0))
        return model.fit(interactions)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recommender_runs, "fit_of", lambda _: looking)
        found = train(with_events, asked)
    assert {known for _, as_of, known in seen if as_of < AS_OF} == {False}
    assert seen[-1][1:] == (AS_OF, True)
    assert sorted(found.model.interactions.acts.days.tolist()) == [19833, 19863]
    assert act_counts.act_counts(with_events, AS_OF, asked.acts["kinds"]) == [
        {"event": "veiw", "worth": 0.1, "rows": 0}, {"event": "view", "worth": 0.3, "rows": 2}]  # fmt: skip
    assert "no event of that name" in act_counts.lines([{"event": "veiw", "worth": 0.1, "rows": 0}])[0]
