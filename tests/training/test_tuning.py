"""The search for better settings: continued is the same as at a stroke, and the judged date stays unseen."""

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training import protocol, tuning
from training.recipes import OWN, changed, tree_settings
from training.studies import Choice, Numbers, Study
from training.tuning import SPACE, Search, including, tuning_dates
from warehouse.errors import NotReadyError, RepriseError, UsageError

FIRST = date(2024, 1, 1)
UNTIL = FIRST + timedelta(days=170)
TOY = {"x": Numbers(-10, 10), "n": Numbers(1, 64, log=True, whole=True), "how": Choice(("left", "right"))}
START = {"x": 0.0, "n": 8, "how": "left"}


def worth(settings):
    """Highest at x = 3 on the right."""
    return -((settings["x"] - 3) ** 2) - (settings["how"] == "left"), {"seen": settings["n"]}


def told(study):
    return [(trial.settings, trial.value, trial.found) for trial in study.tried]


def test_a_continued_study_is_the_same_as_one_at_a_stroke(tmp_path):
    whole = Study(tmp_path / "whole.db", "toy", TOY, [START], 7)
    for _ in range(14):
        whole.step(worth)
    for count in (1, 5, 8):
        parts = Study(tmp_path / "parts.db", "toy", TOY, [START], 7)
        for _ in range(count):
            parts.step(worth)
    assert told(parts) == told(whole)
    assert whole.tried[0].settings == START
    assert whole.best.value >= whole.default.value == worth(START)[0]
    other = Study(tmp_path / "other.db", "toy", TOY, [START], 8)
    for _ in range(14):
        other.step(worth)
    assert told(other) != told(whole)


def test_a_killed_trial_leaves_no_trace(tmp_path):
    def killed(settings):
        raise KeyboardInterrupt

    whole, broken = (Study(tmp_path / f"{name}.db", "toy", TOY, [START], 7) for name in ("whole", "broken"))
    for _ in range(4):
        whole.step(worth)
        broken.step(worth)
    with pytest.raises(KeyboardInterrupt):
        broken.step(killed)
    again = Study(tmp_path / "broken.db", "toy", TOY, [START], 7)
    again._study.ask()  # one that was killed without a word
    again = Study(tmp_path / "broken.db", "toy", TOY, [START], 7)
    assert again.step(worth).settings == whole.step(worth).settings
    assert len(again.tried) == 5


def test_settings_of_a_part_are_asked_where_the_part_is_chosen(tmp_path):
    space = {"model": Choice(("a", "b")), "a.k": Numbers(1, 5, whole=True), "b.k": Numbers(6, 9, whole=True)}
    study = Study(tmp_path / "s.db", "parts", space, [{"model": "a", "a.k": 2}, {"model": "b", "b.k": 7}], 7)
    for _ in range(10):
        study.step(lambda s: (float(s[f"{s['model']}.k"]), {}))
    assert all(set(trial.settings) == {"model", f"{trial.settings['model']}.k"} for trial in study.tried)
    assert study.default.settings == {"model": "b", "b.k": 7}


def test_a_judgement_is_kept(tmp_path):
    study = Study(tmp_path / "s.db", "toy", TOY, [START], 7)
    trial = study.step(worth)
    study.note_judged(trial, {"n": 3})
    study.run = "abc"
    again = Study(tmp_path / "s.db", "toy", TOY, [START], 7)
    assert (again.judged, again.run) == ({"0": {"n": 3}}, "abc")


def test_a_file_that_is_no_study_is_told(tmp_path):
    (tmp_path / "s.db").write_bytes(b"not a database" * 100)
    with pytest.raises(RepriseError, match="no file of studies"):
        Study(tmp_path / "s.db", "toy", TOY, [START], 7)


