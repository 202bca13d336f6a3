"""How much of what will happen the most likely customers hold."""

from __future__ import annotations

from console.report.colours import GREY
from console.report.facts import Facts
from console.report.judged import Card, cards, shown_name
from console.report.pictures import AbsentError, Picture, Table, axis, figure, percent, whole

PLACE = 810
TITLE = ("What the models gain", "模型的增益")
TOP = 0.1


def pictures(facts: Facts) -> list[Picture]:
    """One picture: the curves of gains of all judged models."""
    known = [each for each in cards(facts) if each.card["gains"]]
    if not known:
        raise AbsentError(
            facts.say("nobody was positive on the judged dates", "评估日没有正样本"),
            facts.say("a judged date with outcomes", "有结果的评估日"),
        )
    best = max(known, key=lambda each: _held(each, TOP))
    return [
        Picture(
            facts.say(
                "If only the most likely are contacted, how many of those who will act are reached?",
                "只联系最可能的顾客，能覆盖多少真正会行动的人？",
            ),
            facts.say(
                f"The top 10 % by {best.name} held {percent(_held(best, TOP))} of those who then did it; at most "
                f"{percent(_most(best))} was possible, and chance gives 10 %.",
                f"按{best.name}排在前10%的顾客覆盖了{percent(_held(best, TOP))}的行动者；"
                f"上限为{percent(_most(best))}，随机为10%。",
            ),
            _drawn(facts, known),
            _table(facts, known),
            [
                facts.say(
                    "Each curve is of the date on which the model was judged, with labels it had not seen.",
                    "每条曲线都来自模型的评估日，所用标签均未参与训练。",
                )
            ],
        )
    ]


def _drawn(facts: Facts, known: list[Card]) -> dict[str, object]:
    chance = {
        "type": "scatter", "mode": "lines", "x": [0, 1], "y": [0, 1], "name": facts.say("chance", "随机"),
        "line": {"color": GREY, "width": 1, "dash": "dot"}, "hoverinfo": "skip",
    }  # fmt: skip
    curves = [
        {
            "type": "scatter", "mode": "lines", "name": each.name,
            "x": [x for x, _ in each.card["gains"]], "y": [y for _, y in each.card["gains"]],
            "line": {"color": each.colour, "dash": each.dash},
            "hovertemplate": "%{x:.0%} → %{y:.1%}",
        }
        for each in known
    ]  # fmt: skip
    return figure(
        [chance, *curves],
        height=460,
        xaxis=axis(facts.say("share of customers contacted", "联系的顾客占比"), share=True, range=[0, 1.02]),
        yaxis=axis(facts.say("share of those who act", "覆盖的行动者占比"), share=True, range=[0, 1.02]),
    )


def _table(facts: Facts, known: list[Card]) -> Table:
    columns = (
        facts.say("model", "模型"), facts.say("judged on", "评估日"), facts.say("shown", "所示模型"),
        facts.say("customers", "顾客数"), facts.say("did it", "行动占比"), facts.say("top 10 % hold", "前10%覆盖"),
        facts.say("top 20 %", "前20%"), facts.say("top 50 %", "前50%"), facts.say("lift at 10 %", "前10%提升度"), "AUC",
    )  # fmt: skip
    rows = [
        (
            each.name, each.judged["as_of"], shown_name(facts, each.card["judged_model"]), whole(each.judged["n"]),
            percent(each.judged["base_rate"]), *(percent(_held(each, top)) for top in (TOP, 0.2, 0.5)),
            _number(each.metrics.get("lift_at_10"), 2), _number(each.metrics.get("auc"), 3),
        )
        for each in known
    ]  # fmt: skip
    return Table(columns, rows)


def _held(each: Card, top: float) -> float:
    """What share of the positives the top holds, by the curve's point nearest to it."""
    return float(min(each.card["gains"], key=lambda point: abs(point[0] - top))[1])


def _most(each: Card) -> float:
    """What the best possible order would hold in the top tenth."""
    return min(1.0, TOP / float(each.judged["base_rate"]))


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
