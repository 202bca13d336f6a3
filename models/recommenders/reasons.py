"""Why an item is suggested, in words. The codes and what they need are those of `suggesting.suggest`."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

_WORDS = {
    "en": {
        "bought_before": "Bought on {count} {days_word}, last {days} {ago_word} ago",
        "bought_together": "Customers who buy {item} also buy this",
        "same_visit": "Often bought together with {item}",
        "similar_customers": "Customers with similar purchases buy this",
        "popular": "Popular: {count} {buyers_word} so far",
        "both_buy": "Both buy {item}",
    },
    "zh": {
        "bought_before": "曾在 {count} 天购买过，最近一次在 {days} 天前",
        "bought_together": "购买 {item} 的顾客也常买",
        "same_visit": "常与 {item} 一起购买",
        "similar_customers": "购买习惯相似的顾客也买",
        "popular": "热门：累计 {count} 人购买",
        "both_buy": "都购买 {item}",
    },
}


def sentence(
    reason: str, item: str | None = None, count: int | None = None, days: int | None = None, language: str = "en"
) -> str:
    """The sentence of one reason code; `language` is en or zh. `item` is the name of `reason_item_id`."""
    return _WORDS[language][reason].format(
        item=item,
        count=count,
        days=days,
        days_word="day" if count == 1 else "days",
        ago_word="day" if days == 1 else "days",
        buyers_word="buyer" if count == 1 else "buyers",
    )


def sentences(suggestions: pa.Table, language: str = "en", item_names: Mapping[str, str] | None = None) -> list[str]:
    """The sentence of every row of a table of suggestions; items without a name are called by their id."""
    names = item_names or {}
    columns = (
        suggestions.column(name).to_pylist() for name in ("reason", "reason_item_id", "reason_count", "reason_days")
    )
    return [
        sentence(reason, names.get(item, item) if item is not None else None, count, days, language)
        for reason, item, count, days in zip(*columns, strict=True)
    ]
