"""How far customers come: the five stages, and the funnels that the settings declare."""

from __future__ import annotations

from console.report.colours import BLUE
from console.report.facts import Facts
from console.report.pictures import AbsentError, Picture, Table, axis, figure, percent, whole
from insights.funnels import STAGES, Funnel, duration
from pipeline.funnelling import Asked, chosen, counted_now, notes, referral_now

PLACE = 320
TITLE = ("Funnels", "转化漏斗")


def pictures(facts: Facts) -> list[Picture]:
    """A picture of the five stages, and one for each funnel of the settings."""
    if not {"orders", "events"} & facts.source.tables:
        raise AbsentError(facts.say("nothing is known of acts", "没有行为数据"), facts.say("events", "行为事件"))
    names = ((), *((name,) for name in facts.workspace.settings.funnels))
    return [_picture(facts, Asked(name, None, None)) for name in names]


def _picture(facts: Facts, asked: Asked) -> Picture:
    name, steps, window = chosen(facts.source, facts.as_of, asked)
    found, _ = counted_now(facts.source, facts.as_of, name, steps, window)
    brought = None if asked.words else referral_now(facts.source, facts.as_of)
    named = [STAGES.get(reach.step, (reach.step, reach.step))[facts.language == "zh"] for reach in found.steps]
    bars = {
        "type": "bar", "orientation": "h", "x": [reach.users for reach in found.steps], "y": named,
        "marker": {"color": BLUE}, "textangle": 0, "text": [percent(reach.overall.share) for reach in found.steps],
        "hovertemplate": "%{y}: %{x:,}<extra></extra>",
    }  # fmt: skip
    return Picture(
        facts.say("How far do customers come?", "顾客走到了哪一步？")
        if not asked.words
        else facts.say(f"How far do customers come in {name}?", f"在“{name}”中顾客走到了哪一步？"),
        _answer(facts, found, named),
        figure(
            [bars],
            height=110 + 46 * len(named),
            xaxis=axis(facts.say("customers", "顾客数"), rangemode="tozero"),
            yaxis=axis(category=True, autorange="reversed"),
        ),
        _table(facts, found, named),
        notes(found, brought, facts.language),
    )


def _answer(facts: Facts, found: Funnel, named: list[str]) -> str:
    first, last = found.steps[0], found.steps[-1]
    told = [(n, reach) for n, reach in enumerate(found.steps) if reach.conversion and reach.conversion.n]
    if not told:
        return facts.say("Nobody has entered it.", "没有人进入。")
    n, worst = min(told, key=lambda each: (each[1].conversion and each[1].conversion.share) or 0.0)
    share = percent(worst.conversion.share if worst.conversion else None)
    return facts.say(
        f"Of {whole(first.users)} customers {whole(last.users)} ({percent(last.overall.share)}) came to the last step; "
        f"fewest go on from {named[n - 1]} to {named[n]}: {share}.",
        f"{whole(first.users)}名顾客中{whole(last.users)}名（{percent(last.overall.share)}）走到最后一步；"
        f"从{named[n - 1]}到{named[n]}流失最多，仅{share}继续。",
    )


def _table(facts: Facts, found: Funnel, named: list[str]) -> Table:
    columns = (
        facts.say("step", "步骤"), facts.say("customers", "顾客数"), facts.say("of the step before", "占上一步"),
        facts.say("from", "下限"), facts.say("to", "上限"), facts.say("of all", "占全部"),
        facts.say("no further", "止步于此"), facts.say("did it ever", "曾有此行为"),
        facts.say("median time", "中位用时"),
    )  # fmt: skip
    rows = []
    for name, reach in zip(named, found.steps, strict=True):
        low, high = (reach.conversion.interval if reach.conversion else None) or (None, None)
        rows.append(
            (name, whole(reach.users), percent(reach.conversion.share if reach.conversion else None), percent(low),
             percent(high), percent(reach.overall.share), whole(reach.stayed_here), whole(reach.ever),
             duration(reach.median_seconds) or "–")
        )  # fmt: skip
    return Table(columns, rows)
