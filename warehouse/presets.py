"""Known shapes of files: what their columns mean and by which stated policies their dirt is handled.

A preset only proposes: `reprise init` writes what fits the file into `reprise.toml`, and the door reads by that alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from warehouse.errors import UsageError

Columns = Mapping[str, "str | tuple[str, ...]"]
"""Ours = theirs; of several theirs the first that the file has."""


@dataclass(frozen=True)
class Preset:
    """A known file: zone, currency, and by table the columns (ours = theirs) and policies; each with its reason.

    Zone and currency are None where the shape does not say them. Names of columns in policies may be several, of which
    the first that the file has is meant; policies about columns it has not are left out.
    """

    name: str
    time_zone: str | None
    currency: str | None
    columns: Mapping[str, Columns]
    policies: dict[str, dict[str, Any]] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)


ONLINE_RETAIL = Preset(
    "online-retail",
    "Europe/London",
    "GBP",
    {
        "orders": {
            "user_id": "CustomerID",
            "ordered_at": "InvoiceDate",
            "order_id": "InvoiceNo",
            "item_id": "StockCode",
            "quantity": "Quantity",
            "unit_price": "UnitPrice",
        }
    },
    {
        "orders": {
            "guests": "set_aside",
            "non_orders": "^A",
            "non_products": "^(POST|DOT|C2|M|m|D|S|B|BANK CHARGES|AMAZONFEE|CRUK|PADS|gift_.*)$",
            "unpriced": "set_aside",
            "duplicates": "drop",
            "returns": "order_prefix",
            "return_prefix": "C",
        }
    },
    {
        "guests": "About a quarter of the lines have no customer; they are counted, not kept.",
        "non_orders": "Invoices that begin with A adjust bad debts.",
        "non_products": "Postage, carriage, manual lines, discounts, samples, fees, charity, vouchers.",
        "unpriced": "Lines without a price are write-offs and corrections of stock.",
        "duplicates": "Lines equal in all columns to an earlier one were entered twice.",
        "returns": "Invoices that begin with C are cancellations; so is any negative quantity.",
    },
)
GENERIC = Preset("generic", None, None, {})

_GA4_ORDER = ("ecommerce.transaction_id", "transaction_id", "event_params.transaction_id")
_GA4_ITEM, _GA4_QUANTITY = ("items.item_id", "item_id"), ("items.quantity", "quantity", "item_quantity")
_GA4_PRICE = ("items.price", "price", "item_price")
GA4 = Preset(
    "ga4",
    None,
    None,
    {
        "orders": {
            "user_id": "user_id",
            "ordered_at": "event_timestamp",
            "order_id": _GA4_ORDER,
            "item_id": _GA4_ITEM,
            "quantity": _GA4_QUANTITY,
            "unit_price": _GA4_PRICE,
            "coupon_id": ("items.coupon", "event_params.coupon", "coupon"),
            "kind": "event_name",
            "currency": ("event_params.currency", "currency"),
        },
        "events": {
            "occurred_at": "event_timestamp",
            "event": "event_name",
            "user_id": "user_id",
            "device_id": "user_pseudo_id",
            "item_id": _GA4_ITEM,
            "page": ("event_params.page_location", "page_location"),
            "session_id": ("event_params.ga_session_id", "ga_session_id"),
            "campaign_id": ("event_params.campaign", "campaign"),
        },
    },
    {
        "orders": {
            "time_format": "epoch_us",
            "late_hours": 72,
            "flatten": ["ecommerce", "event_params"],
            "explode": "items",
            "if_empty": {_GA4_PRICE: "ecommerce.refund_value"},
            "values": {
                "event_name": {"purchase": "sale", "refund": "return"},
                _GA4_QUANTITY: {"": "1"},
                _GA4_ITEM: {"(not set)": ""},
                _GA4_ORDER: {"(not set)": ""},
            },
            "set_aside": {"not purchases": {"column": "event_name", "fits_not": "^(sale|return)$"}},
            "duplicates_by": [_GA4_ORDER, "items.position", "event_name"],
            "returns": "kind",
        },
        "events": {
            "time_format": "epoch_us",
            "late_hours": 72,
            "flatten": ["event_params", "items"],
            "values": {_GA4_ITEM: {"(not set)": ""}},
        },
    },
    {
        "time_format": "event_timestamp counts microseconds of UTC.",
        "late_hours": "Rows come up to 72 hours late: the last three days are not taken for whole.",
        "flatten": "Records and lists of key and value become columns such as event_params.page_location.",
        "explode": "A purchase has its items in a list: each is an order line, numbered in items.position.",
        "if_empty": "A refund of a whole order names no items: it is one line with the value refunded.",
        "values": "An item without a quantity is one; (not set) is nothing.",
        "set_aside": "The export holds every event; orders are purchases and refunds.",
        "duplicates_by": "A page of thanks opened again sends its purchase again, under the same transaction.",
        "guests": "Purchases of browsers nobody signed in on (no user_id); user_pseudo_id is a device, not a person.",
    },
)

_SEGMENT_PRODUCTS = ("properties.products", "products")
_SEGMENT_QUANTITY = ("properties.products.quantity", "products.quantity")
_SEGMENT_REVENUE, _SEGMENT_DISCOUNT = ("properties.revenue", "revenue"), ("properties.discount", "discount")
_SEGMENT_ORDER = ("properties.order_id", "properties.orderId", "order_id")
_SEGMENT_POSITION = ("properties.products.position", "products.position")
_SEGMENT_MESSAGE = ("messageId", "message_id", "id")
SEGMENT = Preset(
    "segment",
    None,
    None,
    {
        "orders": {
            "user_id": ("userId", "user_id"),
            "ordered_at": ("timestamp", "original_timestamp", "originalTimestamp"),
            "order_id": _SEGMENT_ORDER,
            "item_id": ("properties.products.product_id", "products.product_id", "properties.products.sku"),
            "quantity": _SEGMENT_QUANTITY,
            "unit_price": ("properties.products.price", "products.price"),
            "amount": _SEGMENT_REVENUE,
            "discount": _SEGMENT_DISCOUNT,
            "coupon_id": ("properties.coupon", "coupon"),
            "kind": "event",
            "currency": ("properties.currency", "currency"),
            "recorded_at": ("receivedAt", "received_at"),
        },
        "events": {
            "occurred_at": ("timestamp", "original_timestamp", "originalTimestamp"),
            "event": ("event", "type"),
            "user_id": ("userId", "user_id"),
            "device_id": ("anonymousId", "anonymous_id"),
            "item_id": ("properties.product_id", "product_id", "properties.sku"),
            "page": ("context.page.url", "properties.url", "context_page_url"),
            "campaign_id": ("context.campaign.name", "context_campaign_name"),
            "recorded_at": ("receivedAt", "received_at"),
        },
    },
    {
        "orders": {
            "flatten": ["properties"],
            "explode": _SEGMENT_PRODUCTS,
            "values": {
                "event": {
                    "Order Completed": "sale",
                    "order_completed": "sale",
                    "Order Refunded": "return",
                    "order_refunded": "return",
                },
                _SEGMENT_QUANTITY: {"": "1"},
            },
            "share_out": [_SEGMENT_REVENUE, _SEGMENT_DISCOUNT],
            "set_aside": {"not orders": {"column": "event", "fits_not": "^(sale|return)$"}},
            "duplicates_by": [_SEGMENT_ORDER, _SEGMENT_POSITION, "event"],
            "returns": "kind",
        },
        "events": {
            "flatten": ["properties", "context"],
            "if_empty": {"event": "type"},
            "set_aside": {"not acts": {"column": "type", "fits_not": "^(track|page|screen)$"}},
            "duplicates_by": [_SEGMENT_MESSAGE],
        },
    },
    {
        "flatten": "What was sent along becomes columns such as properties.order_id.",
        "explode": "An order has its products in a list: each is an order line, numbered in …products.position.",
        "values": "Only these calls are orders; a product without a quantity is one.",
        "share_out": "revenue is without tax and shipping (total has both) and less the discount; it is of the order.",
        "if_empty": "Calls of pages and screens have no name of an event; their type is it.",
        "set_aside": "Calls that are something else, such as identify.",
        "duplicates_by": "What was sent twice keeps the number of the order or of the message, not its other columns.",
        "guests": "Orders of browsers nobody signed in on (no userId); anonymousId is a device, not a person.",
    },
)

SHOPIFY = Preset(
    "shopify",
    None,
    None,
    {
        "orders": {
            "user_id": ("Customer ID", "Email"),
            "ordered_at": "Paid at",
            "order_id": "Name",
            "item_id": ("Lineitem sku", "Lineitem name"),
            "quantity": "Lineitem quantity",
            "unit_price": "Lineitem price",
            "amount": "Subtotal",
            "discount": "Discount Amount",
            "coupon_id": "Discount Code",
            "channel": "Source",
            "currency": "Currency",
        },
        "users": {"user_id": ("Customer ID", "Email"), "region": ("Province Code", "Default Address Province Code")},
    },
    {
        "orders": {
            "fill_down": [
                "Email", "Customer ID", "Financial Status", "Paid at", "Currency", "Subtotal", "Shipping", "Taxes",
                "Total", "Discount Code", "Discount Amount", "Created at", "Cancelled at", "Source",
            ],
            "fill_down_by": "Name",
            "if_empty": {"Lineitem sku": "Lineitem name"},
            "share_out": ["Subtotal", "Discount Amount"],
            "set_aside": {
                "unpaid": {"column": "Paid at", "fits": "^$"},
                "gift cards": {"column": "Lineitem name", "fits": "(?i)^(e-)?gift card"},
            },
            "duplicates_by": ["Name", "Name.line"],
            "refunded": "Refunded Amount",
            "returns": "sign",
        }
    },
    {
        "fill_down": "What is true of the whole order stands only on its first line.",
        "if_empty": "Products without a number of their own are known by their name.",
        "share_out": "Subtotal is what was paid for the goods: less discounts, without shipping, taxes and tips.",
        "set_aside": "Orders that were never paid; gift cards, which are redeemed by another order later.",
        "duplicates_by": "The same line of the same order in two exports is one, even if the order has changed since.",
        "refunded": "The export does not say when money was given back: such lines stay sales, and are told.",
        "guests": "Orders without an e-mail address, such as those of a till.",
    },
)  # fmt: skip

_PAID_AT = ("付款时间", "订单付款时间", "买家付款时间", "支付时间", "订单支付时间")
_TAOBAO_ORDER = ("主订单编号", "订单编号", "订单号")
_TAOBAO_TITLE = ("宝贝标题", "商品标题", "商品名称", "标题")
TAOBAO = Preset(
    "taobao",
    "Asia/Shanghai",
    "CNY",
    {
        "orders": {
            "user_id": ("买家会员名", "买家ID", "买家id", "买家昵称", "买家手机号", "买家"),
            "ordered_at": _PAID_AT,
            "order_id": _TAOBAO_ORDER,
            "item_id": ("商品ID", "商品id", "宝贝ID", "商家编码", "外部系统编号", "商品编码", *_TAOBAO_TITLE),
            "quantity": ("购买数量", "商品数量", "数量"),
            "unit_price": ("商品价格", "商品单价", "单价", "价格"),
            "amount": ("买家实际支付金额", "商品实际成交金额", "实付金额", "实付款"),
        }
    },
    {
        "orders": {
            "numbers": "1,234.56",
            "unwrap": ['="…"', "'…", "…\t"],
            "money_marks": ["¥…", "￥…", "…元"],
            "summary_rows": "^(合计|总计|共计|小计)",
            "fill_down": [
                "买家会员名", "买家ID", "买家id", "买家昵称", "买家手机号", "买家", *_PAID_AT, "订单状态",
            ],
            "fill_down_by": _TAOBAO_ORDER,
            "set_aside": {
                "unpaid": {"column": _PAID_AT, "fits": "^$"},
                "postage": {"column": _TAOBAO_TITLE, "fits": "^(邮费|运费|补差价|补邮费|差价)"},
            },
            "duplicates_by": [("子订单编号", "子订单号")],
            "refunded": ("退款金额", "商品已退款金额", "已退款金额"),
            "returns": "sign",
        }
    },
    {
        "numbers": "Amounts have signs between thousands.",
        "unwrap": "Numbers of orders are guarded against spreadsheets.",
        "money_marks": "Amounts carry their currency.",
        "summary_rows": "The last row sums up the others.",
        "fill_down": "What is true of the whole order may stand only on its first line.",
        "set_aside": "Orders without a time of payment were never paid; postage is no product.",
        "duplicates_by": "A line of an order is known by its own number, even if the order has changed since.",
        "refunded": "The export does not say when money was given back: such lines stay sales, and are told.",
    },
)  # fmt: skip
PRESETS = {preset.name: preset for preset in (GENERIC, ONLINE_RETAIL, GA4, SEGMENT, SHOPIFY, TAOBAO)}


def preset(name: str) -> Preset:
    """The preset of that name; `UsageError` lists those there are."""
    try:
        return PRESETS[name]
    except KeyError:
        raise UsageError(f'There is no preset "{name}".', hint=f"Known are: {', '.join(PRESETS)}.") from None


def first_of(names: str | tuple[str, ...], headers: Collection[str]) -> str | None:
    """The first of the names that is among the headers."""
    return next((name for name in ([names] if isinstance(names, str) else names) if name in headers), None)


def known_columns(columns: Columns, headers: Collection[str]) -> dict[str, str]:
    """Ours = theirs for those that a file with these headers has."""
    found = {ours: first_of(theirs, headers) for ours, theirs in columns.items()}
    return {ours: theirs for ours, theirs in found.items() if theirs is not None}


def unnesting(policies: Mapping[str, Any], headers: Collection[str]) -> dict[str, Any]:
    """Of policies those that take columns apart, as far as the file has these columns."""
    flatten = [name for name in policies.get("flatten", ()) if name in headers]
    explode = policies.get("explode", ())
    choices = [explode] if isinstance(explode, str) else list(explode)
    roots = [name for name in choices if name in headers or name.split(".")[0] in flatten]
    return {
        **({"flatten": flatten} if flatten else {}),
        **({"explode": roots[0]} if roots else {}),
    }


def fitting(policies: Mapping[str, Any], headers: Collection[str]) -> dict[str, Any]:
    """The policies that mean something for a file with these headers (once it is taken apart), each name settled."""
    by = first_of(policies.get("fill_down_by") or (), headers)
    there = {*headers, f"{by}.line"} if by else set(headers)
    lines = policies.get("fill_down_by") is not None and by is None
    return {
        key: settled
        for key, value in policies.items()
        if not (lines and key == "fill_down") and (settled := _settled(key, value, there)) not in (None, [], {})
    }


def _settled(key: str, value: Any, headers: Collection[str]) -> Any:
    if key in ("fill_down", "share_out"):
        return [name for name in _chosen(value, headers) if name]
    if key == "duplicates_by":
        chosen = list(_chosen(value, headers))
        return chosen if all(chosen) else None
    if key in ("fill_down_by", "refunded"):
        return first_of(value, headers)
    if key in ("values", "if_empty"):
        pairs = ((first_of(name, headers), meant) for name, meant in value.items())
        return {name: m for name, m in pairs if name and (key == "values" or m in headers)}
    if key == "set_aside":
        settled = {label: {**aside, "column": first_of(aside["column"], headers)} for label, aside in value.items()}
        return {label: aside for label, aside in settled.items() if aside["column"]}
    return value


def _chosen(choices: Collection[str | tuple[str, ...]], headers: Collection[str]) -> Iterator[str | None]:
    return (first_of(choice, headers) for choice in choices)
