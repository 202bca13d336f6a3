"""How many of those who came in one month are still active in later ones."""

from __future__ import annotations

from console.report.colours import SCALE
from console.report.facts import Facts
from console.report.pictures import AbsentError, Picture, Table, axis, figure, percent, whole

PLACE = 120
TITLE = ("Retention by cohort", "同期群留存")
WRITTEN = 13
"""More columns than so many, and the numbers do not fit into their cells."""


def pictures(facts: Facts) -> list[Picture]:
    """One picture: the triangle; a month not yet over is empty, never 0."""
    cohorts = [each for each in facts.growth["cohorts"]["all"] if each["complete"] and each["size"]]
    later = [each for each in cohorts if len(each["rates"]) > 1 and each["rates"][1] is not None]
    if not later:
        raise AbsentError(
            facts.say("no cohort has been watched for a whole week yet", "还没有同期群被观察满一周"),
            facts.say("two complete weeks", "两个完整的周"),
        )
    width = max(sum(rate is not None for rate in each["rates"]) for each in cohorts)
    cells = [[*each["rates"], *[None] * width][1:width] for each in cohorts]
    known = [each["rates"][1] for each in later]
    average = sum(each["active"][1] for each in later) / sum(each["size"] for each in later)
    names = [f"{each['cohort']} ({whole(each['size'])})" for each in cohorts]
    heat = {
        "type": "heatmap", "x": [f"+{k}" for k in range(1, width)], "y": names, "z": cells, "zmin": 0,
        "zmax": max((rate for row in cells for rate in row if rate is not None), default=1), "xgap": 1, "ygap": 1,
        "colorscale": [list(step) for step in SCALE], "hoverongaps": False, "hovertemplate": "%{y} %{x}: %{z:.1%}",
        "colorbar": {"tickformat": ".0%", "thickness": 10},
        **({"texttemplate": "%{z:.0%}"} if width <= WRITTEN else {}),
    }  # fmt: skip
    return [
        Picture(
            facts.say(f"How many of a {facts.unit}'s new customers come again?", "新顾客后来还有多少人活跃？"),
            facts.say(
                f"One {facts.unit} later {percent(average)} are active again (from {percent(min(known))} to "
                f"{percent(max(known))} by cohort).",
                f"下一{facts.unit}有{percent(average)}再次活跃（各同期群在{percent(min(known))}至{percent(max(known))}之间）。",
            ),
            figure(
                [heat],
                height=140 + 26 * len(cohorts),
                xaxis=axis(
                    facts.say(f"{facts.unit}s later", f"之后第几{facts.unit}"),
                    category=True,
                    side="top",
                    showgrid=False,
                ),
                yaxis=axis(category=True, autorange="reversed", showgrid=False),
            ),
            Table(
                (facts.say("cohort", "同期群"), facts.say("customers", "人数"), *(f"+{k}" for k in range(1, width))),
                [
                    (each["cohort"], whole(each["size"]), *("" if rate is None else percent(rate) for rate in row))
                    for each, row in zip(cohorts, cells, strict=True)
                ],
            ),
            [
                facts.say(
                    f"An empty cell lies in a {facts.unit} that is not over. The first cohort also holds customers of "
                    "before the data begin.",
                    f"空白表示该{facts.unit}尚未结束。第一个同期群含有数据开始之前的老顾客。",
                )
            ],
        )
    ]
