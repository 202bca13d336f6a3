"""A commented settings file from nothing but files, in English and in Chinese."""

from __future__ import annotations

import gzip
import json
import os
from datetime import date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from warehouse.errors import DataProblemError, UsageError
from warehouse.sniffing import ISO, numbers, sniff, time_formats
from warehouse.starting import init_workspace
from warehouse.store import Store
from warehouse.workspace import Workspace

LOADED_AT = datetime(2026, 1, 1)
CHINESE = (
    "订单编号;买家id;付款时间;商品id;数量;单价;实付金额;优惠金额\n"
    "1001;007;2025/6/1 8:26;苹果;2;5.50;10.00;1.00\n"
    "1002;张三;2025/6/2 23:59;梨;1;3.00;3.00;0\n"
)


def test_a_chinese_export_in_gb18030(tmp_path: Path) -> None:
    path = tmp_path / "订单.csv"
    path.write_bytes(CHINESE.encode("gb18030"))
    report = init_workspace(tmp_path / "w", {"orders": path}, tz="Asia/Shanghai")
    workspace = Workspace.open(tmp_path / "w")
    policy = workspace.settings.tables["orders"]
    assert (policy.encoding, policy.separator, policy.time_format) == ("gb18030", ";", None)
    assert policy.columns == {
        "user_id": "买家id",
        "ordered_at": "付款时间",
        "order_id": "订单编号",
        "item_id": "商品id",
        "quantity": "数量",
        "unit_price": "单价",
        "amount": "实付金额",
        "discount": "优惠金额",
    }
    assert policy.files == (os.path.relpath(path, tmp_path / "w"),)
    store = Store(workspace)
    store.load_new(LOADED_AT)
    rows = [row for k in range(store.buckets) for row in pq.read_table(store.bucket("orders", k)).to_pylist()]
    assert {(row["user_id"], row["item_id"], float(row["amount"])) for row in rows} == {
        ("007", "苹果", 10.0),
        ("张三", "梨", 3.0),
    }
    assert store.default_as_of() == date(2025, 6, 3)
    assert report.as_dict()["settings"] == str(tmp_path / "w" / "reprise.toml")


HEADERS = [
    ("orders", "CustomerID,InvoiceDate,InvoiceNo,StockCode,Quantity,UnitPrice", "u,2025-01-01,1,i,1,2",
     {"user_id": "CustomerID", "ordered_at": "InvoiceDate", "order_id": "InvoiceNo", "item_id": "StockCode"}),
    ("orders", "customer_id,order_date,dollar_value,number_of_cds", "u,2025-01-01,1,1",
     {"user_id": "customer_id", "ordered_at": "order_date", "amount": "dollar_value", "quantity": "number_of_cds"}),
    ("orders", "用户id,下单时间,买家实付金额", "u,2025-01-01,1",
     {"user_id": "用户id", "ordered_at": "下单时间", "amount": "买家实付金额"}),
    ("orders", "household_id,transaction_timestamp,basket_id,product_id,sales_value", "u,2025-01-01,1,i,1",
     {"user_id": "household_id", "ordered_at": "transaction_timestamp", "item_id": "product_id"}),
    ("orders", "子订单编号,主订单编号,买家会员名,买家实际支付金额,订单付款时间,购买数量", "1,2,u,3,2025-01-01,1",
     {"user_id": "买家会员名", "ordered_at": "订单付款时间", "amount": "买家实际支付金额", "order_id": "主订单编号"}),
    ("orders", "买家id,付款时间,实付金额（元）", "u,2025-01-01,1", {"amount": "实付金额（元）"}),
    ("orders", "Customer ID,Order Date,Total (EUR)", "u,2025-01-01,1", {"amount": "Total (EUR)"}),
    ("events", "userid,eventDate,eventName", "u,2025-01-01,view",
     {"user_id": "userid", "occurred_at": "eventDate", "event": "eventName"}),
    ("events", "userId,movieId,rating,timestamp,event", "u,1,5,1260759144,rate",
     {"user_id": "userId", "occurred_at": "timestamp", "item_id": "movieId", "rating": "rating"}),
    ("users", "会员id,注册时间,性别,手机号", "u,2025-01-01,f,1",
     {"user_id": "会员id", "registered_at": "注册时间", "gender": "性别"}),
]  # fmt: skip


