"""After how many days things are bought again, and when to remind."""

from __future__ import annotations

from typing import Any

import numpy as np

from console.report.colours import BLUE, GREEN, GREY
from console.report.facts import Facts
from console.report.pictures import AbsentError, Picture, Table, axis, figure, percent, whole
from pipeline.cycles import Cycle, cycles_of, default_by, observed

PLACE = 300
TITLE = ("Repurchase cycles", "复购周期")
LISTED = 15


def pictures(facts: Facts) -> list[Picture]:
    """One picture: the curve of the thing with a cycle that most customers bought, its reminder window shaded."""
    if "orders" not in facts.source.tables:
        raise AbsentError(facts.say("there are no orders", "没有订单"), facts.say("orders with items", "含商品的订单"))
    by = default_by(facts.source, facts.as_of)
    found = cycles_of(facts.source, facts.as_of, observed(facts.source, facts.as_of), by).found
    if not found:
        raise AbsentError(
            facts.say("no order line names what was bought", "订单行没有商品"),
            facts.say("orders with an item_id", "含 item_id 的订单"),
        )
    told = [each for each in found if each.days is not None]
    chosen = next((each for each in told if each.told and each.told.reminder_window), (told or list(found))[0])
    rows = [chosen, *(each for each in (told or found) if each is not chosen)][:LISTED]
    return [
        Picture(
            facts.say("When is it bought again, and when is it time to remind?", "多久会再次购买，何时该提醒？"),
            _answer(facts, chosen),
            _drawn(facts, chosen),
            _table(facts, rows),
            [
                facts.say(
                    "Kaplan–Meier: intervals still open count as open. Each customer weighs the same. The cycle is of "
                    "those who have bought twice and buy again; the window is the shortest stretch that holds half of "
                    "their purchases.",
                    "Kaplan–Meier估计：未结束的间隔按未结束处理，每名顾客权重相同。周期针对买过两次以上且再次购买者；"
                    "提醒窗口为包含其一半再次购买的最短时段。",
                )
            ],
        )
    ]


def _name(cycle: Cycle) -> str:
    return cycle.name or cycle.thing


def _answer(facts: Facts, cycle: Cycle) -> str:
    never = percent(cycle.every.never_returning)
    window = cycle.told.reminder_window if cycle.told else None
    if cycle.days is None:
        return facts.say(
            f"Too few go on buying {_name(cycle)} to tell its cycle; {never} have not bought it again within "
            f"{cycle.every.horizon} days.",
            f"持续购买{_name(cycle)}的人太少，无法给出周期；{never}在{cycle.every.horizon}天内未再购买。",
        )
    remind_en = (
        f"; remind between day {window[0]} and day {window[1]}" if window else "; no day is better for a reminder"
    )
    remind_zh = f"；宜在第{window[0]}至{window[1]}天提醒" if window else "；没有更适合提醒的日子"
    return facts.say(
        f"{_name(cycle)}: of those who buy it again half do so by day {cycle.days}{remind_en}; {never} of all buyers "
        f"have not come back to it within {cycle.every.horizon} days.",
        f"{_name(cycle)}：再次购买者中一半在{cycle.days}天内购买{remind_zh}；全部购买者中{never}在"
        f"{cycle.every.horizon}天内未再购买。",
    )


def _drawn(facts: Facts, cycle: Cycle) -> dict[str, Any]:
    curves = [(facts.say("all buyers", "全部购买者"), cycle.every, GREY)]
    if cycle.told is not None:
        curves.append((facts.say("who bought it twice or more", "买过两次以上"), cycle.told, BLUE))
    lines: list[dict[str, Any]] = [
        {"type": "scatter", "mode": "lines", "name": name, "line": {"shape": "hv", "color": colour},
         "x": np.r_[0, curve.days, curve.horizon].tolist(),
         "y": np.r_[0, 1 - curve.surviving, 1 - curve.never_returning].tolist(), "hovertemplate": "%{x}: %{y:.1%}"}
        for name, curve, colour in curves
    ]  # fmt: skip
    window = cycle.told.reminder_window if cycle.told else None
    shade = []
    if window:
        shade = [
            {"type": "rect", "xref": "x", "yref": "paper", "x0": window[0], "x1": window[1], "y0": 0, "y1": 1,
             "fillcolor": GREEN, "opacity": 0.18, "line": {"width": 0},
             "label": {"text": facts.say("remind", "提醒"), "textposition": "top center"}}
        ]  # fmt: skip
    return figure(
        lines,
        shapes=shade,
        xaxis=axis(facts.say("days since a purchase", "距上次购买的天数"), rangemode="tozero"),
        yaxis=axis(facts.say("bought again", "已再次购买"), share=True, range=[0, 1]),
    )


def _table(facts: Facts, rows: list[Cycle]) -> Table:
    columns = (
        facts.say("what", "商品"), facts.say("customers", "顾客数"), facts.say("bought twice", "买过两次"),
        facts.say("cycle, days", "周期（天）"), facts.say("remind from", "提醒起"), facts.say("to", "提醒止"),
        facts.say("not back", "未再购买"), facts.say("watched, days", "观察期（天）"),
    )  # fmt: skip
    found = []
    for each in rows:
        window = (each.told.reminder_window if each.told else None) or (None, None)
        found.append(
            (_name(each), whole(each.customers), whole(each.repeat_customers), whole(each.days), whole(window[0]),
             whole(window[1]), percent(each.every.never_returning), whole(each.every.horizon))
        )  # fmt: skip
    return Table(columns, found)