@given(st.integers(7, 120), st.integers(20, 900))
def test_labels_of_tuning_dates_have_ended_before_the_judge_begins(horizon, days):
    judge = FIRST + timedelta(days=days)
    dates = tuning_dates(judge, FIRST, horizon)
    assert len(dates) <= 3
    assert all(day + timedelta(days=horizon) <= judge for day in dates)
    assert all(b - a == timedelta(days=horizon) for a, b in pairwise(dates))
    for day in dates:
        assert protocol.plan(day + timedelta(days=horizon), day + timedelta(days=horizon), FIRST, horizon).kind != (
            "too_short"
        )


@pytest.fixture(scope="module")
def search(snapshots, targets_by_name, shop, recipe):
    planned = protocol.plan(UNTIL, UNTIL, FIRST, 14, 2)
    return Search(snapshots, targets_by_name["repurchase"], 14, planned, FIRST, shop.training, recipe)


def test_no_trial_reads_a_label_of_the_judged_date(search, snapshots, monkeypatch):
    asked = []
    sample = snapshots.sample

    def watched(target, horizon, as_of):
        asked.append(as_of + timedelta(days=horizon))
        return sample(target, horizon, as_of)

    monkeypatch.setattr(type(snapshots), "sample", lambda self, *question: watched(*question))
    again = Search(snapshots, search.target, 14, search.planned, FIRST, search.settings, search.base)
    again.value(again.defaults[0])
    assert asked
    assert max(asked) <= again.judge_day


def test_the_defaults_are_a_point_of_the_space_and_give_the_base_recipe(search):
    assert search.recipe(search.defaults[0]).same_as(search.base)
    value, found = search.value(search.defaults[0])
    assert value == search.value(search.defaults[0])[0]
    assert [each["as_of"] for each in found["dates"]] == [str(day) for day in search.dates]
    wide = including(SPACE, search.defaults[0] | {"l2": 500.0, "start": "rfm_sum"})
    assert wide["l2"].high == 500
    assert "rfm_sum" in wide["start"].values


def test_what_was_tuned_is_judged_beside_the_defaults_in_pairs(search):
    judged = search.judged(search.defaults[0] | {"num_leaves": 3, "start": "none"}, search.defaults[0])
    assert judged["as_of"] == str(search.judge_day)
    assert set(judged["differences"]) == {"auc", "average_precision"}
    assert all(d["low"] <= d["value"] <= d["high"] for d in judged["differences"].values())


def test_what_is_to_be_written_gives_the_recipe(search):
    from training.targets import declared
    from warehouse.settings import parse_settings

    point = search.defaults[0] | {"num_leaves": 3, "l2": 0.25, "start": "none"}
    settings = parse_settings("\n".join(search.to_write(point)))
    (target,) = (t for t in declared(settings, {"orders"}, 170) if t.name == "repurchase")
    assert changed(search.base, target.settings.trees).same_as(search.recipe(point))


def test_too_little_history_says_what_it_needs(snapshots, targets_by_name, shop, recipe):
    day = FIRST + timedelta(days=60)
    planned = protocol.plan(day, day, FIRST, 14, 2)
    with pytest.raises(NotReadyError, match="before 2024-02-16"):
        Search(snapshots, targets_by_name["repurchase"], 14, planned, FIRST + timedelta(days=20), shop.training, recipe)


def test_settings_somebody_typed(recipe):
    assert changed(recipe, tree_settings({"num_leaves": 31, "start": "none"})).name == OWN
    assert changed(recipe, tree_settings({"num_leaves": recipe.trees.num_leaves})) is recipe
    for wrong in ({"leaves": 3}, {"num_leaves": 1}, {"num_leaves": "many"}):
        with pytest.raises(UsageError, match="no setting of trees"):
            tree_settings(wrong)


def test_the_space_is_what_settings_allow():
    for name, dimension in tuning.SPACE.items():
        for value in dimension.values if isinstance(dimension, Choice) else (dimension.low, dimension.high):
            tree_settings({name: int(value) if getattr(dimension, "whole", False) else value})
