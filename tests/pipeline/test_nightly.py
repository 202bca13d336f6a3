"""The nightly run on a small made-up shop: what it publishes, that it can be repeated, refused and rolled forward."""

import csv
import json
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from pipeline import champions, demo, journal, lists, nightly, releasing
from pipeline.doctor import examine
from serving import publication
from serving.answers import user_suggestions
from serving.customers import attributes
from serving.publication import current_release, history
from tests.pipeline.conftest import QUICK
from warehouse.errors import DataProblemError, UsageError
from warehouse.shop import make_shop
from warehouse.starting import init_workspace
from warehouse.workspace import Workspace

LOADED = datetime(2026, 11, 1)
AS_OF = date(2026, 8, 20)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    root = tmp_path_factory.mktemp("nightly")
    shop = make_shop(root / "shop", users=400, seed=5, days=170)
    init_workspace(root / "w", files={"orders": shop.files["orders"], "users": shop.files["users"]}, tz=shop.time_zone)
    settings = root / "w" / "reprise.toml"
    settings.write_text(settings.read_text(encoding="utf-8") + QUICK, encoding="utf-8")
    return Workspace.open(root / "w")


@pytest.fixture(scope="module")
def first(workspace: Workspace) -> nightly.RunReport:
    return nightly.run(workspace, AS_OF, loaded_at=LOADED)


def test_everybody_is_scored_and_offered_something(workspace: Workspace, first: nightly.RunReport) -> None:
    folder = workspace.releases / first.release
    scores = pq.read_table(folder / "scores.parquet")
    users = set(scores["user_id"].to_pylist())
    assert len(users) == first.users > 300
    assert set(pq.read_table(folder / "suggestions.parquet")["user_id"].to_pylist()) == users
    assert current_release(workspace.releases) == first.release


def test_churn_is_one_minus_repurchase_where_both_are_asked(workspace: Workspace, first: nightly.RunReport) -> None:
    wide = lists.wide_scores(pq.read_table(workspace.releases / first.release / "scores.parquet")).to_pylist()
    both = [row for row in wide if row["churn_probability"] is not None]
    assert both
    assert all(abs(row["churn_probability"] + row["repurchase_probability"] - 1) < 1e-12 for row in both)
    silent = [row for row in wide if row["churn_probability"] is None and row["repurchase_probability"] is not None]
    assert {row["churn_state"] for row in silent} == {"already inactive"}


def test_a_second_run_changes_nothing(workspace: Workspace, first: nightly.RunReport) -> None:
    before = sorted(path.name for path in workspace.releases.iterdir())
    again = nightly.run(workspace, AS_OF, loaded_at=LOADED)
    assert again.already_done
    assert (again.release, again.users, again.absent) == (first.release, first.users, first.absent)
    assert sorted(path.name for path in workspace.releases.iterdir()) == before


def test_what_a_killed_run_left_makes_room(workspace: Workspace, first: nightly.RunReport) -> None:
    """A release that was written but not published when its run was killed: the run again takes its name."""
    written, day = [], date(2026, 8, 21)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(releasing, "publish", lambda releases, name: written.append(name) or killed())
        with pytest.raises(KeyboardInterrupt):
            nightly.run(workspace, day, loaded_at=LOADED)
    assert (workspace.releases / written[0] / "manifest.json").is_file()
    assert current_release(workspace.releases) == first.release
    left = [workspace.root, workspace.runs, workspace.models, workspace.models / "repurchase_30d", workspace.releases]
    for folder in left:
        (folder / ".writing-0123456789ab-x").write_text("half")
    again = nightly.run(workspace, day, loaded_at=LOADED)
    assert again.release == written[0] == current_release(workspace.releases)
    assert not list(workspace.root.rglob(".writing-*"))
    told = nightly.run(workspace, AS_OF, loaded_at=LOADED)
    assert told.already_done
    assert told.closing_lines()[0].endswith(f"is there, and {again.release} serves; nothing was changed")


@pytest.mark.parametrize("step", ["note", "swap"])
def test_a_release_whose_run_was_killed_before_it_was_noted_is_not_made_twice(
    workspace: Workspace, first: nightly.RunReport, step: str
) -> None:
    """Killed between publication and journal, or between the history of publications and its pointer."""
    day = {"note": date(2026, 8, 22), "swap": date(2026, 8, 23)}[step]
    with pytest.MonkeyPatch.context() as patched:
        if step == "note":
            patched.setattr(journal, "note", lambda *told: killed())
        else:
            patched.setattr(publication, "swap_pointer", lambda *told: killed())
        with pytest.raises(KeyboardInterrupt):
            nightly.run(workspace, day, loaded_at=LOADED)
    folders = sorted(path.name for path in workspace.releases.iterdir())
    told: list[str] = []
    again = nightly.run(workspace, day, loaded_at=LOADED, tell=told.append)
    assert sorted(path.name for path in workspace.releases.iterdir()) == folders
    assert again.already_done
    assert again.release == current_release(workspace.releases) == history(workspace.releases)[-1]["release"]
    assert again.release.startswith(f"{day:%Y%m%d}-")
    assert any("a run was killed after it had published it" in line for line in told)
    entry = journal.finished(workspace, day)
    assert entry is not None
    assert entry.release == again.release


