"""How many are expected to do it from now on, beside how many used to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from console.report.colours import BLUE, GREY
from console.report.facts import Facts
from console.report.judged import cards, model_name
from console.report.pictures import Picture, Table, axis, figure, percent, whole

PLACE = 800
TITLE = ("What is expected of the customers", "对顾客的预期")


@dataclass(frozen=True)
class _Row:
    name: str
    population: str
    learnt: float
    asked: int
    expected: float


def pictures(facts: Facts) -> list[Picture]:
    """One picture: of each target the share learnt from the past and the mean probability of those asked about."""
    cards(facts)
    rows = _rows(facts)
    first = rows[0]
    return [
        Picture(
            facts.say(
                "How many are expected to do what, and how many used to?", "预计有多少人会做什么，以往又有多少？"
            ),
            facts.say(
                f"{first.name}: {percent(first.expected)} of {whole(first.asked)} customers are expected; "
                f"{percent(first.learnt)} did on the dates that were learnt from.",
                f"{first.name}：预计{whole(first.asked)}名顾客中有{percent(first.expected)}；学习所用日期上为{percent(first.learnt)}。",
            ),
            _drawn(facts, rows),
            _table(facts, rows),
            [facts.say(f"Of release {_release(facts)}.", f"来自发布版本{_release(facts)}。")],
        )
    ]


def _release(facts: Facts) -> str:
    release = facts.release
    return f"{release.id} ({release.as_of})" if release else ""


def _rows(facts: Facts) -> list[_Row]:
    release = facts.release
    assert release is not None  # cards() has raised where it is
    found = []
    for (target, horizon), model in release.models.items():
        asked = release.scores.targets[target, horizon].probability
        inside = asked[~np.isnan(asked)]
        expected = float(inside.mean()) if inside.size else float("nan")
        name = model_name(facts, target, horizon)
        found.append(_Row(name, model.population, float(model.base_rate), inside.size, expected))
    return found


def _drawn(facts: Facts, rows: list[_Row]) -> dict[str, object]:
    names = [row.name for row in rows][::-1]
    bars = [
        {
            "type": "bar", "orientation": "h", "name": said, "y": names, "x": shares[::-1], "marker": {"color": colour},
            "texttemplate": "%{x:.0%}", "textposition": "auto", "hovertemplate": "%{x:.1%}",
        }
        for said, colour, shares in (
            (facts.say("used to", "以往"), GREY, [row.learnt for row in rows]),
            (facts.say("expected", "预计"), BLUE, [None if np.isnan(row.expected) else row.expected for row in rows]),
        )
    ]  # fmt: skip
    return figure(
        bars,
        height=140 + 46 * len(rows),
        barmode="group",
        legend={"traceorder": "reversed"},
        xaxis=axis(share=True, rangemode="tozero"),
        yaxis=axis(category=True),
    )


def _table(facts: Facts, rows: list[_Row]) -> Table:
    columns = (
        facts.say("target", "目标"), facts.say("asked about", "涉及顾客"), facts.say("used to", "以往"),
        facts.say("expected", "预计"), facts.say("expected customers", "预计人数"),
        facts.say("who is asked about", "人群规则"),
    )  # fmt: skip
    return Table(
        columns,
        [
            (
                row.name,
                whole(row.asked),
                percent(row.learnt),
                percent(None if np.isnan(row.expected) else row.expected),
                whole(None if np.isnan(row.expected) else row.expected * row.asked),
                row.population,
            )
            for row in rows
        ],
    )
