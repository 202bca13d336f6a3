"""Whether the business grows: who came, came back and left, month by month."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from console.report.colours import BLUE, GREY, ORANGE, RED
from console.report.facts import Facts
from console.report.pictures import AbsentError, Picture, Table, axis, figure, percent, whole

PLACE = 100
TITLE = ("Growth", "增长")


def pictures(facts: Facts) -> list[Picture]:
    """Two pictures: who came and left, and the active rate."""
    rows = [each for each in facts.growth["accounting"]["users"][1:] if each["complete"]]
    if not rows:
        raise AbsentError(
            facts.say("no complete week follows another", "没有相邻的完整周"),
            facts.say("two complete weeks", "两个完整的周"),
        )
    return [_accounting(facts, rows), _activity(facts)]


def _accounting(facts: Facts, rows: list[Mapping[str, Any]]) -> Picture:
    last = rows[-1]
    gained, lost = last["new"] + last["resurrected"], last["left"]
    more = gained - lost
    return Picture(
        facts.say("Do more customers come than leave?", "来的顾客比走的多吗？"),
        facts.say(
            f"In {last['period']} {whole(gained)} came ({whole(last['new'])} of them new) and {whole(lost)} left: "
            f"{whole(abs(more))} active customers {'more' if more >= 0 else 'fewer'} than the {facts.unit} before.",
            f"{last['period']}有{whole(gained)}人到来（其中新顾客{whole(last['new'])}人），{whole(lost)}人离开："
            f"活跃顾客比上{facts.unit}{'多' if more >= 0 else '少'}{whole(abs(more))}人。",
        ),
        _bars(facts, rows),
        Table(
            (
                facts.unit, facts.say("active before", "上期活跃"), facts.say("new", "新"),
                facts.say("came back", "回来"), facts.say("left", "离开"), facts.say("active", "活跃"),
                facts.say("quick ratio", "速动比"),
            ),
            [
                (
                    row["period"], whole(row["active_before"]), whole(row["new"]), whole(row["resurrected"]),
                    whole(row["left"]), whole(row["active"]),
                    "–" if row["quick_ratio"] is None else f"{row['quick_ratio']:.2f}",
                )
                for row in rows
            ],
        ),
        [_told(facts, note) for note in facts.growth["notes"] if note["code"] == "left_edge"],
    )  # fmt: skip


def _told(facts: Facts, note: Mapping[str, str]) -> str:
    return note["zh"] if facts.language == "zh" else note["en"]


def _bars(facts: Facts, rows: list[Mapping[str, Any]]) -> dict[str, Any]:
    months = [row["period"] for row in rows]
    bars = [
        {"type": "bar", "name": name, "x": months, "y": values, "marker": {"color": colour},
         "hovertemplate": "%{x}: %{y:,}"}
        for name, values, colour in (
            (facts.say("new", "新"), [row["new"] for row in rows], BLUE),
            (facts.say("came back", "回来"), [row["resurrected"] for row in rows], ORANGE),
            (facts.say("left", "离开"), [-row["left"] for row in rows], GREY),
        )
    ]  # fmt: skip
    net = {
        "type": "scatter", "mode": "lines+markers", "name": facts.say("net", "净增"), "x": months,
        "y": [row["new"] + row["resurrected"] - row["left"] for row in rows],
        "line": {"color": RED, "width": 2}, "hovertemplate": "%{x}: %{y:+,}",
    }  # fmt: skip
    customers = facts.say("customers", "顾客数")
    return figure([*bars, net], barmode="relative", xaxis=axis(category=True), yaxis=axis(customers))


def _activity(facts: Facts) -> Picture:
    rows = [each for each in facts.growth["activity"] if each["complete"]]
    last = rows[-1]
    both = [("active_rate", facts.say("of all ever seen", "占全体"), BLUE, "solid")]
    parted = any(row["active_rate_of_year"] != row["active_rate"] for row in rows)
    if parted:
        recent = facts.say("of those seen in the last 12 months", "占近12个月出现者")
        both.append(("active_rate_of_year", recent, ORANGE, "dash"))
    more_en = f", and {percent(last['active_rate_of_year'])} of those of the last 12 months" if parted else ""
    more_zh = f"；近12个月出现者中为{percent(last['active_rate_of_year'])}" if parted else ""
    lines = [
        {"type": "scatter", "mode": "lines+markers", "name": name, "x": [row["period"] for row in rows],
         "y": [row[key] for row in rows], "line": {"color": colour, "dash": dash}, "hovertemplate": "%{x}: %{y:.1%}"}
        for key, name, colour, dash in both
    ]  # fmt: skip
    return Picture(
        facts.say("What share of the customers is active?", "有多大比例的顾客是活跃的？"),
        facts.say(
            f"In {last['period']} {percent(last['active_rate'])} of the {whole(last['ever_seen'])} customers ever seen "
            f"were active{more_en}.",
            f"{last['period']}曾出现的{whole(last['ever_seen'])}名顾客中有{percent(last['active_rate'])}活跃{more_zh}。",
        ),
        figure(lines, xaxis=axis(category=True), yaxis=axis(share=True, rangemode="tozero")),
        Table(
            (
                facts.unit, facts.say("active", "活跃"), facts.say("ever seen", "全体"),
                facts.say("active rate", "活跃率"), facts.say("of the last 12 months", "占近12个月"),
            ),
            [
                (
                    row["period"], whole(row["active_users"]), whole(row["ever_seen"]), percent(row["active_rate"]),
                    percent(row["active_rate_of_year"]),
                )
                for row in rows
            ],
        ),
    )  # fmt: skip
