"""Offers given out by a release: who may not be contacted gets none, habits are told apart, each offer has its list."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.outcomes import interactions
from features.source import FramesSource
from models import recommenders
from models.recommenders.interactions import Interactions
from models.recommenders.purchase_probability import Pairs
from models.recommenders.takers import Takers
from pipeline import offering
from pipeline.offering import Asked, Given, Terms, give_out, read_terms
from serving.customers import attributes
from serving.publication import publish
from serving.release import Release, open_release, write_release
from serving.schemas import DUE_ITEMS
from tests.serving.conftest import AS_OF, SETTINGS, make_contents, make_shop, stored
from warehouse.errors import DataProblemError, NotReadyError, UsageError
from warehouse.progress import silent
from warehouse.workspace import Workspace

NOW = datetime(2026, 1, 1)


class Known:
    """A probability by the customer's place and the item's: eighty customers are too few to learn one."""

    horizon_days = 30

    def of(self, asked: Pairs) -> np.ndarray:
        return 0.01 + ((asked.user_rows * 7 + asked.item_rows * 5) % 13) / 20


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    shop = make_shop()
    held = Interactions.from_table(interactions(FramesSource(stored(shop), time_zone=SETTINGS.time_zone), AS_OF), AS_OF)
    model = recommenders.create("gp_topfreq").fit(held)
    folder = tmp_path_factory.mktemp("offers")
    (folder / "reprise.toml").write_text('time_zone = "UTC"\n', encoding="utf-8")
    contents = replace(make_contents(shop), release="r1", recommender=("gp_topfreq-1", model.arrays()))
    write_release(folder / "releases" / "r1", contents)
    publish(folder / "releases", "r1")
    return Workspace.open(folder)


@pytest.fixture
def opened(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Release:
    """The release with probabilities, and item1 due for its first buyers."""
    release = open_release(workspace.releases / "r1", canary=False)
    held = release.takers.held
    object.__setattr__(release, "takers", Takers(held, Known()))  # type: ignore[arg-type]
    buyers = held.user_ids.take(pa.array(np.flatnonzero(held.matrix("order_days")[:, 1].toarray().ravel())))
    item = held.item_ids[1].as_py()
    due = [
        {"entity_id": who, "item_id": item, "last_bought_on": AS_OF - timedelta(days=30), "gap_days": 31.0,
         "due_date": AS_OF + timedelta(days=1), "overdue_gaps": 0.0, "status": "due"}
        for who in buyers.to_pylist()[:5]
    ]  # fmt: skip
    tables = {**release.tables, "due_items": pa.Table.from_pylist(due, DUE_ITEMS)}
    object.__setattr__(release, "tables", tables)
    monkeypatch.setattr(offering, "current", lambda _: release)
    monkeypatch.setattr(offering, "load", lambda *_: None)
    return release


def given(workspace: Workspace, opened: Release, name: str, **more: object) -> Given:
    items = ("item0", "item1", "item2")
    terms = (Terms(items[0], 4), Terms(items[1], 5, 3, 2.0), Terms(items[2], 2))
    asked = Asked(name, terms, **more)  # type: ignore[arg-type]
    return give_out(workspace, asked, NOW, silent, replace=False, raw=False)


def test_everybody_gets_one_and_nobody_who_must_not(workspace: Workspace, opened: Release) -> None:
    found = given(workspace, opened, "spring")
    lists = [pq.read_table(report.folder / "audience.parquet") for _, _, report in found.lists]
    users = [user for each in lists for user in each["user_id"].to_pylist()]
    people = attributes(opened)
    assert people is not None
    barred = {row["entity_id"] for row in people.to_pylist() if row["blocked"] or row["consent_profiling"] is False}
    assert barred
    assert len(users) == len(set(users)) == 11
    assert not barred & set(users)
    assert [each.num_rows for each in lists] == [4, 5, 2]
    told = found.payload()
    assert (told["gap"], told["customers_given"]) == (0.0, 11)
    assert lists[1].column_names[:6] == ["user_id", "arm", "item_id", "probability", "worth", "buyer"]
    assert lists[1]["worth"].to_pylist() == pytest.approx([2 * p for p in lists[1]["probability"].to_pylist()])
    manifest = json.loads((found.lists[1][2].folder / "manifest.json").read_text(encoding="utf-8"))
    assert (manifest["declared"]["offer"]["at_most"], manifest["declared"]["salt"]) == (5, "spring")
    assert [len(row) for row in found.rows()] == [len(offering.COLUMNS)] * 3
    assert given(workspace, opened, "spring").lists[0][2].state == "unchanged"


def test_habits_are_told_and_left_out(workspace: Workspace, opened: Release) -> None:
    with_them = given(workspace, opened, "habits")
    assert with_them.payload()["offers"][1]["habit"] > 0
    without = given(workspace, opened, "no-habits", without_habits=True).payload()
    assert [each["habit"] for each in without["offers"]] == [0, 0, 0]
    least = given(workspace, opened, "weighed", habit_weight=0.0).payload()
    assert least["offers"][1]["habit"] <= with_them.payload()["offers"][1]["habit"]


def test_what_cannot_be_is_told_by_name(workspace: Workspace, opened: Release) -> None:
    item = opened.takers.held.item_ids[0].as_py()

    def asked(*terms: Terms) -> None:
        give_out(workspace, Asked("never", terms), NOW, silent, replace=False, raw=False)

    with pytest.raises(UsageError, match=f"{item} at least 5,000, short by"):
        asked(Terms(item, 9000, 5000))
    with pytest.raises(UsageError, match="at_least is above at_most"):
        asked(Terms(item, 1, 2))
    with pytest.raises(UsageError, match="offered twice"):
        asked(Terms(item, 1), Terms(item, 2))
    with pytest.raises(UsageError, match="Nobody has bought nothing-like-it"):
        asked(Terms("nothing-like-it", 1))
    object.__setattr__(opened, "takers", Takers(opened.takers.held, None))
    with pytest.raises(NotReadyError, match="fewer than two past windows"):
        asked(Terms(item, 1))


def test_a_file_of_offers(tmp_path: Path) -> None:
    path = tmp_path / "offers.csv"
    path.write_text("item_id,at_most,at_least,value\n007,5,,2.5\nb,6,1,\n", encoding="utf-8")
    assert read_terms(path) == (Terms("007", 5, 0, 2.5), Terms("b", 6, 1, 1.0))
    path.write_text("item_id,at_most,value\n,many,-1\n", encoding="utf-8")
    with pytest.raises(DataProblemError) as told:
        read_terms(path)
    assert [(each.line, each.column) for each in told.value.problems] == [(2, "item_id"), (2, "at_most"), (2, "value")]
    path.write_text("item,n\na,1\n", encoding="utf-8")
    with pytest.raises(DataProblemError, match="no column item_id and no at_most"):
        read_terms(path)
