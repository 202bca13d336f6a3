"""Growth told to people, in English or Chinese: the latest periods in columns, and a sentence for the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from features.lifecycle import GROUPS
from insights.groups import NAMES, RATES

SHOWN = 13
"""Periods shown, the latest ones; JSON has all."""

_HEADS = {
    False: ["period", "ever seen", "active users"],
    True: ["周期", "累计用户", "活跃用户"],
}
_RATES = {
    False: ["quick ratio", "active rate", "of the year's", "bought twice", "bought again", "amount", "order value"],
    True: ["增长比", "活跃率", "年内活跃率", "复购率", "回购率", "金额", "客单价"],
}


def lines(payload: Mapping[str, Any], chinese: bool) -> Iterator[str]:
    """The payload of `Growth` as lines, cells parted by tabs."""
    yield from _groups(payload["periods"], chinese)
    yield ""
    yield from _rates(payload, chinese)
    if split := payload.get("split"):
        for side, name in (("yes", "符合" if chinese else "who answers"), ("no", "其余" if chinese else "all others")):
            yield ""
            yield f"{name}: {split['rule']}"
            yield from _groups(split[side], chinese)
    yield ""
    yield from _sentences(payload, chinese)
    for note in payload["notes"]:
        yield note["zh" if chinese else "en"]


def _groups(periods: Sequence[Mapping[str, Any]], chinese: bool) -> Iterator[str]:
    yield "\t".join([*_HEADS[chinese], *(NAMES[group][chinese] for group in GROUPS)])
    for each in periods[-SHOWN:]:
        numbers = [each["ever_seen"], each["active_users"], *(each["groups"][group] for group in GROUPS)]
        yield "\t".join([_named(each), *(f"{number:,}" for number in numbers)])


def _rates(payload: Mapping[str, Any], chinese: bool) -> Iterator[str]:
    yield "\t".join([_HEADS[chinese][0], *(NAMES[rate][chinese] for rate in RATES), *_RATES[chinese]])
    users, activity = payload["accounting"]["users"], payload["activity"]
    nothing: Mapping[str, Any] = {}
    bought = payload["purchasing"]["all"] if payload["purchasing"] else [nothing] * len(users)
    told = list(zip(payload["periods"], users, activity, bought, strict=True))
    for period, of_users, active, buying in told[-SHOWN:]:
        cells = [_percent(period["rates"][rate]) for rate in RATES]
        cells += [_number(of_users["quick_ratio"]), _percent(active["active_rate"])]
        cells += [_percent(active["active_rate_of_year"]), _percent(buying.get("repeat_rate"))]
        cells += [
            _percent(buying.get("again_rate")),
            _number(buying.get("amount"), 0),
            _number(buying.get("order_value")),
        ]
        yield "\t".join([_named(period), *cells])


def _sentences(payload: Mapping[str, Any], chinese: bool) -> Iterator[str]:
    end = payload["concentration"]["ends"][-1]
    if end["users_with_value"]:
        share, head, of = _percent(end["top_20_share"]), f"{end['head_users']:,}", _percent(end["head_users_share"])
        yield (
            f"近365天价值：前20%客户占 {share}；占80%的最小头部为 {head} 人（{of}）。"
            if chinese
            else f"Of the value of the last 365 days the top 20 % hold {share}; {head} customers ({of}) hold 80 %."
        )
    if payload["second_order"]:
        told = [(each["days"], _percent(each["share"])) for each in payload["second_order"]["curve"] if each["share"]]
        if told:
            within = ", ".join(f"{share} / {days}" for days, share in told)
            yield (
                f"首单后再次下单的比例 / 天数（Kaplan–Meier）：{within}"
                if chinese
                else f"Share with a second order day / within days (Kaplan–Meier): {within}"
            )


def _named(period: Mapping[str, Any]) -> str:
    return str(period["period"]) + ("" if period["complete"] else "*")


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"


def _number(number: Any, places: int = 2) -> str:
    return "" if number is None else f"{number:,.{places}f}"
