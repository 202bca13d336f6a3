"""What `reprise bundles` says: found in earlier orders, judged on later ones, without what is not for sale."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from audiences.exports import export_table
from features.cycles import refuse_without_items
from features.orders import Orders, orders
from features.source import versions
from features.windows import day_number
from insights.bundle_effects import effects
from insights.bundles import LEAST_CUSTOMERS, Bundle, Bundles, bundles
from pipeline.cycles import item_names
from pipeline.opening import Loaded, load
from serving.shelf import not_for_sale
from warehouse.errors import NotReadyError, UsageError
from warehouse.progress import Progress
from warehouse.workspace import Workspace

MOST_JUDGED = 500
"""So many pairs, and triples, the first ones, are judged."""
COLUMNS = pa.schema(
    [(name, pa.string()) for name in ("bundle", "items")]
    + [(name, pa.int64()) for name in ("orders", "customers")]
    + [(name, pa.float64()) for name in ("support", "lift", "lift_from", "lift_to", "plain_lift")]
    + [("added", pa.string())]
    + [(name, pa.int64()) for name in ("judged_with", "judged_without")]
    + [(name, pa.float64()) for name in ("units_with", "units_without")]
    + [(f"further_{name}", pa.float64()) for name in ("units", "from", "to", "amount", "amount_from", "amount_to")]
    + [("verdict", pa.string())]
)
"""One row per bundle; what judges it is null where too few orders could."""
SHOWN = (
    "bundle", "orders", "customers", "lift", "lift_from", "lift_to", "added", "further_units", "further_from",
    "further_to", "verdict",
)  # fmt: skip
SAID = {
    "en": {
        "found": "found in {orders:,} orders of {start} to {cut}, judged on {later:,} of {cut} to {end}",
        "tried": "{found:,} of {tried:,} {what} tried are together more often than {null} would bring them "
        "(Benjamini–Hochberg, 5 % false discoveries; intervals at {level:.4%})",
        "pairs": ("pairs", "chance in orders of that month and size"),
        "triples": ("triples", "their pairs"),
        "read": "lift: how many times as often as that; further: units per order beyond the bundle, where the last "
        "item was added, less where it was not. Observed, not caused.",
        "gone": "{n:,} bundles hold an item that is retired or out of stock and are left out",
        "left": "{n:,} items with enough customers were not tried: only the {tried:,} most bought are",
    },
    "zh": {
        "found": "在{start}至{cut}的{orders:,}张订单中发现，用{cut}至{end}的{later:,}张订单评判",
        "tried": "在检验的{tried:,}个{what}中，{found:,}个同单出现次数多于{null}"
        "（Benjamini–Hochberg 校正，错误发现率5%；区间水平{level:.4%}）",
        "pairs": ("两件组合", "同月同件数订单中的偶然"),
        "triples": ("三件组合", "其两两组合所能解释的"),
        "read": "提升度：相对该基准的倍数；额外件数：加购最后一件与未加购的订单相比，"
        "组合之外每单多出的件数。仅为观察，并非因果。",
        "gone": "{n:,}个组合含已下架或缺货的商品，未列出",
        "left": "{n:,}个商品顾客足够多但未检验：只检验最畅销的{tried:,}个",
    },
}


@dataclass(frozen=True)
class Spans:
    """Orders from `start` until before `cut` find bundles, those from `cut` until before `end` judge them."""

    start: date
    cut: date
    end: date
    earlier: Orders
    later: Orders


@dataclass(frozen=True)
class Offered:
    """The bundles of a workspace, those of one item where that was asked; `gone` were left out as not for sale."""

    as_of: date
    spans: Spans
    found: Bundles
    gone: int
    names: Mapping[str, str]
    language: str

    def payload(self, most: int) -> dict[str, Any]:
        """As JSON, at most so many pairs and triples."""
        spans = self.spans
        return {
            "as_of": self.as_of,
            "found_in": {"from": spans.start, "until": spans.cut} | self.found.payload(),
            "judged_on": {"from": spans.cut, "until": spans.end, "orders": len(spans.later.day)},
            "not_for_sale": self.gone,
            "pairs": [self._told(each) for each in self.found.pairs[:most]],
            "triples": [self._told(each) for each in self.found.triples[:most]],
            "observational": True,
        }

    def _told(self, bundle: Bundle) -> dict[str, Any]:
        return {"names": [self.names.get(item) for item in bundle.items], **bundle.payload()}

    def rows(self, most: int) -> list[dict[str, Any]]:
        """The bundles as rows, pairs before triples; effects null where too few orders could judge."""
        return [self._row(each) for group in (self.found.pairs, self.found.triples) for each in group[:most]]

    def _row(self, each: Bundle) -> dict[str, Any]:
        effect = each.effect
        named = {item: self.names.get(item) or item for item in each.items}
        further, amount = (effect.further_units, effect.further_amount) if effect else (None, None)
        return {
            "bundle": " + ".join(named.values()),
            "items": " ".join(each.items),
            "orders": each.orders,
            "customers": each.customers,
            "support": each.support,
            "lift": each.lift,
            "lift_from": each.lift_from,
            "lift_to": each.lift_to,
            "plain_lift": each.plain_lift,
            "added": named[effect.added] if effect else None,
            "judged_with": effect.orders_with if effect else None,
            "judged_without": effect.orders_without if effect else None,
            "units_with": effect.units_with if effect else None,
            "units_without": effect.units_without if effect else None,
            "further_units": further.mean if further else None,
            "further_from": further.low if further else None,
            "further_to": further.high if further else None,
            "further_amount": amount.mean if amount else None,
            "further_amount_from": amount.low if amount else None,
            "further_amount_to": amount.high if amount else None,
            "verdict": effect.verdict if effect else None,
        }

    def notes(self) -> list[str]:
        """What a reader of the rows must know, in the language of the workspace."""
        say, spans, found = SAID[self.language], self.spans, self.found
        told: Mapping[str, Any] = {"start": spans.start, "cut": spans.cut, "end": spans.end}
        lines = [str(say["found"]).format(orders=found.orders, later=len(spans.later.day), **told)]
        for name, tried in (("pairs", found.of_pairs), ("triples", found.of_triples)):
            what, null = say[name]
            lines.append(
                str(say["tried"]).format(
                    found=tried.found, tried=tried.tried, what=what, null=null, level=tried.interval_level
                )
            )
        if found.items_left:
            lines.append(str(say["left"]).format(n=found.items_left, tried=found.items_tried))
        if self.gone:
            lines.append(str(say["gone"]).format(n=self.gone))
        return [*lines, str(say["read"])]


def bundles_at(
    workspace: Workspace,
    item: str | None,
    judge_days: int | None,
    as_of: date | None,
    loaded_at: datetime,
    progress: Progress,
) -> Offered:
    """The bundles of a workspace as of a date, judged on the orders of its last `judge_days`, or of the last third."""
    with workspace.lock("run"):
        loaded, _ = load(workspace, as_of, loaded_at, progress)
        refuse_without_items(loaded.source)
        every = orders(loaded.source, loaded.as_of)
    if not len(every.item):
        raise NotReadyError("No order line names its item.", hint="Bundles need orders with an item_id.")
    if item is not None and item not in every.item_ids.to_pylist():
        raise UsageError(f"Nobody bought the item {item!r} before {loaded.as_of}.", hint="Leading zeros count.")
    spans = _spans(every, loaded, judge_days)
    progress("bundles", 0, 2)
    asked = _holding(bundles(spans.earlier), item)
    kept = _without(asked, _not_for_sale(loaded))
    progress("bundles", 1, 2)
    gone = sum(len(asked.all_of(n)) - len(kept.all_of(n)) for n in (2, 3))
    names = item_names(loaded.source, loaded.as_of)
    return Offered(loaded.as_of, spans, _judged(kept, spans), gone, names, workspace.settings.language)


def _not_for_sale(loaded: Loaded) -> frozenset[str]:
    known = versions(loaded.source, "items", loaded.as_of) if "items" in loaded.source.tables else None
    return not_for_sale(known, loaded.as_of, loaded.workspace.settings.time_zone)


def _spans(every: Orders, loaded: Loaded, judge_days: int | None) -> Spans:
    first, end = int(every.day.min()), day_number(min(loaded.as_of, loaded.observed_until))
    days = judge_days or (end - first) // 3
    if days < 1 or end - days <= first:
        raise UsageError(
            f"{days} days to judge by leave no earlier orders to find bundles in: there are {end - first} days.",
            hint="Give fewer --judge-days.",
        )
    cut = end - days
    start, middle, last = (loaded.as_of + timedelta(days=day - day_number(loaded.as_of)) for day in (first, cut, end))
    return Spans(start, middle, last, every.of(every.day < cut), every.of(every.day >= cut))


def _holding(found: Bundles, item: str | None) -> Bundles:
    """Only those that hold an item; the correction stays that for all tried."""
    return found.where(lambda each: item is None or item in each.items)


def _without(found: Bundles, gone: frozenset[str]) -> Bundles:
    return found.where(lambda each: gone.isdisjoint(each.items))


def _judged(found: Bundles, spans: Spans) -> Bundles:
    """The first ones with what they do to later orders."""
    sets = [each.items for n in (2, 3) for each in found.all_of(n)[:MOST_JUDGED]]
    return found.with_effects(effects(sets, spans.earlier, spans.later, LEAST_CUSTOMERS))


def write(found: Offered, out: Path) -> dict[str, Any]:
    """Writes all bundles to a file; its type by its suffix."""
    rows = found.rows(len(found.found.pairs) + len(found.found.triples))
    report = export_table(pa.Table.from_pylist(rows, COLUMNS), out)
    return {"path": report.path, "rows": report.rows, "sha256": report.sha256}
