"""Known shapes of files: what their columns mean and by which stated policies their dirt is handled."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from warehouse.errors import UsageError


@dataclass(frozen=True)
class Preset:
    """A known file: zone, currency, and by table the columns (ours = theirs) and policies; each with its reason."""

    name: str
    time_zone: str
    currency: str
    columns: dict[str, dict[str, str]]
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
PRESETS = {preset.name: preset for preset in (ONLINE_RETAIL,)}


def preset(name: str) -> Preset:
    """The preset of that name; `UsageError` lists those there are."""
    try:
        return PRESETS[name]
    except KeyError:
        raise UsageError(f'There is no preset "{name}".', hint=f"Known are: {', '.join(PRESETS)}.") from None
