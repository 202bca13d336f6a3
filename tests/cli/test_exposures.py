"""The loop closed: suggestions of a release are shown, posted, loaded, and told by source and model."""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from cli.main import call
from features.shown import learnt_from
from features.source import StoreSource
from pipeline.suggestions import suggest_all
from serving.fallbacks import suggestion_id
from serving.schemas import SUGGESTIONS
from warehouse import posted
from warehouse.progress import silent
from warehouse.store import Store
from warehouse.streamed import write_parquet
from warehouse.workspace import Workspace

PEOPLE = {"ann": "tea cup", "bob": "tea cup", "cyd": "tea", "dan": "cup pot", "eve": "pot tea"}
SALES = [f"{user},2024-05-{4 + n:02} 12:00,{item},5" for n, user in enumerate(PEOPLE) for item in PEOPLE[user].split()]
LATER = ["cyd,2024-06-21 12:00,cup,5", "zoe,2024-06-25 12:00,pot,9"]


def said(capfd: pytest.CaptureFixture[str], *arguments: str) -> Any:
    capfd.readouterr()
    assert call([*arguments, "--json"]) == 0
    return json.loads(capfd.readouterr().out)


def published(workspace: Workspace) -> pa.Table:
    """The suggestions of a release "r1" as of 2024-06-15, and nothing else of it."""
    store = Store(workspace)
    store.load_new(datetime(2024, 7, 1))
    workspace.models.mkdir()
    (workspace.models / "recommend.json").write_text('{"name": "gp_topfreq", "absent": null}')
    source = StoreSource.counted_as_set(store)
    users = pa.chunked_array([sorted(PEOPLE)])
    made = suggest_all(workspace, source, date(2024, 6, 15), "r1", users, silent).suggestions
    assert made is not None
    (workspace.releases / "r1").mkdir(parents=True)
    write_parquet(made, workspace.releases / "r1" / "suggestions.parquet", SUGGESTIONS)
    return made.held()


def test_what_was_shown_comes_back_by_source_and_model(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    orders = tmp_path / "orders.csv"
    orders.write_text("\n".join(["user_id,ordered_at,item_id,amount", *SALES, *LATER]) + "\n")
    shop = str(tmp_path / "shop")
    said(capfd, "init", shop, "--orders", str(orders), "--tz", "UTC", "--yes")
    workspace = Workspace.open(shop)
    lists = published(workspace)
    rows = [
        (row["suggestion_id"], row["user_id"], row["item_id"], "2024-06-20T10:00:00Z", str(row["rank"]), "")
        for row in lists.to_pylist()
    ]
    own = len(rows)
    rows[0] = (*rows[0][:5], "2024-06-20T10:01:00Z")
    popular = (suggestion_id("r1", "a stranger", "tea"), "a stranger", "tea", "2024-06-20T10:00:00Z", "1", "")
    posted.append(workspace.root, [*rows, popular, ("made up", *rows[0][1:3], "2024-06-20T12:00:00Z", "1", "")])

    told = said(capfd, "-w", shop, "exposures", "--as-of", "2024-06-26", "--days", "3", "--against", "popularity")
    found = {(each["by"], each["value"]): each for each in told["rates"]}
    assert (found["all", None]["clicks"]["hits"], found["all", None]["clicks"]["n"]) == (1, own + 2)
    assert (found["all", None]["purchases"]["hits"], found["all", None]["purchases"]["n"]) == (1, own + 2)
    assert found["model", "gp_topfreq-20240615"]["clicks"]["n"] == own + 1
    assert found["model", "unknown"]["clicks"]["n"] == 1
    assert found["source", "popular_or_basket"]["clicks"]["n"] == 1
    assert found["source", "personal"]["purchases"]["hits"] == 0
    assert found["source", "popular"]["purchases"]["hits"] == 1
    assert found["position", 1]["clicks"]["hits"] == 1
    assert told["position_bias"]["known"] is False
    assert told["against"]["popularity"]["refused"].startswith("how often each place")
    echo = told["learnt_from_shown"]
    assert {name: echo[name] for name in ("followed", "sales_since", "sales", "learnt")} == {
        "followed": 1, "sales_since": 2, "sales": 11, "learnt": True,
    }  # fmt: skip

    # What followed being shown can be left out of what is learnt from.
    source = StoreSource(Store(workspace))
    assert learnt_from(source, date(2024, 6, 26), 0).num_rows == 11
    assert learnt_from(source, date(2024, 6, 26), 7).num_rows == 10
    assert call(["-w", shop, "exposures", "--as-of", "2024-06-19"]) == 4
    assert "Post what was shown" in capfd.readouterr().err
