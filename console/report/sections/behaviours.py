"""What goes with staying, and what comes before leaving; observational."""

from __future__ import annotations

from console.report.colours import BLUE, GREY
from console.report.facts import Facts
from console.report.pictures import Picture, Table, axis, figure, percent, whole
from insights.behaviours import Behaviours
from pipeline.behaving import Asked, behaviours_now, notes
from warehouse.errors import NotReadyError

PLACE = 340
TITLE = ("Behaviours", "关键行为")
SHOWN = 15


def pictures(facts: Facts) -> list[Picture]:
    """One picture of staying, one of leaving; those that the data give."""
    drawn, missing = [], None
    for leaving in (False, True):
        try:
            spans, found = behaviours_now(facts.source, facts.as_of, Asked(leaving))
        except NotReadyError as error:
            missing = error
            continue
        drawn.append(_picture(facts, found, notes(spans, found, facts.language)))
    if not drawn and missing is not None:
        raise missing
    return drawn


def _picture(facts: Facts, found: Behaviours, told: list[str]) -> Picture:
    shown = found.all[:SHOWN]
    colours = [GREY if each.verdict == "open" else BLUE for each in shown]
    points = {
        "type": "scatter", "mode": "markers", "x": [each.difference for each in shown],
        "y": [each.behaviour for each in shown], "marker": {"color": colours, "size": 10},
        "error_x": {"type": "data", "symmetric": False, "color": GREY,
                    "array": [each.high - each.difference for each in shown],
                    "arrayminus": [each.difference - each.low for each in shown]},
        "hovertemplate": "%{y}: %{x:+.1%}<extra></extra>",
    }  # fmt: skip
    question = (
        facts.say("What comes before leaving? (observational)", "离开之前有哪些行为？（仅为观察）")
        if found.leaving
        else facts.say("Which early acts go with staying? (observational)", "哪些早期行为与留存相伴？（仅为观察）")
    )
    return Picture(
        question,
        _answer(facts, found),
        figure(
            [points],
            height=110 + 30 * len(shown),
            xaxis=axis(facts.say("difference of shares", "比例之差"), share=True, zeroline=True),
            yaxis=axis(category=True, autorange="reversed"),
        ),
        Table(
            (facts.say("behaviour", "行为"), facts.say("customers", "顾客数"), facts.say("share of them", "其中比例"),
             facts.say("difference", "差"), facts.say("from", "下限"), facts.say("to", "上限"),
             facts.say("holds", "成立")),
            [
                (each.behaviour, whole(each.users), percent(each.share), percent(each.difference), percent(each.low),
                 percent(each.high), facts.say("no", "否") if each.verdict == "open" else facts.say("yes", "是"))
                for each in shown
            ],
        ),
        told,
    )  # fmt: skip


def _answer(facts: Facts, found: Behaviours) -> str:
    more = [each for each in found.found if each.verdict == "more"]
    if not more:
        return facts.say(
            f"None of {len(found.all)} behaviours tried goes with it for sure.",
            f"检验的{len(found.all)}个行为无一确定相关。",
        )
    first, share = more[0], percent(more[0].difference)
    outcome = facts.say("left" if found.leaving else "stayed", "离开" if found.leaving else "留存")
    return facts.say(
        f"Of those who did {first.behaviour} {share} more {outcome} than of others alike; {len(found.found)} of "
        f"{len(found.all)} behaviours tried hold.",
        f"有{first.behaviour}行为者{outcome}比例比相似的其他人高{share}；"
        f"检验的{len(found.all)}个行为中{len(found.found)}个成立。",
    )
