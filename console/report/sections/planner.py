"""Where the active rate goes if nothing is done, and what it takes to hold the level."""

from __future__ import annotations

from typing import Any

from console.report.colours import BLUE, GREY, RED
from console.report.facts import Facts
from console.report.pictures import AbsentError, Picture, Table, axis, figure, percent
from features.periods import YEAR, name_of
from insights.chain import RATES
from insights.groups import NAMES
from insights.planner import Plan, Target, plan, rate
from insights.spans import number_named

PLACE = 500
TITLE = ("Target planner", "目标规划")
AHEAD = 3
"""Periods looked ahead, and back for the level to hold: a quarter where they are months."""


def pictures(facts: Facts) -> list[Picture]:
    """One picture: the active rate so far, its forecast with intervals, and the level to hold."""
    periods = facts.growth["periods"]
    complete = [each for each in periods if each["complete"]]
    if len(complete) < AHEAD + 1:
        raise AbsentError(
            facts.say(
                f"{len(complete)} complete weeks are too few to plan by", f"只有{len(complete)}个完整的周，不足以规划"
            ),
            facts.say(f"{AHEAD + 1} complete weeks", f"{AHEAD + 1}个完整的周"),
        )
    level = sum(map(rate, complete[-AHEAD:])) / AHEAD
    last, _ = number_named(complete[-1]["period"])
    target = Target(min(max(level, 1e-6), 1.0), name_of(last + 1, facts.grain), name_of(last + AHEAD, facts.grain))
    made = plan(periods, target, facts.growth["lapsed_after"], year=YEAR[facts.grain], seed=_seed(facts))
    low, middle, high = made.outlook.interval(made.outlook.average)
    return [
        Picture(
            facts.say("Where does the active rate go if nothing is done?", "如果什么都不做，活跃率会走向何处？"),
            facts.say(
                f"{percent(middle)} on average over {target.first} to {target.last} (80 % of the time {percent(low)} "
                f"to {percent(high)}), after {percent(level)} in the last {facts.several(AHEAD)}; in the long run "
                f"it tends to {percent(made.settles)}.",
                f"{target.first}至{target.last}平均{percent(middle)}（八成情况下在{percent(low)}至{percent(high)}之间），"
                f"此前{facts.several(AHEAD)}为{percent(level)}；长期趋于{percent(made.settles)}。",
            ),
            _drawn(facts, [(each["period"], rate(each)) for each in complete], made),
            _table(facts, made),
            [
                facts.say(
                    f"Simulated at the rates of {made.history.periods[0]} to {made.history.periods[-1]}. The table "
                    f"says what each rate would have to be to hold the level of the last {facts.several(AHEAD)}. "
                    "`reprise plan-target` plans any other target.",
                    f"按{made.history.periods[0]}至{made.history.periods[-1]}的比率模拟。"
                    f"表中为保持近{facts.several(AHEAD)}水平所需的比率；其他目标请用 `reprise plan-target`。",
                )
            ],
        )
    ]


def _seed(facts: Facts) -> int:
    return facts.workspace.settings.training.seed


def _drawn(facts: Facts, past: list[tuple[str, float]], made: Plan) -> dict[str, Any]:
    ahead = list(made.history.ahead)
    three = [made.outlook.interval(made.outlook.rates[:, k]) for k in range(len(ahead))]
    joined = [past[-1][0], *ahead]
    low, middle, high = ([past[-1][1], *(each[k] for each in three)] for k in range(3))
    band = {
        "type": "scatter", "mode": "lines", "x": [*joined, *joined[::-1]], "y": [*high, *low[::-1]], "fill": "toself",
        "fillcolor": "rgba(0,114,178,0.2)", "line": {"width": 0}, "name": facts.say("80 % of draws", "80%的模拟"),
        "hoverinfo": "skip",
    }  # fmt: skip
    lines = [
        {"type": "scatter", "mode": "lines+markers", "name": name, "x": x, "y": y,
         "line": {"color": colour, "dash": dash}, "hovertemplate": "%{x}: %{y:.1%}"}
        for name, x, y, colour, dash in (
            (facts.say("so far", "至今"), [month for month, _ in past], [share for _, share in past], GREY, "solid"),
            (facts.say("forecast", "预测"), joined, middle, BLUE, "solid"),
        )
    ]  # fmt: skip
    level = {
        "type": "scatter", "mode": "lines", "x": ahead,
        "name": facts.say(f"level of the last {facts.several(AHEAD)}", f"近{facts.several(AHEAD)}水平"),
        "y": [made.target.rate] * len(ahead), "line": {"color": RED, "dash": "dot"}, "hovertemplate": "%{y:.1%}",
    }  # fmt: skip
    months = [*(month for month, _ in past), *ahead]
    return figure(
        [band, *lines, level],
        xaxis=axis(category=True, categoryorder="array", categoryarray=months),
        yaxis=axis(facts.say("active rate", "活跃率"), share=True, rangemode="tozero"),
    )


def _table(facts: Facts, made: Plan) -> Table:
    columns = (
        facts.say("rate", "比率"), facts.say("now", "现在"), facts.say("needed alone", "单独提升须达"),
        facts.say("needed together", "一起提升须达"), facts.say("best ever seen", "历史最好"),
    )  # fmt: skip
    rows = []
    for name in RATES:
        lever = made.levers[name]
        alone = facts.say("not enough", "不够") if lever.needed is None else percent(lever.needed)
        both = made.together[name] if made.together else None
        rows.append(
            (NAMES[name][facts.language == "zh"], percent(lever.now), alone, percent(both), percent(lever.best))
        )
    return Table(columns, rows)
