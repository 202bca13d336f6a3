"""The real files of the field, loaded by preset or plain, against an independent recount in pandas."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from warehouse.starting import init_workspace
from warehouse.store import Store
from warehouse.workspace import Workspace

DATA = Path(__file__).parents[3] / "shared" / "data"
ONLINE_RETAIL = DATA / "online_retail" / "online_retail_to_2011-09-09.parquet"
CDNOW = DATA / "cdnow" / "cdnow_sample.parquet"
GAMELAUNCH = DATA / "gamelaunch_events" / "gamelaunch.parquet"
LOADED_AT = datetime(2026, 1, 1)


def _needs(path: Path) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not path.exists(), reason=f"needs the shared data file {path.name}")


def _frame(store: Store, table: str, columns: list[str]) -> pd.DataFrame:
    paths = [store.bucket(table, k) for k in range(store.buckets)]
    return pd.concat([pq.read_table(path, columns=columns).to_pandas() for path in paths], ignore_index=True)


@_needs(ONLINE_RETAIL)
def test_online_retail_by_its_preset(tmp_path: Path) -> None:
    report = init_workspace(tmp_path, {"orders": ONLINE_RETAIL}, preset="online-retail")
    assert report.assumed == []
    store = Store(Workspace.open(tmp_path))
    source = store.load_new(LOADED_AT).files[0][1]

    lines = pd.read_parquet(ONLINE_RETAIL)
    guests = lines["CustomerID"].isna()
    known = lines[~guests]
    fees = known["StockCode"].isin(
        ["POST", "DOT", "C2", "M", "m", "D", "S", "B", "BANK CHARGES", "AMAZONFEE", "CRUK", "PADS"]
    )
    no_products = fees | known["StockCode"].str.startswith("gift_")
    adjusted = known["InvoiceNo"].str.startswith("A")
    products = known[~adjusted & ~no_products]
    priced = products[products["UnitPrice"] > 0]
    distinct = priced.drop_duplicates()
    assert source.read == len(lines) == 334_054
    assert source.set_aside == {
        "guests": int(guests.sum()),
        "non-products": int((~adjusted & no_products).sum()),
        "unpriced": len(products) - len(priced),
    }
    assert source.duplicates == len(priced) - len(distinct)
    assert (source.accepted, source.rejected) == (len(distinct), 0)

    stored = _frame(store, "orders", ["entity_id", "ordered_at", "local_at", "quantity", "amount", "kind"])
    assert len(stored) == len(distinct)
    amounts = (distinct["Quantity"] * distinct["UnitPrice"]).round(4)
    assert float(stored["amount"].sum()) == pytest.approx(amounts.sum(), abs=0.01)
    returns = distinct["InvoiceNo"].str.startswith("C") | (distinct["Quantity"] < 0)
    assert int((stored["kind"] == "return").sum()) == int(returns.sum())
    assert int((stored["quantity"] < 0).sum()) == int((distinct["Quantity"] < 0).sum())
    assert stored["entity_id"].nunique() == distinct["CustomerID"].nunique() == store.manifest("orders").entities
    assert sorted(stored["local_at"]) == sorted(distinct["InvoiceDate"])
    utc = distinct["InvoiceDate"].dt.tz_localize("Europe/London").dt.tz_convert("UTC").dt.tz_localize(None)
    assert sorted(stored["ordered_at"]) == sorted(utc)
    assert store.manifest("orders").first_day == date(2010, 12, 1)
    assert store.default_as_of() == date(2011, 9, 10)


@_needs(ONLINE_RETAIL)
def test_online_retail_customers_before_the_cut_are_those_of_its_notes(tmp_path: Path) -> None:
    init_workspace(tmp_path, {"orders": ONLINE_RETAIL}, preset="online-retail")
    store = Store(Workspace.open(tmp_path))
    store.load_new(LOADED_AT)
    stored = _frame(store, "orders", ["entity_id", "local_at", "amount"])
    sales = stored[(stored["amount"] > 0) & (stored["local_at"] < "2011-06-11")]
    assert abs(sales["entity_id"].nunique() - 2811) <= 15, "the notes count customers before non-products are set aside"


@_needs(CDNOW)
def test_cdnow_plain(tmp_path: Path) -> None:
    init_workspace(tmp_path, {"orders": CDNOW}, mapping={"user_id": "master_id"}, duplicates="keep")
    store = Store(Workspace.open(tmp_path))
    source = store.load_new(LOADED_AT).files[0][1]
    lines = pd.read_parquet(CDNOW)
    assert (source.read, source.accepted, source.duplicates_kept) == (6919, 6919, int(lines.duplicated().sum()))
    stored = _frame(store, "orders", ["entity_id", "amount", "quantity"])
    assert stored["entity_id"].nunique() == 2357
    assert int((stored["amount"] == 0).sum()) == 8
    assert float(stored["amount"].sum()) == pytest.approx(lines["dollar_value"].sum(), abs=0.001)
    assert store.manifest("orders").columns == ("user_id", "ordered_at", "quantity", "amount")
    assert store.default_as_of() == date(1998, 7, 1)


@_needs(GAMELAUNCH)
def test_game_launches_plain(tmp_path: Path) -> None:
    init_workspace(tmp_path, {"events": GAMELAUNCH})
    store = Store(Workspace.open(tmp_path))
    store.load_new(LOADED_AT)
    manifest = store.manifest("events")
    assert (manifest.rows, manifest.entities, manifest.first_day) == (29324, 3994, date(2016, 4, 27))
    assert store.default_as_of() == date(2016, 5, 28)
