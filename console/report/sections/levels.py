"""How many customers stand at each member level, and who is about to rise or to fall."""

from __future__ import annotations

from typing import Any

from console.report.colours import BLUE, GREEN, GREY, ORANGE
from console.report.facts import Facts
from console.report.pictures import AbsentError, Picture, Table, axis, figure, percent, whole
from insights.levels import SAID, summary
from pipeline.levelling import levels_at

PLACE = 240
TITLE = ("Member levels", "会员等级")
DAYS = 30


def pictures(facts: Facts) -> list[Picture]:
    """One picture: customers by level, now and a period ago."""
    settings = facts.workspace.settings
    if settings.levels is None:
        raise AbsentError(
            facts.say("this workspace declares no levels", "该工作区未设置会员等级"),
            facts.say("[levels] in reprise.toml", "reprise.toml 中的 [levels]"),
        )
    told = summary(levels_at(facts.source, facts.as_of, settings.levels.rules, DAYS), DAYS).payload()
    return [
        Picture(
            facts.say("How many stand at each level, and who is about to move?", "各等级有多少人，谁即将变动？"),
            _answer(facts, told),
            _drawn(facts, told["levels"]),
            _table(facts, told["levels"]),
            [
                facts.say(
                    f"Points of {told['window_days']} days; a level is valid for {told['valid_days']}. About to fall: "
                    f"expires within {DAYS} days and is not kept by what still counts then.",
                    f"积分按{told['window_days']}天计，等级有效期{told['valid_days']}天。即将降级：{DAYS}天内到期，"
                    "且届时仍有效的积分不足以保级。",
                )
            ],
        )
    ]


def _answer(facts: Facts, told: dict[str, Any]) -> str:
    above = sum(row["customers"] for row in told["levels"][1:])
    falls = sum(row["about_to_fall"] for row in told["levels"])
    rises = sum(row["about_to_rise"] for row in told["levels"])
    share = percent(above / told["customers"] if told["customers"] else None)
    changed = told["changes"]
    return facts.say(
        f"{share} of customers are above the lowest level; in {DAYS} days {changed['reached']:,} rises, "
        f"{changed['fell']:,} falls; {rises:,} are about to rise, {falls:,} to fall.",
        f"{share}的顾客高于最低等级；近{DAYS}天升级{changed['reached']:,}次、降级{changed['fell']:,}次；"
        f"即将升级{rises:,}人，即将降级{falls:,}人。",
    )


def _drawn(facts: Facts, rows: list[dict[str, Any]]) -> dict[str, Any]:
    names = [row["level"] for row in rows]
    bars = [
        (facts.say(f"{DAYS} days ago", f"{DAYS}天前"), "before", GREY),
        (facts.say("now", "现在"), "customers", BLUE),
        (facts.say(*SAID["rise"]), "about_to_rise", GREEN),
        (facts.say(*SAID["fall"]), "about_to_fall", ORANGE),
    ]
    return figure(
        [
            {"type": "bar", "name": title, "x": names, "y": [row[key] for row in rows], "marker": {"color": colour}}
            for title, key, colour in bars
        ],
        barmode="group",
        xaxis=axis(category=True),
        yaxis=axis(facts.say("customers", "顾客数"), rangemode="tozero"),
    )


def _table(facts: Facts, rows: list[dict[str, Any]]) -> Table:
    columns = (
        facts.say("level", "等级"), facts.say("from points", "起始积分"), facts.say("customers", "顾客数"),
        facts.say("share", "占比"), facts.say(f"{DAYS} days ago", f"{DAYS}天前"), facts.say(*SAID["rise"]),
        facts.say(*SAID["fall"]), facts.say("gets", "权益"),
    )  # fmt: skip
    cells = [
        (
            row["level"], whole(row["from_points"]), whole(row["customers"]), percent(row["share"]),
            whole(row["before"]), whole(row["about_to_rise"]), whole(row["about_to_fall"]), row["benefits"] or "",
        )
        for row in reversed(rows)
    ]  # fmt: skip
    return Table(columns, cells)
