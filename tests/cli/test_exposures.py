"""The loop closed: suggestions of a release are shown, posted, loaded, and told by source and model."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from cli.main import call
from features.shown import learnt_from
from features.source import StoreSource
from pipeline.lists import current
from serving import answers, exposures
from serving.wire import ExposuresRequest
from warehouse.store import Store
from warehouse.workspace import Workspace

PEOPLE = {"ann": "tea cup", "bob": "tea cup", "cyd": "tea", "dan": "cup pot", "eve": "pot tea"}
SALES = [f"{user},2024-05-{4 + n:02} 12:00,{item},5" for n, user in enumerate(PEOPLE) for item in PEOPLE[user].split()]
LATER = ["cyd,2024-06-21 12:00,cup,5", "zoe,2024-06-25 12:00,pot,9"]


def said(capfd: pytest.CaptureFixture[str], *arguments: str) -> Any:
    capfd.readouterr()
    assert call([*arguments, "--json"]) == 0
    return json.loads(capfd.readouterr().out)


def test_what_was_shown_comes_back_by_source_and_model(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    orders = tmp_path / "orders.csv"
    orders.write_text("\n".join(["user_id,ordered_at,item_id,amount", *SALES, *LATER]) + "\n")
    shop = str(tmp_path / "shop")
    said(capfd, "init", shop, "--orders", str(orders), "--tz", "UTC", "--yes")
    said(capfd, "-w", shop, "run", "--as-of", "2024-06-15")
    workspace = Workspace.open(shop)
    release = current(workspace)
    rows = [
        {"suggestion_id": item["suggestion_id"], "user_id": user, "item_id": item["item_id"],
         "shown_at": "2024-06-20T10:00:00Z", "position": item["rank"]}
        for user in (*PEOPLE, "a stranger")
        for item in answers.user_suggestions(release, user, 3, ())["items"]
    ]  # fmt: skip
    rows[0]["clicked_at"] = "2024-06-20T10:01:00Z"
    rows.append({**rows[0], "suggestion_id": "made up", "shown_at": "2024-06-20T12:00:00Z"})
    kept = exposures.keep(release, Path(shop), ExposuresRequest.model_validate({"exposures": rows}))
    assert kept["kept"] == len(rows) == 19

    told = said(capfd, "-w", shop, "exposures", "--as-of", "2024-06-26", "--days", "3", "--against", "popularity")
    found = {(each["by"], each["value"]): each for each in told["rates"]}
    assert found["all", None]["clicks"]["n"] == 19
    assert found["all", None]["purchases"] | {"low": 0, "high": 0, "by_user": 0} == {
        "hits": 1, "n": 19, "share": 1 / 19, "low": 0, "high": 0, "by_user": 0,
    }  # fmt: skip
    assert found["model", release.recommender]["clicks"]["n"] == 18
    assert found["model", "unknown"]["clicks"]["n"] == 1
    assert found["source", "popular_or_basket"]["clicks"]["n"] == 3
    assert found["position", 1]["clicks"]["hits"] == 2 - 1
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
