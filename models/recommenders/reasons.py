"""Why an item is suggested, in words. The codes and what they need are those of `suggesting.suggest`."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from models.recommenders.suggesting import REASON

_WORDS = {
    "en": {
        "bought_once": "Bought once, {ago}",
        "bought_again": "Bought every {gap}, last {ago}",
        "bought_other": "Because {item} was bought {ago}",
        "looked_before": "Looked at {ago}",
        "looked_other": "Because {item} was looked at {ago}",
        "same_visit": "Often bought together with {item}",
        "popular": "Popular: {buyers} so far",
        "both_buy": "Both buy {item}",
        "pinned": "Picked by the shop",
        "new_like": "New, and like {item}",
    },
    "zh": {
        "bought_once": "{ago}购买过一次",
        "bought_again": "平均每{gap}购买一次，上次在{ago}",
        "bought_other": "因为{ago}购买过 {item}",
        "looked_before": "{ago}浏览过",
        "looked_other": "因为{ago}浏览过 {item}",
        "same_visit": "常与 {item} 一起购买",
        "popular": "热门：累计{buyers}购买",
        "both_buy": "都购买 {item}",
        "pinned": "店铺精选",
        "new_like": "新品，与 {item} 相似",
    },
}


def sentence(
    reason: str,
    item: str | None = None,
    count: int | None = None,
    gap: int | None = None,
    days: int | None = None,
    language: str = "en",
) -> str:
    """The sentence of one reason code; `language` is en or zh. `item` is the name of `reason_item_id`."""
    if reason == "bought_before":
        reason = "bought_once" if gap is None else "bought_again"
    words = {"gap": _days(gap, language), "ago": _ago(days, language), "buyers": _buyers(count, language)}
    return _WORDS[language][reason].format(item=item, **words).strip()


def _days(days: int | None, language: str) -> str:
    if language == "zh":
        return f" {days} 天"
    return "day" if days == 1 else f"{days} days"


def _ago(days: int | None, language: str) -> str:
    if language == "zh":
        return f" {days} 天前"
    return "1 day ago" if days == 1 else f"{days} days ago"


def _buyers(count: int | None, language: str) -> str:
    if language == "zh":
        return f" {count} 人"
    return "1 buyer" if count == 1 else f"{count} buyers"


def sentences(suggestions: pa.Table, language: str = "en", item_names: Mapping[str, str] | None = None) -> list[str]:
    """The sentence of every row of a table of suggestions; items without a name are called by their id."""
    names = item_names or {}
    return [
        sentence(reason, names.get(item, item) if item is not None else None, count, gap, days, language)
        for reason, item, count, gap, days in zip(
            *(suggestions.column(name).to_pylist() for name in REASON), strict=True
        )
    ]
