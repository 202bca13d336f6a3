"""The customer table: who a customer is, what they last did, what they prefer, what is due, what is expected.

A column is there where the data tell it: features by their names, days since something as the day itself. Of who
refused profiling only what was recorded and counted is told, nothing that was inferred from it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from audiences.suppression import unprofiled
from features.catalogue import Feature, by_name
from serving.columns import Columns
from serving.customers import suffixes, wide_scores
from serving.reasons import target_words

NICKNAMES = ("nickname", "nick_name", "name", "昵称", "姓名")
"""Attributes of users that say what a customer is called; the first one there is taken."""


@dataclass(frozen=True)
class Entry:
    """One column of the customer table: its name, where it comes from, and how it is called in Chinese.

    `since` entries come from a feature that counts days, and say the day itself. `inferred` ones are not told of who
    refused profiling.
    """

    name: str
    of: str
    zh: str
    since: bool = False
    inferred: bool = False


ENTRIES = (
    Entry("lifecycle_group", "lifecycle_group", "生命周期"),
    Entry("rfm_type", "rfm_type", "RFM类型"),
    Entry("rfm_recency_score", "rfm_recency_score", "近度得分"),
    Entry("rfm_frequency_score", "rfm_frequency_score", "频度得分"),
    Entry("rfm_amount_score", "rfm_amount_score", "金额得分"),
    Entry("concentration_group", "concentration_group", "价值层级"),
    Entry("value_stage", "value_stage", "价值阶段"),
    Entry("cluster", "cluster", "群", inferred=True),
    Entry("level", "level", "会员等级"),
    Entry("level_points", "level_points", "等级积分"),
    Entry("points_to_next_level", "points_to_next_level", "距下一级积分"),
    Entry("level_valid_until", "level_valid_until", "等级有效期至"),
    Entry("sells_as", "sells_as", "卖家身份"),
    Entry("sold_order_count_365d", "sold_order_count_365d", "近一年售出订单数"),
    Entry("sold_amount_365d", "sold_amount_365d", "近一年售出金额"),
    Entry("last_act_on", "days_since_last_act", "最近活跃日", since=True),
    Entry("last_page", "last_page", "最近访问页面"),
    Entry("last_page_on", "days_since_last_page", "最近访问页面日", since=True),
    Entry("last_purchase_on", "days_since_last_order", "最近购买日", since=True),
    Entry("most_used_app_feature_90d", "preferred_app_feature", "近三月最常用功能", inferred=True),
    Entry("joined_campaign_count_90d", "joined_campaign_count_90d", "近三月参与活动数"),
    Entry("received_campaign_count_90d", "campaign_count_90d", "近三月触达活动数"),
    Entry("preferred_category", "preferred_category", "偏好品类", inferred=True),
    Entry("preferred_brand", "preferred_brand", "偏好品牌", inferred=True),
    Entry("preferred_price_band", "preferred_price_band", "偏好价格带", inferred=True),
    Entry("preferred_channel", "preferred_channel", "偏好渠道", inferred=True),
    Entry("preferred_weekday", "preferred_weekday", "偏好星期", inferred=True),
    Entry("preferred_hour_band", "preferred_hour_band", "偏好时段", inferred=True),
    Entry("preferred_page", "preferred_page", "偏好页面", inferred=True),
    Entry("discount_sensitivity", "discount_sensitivity", "折扣敏感度", inferred=True),
    Entry("campaign_dependence", "campaign_dependence", "活动依赖度", inferred=True),
    Entry("next_due_date", "next_due_date", "下次到期日", inferred=True),
    Entry("due_item_count", "due_item_count", "本周到期商品数", inferred=True),
    Entry("most_overdue_gaps", "most_overdue_gaps", "最多逾期周期数", inferred=True),
    Entry("order_count_365d", "order_count_365d", "近一年订单数"),
    Entry("amount_365d", "amount_365d", "近一年消费金额"),
    Entry("historic_clv", "amount_lifetime", "累计消费金额"),
    Entry("average_order_value", "average_order_value_lifetime", "客单价"),
    Entry("average_days_between_orders", "average_days_between_orders", "平均下单间隔天数"),
    Entry("predicted_clv", "predicted_clv", "预测消费金额", inferred=True),
    Entry("expected_date_of_next_order", "expected_date_of_next_order", "预计下次下单日", inferred=True),
    Entry("next_order_earliest", "next_order_earliest", "下次下单最早日", inferred=True),
    Entry("next_order_latest", "next_order_latest", "下次下单最晚日", inferred=True),
)
REFUSED = "profiling_refused"
"""The column that says who refused profiling, where there is a table of users."""
HEADERS = {"user_id": "顾客ID", "nickname": "昵称", REFUSED: "已拒绝画像", "as_of": "截至"}
LAST_USE, OTHER = "last_use_of_", "does_other_behaviour"
"""How the columns of functions begin, and what the column of a rule that is asked about is called."""


def wanted() -> tuple[str, ...]:
    """The features and due dates that a profile reads, where they are there."""
    return tuple(entry.of for entry in ENTRIES)


def profile(
    customers: pa.Table,
    as_of: date,
    attributes: pa.Table | None = None,
    scores: Columns | None = None,
    uses: pa.Table | None = None,
    functions: Sequence[str] = (),
    refused_since: Collection[str] = (),
) -> pa.Table:
    """One row per customer of `customers` (entity_id and those of `wanted` there are), in its order.

    `attributes` are those of users, `scores` those of exactly these customers; of `uses` (a row per customer and
    function) each of `functions` is a column. What is inferred is null for who refused profiling by their attributes,
    and for `refused_since`, who did so later.
    """
    columns: dict[str, Any] = {"user_id": customers["entity_id"]}
    if attributes is not None:
        columns |= _nickname(customers, attributes)
    for entry in ENTRIES:
        if entry.of in customers.column_names:
            held = customers[entry.of]
            columns[entry.name] = _day(held, as_of) if entry.since else held
    for function in functions if uses is not None else ():
        one = uses.filter(pc.equal(uses["feature"], function)) if uses is not None else None
        place = pc.index_in(customers["entity_id"], one["entity_id"].combine_chunks())  # type: ignore[index]
        columns[LAST_USE + function] = one["last_used_on"].combine_chunks().take(place)  # type: ignore[index]
    if scores is not None:
        found = wide_scores(scores).items()
        columns |= {name: held for name, held in found if "_probability" in name}
    if attributes is not None:
        columns[REFUSED] = _refusals(customers["entity_id"], attributes, refused_since)
    made = pa.table({**columns, "as_of": pa.repeat(pa.scalar(as_of, pa.date32()), customers.num_rows)})
    return withheld(made, [entry.name for entry in ENTRIES if entry.inferred] + [n for n in columns if is_score(n)])


def _refusals(ids: pa.ChunkedArray, attributes: pa.Table, since: Collection[str]) -> pa.ChunkedArray:
    by_then = attributes["entity_id"].filter(pa.array(unprofiled(attributes))).to_pylist()
    return pc.is_in(ids, value_set=pa.array(sorted({*by_then, *since}), pa.string()))


def withheld(made: pa.Table, names: Iterable[str]) -> pa.Table:
    """The customer table with the named columns null for who refused profiling."""
    if REFUSED in made.column_names and pc.any(made[REFUSED]).as_py():
        for name in names:
            if name in made.column_names:
                place = made.column_names.index(name)
                made = made.set_column(place, name, pc.if_else(made[REFUSED], None, made[name]))
    return made


def is_score(field: str) -> bool:
    """Whether a field of rules or a column is a probability, or a place by one."""
    return "_probability" in field or "_percentile" in field


def is_inferred(field: str) -> bool:
    """Whether a field of rules is inferred: a score, or a feature of a family of which the profile tells that."""
    known = by_name()
    families = {known[entry.of].family for entry in ENTRIES if entry.inferred and entry.of in known}
    due = {entry.of for entry in ENTRIES if entry.inferred and entry.of not in known}
    return is_score(field) or field in due or (field in known and known[field].family in families)


def functions_of(uses: pa.Table | None, most: int) -> list[str]:
    """The functions that most customers used, at most so many, by name."""
    if uses is None:
        return []
    counted = uses.group_by("feature").aggregate([("entity_id", "count")])
    ordered = counted.sort_by([("entity_id_count", "descending"), ("feature", "ascending")])
    return sorted(ordered["feature"].to_pylist()[:most])


def in_chinese(table: pa.Table, targets: Sequence[tuple[str, int]]) -> pa.Table:
    """The table with Chinese headers, and the values of segments by their Chinese names."""
    known = by_name()
    columns, names = [], []
    headers = {entry.name: entry.zh for entry in ENTRIES} | HEADERS | _score_headers(targets)
    for name in table.column_names:
        entry = next((each for each in ENTRIES if each.name == name), None)
        columns.append(_named(table[name], known.get(entry.of) if entry else None))
        title = headers.get(name, name)
        title = f"最近使用：{name.removeprefix(LAST_USE)}" if name.startswith(LAST_USE) else title
        names.append("其他行为" if name == OTHER else title)
    return pa.table(columns, names=names)


def _score_headers(targets: Sequence[tuple[str, int]]) -> dict[str, str]:
    return {
        f"{target}_probability{suffix}": f"{target_words(target, 'zh')}概率（{horizon}天）"
        for (target, horizon), suffix in suffixes(targets).items()
    }


def _named(column: pa.ChunkedArray, feature: Feature | None) -> pa.ChunkedArray:
    if feature is None or not feature.values:
        return column
    texts = column.cast(pa.string())
    place = pc.index_in(texts, pa.array([each.value for each in feature.values], pa.string()))
    return pc.coalesce(pa.array([each.zh for each in feature.values], pa.string()).take(place.combine_chunks()), texts)


def _nickname(customers: pa.Table, attributes: pa.Table) -> Mapping[str, Any]:
    called = next((name for name in NICKNAMES if name in attributes.column_names), None)
    if called is None:
        return {}
    place = pc.index_in(customers["entity_id"], attributes["entity_id"].combine_chunks())
    return {"nickname": attributes[called].combine_chunks().cast(pa.string()).take(place.combine_chunks())}


def _day(days: pa.ChunkedArray, as_of: date) -> pa.Array:
    """The day so many days before a date."""
    counted = days.to_numpy()
    unknown = np.isnan(counted)
    today = (as_of - date(1970, 1, 1)) // timedelta(days=1)
    numbers = np.where(unknown, 0, today - np.nan_to_num(counted)).astype(np.int32)
    return pa.array(numbers, mask=unknown).cast(pa.date32())
