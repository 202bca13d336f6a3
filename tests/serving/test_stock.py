"""The stock file: what is not in it is offered by no answer, from the next second on, until it is back."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from serving import answers, metrics
from serving.holder import Holder
from serving.lookups import create_app
from serving.stock import read_stock
from warehouse.errors import DataProblemError

TOML = 'time_zone = "Europe/London"\ncurrency = "GBP"\n[tables.orders]\nfiles = ["orders.csv"]\n'
NOW = datetime.now(UTC).replace(tzinfo=None)


@pytest.fixture
def holder(releases: Path, tmp_path: Path) -> Holder:
    shutil.copytree(releases, tmp_path / "releases")
    (tmp_path / "reprise.toml").write_text(TOML + '[serving]\nstock_file = "stock.csv"\n')
    held = Holder(tmp_path / "releases", canary=False)
    held.refresh()
    return held


def _write(holder: Holder, text: str, ago: timedelta = timedelta(0)) -> None:
    path = holder.releases.parent / "stock.csv"
    path.write_text(text)
    os.utime(path, ns=(at := int((datetime.now(UTC) - ago).timestamp() * 1e9), at))
    holder.restock(NOW)


def _answers(client: Any, bought: str) -> dict[str, set[str]]:
    """What each kind of answer offers."""
    asked = {
        "own": "/v1/users/007/suggestions?k=100",
        "nobody's": "/v1/users/nobody-knows/suggestions?k=100",
        "after": f"/v1/users/007/suggestions?k=100&context_items={bought}",
        "basket": f"/v1/suggestions?k=100&context_items={bought}",
        "similar": f"/v1/items/{bought}/similar?k=100",
    }
    return {name: {each["item_id"] for each in client.get(path).json()["items"]} for name, path in asked.items()}


def test_what_is_not_in_stock_is_in_no_answer_until_it_is_back(holder: Holder, asking: Callable[..., Any]) -> None:
    client = asking(create_app(holder))
    known = sorted(holder.release.items - holder.release.not_for_sale)
    bought = next(item for item in known if answers.similar_items(holder.release, item, 1)["items"])
    before = _answers(client, bought)
    assert all(before.values()), "each kind of answer offers something, or nothing is shown here"
    gone = {max(items - {bought}) for items in before.values()}
    kept = holder.release.baskets
    _write(holder, "item_id\n" + "\n".join(sorted({*known} - gone)))
    after = _answers(client, bought)
    assert not any(items & gone for items in after.values())
    assert all(after[name] for name in ("own", "nobody's"))
    assert holder.release.baskets is kept, "what was read of the release is not read again"
    assert client.get("/v1/release").json()["stock"]["items_out"] == len(holder._opened.items) - len({*known} - gone)  # type: ignore[union-attr]
    _write(holder, "item_id,quantity\n" + "\n".join(f"{item},3" for item in sorted(holder.release.items)))
    assert _answers(client, bought) == before


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        ("", "stock.csv is no such table, or a quantity is no number."),
        ("sku\nA\n", "stock.csv has no column item_id."),
        ("item_id,quantity\nA,many\n", "stock.csv is no such table, or a quantity is no number."),
        ("item_id,quantity\nA,0\nB,\n", "stock.csv says that nothing is in stock."),
    ],
)
def test_a_file_that_cannot_be_believed_changes_nothing(
    holder: Holder, asking: Callable[..., Any], broken: str, why: str
) -> None:
    item = sorted(holder.release.items)[0]
    _write(holder, f"item_id\n{item}\n")
    served, refused = holder.release.not_for_sale, metrics.events("stock_refused")
    _write(holder, broken, timedelta(minutes=1))
    holder.restock(NOW)
    assert holder.release.not_for_sale == served
    assert item not in served
    told = asking(create_app(holder)).get("/v1/release").json()["stock"]
    assert told["changed_at"]
    assert told["why"] == why
    assert metrics.events("stock_refused") == refused + 1, "it is read once, not every second"


def test_an_old_file_counts_for_nothing(holder: Holder, asking: Callable[..., Any]) -> None:
    _write(holder, "item_id\nnothing-we-know\n", timedelta(hours=25))
    assert holder.stock == {"changed_at": None, "items_out": 0, "why": "stock.csv is older than 24 hours."}
    assert asking(create_app(holder)).get("/v1/users/007/suggestions").json()["items"]


def test_without_the_setting_there_is_no_stock(holder: Holder, asking: Callable[..., Any]) -> None:
    _write(holder, "item_id\nnothing-we-know\n")
    client = asking(create_app(holder))
    assert client.get("/v1/users/nobody/suggestions").json()["reason"]
    (holder.releases.parent / "reprise.toml").write_text(TOML)
    holder.restock(NOW)
    assert client.get("/v1/release").json()["stock"] is None
    assert client.get("/v1/users/nobody/suggestions").json()["items"]


def test_files_of_both_kinds(tmp_path: Path) -> None:
    table = pa.table({"item_id": ["007", "8", None], "quantity": [1.5, -1, 9]})
    pq.write_table(table, tmp_path / "stock.parquet")
    assert read_stock(tmp_path / "stock.parquet").items == {"007"}
    (tmp_path / "stock.csv").write_text("\ufeffitem_id,name,quantity\n007,x,1\n7,y,0\n007,z,0\n")
    assert read_stock(tmp_path / "stock.csv").items == {"007"}
    with pytest.raises(DataProblemError, match="cannot be read"):
        read_stock(tmp_path / "none.csv")
