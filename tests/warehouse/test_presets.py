"""Files in the shapes that shops and trackers export, loaded by their preset, compared row by row with sums by hand."""

from __future__ import annotations

import json
import tomllib
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from warehouse.errors import DataProblemError
from warehouse.manifest import SourceFile
from warehouse.starting import init_workspace
from warehouse.store import Store
from warehouse.workspace import Workspace

LOADED_AT = datetime(2026, 1, 1)


def loaded(
    folder: Path, preset: str | None, tz: str | None = "UTC", **files: Path
) -> tuple[Store, dict[str, SourceFile]]:
    """The store of a workspace made by the preset, and by table what became of the rows of its file."""
    init_workspace(folder / "w", files, preset=preset, tz=tz)
    store = Store(Workspace.open(folder / "w"))
    report = store.load_new(LOADED_AT)
    sources = dict(report.files)
    assert all(source.balances for source in sources.values())
    return store, sources


def rows(store: Store, table: str, *names: str) -> list[tuple[Any, ...]]:
    """All rows of a table, those of nobody too, sorted."""
    paths = [*(store.bucket(table, k) for k in range(store.buckets)), store.anonymous(table)]
    found = [row for path in paths for row in pq.read_table(path).to_pylist()]
    return sorted((tuple(row[name] for name in names) for row in found), key=str)


def settings(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "w" / "reprise.toml").read_text(encoding="utf-8"))["tables"]


def money(text: str) -> Decimal:
    return Decimal(text).quantize(Decimal("0.0001"))


def micros(day: int, hour: int = 0) -> str:
    return str(int(datetime(2025, 3, day, hour).timestamp() - datetime(1970, 1, 1).timestamp()) * 1_000_000)


def param(key: str, **value: Any) -> dict[str, Any]:
    return {"key": key, "value": value}


def ga4_events() -> list[dict[str, Any]]:
    """Two views, a purchase of three items sent twice, one of nobody signed in, and a refund of a whole order."""

    def event(name: str, day: int, user: str | None, **more: Any) -> dict[str, Any]:
        params = [param("page_location", string_value=f"/{name}"), param("ga_session_id", int_value="77")]
        told = {"event_timestamp": micros(day), "event_name": name, "user_pseudo_id": f"device-{user or 'x'}"}
        # BigQuery leaves out what is NULL.
        return {**told, **({"user_id": user} if user else {}), "event_params": params, **more}

    currency = [param("currency", string_value="EUR")]
    items = [
        {"item_id": "A", "price": "10.00", "quantity": "2"},
        {"item_id": "A", "price": "10.00", "quantity": "2"},
        {"item_id": "(not set)", "price": "3.50"},
    ]
    bought = {"ecommerce": {"transaction_id": "T1"}, "items": items, "event_params": currency}
    other = {"ecommerce": {"transaction_id": "T2"}, "items": items[:1], "event_params": currency}
    refund = {"ecommerce": {"transaction_id": "T1", "refund_value": "43.5"}, "items": [], "event_params": currency}
    return [
        event("page_view", 1, "007"),
        event("view_item", 1, None, items=[{"item_id": "A", "price": "10.00"}]),
        event("purchase", 2, "007", **bought),
        event("purchase", 3, "007", **bought),
        event("purchase", 4, None, **other),
        event("refund", 6, "007", **refund),
    ]


