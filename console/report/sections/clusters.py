"""Groups that the data themselves show: how large, and what sets each apart."""

from __future__ import annotations

from console.report.colours import PURPLE
from console.report.facts import Facts
from console.report.pictures import AbsentError, Picture, Table, axis, figure, percent, whole
from pipeline.clusters import kept_summary

PLACE = 250
TITLE = ("Clusters", "自然分群")


def pictures(facts: Facts) -> list[Picture]:
    """One picture: the sizes of the clusters that were found last; absent where none were looked for, or found."""
    found = kept_summary(facts.workspace, facts.source, facts.as_of)
    if found is None:
        needs = "`reprise clusters`"
        raise AbsentError(facts.say("no clusters were looked for", "尚未进行聚类"), needs)
    if not found.structured:
        raise AbsentError(
            facts.say("customers vary by degrees, no groups stand apart", "顾客之间是渐变的，没有明显分开的群"),
            facts.say("data with groups", "存在分群结构的数据"),
        )
    rows = found.payload()["clusters"]
    first = rows[0]
    name = facts.say("name_en", "name_zh")
    return [
        Picture(
            facts.say("Which groups do the data show by themselves?", "数据自身呈现出哪些群？"),
            facts.say(
                f"{len(rows)} groups; the largest, {first['cluster']} ({percent(first['share'])}): {first[name]}.",
                f"共{len(rows)}个群；最大的{first['cluster']}（{percent(first['share'])}）：{first[name]}。",
            ),
            figure(
                [
                    {"type": "bar", "orientation": "h", "x": [row["customers"] for row in rows][::-1],
                     "y": [row["cluster"] for row in rows][::-1], "marker": {"color": PURPLE}}
                ],
                xaxis=axis(facts.say("customers", "顾客数"), rangemode="tozero"),
                yaxis=axis(category=True),
            ),
            Table(
                (facts.say("cluster", "群"), facts.say("customers", "顾客数"), facts.say("share", "占比"),
                 facts.say("set apart by", "特征")),
                [(row["cluster"], whole(row["customers"]), percent(row["share"]), row[name]) for row in rows],
            ),
            [
                facts.say(
                    "Their number is the largest that halves of the customers agree on and that beats data without "
                    "structure. Letters last from run to run; differences are observational.",
                    "群数为两半顾客一致且优于无结构数据的最大值；字母名称在各次运行间保持不变；差异为观察性结果。",
                )
            ],
        )
    ]  # fmt: skip