def killed() -> None:
    raise KeyboardInterrupt


def test_other_settings_for_a_published_date_are_refused(workspace: Workspace, first: nightly.RunReport) -> None:
    changed = workspace.settings.model_copy(
        update={"training": workspace.settings.training.model_copy(update={"rounds": 15})}
    )
    with pytest.raises(UsageError, match=first.release):
        nightly.run(Workspace(workspace.root, changed), AS_OF, loaded_at=LOADED)
    with pytest.raises(UsageError, match=r"training\.rounds was 10, now 15"):
        nightly.run(Workspace(workspace.root, changed), AS_OF, loaded_at=LOADED, retrain=True)


def test_training_waits_until_it_is_due_and_predictions_come_due(
    workspace: Workspace, first: nightly.RunReport, tracked: None
) -> None:
    told: list[str] = []
    soon = nightly.run(workspace, date(2026, 8, 24), loaded_at=LOADED, tell=told.append)
    assert any("not due" in line for line in told)
    assert soon.trained == []
    late = nightly.run(workspace, date(2026, 9, 25), loaded_at=LOADED)
    assert late.trained
    assert len(late.told) == 3
    repurchase = next(r for r in late.realised if r.target == "repurchase")
    assert repurchase.as_of == date(2026, 8, 24)
    assert 0 < repurchase.realised < 1


def test_a_cutoff_before_the_data_is_a_data_problem(workspace: Workspace) -> None:
    with pytest.raises(DataProblemError, match="first row"):
        nightly.run(workspace, date(2020, 1, 1), loaded_at=LOADED)


def test_a_cutoff_in_the_future_is_refused(workspace: Workspace, first: nightly.RunReport) -> None:
    before = current_release(workspace.releases)
    with pytest.raises(UsageError, match="2030-01-01 lies in the future"):
        nightly.run(workspace, date(2030, 1, 1), loaded_at=LOADED)
    assert current_release(workspace.releases) == before


def test_training_an_unknown_target_lists_those_there_are(workspace: Workspace, first: nightly.RunReport) -> None:
    with pytest.raises(UsageError, match="nonsense"):
        nightly.train_now(workspace, "nonsense", AS_OF, LOADED, lambda *a: None, lambda line: None)


def scores(workspace: Workspace, release: str) -> list[dict[str, object]]:
    """Scores as they were published, but for the name of the release."""
    return pq.read_table(workspace.releases / release / "scores.parquet").drop_columns(["release"]).to_pylist()


def test_a_rollback_gives_the_earlier_scores_back_and_says_who_and_why(
    workspace: Workspace, first: nightly.RunReport, tracked: None
) -> None:
    """F14: a later version is promoted and scores otherwise; rolled back, the scores are to the bit what they were."""

    def scored() -> str:
        return nightly.score_now(workspace, AS_OF, LOADED, lambda *a: None, lambda line: None).release

    def serving() -> dict[int, str]:
        found = [v for v in champions.versions(workspace) if v["champion"] and v["target"] == "second_order"]
        return {v["horizon_days"]: v["version"] for v in found}

    was, before = serving(), scores(workspace, scored())
    nightly.train_now(workspace, "second_order", date(2026, 9, 20), LOADED, lambda *a: None, lambda line: None)
    later = serving()
    horizon = next(h for h in was if was[h] != later[h])
    assert {row["model_version"] for row in scores(workspace, scored())} >= {later[horizon]}
    for changed in (h for h in was if was[h] != later[h]):
        champions.rollback(workspace, "second_order", changed, "the trial is over")
    assert serving() == was
    assert scores(workspace, scored()) == before
    champions.promote(workspace, later[horizon], "once more")
    champions.rollback(workspace, "second_order", horizon, "not after all")
    history = champions.card(workspace, was[horizon])["history"]
    assert [(h["action"], h["version"], h["reason"]) for h in history[-3:]] == [
        ("rollback", was[horizon], "the trial is over"),
        ("promote", later[horizon], "once more"),
        ("rollback", was[horizon], "not after all"),
    ]
    assert all(h["who"] and h["at"].endswith("Z") for h in history)