@pytest.mark.parametrize(("table", "header", "row", "columns"), HEADERS)
def test_headers_people_have(tmp_path: Path, table: str, header: str, row: str, columns: dict[str, str]) -> None:
    path = tmp_path / "x.csv"
    path.write_text(f"{header}\n{row}\n", encoding="utf-8")
    found = sniff(path, table).columns
    assert {ours: found[ours][0] for ours in columns} == columns


TIMES = [
    (["2025-06-01", "2025-06-02T08:00:00Z"], [ISO]),
    (["2025/6/1 8:26"], [ISO]),
    (["13/06/2025 08:26"], ["%d/%m/%Y %H:%M"]),
    (["06/13/2025"], ["%m/%d/%Y"]),
    (["01/02/2025", "03/04/2025"], ["%d/%m/%Y", "%m/%d/%Y"]),
    (["20250601"], ["%Y%m%d"]),
    (["2025年06月01日 08:26:00"], ["%Y年%m月%d日 %H:%M:%S"]),
    (["1306916760"], ["epoch_s"]),
    (["1306916760000"], ["epoch_ms"]),
    (["1306916760000000"], ["epoch_us"]),
    (["soon"], []),
]


@pytest.mark.parametrize(("texts", "formats"), TIMES)
def test_how_times_are_written(texts: list[str], formats: list[str]) -> None:
    assert time_formats(texts) == formats


NUMBERS = [
    (["1", "2.50", "-3"], ["1234.56"]),
    (["1", "2,50"], ["1.234,56"]),
    (["1.203,50", "7"], ["1.234,56"]),
    (["1,203.50", "7"], ["1,234.56"]),
    (["1,203", "7"], ["1,234.56", "1.234,56"]),
    (["$5"], ["1234.56"]),
    ([], ["1234.56"]),
]


@pytest.mark.parametrize(("texts", "forms"), NUMBERS)
def test_how_numbers_are_written(texts: list[str], forms: list[str]) -> None:
    assert numbers(texts) == forms
    assert numbers(texts, decimal_comma_first=True) == forms[::-1]


AMOUNTS = [
    ("1.234,56", ["1.203,50", "7", "0,25", "-1.000.000,5"], [1203.5, 7, 0.25, -1000000.5]),
    ("1,234.56", ["1,203.50", "7", "0.25", "-1,000,000.5"], [1203.5, 7, 0.25, -1000000.5]),
]


@pytest.mark.parametrize(("form", "texts", "amounts"), AMOUNTS)
def test_numbers_are_read_as_they_are_written(
    tmp_path: Path, form: str, texts: list[str], amounts: list[float]
) -> None:
    rows = "".join(f"u{k};{k + 1:02d}.06.2021;{text}\n" for k, text in enumerate(texts))
    path = _orders(tmp_path, f"customer_id;order_date;amount (EUR)\n{rows}")
    report = init_workspace(tmp_path / "w", {"orders": path})
    workspace = Workspace.open(tmp_path / "w")
    assert workspace.settings.tables["orders"].numbers == form
    assert any("separated by ';'" in line for line in report.found)
    store = Store(workspace)
    store.load_new(LOADED_AT)
    kept = [row for k in range(store.buckets) for row in pq.read_table(store.bucket("orders", k)).to_pylist()]
    assert [float(row["amount"]) for row in sorted(kept, key=lambda row: row["user_id"])] == amounts


@pytest.mark.parametrize("wrong", ["12.34,5", "1.5", "1,2,3", "$5"])
def test_a_number_written_otherwise_is_told(tmp_path: Path, wrong: str) -> None:
    path = _orders(tmp_path, f'user_id,ordered_at,amount\na,2021-06-01,"1.203,50"\nb,2021-06-02,"{wrong}"\n')
    (tmp_path / "reprise.toml").write_text(
        f'[tables.orders]\nfiles = ["{path.name}"]\nnumbers = "1.234,56"\nreturns = "sign"\n'
    )
    with pytest.raises(DataProblemError, match="line 3: amount is"):
        Store(Workspace.open(tmp_path)).load_new(LOADED_AT)


