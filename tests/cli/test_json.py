"""Every verb under --json: one JSON value on stdout and nothing else, and the exit code that was promised."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from cli.main import COMMANDS, call
from models.value import BuyTillYouDie
from pipeline import worth
from pipeline.lists import current
from warehouse.workspace import Workspace


def said(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any]:
    """The exit code and the JSON on stdout, which must be all there is."""
    capfd.readouterr()
    code = call([*arguments, "--json"])
    told = capfd.readouterr()
    return code, json.loads(told.out)


def test_the_whole_way_in_json(shop: str, place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    def asked(*arguments: str) -> Any:
        code, told = said(capfd, *arguments, "-w", shop)
        assert code == 0, (arguments, told)
        return told

    made = said(capfd, "init", str(place / "another"), "--orders", str(place / "orders.csv"))[1]
    assert made["assumed"]
    assert asked("check")
    run = asked("run")
    assert run["already_done"]
    assert run["users"] > 300
    assert "contract, 30 days" in [each["what"] for each in run["absent"]]
    assert asked("doctor")[0].keys() >= {"state", "what", "found"}
    grown = asked("growth", "--grain", "month", "--split", "order_count_lifetime >= 2")
    assert grown["periods"][-1].keys() >= {"period", "complete", "ever_seen", "groups", "bases", "rates", "flows"}
    assert len(grown["split"]["yes"]) == len(grown["split"]["no"]) == len(grown["periods"])
    assert asked("features", "list")[0].keys() >= {"name", "en", "zh"}
    out = str(place / "features.parquet")
    assert asked("features", "build", "--out", out)["out"] == out
    assert asked("score")["release"]
    listed = asked("models", "list")
    serving = next(each for each in listed if each["champion"])
    assert asked("models", "show", serving["version"])["text"]
    assert asked("models", "promote", serving["version"], "--reason", "a test")["version"] == serving["version"]
    assert {entry["by"] for entry in asked("models", "history")} == {"gate"}
    assert asked("compare", serving["version"], serving["version"])["changed"]["settings"] == {}
    assert asked("train", "repurchase")
    [replay] = asked(
        "backtest",
        "repurchase",
        "--horizon",
        "30",
        "--as-of",
        str(date.fromisoformat(run["as_of"]) - timedelta(days=31)),
    )
    assert replay.keys() >= {"target", "horizon_days", "protocol", "cutoffs", "champion"}
    [money] = asked("backtest", "value", "--as-of", str(date.fromisoformat(run["as_of"]) - timedelta(days=31)))
    assert money.keys() == replay.keys()
    assert money["cutoffs"][0].keys() >= {"as_of", "n", "models", "differences", "deciles", "sentence", "stability"}
    for what in ("scores", "suggestions", "features"):
        written = asked("export", what, "--out", str(place / f"{what}.csv"))
        assert json.loads(Path(written["manifest"]).read_text(encoding="utf-8"))["sha256"] == written["sha256"]
    user = (place / "scores.csv").read_text(encoding="utf-8").splitlines()[1].split(",")[0].strip('"').lstrip("'")
    known, unknown = asked("explain", user), asked("explain", "nobody-knows-me")
    assert (known["known"], known["note"], unknown["known"]) == (True, None, False)
    assert {(t["target"], t["horizon_days"]) for t in unknown["targets"]} == {
        (t["target"], t["horizon_days"]) for t in known["targets"]
    }
    assert all(t["probability"] > 0 and t["state"] == "unknown user" and not t["reasons"] for t in unknown["targets"])
    assert call(["-w", shop, "explain", "nobody-knows-me"]) == 0
    assert "nobody-knows-me" in capfd.readouterr().out.splitlines()[0]
    assert not asked("recommend", "nobody-knows-me", "-k", "2")["known"]
    offered = asked("recommend", user, "-k", "2")["items"]
    assert 0 < offered[0]["probability"] < 1
    completing = asked("recommend", "--with", offered[0]["item_id"], "-k", "2")
    assert len(completing["items"]) == 2
    assert offered[0]["item_id"] not in [each["item_id"] for each in completing["items"]]
    matched = asked("match", "--item", offered[0]["item_id"], "-n", "1000")
    assert (matched["known"], matched["horizon_days"]) == (True, 30)
    assert user in [each["user_id"] for each in matched["users"]]
    listed = asked("match", "--item", offered[0]["item_id"], "--rule", "order_count_lifetime >= 2", "-n", "3",
                   "--out", str(place / "who.csv"))  # fmt: skip
    assert (listed["rows"], listed["rule"]) == (3, "order_count_lifetime >= 2")
    given = asked("audience", "offers", "spring", "--item", offered[0]["item_id"], "-n", "20")
    assert given["gap"] == 0
    assert given["offers"][0]["treatment"] + given["offers"][0]["control"] == given["offers"][0]["given"] <= 20
    cycles = asked("cycles", "--top", "1000")
    assert (cycles["by"], cycles["things"]) == ("item", len(cycles["cycles"]))
    assert asked("cycles", "--item", cycles["cycles"][0]["thing"])["cycles"][0]["curve"]
    assert asked("cycles", "--next", "--within", "14")["pairs_tried"] >= 0
    together = asked("bundles", "--top", "3", "--out", str(place / "bundles.csv"))
    assert together["found_in"]["pairs_tried"]["tried"] > 0
    assert together["out"]["rows"] >= len(together["pairs"])
    stages = asked("funnel", "--out", str(place / "stages.csv"))
    assert [step["step"] for step in stages["steps"]] == ["acquired", "retained"]
    assert stages["out"]["rows"] == stages["steps"][0]["users"]
    paid = asked("funnel", "acquired", "order", "--by", "rfm_type")
    assert sum(group["steps"][0]["users"] for group in paid["groups"]) == paid["steps"][0]["users"]
    due = asked("cycles", "due", "--status", "all")
    listed = asked("cycles", "due", "--status", "all", "--out", str(place / "due.csv"))
    assert listed["rows"] == due["rows"] == len(due["items"]) > 0
    head, *_ = csv.reader((place / "due.csv").read_text(encoding="utf-8-sig").splitlines())
    assert head[:2] == ["user_id", "item_id"]
    assert asked("audience", "build", "due", "--rule", "due_item_count >= 1 or most_overdue_gaps > 0")["counts"]
    assert asked("audience", "build", "some", "--rule", "order_count_lifetime >= 1")["counts"]["matched"] > 0
    assert asked("audience", "build", "best", "--rule", 'rfm_type = "重要价值"')["counts"]["matched"] > 0


def test_segments_in_json(shop: str, place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, told = said(capfd, "segments", "--only", "rfm_type", "-w", shop)
    assert code == 0
    (types,) = told["segments"]
    assert sum(group["users"] for group in types["groups"]) > 300
    code, special = said(capfd, "segments", "differences", 'rfm_type = "重要价值"', "-w", shop)
    assert (code, special["inside"]) == (0, types["groups"][0]["users"])
    assert special["found"] > 10
    code, again = said(
        capfd, "segments", "differences", 'rfm_type = "重要价值"', "-w", shop, "--as-of", told["as_of"],
        "--family", "money",
    )  # fmt: skip
    assert (code, again["inside"]) == (0, special["inside"])
    assert 0 < again["comparisons"] < special["comparisons"]
    code, moves = said(capfd, "segments", "transitions", "-w", shop)
    assert code == 0
    assert sum(row["n"] for row in moves["from"]) > 100
    out = place / "lapsed.csv"
    code, lapsed = said(
        capfd, "segments", "winback", "-w", shop, "--rule", "days_since_last_order > 30", "--out", str(out)
    )
    assert (code, lapsed["out"]["rows"]) == (0, lapsed["lapsed"])
    assert lapsed["agreement"]["both"]["users"] + lapsed["agreement"]["only_plain"]["users"] > 0


def test_levels_in_json(shop: str, place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, told = said(capfd, "levels", "--out", str(place / "levels.csv"), "-w", shop)
    assert (code, told["out"]["rows"]) == (0, told["customers"])
    customers = {row["level"]: row["customers"] for row in told["levels"]}
    assert min(customers.values()) > 0
    # of the release rules find the same, and the profile of a customer what they reached when
    code, built = said(capfd, "audience", "build", "golden", "--rule", 'level = "gold"', "-w", shop)
    assert (code, built["counts"]["matched"]) == (0, customers["gold"])
    row = next(csv.DictReader((place / "levels.csv").read_text(encoding="utf-8-sig").splitlines()))
    code, one = said(capfd, "levels", "--user", row["user_id"], "-w", shop)
    assert (code, one["level"], one["changes"][-1]["to"] if one["changes"] else "member") == (0, *[row["level"]] * 2)
    code, staged = said(capfd, "stages", "--out", str(place / "stages.csv"), "-w", shop)
    assert (code, sum(row["customers"] for row in staged["stages"])) == (0, staged["out"]["rows"])
    code, built = said(capfd, "audience", "build", "second", "--rule", 'value_stage = "复购"', "-w", shop)
    repurchase = next(row["customers"] for row in staged["stages"] if row["stage"] == "repurchase")
    assert (code, built["counts"]["matched"]) == (0, repurchase)
    code, found = said(capfd, "clusters", "--out", str(place / "clusters.csv"), "-w", shop)
    assert (code, sum(row["customers"] for row in found["clusters"])) == (0, found["out"]["rows"])
    code, other = said(capfd, "levels", "--preset", "content", "-w", shop)
    assert (code, other["levels"][0]["level"]) == (0, "reader")


def test_a_promotion_is_written_down_with_or_without_a_reason(shop: str, capfd: pytest.CaptureFixture[str]) -> None:
    serving = next(each for each in said(capfd, "models", "list", "-w", shop)[1] if each["champion"])
    folder = Path(shop, "models", f"{serving['target']}_{serving['horizon_days']}d")
    for name, reason, kept in (("one", [], "promoted by hand"), ("two", ["--reason", "a test"], "a test")):
        shutil.copytree(folder / serving["version"], folder / name)
        code, entry = said(capfd, "models", "promote", name, *reason, "-w", shop)
        assert (code, entry["version"], entry["reason"]) == (0, name, kept)
        assert entry["who"]
        assert entry["at"].startswith("20")
    for before in ("one", serving["version"]):
        code, entry = said(capfd, "models", "rollback", serving["target"], "-w", shop)
        assert (code, entry["version"], entry["reason"]) == (0, before, "rolled back by hand")


ERRORS = [
    (["nonsense"], 2),
    (["run", "--nonsense"], 2),
    (["export", "scores"], 2),
    (["check", "-w", "nowhere"], 2),
    (["run", "-w", "typo"], 2),
    (["run", "-w", "empty", "--as-of", "soon"], 2),
    (["serve", "-w", "nowhere"], 2),
    (["doctor", "-w", "typo"], 2),
    (["init", "new", "--orders", "absent.csv"], 3),
    (["init", "new", "--users", "wrong.csv"], 2),
    (["check", "-w", "wrong"], 3),
    (["run", "-w", "wrong"], 3),
    (["features", "build", "-w", "wrong"], 3),
    (["train", "-w", "wrong"], 3),
    (["score", "-w", "wrong"], 3),
    (["backtest", "repurchase", "-w", "wrong"], 3),
    (["recommend", "somebody", "-w", "empty"], 4),
    (["recommend", "-w", "empty"], 2),
    (["match", "--item", "x", "-w", "empty"], 4),
    (["exposures", "-w", "empty"], 4),
    (["exposures", "-w", "shop-workspace"], 4),
    (["match", "-w", "shop-workspace"], 2),
    (["match", "--item", "x", "--brand", "y", "-w", "shop-workspace"], 2),
    (["match", "--attribute", "colour=red", "-w", "shop-workspace"], 2),
    (["bundles", "-w", "empty"], 4),
    (["audience", "offers", "some", "-w", "shop-workspace"], 2),
    (["audience", "offers", "some", "--item", "nothing", "-n", "3", "-w", "shop-workspace"], 2),
    (["audience", "offers", "some", "--item", "nothing", "-n", "3", "-w", "empty"], 4),
    (["audience", "offers", "some", "--offers", "orders.csv", "-w", "shop-workspace"], 3),
    (["bundles", "--item", "nothing", "-w", "shop-workspace"], 2),
    (["bundles", "--judge-days", "5000", "-w", "shop-workspace"], 2),
    (["funnel", "-w", "empty"], 4),
    (["paths", "-w", "shop-workspace"], 4),
    (["behaviours", "-w", "shop-workspace"], 4),
    (["paths", "--by", "day", "-w", "shop-workspace"], 2),
    (["paths", "--convert", "seller", "-w", "shop-workspace"], 4),
    (["funnel", "nothing", "-w", "shop-workspace"], 2),
    (["funnel", "order", "orders", "-w", "shop-workspace"], 2),
    (["funnel", "event:view", "order", "-w", "shop-workspace"], 4),
    (["explain", "somebody", "-w", "empty"], 4),
    (["explain", "somebody", "-w", "empty", "--language", "fr"], 2),
    (["export", "scores", "--out", "x.csv", "-w", "empty"], 4),
    (["audience", "build", "some", "--rule", "order_count_lifetime >= 1", "-w", "empty"], 4),
    (["models", "show", "nothing", "-w", "empty"], 4),
    (["serve", "-w", "empty"], 4),
    (["growth", "-w", "empty"], 4),
    (["growth", "--split", "order_count >>", "-w", "shop-workspace"], 2),
    (["growth", "--split", "nothing_like_it > 1", "-w", "shop-workspace"], 2),
    (["erase", "nobody", "--reason", "asked", "-w", "empty"], 3),
    (["erase", "--reason", "asked", "-w", "shop-workspace"], 2),
    (["models", "show", "nothing", "-w", "shop-workspace"], 2),
    (["models", "rollback", "nothing", "-w", "shop-workspace"], 2),
    (["models", "rollback", "churn", "--horizon", "31", "-w", "shop-workspace"], 2),
    (["models", "rollback", "second_order", "-w", "shop-workspace"], 4),
    (["models", "rollback", "repurchase", "-w", "empty"], 4),
    (["models", "promote", "nothing", "-w", "shop-workspace"], 2),
    (["audience", "build", "some", "--rule", "order_count >>", "-w", "shop-workspace"], 2),
    (["audience", "build", "nobody", "-w", "shop-workspace"], 2),
    (["export", "scores", "--out", "scores.xls", "-w", "shop-workspace"], 2),
    (["export", "scores", "--out", "orders.csv/scores.csv", "-w", "shop-workspace"], 1),
    (["run", "--as-of", "1990-01-01", "-w", "shop-workspace"], 3),
    (["backtest", "nothing", "-w", "shop-workspace"], 2),
    (["levels", "-w", "empty"], 4),
    (["stages", "-w", "empty"], 4),
    (["clusters", "-w", "empty"], 4),
    (["clusters", "--feature", "rfm_type", "-w", "shop-workspace"], 2),
    (["stages", "--grain", "year", "-w", "shop-workspace"], 2),
    (["levels", "--preset", "nothing", "-w", "shop-workspace"], 2),
    (["levels", "--user", "nobody", "-w", "shop-workspace"], 2),
    (["segments", "--only", "nothing", "-w", "shop-workspace"], 2),
    (["segments", "--language", "fr", "-w", "shop-workspace"], 2),
    (["segments", "differences", "rfm_type = 1", "-w", "shop-workspace"], 2),
    (["segments", "differences", "everyone", "-w", "shop-workspace"], 4),
    (["segments", "differences", "rfm_type is known", "--family", "x", "-w", "shop-workspace"], 2),
    (["segments", "differences", "rfm_type is known", "-w", "empty"], 4),
    (["segments", "transitions", "--from", "2035-01-01", "-w", "shop-workspace"], 2),
    (["segments", "winback", "-w", "empty"], 4),
    (["segments", "winback", "--rule", "not everyone", "-w", "shop-workspace"], 4),
    (["tune", "nothing", "-w", "shop-workspace"], 2),
    (["compare", "one", "other", "-w", "shop-workspace"], 2),
    (["train", "repurchase", "--set", "leaves=3", "-w", "shop-workspace"], 2),
    (["benchmark", "recommend", "--train", "orders.csv"], 2),
    (["benchmark", "recommend", "--train", "absent.csv", "--test", "absent.csv"], 3),
    (["models", "promote", "-w", "shop-workspace"], 2),
    (["models", "promote", "--run", "0" * 32, "-w", "shop-workspace"], 2),
]


@pytest.mark.parametrize(("arguments", "code"), ERRORS, ids=[" ".join(arguments) for arguments, _ in ERRORS])
@pytest.mark.usefixtures("shop")
def test_errors_are_json_with_their_exit_code(
    arguments: list[str], code: int, place: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place)
    found, told = said(capfd, *arguments)
    assert (found, list(told), told["error"].keys() >= {"message", "hint", "problems"}) == (code, ["error"], True)


def test_every_verb_is_walked() -> None:
    """But the demo, which is these verbs one after another and takes half a minute."""
    text = Path(__file__).read_text(encoding="utf-8")
    assert [noun for noun in COMMANDS if f'"{noun}", ' not in text and f'asked("{noun}")' not in text] == ["demo"]


def test_one_customers_value_is_answered_from_the_release(shop: str, capfd: pytest.CaptureFixture[str]) -> None:
    release = current(Workspace.open(Path(shop)))
    _, all_of_them = said(capfd, "value", "--top", "1", "-w", shop)
    user = all_of_them["most"][0]["user_id"]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(BuyTillYouDie, "fit", lambda known: pytest.fail("fitted again"))
        code, told = said(capfd, "value", "--user", user, "-w", shop)
        kept = worth._fitted(release)
    assert (code, told["user_id"]) == (0, user)
    cards = {**release.cards, "value": {k: v for k, v in release.cards["value"].items() if k != "fit"}}
    assert worth._fitted(replace(release, cards=cards)) == kept


def test_pictures_in_json(shop: str, place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, told = said(capfd, "report", "--out", str(place / "report.html"), "-w", shop)
    assert (code, len(told["sections"]) > 8) == (0, True)
    code, told = said(capfd, "profile", "--out", str(place / "p.csv"), "-w", shop)
    assert (code, told["rows"] > 100) == (0, True)
    code, told = said(capfd, "value", "--top", "3", "-w", shop)
    assert (code, len(told["most"]), told["horizon_days"]) == (0, 3, 30)
    assert sum(row["customers"] for row in told["deciles"]) == told["told_of"]
    code, told = said(capfd, "value", "--user", told["most"][0]["user_id"], "-w", shop)
    assert (code, told["interval"]["low"] <= told["predicted_clv"] <= told["interval"]["high"]) == (0, True)
    days = told["order_days_interval"]
    assert 0 <= days["low"] <= days["high"]
    assert 0.8 < days["level"] <= 1
    code, told = said(capfd, "plan-target", "50%", "--from", "2026-09", "--to", "2026-12", "-w", shop)
    assert (code, told["remaining"][-1]) == (0, "2026-12")