def test_exports_recommendations_and_reasons_come_from_the_release(
    workspace: Workspace, first: nightly.RunReport, tmp_path: Path
) -> None:
    for what in ("scores", "suggestions", "features"):
        report = lists.export(workspace, what, tmp_path / f"{what}.csv", wide=what != "features", raw=False)
        assert report["rows"] > 0
    user = str(pq.read_table(workspace.releases / first.release / "scores.parquet")["user_id"][0])
    assert len(lists.recommend(workspace, user, 5)["items"]) == 5
    assert lists.recommend(workspace, "nobody", 5)["items"]
    names = set(pq.read_schema(workspace.releases / first.release / "features.parquet").names)
    for language in ("en", "zh"):
        told = lists.explain(workspace, user, language)
        assert told["text"]
        assert not names & set(" ".join(told["text"]).replace(":", " ").split())


def test_who_refused_profiling_is_offered_what_is_popular(workspace: Workspace, first: nightly.RunReport) -> None:
    release = lists.current(workspace)
    people = attributes(release)
    assert people is not None
    said = dict(zip(*(people[name].to_pylist() for name in ("entity_id", "consent_profiling")), strict=True))
    shown: dict[str, set[str]] = {}
    for row in pq.read_table(release.directory / "suggestions.parquet").to_pylist():
        shown.setdefault(row["user_id"], set()).add(row["source"])
    refused = [user for user in shown if said.get(user) is False]
    assert len(refused) > 3
    assert {source for user in refused for source in shown[user]} == {"popular"}
    told = user_suggestions(release, refused[0], 20, ())["items"]
    assert len(told) == 20
    assert {item["source"] for item in told} == {"popular"}
    assert {source for user in shown.keys() - set(refused) for source in shown[user]} > {"popular"}


def test_the_demo_shows_nobody_who_refused_profiling(workspace: Workspace, first: nightly.RunReport) -> None:
    release = lists.current(workspace)
    shown = demo._visitor(release)
    users = release.tables["users"]
    place = users.column_names.index("consent_profiling")
    said = pc.if_else(pc.equal(users["entity_id"], shown), False, users["consent_profiling"])
    refusing = users.set_column(place, "consent_profiling", said)
    other = demo._visitor(replace(release, tables={**release.tables, "users": refusing}))
    assert other != shown


def test_a_named_audience_is_built_and_written(workspace: Workspace, first: nightly.RunReport) -> None:
    built = lists.build_audience_now(workspace, "top_of_the_pyramid", None, None, False, LOADED, lambda *a: None)
    folder = built.report.folder
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["counts"]["left"] == pq.read_table(folder / "audience.parquet").num_rows > 0
    with pytest.raises(UsageError, match="no audience"):
        lists.build_audience_now(workspace, "nobody_named_this", None, None, False, LOADED, lambda *a: None)


def test_the_doctor_finds_this_workspace_well(workspace: Workspace, first: nightly.RunReport) -> None:
    findings = examine(workspace, datetime.now(UTC).replace(tzinfo=None))
    assert {f.what for f in findings} >= {"disk", "store", "release", "tracking"}
    assert [f for f in findings if f.state == "broken"] == []


def test_the_doctor_finds_a_damaged_release(workspace: Workspace, first: nightly.RunReport) -> None:
    name = current_release(workspace.releases)
    assert name is not None
    path = workspace.releases / name / "scores.parquet"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + b"x")
    try:
        assert any(f.what == "release" and f.state == "broken" for f in examine(workspace, LOADED))
    finally:
        path.write_bytes(whole)


def test_who_opted_out_since_the_run_is_left_out(workspace: Workspace, first: nightly.RunReport) -> None:
    def built() -> set[str]:
        found = lists.build_audience_now(
            workspace, "everyone", "order_count_lifetime >= 1", None, False, LOADED, lambda *a: None
        )
        return set(pq.read_table(found.report.folder / "audience.parquet")["user_id"].to_pylist())

    before = built()
    with (workspace.root.parent / "shop" / "users.csv").open(encoding="utf-8-sig", newline="") as file:
        people = list(csv.DictReader(file))
    gone = next(row for row in people if row["user_id"] in before)
    with (workspace.root.parent / "shop" / "users.csv").open("a", encoding="utf-8", newline="") as file:
        csv.DictWriter(file, list(gone)).writerow({**gone, "blocked": "true", "recorded_at": "2026-10-30 10:00:00"})
    assert built() == before - {gone["user_id"]}


def test_a_release_that_was_damaged_is_made_anew(workspace: Workspace) -> None:
    day, told = date(2026, 9, 26), list[str]()  # training is not due
    made = nightly.run(workspace, day, loaded_at=LOADED)
    with (workspace.releases / made.release / "scores.parquet").open("ab") as file:
        file.write(b"more")
    again = nightly.run(workspace, day, loaded_at=LOADED, tell=told.append)
    assert any("is damaged. It is made anew." in line for line in told)
    assert not again.already_done
    assert again.release == current_release(workspace.releases) != made.release
    assert nightly.run(workspace, day, loaded_at=LOADED).already_done
