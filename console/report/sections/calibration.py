"""Whether as many did it as the models said."""

from __future__ import annotations

from console.report.colours import GREY
from console.report.facts import Facts
from console.report.judged import Card, cards
from console.report.pictures import Picture, Table, axis, figure, percent, whole

PLACE = 820
TITLE = ("Whether the probabilities hold", "概率是否可信")


def pictures(facts: Facts) -> list[Picture]:
    """One picture: predicted against observed, a point for each tenth of the judged customers."""
    known = cards(facts)
    worst = max(known, key=_off)
    return [
        Picture(
            facts.say("Do as many do it as was predicted?", "预测有多少人会行动，实际就有多少人吗？"),
            facts.say(
                f"On the judged dates predictions and what happened were {percent(min(map(_off, known)))} to "
                f"{percent(_off(worst))} of the customers apart (mean over tenths), most for {worst.name}.",
                f"评估日各十分位上，预测与实际平均相差{percent(min(map(_off, known)))}至{percent(_off(worst))}，"
                f"相差最大的是{worst.name}。",
            ),
            _drawn(facts, known),
            _table(facts, known),
            [
                facts.say(
                    "Points above the dotted line: more came than promised. A curve that is off as a whole has the "
                    "wrong level, because the share of buyers moves from month to month; its order holds all the same.",
                    "点在虚线上方表示实际多于预测。整条曲线偏移说明总体水平有变化（每月购买比例会波动），排序仍然有效。",
                )
            ],
        )
    ]


def _off(each: Card) -> float:
    rows = each.judged["deciles"]
    held = sum(row["rows"] for row in rows) or 1
    return float(sum(row["rows"] * abs(row["observed_rate"] - row["mean_predicted"]) for row in rows) / held)


def _drawn(facts: Facts, known: list[Card]) -> dict[str, object]:
    points = [(row["mean_predicted"], row["observed_rate"]) for each in known for row in each.judged["deciles"]]
    most = min(1.0, max((max(point) for point in points), default=0.1) * 1.05)
    promised = {
        "type": "scatter", "mode": "lines", "x": [0, most], "y": [0, most],
        "name": facts.say("as predicted", "与预测一致"),
        "line": {"color": GREY, "width": 1, "dash": "dot"}, "hoverinfo": "skip",
    }  # fmt: skip
    curves = [
        {
            "type": "scatter", "mode": "lines+markers", "name": each.name,
            "x": [row["mean_predicted"] for row in each.judged["deciles"]],
            "y": [row["observed_rate"] for row in each.judged["deciles"]],
            "line": {"color": each.colour, "dash": each.dash},
            "hovertemplate": "%{x:.1%} → %{y:.1%}",
        }
        for each in known
    ]  # fmt: skip
    return figure(
        [promised, *curves],
        height=460,
        xaxis=axis(facts.say("predicted probability", "预测概率"), share=True, range=[0, 1.02 * most]),
        yaxis=axis(facts.say("share that did it", "实际占比"), share=True, range=[0, 1.02 * most]),
    )


def _table(facts: Facts, known: list[Card]) -> Table:
    columns = (
        facts.say("model, tenth", "模型、十分位"), facts.say("customers", "顾客数"), facts.say("predicted", "预测"),
        facts.say("observed", "实际"), facts.say("difference", "差值"),
    )  # fmt: skip
    rows = [
        (
            f"{each.name} · {row['decile']}", whole(row["rows"]), percent(row["mean_predicted"]),
            percent(row["observed_rate"]), f"{(row['observed_rate'] - row['mean_predicted']) * 100:+.1f}",
        )
        for each in known
        for row in each.judged["deciles"]
    ]  # fmt: skip
    return Table(columns, rows)
