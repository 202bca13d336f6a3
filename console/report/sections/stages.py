"""How many stand at each value stage, and what each stage's figure was over the last whole periods."""

from __future__ import annotations

from typing import Any

from console.report.colours import BLUE
from console.report.facts import Facts
from console.report.pictures import AbsentError, Picture, Table, axis, figure, percent, whole
from insights.stages import KPIS, figure_text
from pipeline.stages import summarised

PLACE = 230
TITLE = ("Value stages", "价值阶段")


def pictures(facts: Facts) -> list[Picture]:
    """One picture: customers by stage, with the strategy of each beneath."""
    there = {"orders", "events"} & facts.source.tables
    if not there:
        raise AbsentError(facts.say("nobody bought or did anything", "没有订单或行为"), facts.say("orders", "订单"))
    first = min(day for name in there if (day := facts.source.store.manifest(name).first_day))
    found = summarised(facts.source, facts.workspace.settings, facts.as_of, first, facts.observed_until)
    told = found.payload()
    rows = told["stages"]
    return [
        Picture(
            facts.say("Where do customers stand, and how does each stage do?", "顾客处于哪个阶段，各阶段成效如何？"),
            _answer(facts, rows),
            figure(
                [
                    {"type": "bar", "orientation": "h", "x": [row["customers"] for row in rows][::-1],
                     "y": [_title(facts, row) for row in rows][::-1], "marker": {"color": BLUE}}
                ],
                xaxis=axis(facts.say("customers", "顾客数"), rangemode="tozero"),
                yaxis=axis(category=True),
            ),
            _table(facts, rows, [period.name for period in found.periods]),
            [
                facts.say(
                    "Everybody is in the first stage from the top whose rule holds. Figures: those in it as a period "
                    "began, by what they did until it ended, with 95 % intervals. Observational.",
                    "每名顾客属于自上而下第一个满足规则的阶段。指标：期初处于该阶段的顾客在该期内的表现，附95%区间；"
                    "为观察性结果。",
                )
            ],
        )
    ]  # fmt: skip


def _title(facts: Facts, row: dict[str, Any]) -> str:
    return str(row[facts.say("title_en", "title_zh")])


def _answer(facts: Facts, rows: list[dict[str, Any]]) -> str:
    most = max(rows, key=lambda row: row["customers"])
    text = facts.say(
        f"Most are in {_title(facts, most)}: {percent(most['share'])}",
        f"最多的是{_title(facts, most)}：{percent(most['share'])}",
    )
    if most["measured"] and most["measured"][-1]["value"] is not None:
        last = most["measured"][-1]
        said, kpi = figure_text(most["kpi"], last), facts.say(*KPIS[most["kpi"]])
        text += facts.say(f"; in {last['period']} of them {kpi}: {said}", f"；{last['period']}其中{kpi}：{said}")
    return text + facts.say(".", "。")


def _table(facts: Facts, rows: list[dict[str, Any]], periods: list[str]) -> Table:
    what = ("goal", "touchpoints", "actions")
    columns = (
        facts.say("stage", "阶段"), facts.say("customers", "顾客数"), facts.say("share", "占比"),
        facts.say("measured", "指标"), *periods,
        facts.say("goal", "目标"), facts.say("touchpoints", "触点"), facts.say("actions", "动作"),
    )  # fmt: skip
    cells = [
        (
            _title(facts, row), whole(row["customers"]), percent(row["share"]),
            facts.say(*KPIS[row["kpi"]]), *(figure_text(row["kpi"], each) for each in row["measured"]),
            *(row[name + facts.say("_en", "_zh")] for name in what),
        )
        for row in rows
    ]  # fmt: skip
    return Table(columns, cells)
