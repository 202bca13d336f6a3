"""Where the customers are in their life with the business, and between which groups they move."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from console.report.colours import LIFECYCLE
from console.report.facts import Facts
from console.report.pictures import AbsentError, Picture, Table, axis, figure, percent, whole
from insights.groups import NAMES

PLACE = 110
TITLE = ("Lifecycle", "生命周期")
SILENT = ("dormant", "lapsed")


def pictures(facts: Facts) -> list[Picture]:
    """Two pictures: the groups month by month, and the moves of the last complete month."""
    periods = [each for each in facts.growth["periods"] if each["complete"]]
    if not periods:
        raise AbsentError(
            facts.say("no week is complete", "没有完整的周"), facts.say("a complete week", "一个完整的周")
        )
    return [_area(facts, periods), *([_flows(facts, periods[-1])] if periods[-1]["flows"] else [])]


def _name(facts: Facts, group: str) -> str:
    return NAMES[group][facts.language == "zh"]


def _area(facts: Facts, periods: list[Mapping[str, Any]]) -> Picture:
    last = periods[-1]
    months = [each["period"] for each in periods]
    most = max(last["groups"], key=lambda group: last["groups"][group])
    # The silent at the bottom and the active on top, so that the upper edge is everybody.
    order = (*reversed(SILENT), *(group for group in last["groups"] if group not in SILENT))
    areas = [
        {"type": "scatter", "mode": "lines", "stackgroup": "all", "name": _name(facts, group), "x": months,
         "y": [each["groups"][group] for each in periods], "line": {"width": 0.5, "color": LIFECYCLE[group]},
         "fillcolor": LIFECYCLE[group], "hovertemplate": "%{x}: %{y:,}"}
        for group in order
    ]  # fmt: skip
    return Picture(
        facts.say("In which group are the customers?", "顾客处于哪个群体？"),
        facts.say(
            f"In {last['period']} {whole(last['active_users'])} of {whole(last['ever_seen'])} customers were active; "
            f"the largest group is {_name(facts, most)} with {percent(last['groups'][most] / last['ever_seen'])}.",
            f"{last['period']}共{whole(last['ever_seen'])}名顾客，{whole(last['active_users'])}人活跃；最大的群体是"
            f"{_name(facts, most)}，占{percent(last['groups'][most] / last['ever_seen'])}。",
        ),
        figure(areas, height=460, hovermode="x unified", xaxis=axis(category=True),
               yaxis=axis(facts.say("customers", "顾客数"), rangemode="tozero")),
        Table(
            (facts.unit, *(_name(facts, group) for group in last["groups"]), facts.say("all", "合计"),
             *(_name(facts, rate) for rate in last["rates"])),
            [
                (each["period"], *(whole(n) for n in each["groups"].values()), whole(each["ever_seen"]),
                 *(percent(rate) for rate in each["rates"].values()))
                for each in periods
            ],
        ),
        [
            facts.say(
                f"Dormant: silent for fewer than {facts.several(facts.growth['lapsed_after'])}; lapsed: for as many "
                "or more. Rates: kept of the old, kept of the new, dormant woken, lapsed returned.",
                f"休眠：未活跃不足{facts.several(facts.growth['lapsed_after'])}；流失：达到或超过。比率：老用户留存、新用户留存、休眠被唤醒、流失后回流。",
            )
        ],
    )  # fmt: skip


def _flows(facts: Facts, period: Mapping[str, Any]) -> Picture:
    moves = [(a, b, n) for a, to in period["flows"].items() for b, n in to.items()]
    groups = list(period["groups"])
    left = [group for group in groups if any(a == group for a, _, _ in moves)]
    right = [group for group in groups if any(b == group for _, b, _ in moves)]
    place = {("from", g): k for k, g in enumerate(left)} | {("to", g): len(left) + k for k, g in enumerate(right)}
    named = [_name(facts, group) for group in (*left, *right)]
    sankey = {
        "type": "sankey", "arrangement": "snap",
        "node": {"label": named, "color": [LIFECYCLE[group] for group in (*left, *right)], "pad": 14, "thickness": 16,
                 "line": {"width": 0}},
        "link": {
            "source": [place["from", a] for a, _, _ in moves], "target": [place["to", b] for _, b, _ in moves],
            "value": [n for _, _, n in moves], "color": [_faint(LIFECYCLE[b]) for _, b, _ in moves],
        },
    }  # fmt: skip
    biggest = max((move for move in moves if move[0] != move[1]), key=lambda move: move[2], default=moves[0])
    known = {group: sum(n for a, _, n in moves if a == group) for group in left}
    return Picture(
        facts.say(f"Where did everybody go in {period['period']}?", f"{period['period']}每个群体的人去了哪里？"),
        facts.say(
            f"The largest move was of {whole(biggest[2])} customers from {_name(facts, biggest[0])} to "
            f"{_name(facts, biggest[1])}.",
            f"最大的一次变动是{whole(biggest[2])}名顾客由{_name(facts, biggest[0])}变为{_name(facts, biggest[1])}。",
        ),
        figure([sankey], height=480, margin={"l": 8, "r": 8, "t": 16, "b": 16}),
        Table(
            (
                facts.say("from → to", "由 → 到"),
                facts.say("customers", "顾客数"),
                facts.say("share of from", "占原群体"),
            ),
            [
                (f"{_name(facts, a)} → {_name(facts, b)}", whole(n), percent(n / known[a]))
                for a, b, n in sorted(moves, key=lambda move: -move[2])
            ],
        ),
    )


def _faint(colour: str) -> str:
    """The colour, half seen through, on a light page as on a dark one."""
    red, green, blue = (int(colour[k : k + 2], 16) for k in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.45)"