ENCODINGS = [
    ("Orléans,Besançon,Málaga", "cp1252", "cp1252"),
    ("买家昵称,上海,苹果", "gb18030", "gb18030"),
    ("¥1,¥2,¥3,¥4,苹果", "gb18030", "gb18030"),
    ("买家昵称,上海,苹果", "utf-8-sig", "utf-8"),
    ("买家昵称,上海,苹果", "utf-16", "utf-16"),
    ("plain", "ascii", "utf-8"),
]


@pytest.mark.parametrize(("names", "written", "found"), ENCODINGS)
def test_encodings(tmp_path: Path, names: str, written: str, found: str) -> None:
    rows = "".join(f"u{k},2021-06-01,1,{name}\n" for k, name in enumerate(names.split(",")))
    (tmp_path / "x.csv").write_bytes(f"user_id,ordered_at,amount,city\n{rows}".encode(written))
    assert sniff(tmp_path / "x.csv", "orders").encoding == found


def test_the_same_rows_in_every_kind_of_file(tmp_path: Path) -> None:
    lines = [("u1", "2021-06-01", "1.5"), ("007", "2021-06-02", "2.5")]
    named = [dict(zip(("user_id", "order_date", "amount"), line, strict=True)) for line in lines]
    text = "user_id,order_date,amount\n" + "".join(",".join(line) + "\n" for line in lines)
    (tmp_path / "a.csv").write_text(text)
    (tmp_path / "b.tsv").write_text(text.replace(",", "\t"))
    (tmp_path / "c.csv").write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    (tmp_path / "d.csv.gz").write_bytes(gzip.compress(text.encode()))
    (tmp_path / "e.jsonl").write_text("".join(json.dumps(row) + "\n" for row in named))
    pq.write_table(pa.Table.from_pylist(named), tmp_path / "f.parquet")
    found = set()
    for path in sorted(tmp_path.glob("?.*")):
        init_workspace(tmp_path / path.stem / "w", {"orders": path})
        store = Store(Workspace.open(tmp_path / path.stem / "w"))
        store.load_new(LOADED_AT)
        rows = [row for k in range(store.buckets) for row in pq.read_table(store.bucket("orders", k)).to_pylist()]
        found.add(tuple(sorted((row["user_id"], str(row["ordered_at"]), float(row["amount"])) for row in rows)))
    assert found == {(("007", "2021-06-02 00:00:00", 2.5), ("u1", "2021-06-01 00:00:00", 1.5))}


def test_a_header_alone_and_nothing_at_all(tmp_path: Path) -> None:
    for text in ("user_id,ordered_at,amount\n", ""):
        with pytest.raises(DataProblemError, match=r"0 rows in orders\.csv"):
            init_workspace(tmp_path / "w", {"orders": _orders(tmp_path, text)})


