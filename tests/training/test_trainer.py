"""The whole way in a workspace: from a file of orders to champions, cards, runs; and the past replayed."""

import csv
import dataclasses
import json
from datetime import date, datetime, timedelta

import numpy as np
import plotly.graph_objects as go
import pytest

from models.propensity import PropensityModel
from training.backtest import backtest, judged_json, sentence
from training.cards import CARD_FILE, calibration_figure, card, markdown
from training.evaluation import propensity as metrics
from training.recipes import rule_recipe
from training.reproduction import reproduce
from training.snapshots import Snapshots
from training.trainer import Trainer, champions, complements
from warehouse.errors import NotReadyError, UsageError
from warehouse.files import write_text
from warehouse.store import Store
from warehouse.workspace import Workspace

FIRST = date(2024, 1, 1)
AS_OF = FIRST + timedelta(days=168)
SETTINGS = """
time_zone = "UTC"
buckets = 2
[tables.orders]
files = ["orders.csv"]
[training]
max_cutoffs = 2
rounds = 40
bootstrap_draws = 100
min_positives = 20
[targets.repurchase]
horizons = [14]
[targets.churn]
horizons = [14]
[targets.second_order]
horizons = [14, 200]
[targets.win_back]
horizons = [14]
"""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory, make_rows):
    root = tmp_path_factory.mktemp("shop")
    with (root / "orders.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["user_id", "ordered_at", "order_id", "amount"])
        for k, (who, day, amount) in enumerate(make_rows(500)):
            writer.writerow([who, f"{FIRST + timedelta(days=day)}T10:00:00", f"o{k}", f"{amount:.2f}"])
    write_text(root / "reprise.toml", SETTINGS)
    opened = Workspace.open(root)
    Store(opened).load_new(datetime(2024, 12, 1))
    return opened


@pytest.fixture(scope="module")
def trainer(workspace):
    return Trainer(workspace)


@pytest.fixture(scope="module")
def report(trainer, tracker):
    return trainer.train_all(AS_OF, tracker, who="tests")


def test_every_target_is_trained_answered_or_absent(report):
    trained = {(t.target.name, t.horizon) for t in report.trained}
    assert ("repurchase", 14) in trained
    assert report.complements == (("churn", 14, "repurchase"),)
    absent = {a.what: a for a in report.absent}
    assert "No label of 200 days exists" in absent["second_order, 200 days"].why
    assert trained | {("churn", 14)} | {(a.split(",")[0], int(a.split()[1])) for a in absent} >= {
        ("repurchase", 14), ("churn", 14), ("second_order", 14), ("second_order", 200), ("win_back", 14),
    }  # fmt: skip


def test_champions_serve_and_repurchase_answers_churn(workspace, report, trainer):
    served = {(m.target, m.horizon_days): m for m in champions(workspace)}
    assert set(served) == {(t.target.name, t.horizon) for t in report.trained}
    [churn] = complements(workspace, served["repurchase", 14])
    assert (churn["target"], churn["population"]) == ("churn", "days_since_last_act <= 28")
    assert 0 < churn["base_rate"] < 1
    assert not complements(workspace, served["win_back", 14])


def test_a_kept_version_holds_model_card_and_inputs(trainer, report):
    for trained in report.trained:
        folder = trainer.registry.champion(trained.target.name, trained.horizon)
        names = {path.name for path in folder.iterdir()} - {"model.txt"}
        assert names == {
            "model.json",
            "recipe.json",
            "inputs.json",
            "example.json",
            "complements.json",
            "card.md",
            "card.json",
        }
        assert PropensityModel.load(folder).version == folder.name
        assert trained.why in (folder / CARD_FILE).read_text(encoding="utf-8")
        [entry] = trainer.registry.history(trained.target.name, trained.horizon)
        assert (entry.who, entry.reason) == ("tests", trained.why)


def test_a_run_is_reproduced_from_what_it_logged(report, tracker, trainer):
    trained = next(t for t in report.trained if t.target.name == "repurchase")
    found = reproduce(tracker, report.runs[trained.model.version], trainer.snapshots)
    assert found.same, found.differing
    assert found.version == trained.model.version


def test_other_data_cannot_reproduce_it(report, tracker, trainer):
    run = next(iter(report.runs.values()))
    with pytest.raises(NotReadyError, match="made from other data"):
        reproduce(tracker, run, Snapshots(None, trainer.source, "another store"))


def test_a_rule_that_serves_instead_is_logged_as_fully_as_the_trees(report, tracker, stored, trainer):
    stands_in = [t for t in report.trained if t.serves is not None and t.serves.model.version != t.model.version]
    assert stands_in
    for trained in stands_in:
        rule = trained.serves.model
        mine, trees = report.runs[rule.version], report.runs[trained.model.version]
        assert stored.metrics(mine) == stored.metrics(trees)
        assert f"{rule.rule.name}/auc.low" in stored.metrics(mine)
        params = stored.params(mine)
        assert {"target", "as_of", "data_fingerprint", "seed", "judge", "why", "recipe.rule"} <= set(params)
        assert params["kind"] == "rule"
        card = json.loads(tracker.read(mine, "card.json"))
        assert (card["version"], card["judged_model"]) == (rule.version, rule.rule.name)
        assert tracker.read(mine, "card.md") == markdown(trained, trained.serves)
        figure = json.loads(tracker.read(mine, "calibration.plotly.json"))
        assert figure["data"][1]["name"] == rule.rule.name
        name = f"{trained.target.name}_{trained.horizon}d"
        assert stored.with_alias(name, "champion") == mine
        found = reproduce(tracker, mine, trainer.snapshots)
        assert (found.version, found.differing) == (rule.version, ())


def test_a_run_holds_what_the_design_asks_for(report, tracker):
    trained = next(t for t in report.trained if t.target.name == "repurchase")
    run = report.runs[trained.model.version]
    for artifact in ("deciles.json", "gains.json", "drivers.json", "card.json", "inputs.json"):
        json.loads(tracker.read(run, artifact))
    go.Figure(json.loads(tracker.read(run, "calibration.plotly.json")))
    assert tracker.read(run, "card.md") == markdown(trained)
    assert tracker.read(run, "model/data/model.json")


def test_training_again_on_the_same_day_compares_with_the_champion(trainer, report):
    before = trainer.registry.champion_version("repurchase", 14)
    again = trainer.train(trainer.target("repurchase", AS_OF), 14, AS_OF)
    assert again.inputs["champion"] is not None
    assert trainer.registry.champion_version("repurchase", 14) == before


def test_rollback_after_a_second_champion(trainer, report):
    versions = trainer.registry.versions("repurchase", 14)
    if len(versions) < 2:
        made = report.trained[0].candidate
        trainer.registry.add("repurchase", 14, "repurchase-14d-by-hand", lambda folder: made.write(folder, {}))
        versions = trainer.registry.versions("repurchase", 14)
    first = trainer.registry.champion_version("repurchase", 14)
    other = next(v for v in versions if v != first)
    trainer.registry.promote("repurchase", 14, other, "to try", "tests")
    assert trainer.registry.rollback("repurchase", 14, "back", "tests").version == first


def test_cards_say_what_was_judged(report):
    for trained in report.trained:
        text = markdown(trained)
        assert f"Judged on {trained.judged.protocol.judge}" in text
        assert "Leak check: clean" in text
        assert "nan" not in text
        json.dumps(card(trained), allow_nan=False)
        go.Figure(calibration_figure(trained))


def test_the_card_of_a_rule_shows_the_rules_own_tenths(report):
    trained = next(t for t in report.trained if t.candidate.model.kind != "rule" and "lightgbm" in t.judged.contenders)
    rule = trained.judged.named_rule
    kept = dataclasses.replace(trained.candidate, recipe=rule_recipe(rule))
    text = markdown(trained, kept)
    assert f"Tenths of the customers by {rule}, highest" in text
    assert f"Had you used {rule} on" in text
    first = metrics.decile_table(trained.judged.sample.y, trained.judged.p(rule))[0]
    assert f"| 1 | {first.rows:.0f} | {first.mean_predicted:.3f} | {first.observed_rate:.3f} |" in text
    assert "Tenths of the customers by lightgbm, highest" in markdown(trained)


def test_an_unknown_target_lists_those_there_are(trainer):
    with pytest.raises(UsageError, match='no target "churning"') as told:
        trainer.target("churning", AS_OF)
    assert "repurchase" in str(told.value)


@pytest.fixture(scope="module")
def replays(trainer):
    target = trainer.target("repurchase", AS_OF)
    first, until = trainer.reach(target)
    days = [date(2024, 6, 3), date(2024, 3, 1)]
    return backtest(trainer.snapshots, [target], trainer.settings.training, trainer.recipe(), until, first, days, 14)


def test_a_backtest_judges_each_date_by_its_own_protocol(replays):
    [replay] = replays
    document = replay.to_json()
    json.dumps(document, allow_nan=False)
    assert [(c["as_of"], c["protocol"]) for c in document["cutoffs"]] == [
        ("2024-03-01", "short"),
        ("2024-06-03", "full"),
    ]
    assert {"target", "horizon_days", "protocol", "cutoffs", "champion"} <= set(document)
    assert document["pooled"]["as_of"] == ["2024-06-03"]
    model = next(m for m in document["cutoffs"][-1]["models"] if m["name"] == "lightgbm")
    assert {"auc", "average_precision", "lift_at_10", "brier", "log_loss"} <= set(model)
    assert {"calibration_error", "level_error", "shape_error"} <= set(model)
    assert model["intervals"]["auc"]["low"] <= model["auc"] <= model["intervals"]["auc"]["high"]


def test_the_sentence_holds_shares_of_the_top_tenth(replays):
    judged = replays[0].judged[-1]
    y, p = judged.sample.y, judged.p("lightgbm")
    told = sentence(judged, replays[0].target)
    possible = min(1.0, 0.1 * y.size / y.sum())
    assert told.startswith("Had you used lightgbm on 2024-06-03, the top 10 % would have held ")
    assert f"(at most {possible:.0%} was possible); days since last order " in told
    top = np.argsort(-p, kind="stable")[: y.size // 10]
    assert f"held {y[top].sum() / y.sum():.0%} " in told or len(np.unique(p)) < y.size


def test_a_date_whose_window_is_not_over_is_refused(trainer):
    target = trainer.target("repurchase", AS_OF)
    first, until = trainer.reach(target)
    with pytest.raises(NotReadyError, match="not over in the data"):
        backtest(trainer.snapshots, [target], trainer.settings.training, trainer.recipe(), until, first, [until], 14)


def test_slices_are_judged_apart(replays):
    found = judged_json(replays[0].judged[-1], replays[0].target)["slices"]
    assert set(found) <= {"one_order", "active", "no_act"}
    assert found