def as_jsonl(path: Path, records: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def as_parquet(path: Path, records: list[dict[str, Any]]) -> Path:
    """As BigQuery writes it: numbers typed, every record with all fields."""
    typed = []
    for record in records:
        items = [
            {
                "item_id": i["item_id"],
                "price": float(i["price"]),
                "quantity": int(i["quantity"]) if "quantity" in i else None,
            }
            for i in record.get("items", [])
        ]
        shop = record.get("ecommerce", {})
        params = [
            param(
                p["key"],
                string_value=p["value"].get("string_value"),
                int_value=int(p["value"].get("int_value", 0)) or None,
            )
            for p in record["event_params"]
        ]
        refund = {"refund_value": float(shop["refund_value"]) if "refund_value" in shop else None}
        typed.append(
            {**record, "event_timestamp": int(record["event_timestamp"]), "user_id": record.get("user_id"),
             "items": items, "event_params": params,
             "ecommerce": {"transaction_id": shop.get("transaction_id"), **refund}}
        )  # fmt: skip
    pq.write_table(pa.Table.from_pylist(typed), path)
    return path


@pytest.mark.parametrize("write", [as_jsonl, as_parquet])
def test_ga4(tmp_path: Path, write: Any) -> None:
    path = write(tmp_path / ("ga4.jsonl" if write is as_jsonl else "ga4.parquet"), ga4_events())
    store, sources = loaded(tmp_path, "ga4", orders=path, events=path)
    orders = sources["orders"]
    # Six records, two of them with three items: 6 + 2 × 2 rows. T1 is there twice, T2 is nobody's, two are views.
    assert (orders.read, orders.accepted, orders.duplicates) == (10, 4, 3)
    assert orders.set_aside == {"guests": 1, "not purchases": 2}
    assert rows(store, "orders", "user_id", "order_id", "item_id", "amount", "kind") == sorted(
        [
            ("007", "T1", "A", money("20"), "sale"),
            ("007", "T1", "A", money("20"), "sale"),
            ("007", "T1", None, money("3.5"), "sale"),
            ("007", "T1", None, money("-43.5"), "return"),
        ],
        key=str,
    )
    assert {when for (when,) in rows(store, "orders", "ordered_at")} == {datetime(2025, 3, 2), datetime(2025, 3, 6)}
    assert sources["events"].accepted == 6
    acts = rows(store, "events", "event", "user_id", "device_id", "item_id")
    assert ("view_item", None, "device-x", "A") in acts
    assert ("page_view", "007", "device-007", None) in acts
    pages = rows(store, "events", "page", "session_id")
    assert ("/page_view", "77") in pages
    # The last row is of 6 March, and rows come up to 72 hours late.
    assert store.observed_until("events") == date(2025, 3, 4)
    assert settings(tmp_path)["orders"]["time_format"] == "epoch_us"


def test_ga4_flattened_to_csv(tmp_path: Path) -> None:
    path = tmp_path / "ga4.csv"
    path.write_text(
        "event_timestamp,event_name,user_id,user_pseudo_id,transaction_id,item_id,price,quantity,currency\n"
        f"{micros(2)},purchase,u1,d1,T1,A,10.00,2,USD\n{micros(2)},purchase,u1,d1,T1,B,5,,USD\n"
        f"{micros(5)},refund,u1,d1,T1,A,10.00,1,USD\n{micros(5)},page_view,u1,d1,,,,,\n"
    )
    store, sources = loaded(tmp_path, "ga4", orders=path)
    assert sources["orders"].set_aside == {"not purchases": 1}
    assert rows(store, "orders", "item_id", "quantity", "amount", "kind") == [
        ("A", -1.0, money("-10"), "return"),
        ("A", 2.0, money("20"), "sale"),
        ("B", 1.0, money("5"), "sale"),
    ]


def segment_calls() -> list[dict[str, Any]]:
    def call(
        kind: str, number: int, event: str | None = None, user: str | None = "u1", **properties: Any
    ) -> dict[str, Any]:
        return {
            "type": kind, "event": event, "userId": user, "anonymousId": f"anon-{user}", "messageId": f"m{number}",
            "timestamp": f"2025-03-0{number}T10:00:00.000Z", "receivedAt": f"2025-03-0{number}T10:00:02.000Z",
            "context": {"page": {"url": "https://shop.example/x"}}, "properties": properties,
        }  # fmt: skip

    products = [
        {"product_id": "A", "price": 30, "quantity": 1},
        {"product_id": "B", "price": 10.00, "quantity": 3},
        {"product_id": "C", "price": 15},
    ]
    order = {
        "order_id": "9",
        "revenue": 70.00,
        "total": 92.5,
        "tax": 12.5,
        "shipping": 10,
        "discount": 5,
        "currency": "EUR",
    }
    return [
        {**call("identify", 1), "properties": None},
        call("page", 1),
        call("track", 2, "Product Viewed", user=None, product_id="A"),
        call("track", 3, "Order Completed", **order, products=products),
        {**call("track", 3, "Order Completed", **order, products=products), "receivedAt": "2025-03-03T11:00:00Z"},
        call("track", 4, "Order Completed", user=None, order_id="10", revenue=5, currency="EUR", products=products[:1]),
        call("track", 5, "Order Refunded", order_id="9", revenue=30, currency="EUR", products=products[:1]),
    ]


def test_segment(tmp_path: Path) -> None:
    path = as_jsonl(tmp_path / "segment.jsonl", segment_calls())
    store, sources = loaded(tmp_path, "segment", orders=path, events=path)
    orders = sources["orders"]
    assert (orders.read, orders.accepted, orders.duplicates) == (11, 4, 3)
    assert orders.set_aside == {"guests": 1, "not orders": 3}
    # revenue 70 over 30 + 30 + 15 = 75: 28, 28 and 14; the discount 5 likewise: 2, 2 and 1.
    assert rows(store, "orders", "item_id", "quantity", "amount", "discount", "kind") == [
        ("A", -1.0, money("-30"), None, "return"),
        ("A", 1.0, money("28"), money("2"), "sale"),
        ("B", 3.0, money("28"), money("2"), "sale"),
        ("C", 1.0, money("14"), money("1"), "sale"),
    ]
    events = sources["events"]
    assert (events.read, events.accepted, events.duplicates, events.set_aside) == (7, 5, 1, {"not acts": 1})
    acts = rows(store, "events", "event", "user_id", "device_id", "item_id")
    assert ("Product Viewed", None, "anon-None", "A") in acts
    assert ("page", "u1", "anon-u1", None) in acts
    assert {page for (page,) in rows(store, "events", "page")} == {"https://shop.example/x"}


SHOPIFY = """Name,Email,Financial Status,Paid at,Currency,Subtotal,Shipping,Taxes,Total,Discount Code,Discount Amount,\
Lineitem quantity,Lineitem name,Lineitem price,Lineitem sku,Refunded Amount,Payment Method,Source
#1001,ann@x.org,paid,2025-03-01 10:00:00 -0500,EUR,45.00,4.90,8.00,57.90,SPRING,5.00,2,Cup,10.00,CUP,0.00,card,web
#1001,ann@x.org,,,,,,,,,,2,Cup,10.00,CUP,,,
#1001,ann@x.org,,,,,,,,,,1,Pot,10.00,,,,
#1002,bob@x.org,pending,,EUR,10.00,0.00,0.00,10.00,,0.00,1,Cup,10.00,CUP,0.00,,web
#1003,cyd@x.org,refunded,2025-03-03 09:00:00 +0100,EUR,60.00,0.00,0.00,60.00,,0.00,1,Cup,10.00,CUP,10.00,card,web
#1003,cyd@x.org,,,,,,,,,,1,Gift Card,50.00,,,,
#1004,,paid,2025-03-04 09:00:00 +0100,EUR,10.00,0.00,0.00,10.00,,0.00,1,Cup,10.00,CUP,0.00,cash,pos
"""


def test_shopify(tmp_path: Path) -> None:
    path = tmp_path / "orders_export.csv"
    path.write_text(SHOPIFY, encoding="utf-8")
    store, sources = loaded(tmp_path, "shopify", tz="Europe/Berlin", orders=path)
    source = sources["orders"]
    assert (source.read, source.accepted, source.duplicates) == (7, 4, 0)
    assert source.set_aside == {"gift cards": 1, "guests": 1, "unpaid": 1}
    # 45 over 20 + 20 + 10: 18, 18 and 9, the discount 2, 2 and 1. Shipping and taxes are no sales.
    assert rows(store, "orders", "order_id", "user_id", "item_id", "amount", "discount", "coupon_id") == [
        ("#1001", "ann@x.org", "CUP", money("18"), money("2"), "SPRING"),
        ("#1001", "ann@x.org", "CUP", money("18"), money("2"), "SPRING"),
        ("#1001", "ann@x.org", "Pot", money("9"), money("1"), "SPRING"),
        ("#1003", "cyd@x.org", "CUP", money("10"), money("0"), None),
    ]
    assert {when for (when,) in rows(store, "orders", "ordered_at")} == {
        datetime(2025, 3, 1, 15),
        datetime(2025, 3, 3, 8),
    }
    assert any(note.startswith("1 rows with Refunded Amount") for note in source.notes)
    assert store.workspace.settings.currency == "EUR"


def test_the_next_export_of_shopify_that_overlaps(tmp_path: Path) -> None:
    """The same line of an order is one, though the order has been refunded since."""
    path = tmp_path / "orders_export_1.csv"
    path.write_text(SHOPIFY, encoding="utf-8")
    store, _ = loaded(tmp_path, "shopify", orders=path)
    later = SHOPIFY.replace("paid,2025-03-01", "refunded,2025-03-01").replace("CUP,0.00,card", "CUP,57.90,card")
    (tmp_path / "orders_export_2.csv").write_text(later, encoding="utf-8")
    toml = tmp_path / "w" / "reprise.toml"
    toml.write_text(toml.read_text(encoding="utf-8").replace("orders_export_1", "orders_export_*"), encoding="utf-8")
    store = Store(Workspace.open(tmp_path / "w"))
    (_, source), = store.load_new(LOADED_AT).files  # fmt: skip
    assert (source.read, source.accepted, source.duplicates) == (7, 0, 4)
    assert source.balances


TAOBAO = '''订单报表,,,,,,,,,
导出时间：2025-04-01 00:00,,,,,,,,,
订单信息,,,,商品信息,,,,金额,
子订单编号,主订单编号,买家会员名,订单付款时间,标题,商家编码,价格,购买数量,买家实际支付金额,退款金额
"=""2501""",="9001",007,2025/3/1 23:30,毛衣,SKU-1,"¥1,299.00",1,"¥1,200.00",¥0.00
"=""2502""",="9001",007,2025/3/1 23:30,袜子,SKU-2,¥10.00,3,¥30.00,¥30.00
"=""2503""",="9002",张三,,毛衣,SKU-1,"¥1,299.00",1,¥0.00,
"=""2504""",="9003",李四,2025/3/3 00:10,邮费补差,,¥5.00,1,¥5.00,
"=""2505""",="9003",李四,2025/3/3 00:10,袜子,SKU-2,¥10.00,1,￥9.90元,
合计,,,,,,,,"¥1,244.90",¥30.00
'''


@pytest.mark.parametrize("encoding", ["gb18030", "gbk"])
def test_taobao(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "订单.csv"
    path.write_bytes(TAOBAO.replace("￥", "¥" if encoding == "gb18030" else "￥").replace("¥", "￥").encode(encoding))
    store, sources = loaded(tmp_path, "taobao", tz=None, orders=path)
    source = sources["orders"]
    assert (source.read, source.accepted, source.rejected, source.duplicates) == (6, 3, 0, 0)
    assert source.set_aside == {"postage": 1, "summary rows": 1, "unpaid": 1}
    assert rows(store, "orders", "user_id", "order_id", "item_id", "quantity", "amount") == sorted(
        [
            ("007", "9001", "SKU-1", 1.0, money("1200")),
            ("007", "9001", "SKU-2", 3.0, money("30")),
            ("李四", "9003", "SKU-2", 1.0, money("9.9")),
        ],
        key=str,
    )
    # Half past eleven at night in China is half past three in the afternoon of UTC.
    assert ("007", datetime(2025, 3, 1, 15, 30)) in rows(store, "orders", "user_id", "ordered_at")
    assert any(note.startswith("1 rows with 退款金额") for note in source.notes)
    said = settings(tmp_path)["orders"]
    assert (said["skip_rows"], said["header_rows"], said["encoding"]) == (2, 2, "gb18030")


def test_youzan_with_merged_cells_and_a_short_row_of_sums(tmp_path: Path) -> None:
    path = tmp_path / "有赞.csv"
    path.write_text(
        "订单号,买家手机号,买家付款时间,商品名称,商品编码,商品单价,商品数量,商品实际成交金额,商品已退款金额\n"
        "E1,13800000001,2025-03-01 10:00:00,茶,T1,20.00,2,38.00,0.00\n"
        ",,,杯,C1,5.00,1,5.00,0.00\n"
        "E2,13800000002,2025-03-02 10:00:00,茶,T1,20.00,1,20.00,20.00\n"
        "总计,63.00\n",
        encoding="utf-8-sig",
    )
    store, sources = loaded(tmp_path, "taobao", tz=None, orders=path)
    assert sources["orders"].set_aside == {"summary rows": 1}
    assert rows(store, "orders", "user_id", "order_id", "item_id", "amount") == [
        ("13800000001", "E1", "C1", money("5")),
        ("13800000001", "E1", "T1", money("38")),
        ("13800000002", "E2", "T1", money("20")),
    ]


def test_generic_is_what_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text('Report of March\n\ncustomer id,order date,amount\n="007",2025-03-01,"$1,200.50"\n')
    store, _ = loaded(tmp_path, "generic", orders=path)
    assert rows(store, "orders", "user_id", "amount") == [("007", money("1200.5"))]
    said = settings(tmp_path)["orders"]
    assert (said["skip_rows"], said["unwrap"], said["money_marks"]) == (2, ['="…"'], ["$…"])


def test_a_column_that_a_policy_names_must_be_there(tmp_path: Path) -> None:
    path = tmp_path / "orders_export.csv"
    path.write_text(SHOPIFY, encoding="utf-8")
    init_workspace(tmp_path / "w", {"orders": path}, preset="shopify", tz="UTC")
    path.write_text(SHOPIFY.replace("Discount Amount", "Rebate"), encoding="utf-8")
    with pytest.raises(DataProblemError) as refused:
        Store(Workspace.open(tmp_path / "w")).load_new(LOADED_AT)
    assert "a column Discount Amount for share_out" in str(refused.value)