def _orders(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "orders.csv"
    path.write_text(text)
    return path


def test_what_is_unclear_is_asked(tmp_path: Path) -> None:
    path = _orders(tmp_path, "customer_id,member_id,date,amount\na,b,01/02/2025,1\n")
    asked = []

    def ask(question: str, candidates: list[str]) -> str:
        asked.append((question, candidates))
        return candidates[-1]

    report = init_workspace(tmp_path / "w", {"orders": path}, ask=ask)
    assert [candidates for _, candidates in asked][1:] == [["customer_id", "member_id"], ["%d/%m/%Y", "%m/%d/%Y"]]
    policy = Workspace.open(tmp_path / "w").settings.tables["orders"]
    assert policy.columns["user_id"] == "member_id"
    assert policy.time_format == "%m/%d/%Y"
    assert Workspace.open(tmp_path / "w").settings.time_zone == "America/New_York"
    assert not any("time zone" in line or "user_id" in line for line in report.assumed)


def test_without_a_person_the_first_is_taken_and_said(tmp_path: Path) -> None:
    path = _orders(tmp_path, "customer_id,member_id,date,amount\na,b,01/02/2025,1\n")
    report = init_workspace(tmp_path / "w", {"orders": path})
    text = (tmp_path / "w" / "reprise.toml").read_text(encoding="utf-8")
    for said in (
        "time zone UTC",
        "orders.user_id is customer_id (it might be member_id)",
        "times in orders.csv are written %d/%m/%Y (it might be %m/%d/%Y)",
        "rows equal in all columns are dropped",
    ):
        assert any(said in line for line in report.assumed), said
        assert f"# assumed: {next(line for line in report.assumed if said in line)}" in text


def test_said_by_hand_is_not_asked(tmp_path: Path) -> None:
    path = _orders(tmp_path, "master_id,sample_id,date,dollar_value\n1,2,1997-01-01,3.5\n1,2,1997-01-01,3.5\n")
    init_workspace(tmp_path / "w", {"orders": path}, mapping={"user_id": "master_id"}, duplicates="keep", tz="UTC")
    store = Store(Workspace.open(tmp_path / "w"))
    source = store.load_new(LOADED_AT).files[0][1]
    assert (source.accepted, source.duplicates, source.duplicates_kept) == (2, 0, 1)


def test_an_existing_settings_file_is_never_overwritten(tmp_path: Path) -> None:
    path = _orders(tmp_path, "user_id,date,amount\na,2025-01-01,1\n")
    (tmp_path / "reprise.toml").write_text("# mine\n")
    with pytest.raises(UsageError, match="exists already"):
        init_workspace(tmp_path, {"orders": path})
    assert (tmp_path / "reprise.toml").read_text() == "# mine\n"


def test_what_cannot_be_a_workspace(tmp_path: Path) -> None:
    path = _orders(tmp_path, "user_id,date,amount\na,2025-01-01,1\n")
    with pytest.raises(UsageError, match="orders, events or labels"):
        init_workspace(tmp_path / "a", {"users": path})
    with pytest.raises(UsageError, match="no preset"):
        init_workspace(tmp_path / "a", {"orders": path}, preset="offline-retail")
    with pytest.raises(UsageError, match='no table has a column "usr_id"'):
        init_workspace(tmp_path / "a", {"orders": path}, mapping={"usr_id": "user_id"})
    with pytest.raises(UsageError, match='no file has a column "buyer"'):
        init_workspace(tmp_path / "a", {"orders": path}, mapping={"user_id": "buyer"})
    with pytest.raises(UsageError, match="no time zone"):
        init_workspace(tmp_path / "a", {"orders": path}, tz="Mars/Olympus")
    path.write_text("user_id,amount\na,1\n")
    with pytest.raises(DataProblemError, match="expected a column for ordered_at"):
        init_workspace(tmp_path / "a", {"orders": path})
    assert not (tmp_path / "a" / "reprise.toml").exists()


def test_policies_given_by_the_caller(tmp_path: Path) -> None:
    path = _orders(tmp_path, "user_id,date,amount,sku\na,2025-01-01,1,POSTAGE\na,2025-01-01,1,x\n")
    init_workspace(tmp_path / "w", {"orders": path}, currency="CNY", policies={"orders": {"non_products": "^POSTAGE$"}})
    workspace = Workspace.open(tmp_path / "w")
    assert (workspace.settings.currency, workspace.settings.tables["orders"].non_products) == ("CNY", "^POSTAGE$")
    assert Store(workspace).load_new(LOADED_AT).files[0][1].set_aside == {"non-products": 1}


def test_events_only(tmp_path: Path) -> None:
    path = tmp_path / "events.parquet"
    pq.write_table(
        pa.table(
            {"userid": ["a"], "eventDate": pa.array([datetime(2016, 5, 1)], pa.timestamp("us")), "eventName": ["x"]}
        ),
        path,
    )
    init_workspace(tmp_path / "w", {"events": path})
    settings = Workspace.open(tmp_path / "w").settings
    assert settings.activity.acts == "events"
    assert set(settings.audiences) == {"new_customers", "leaving"}
