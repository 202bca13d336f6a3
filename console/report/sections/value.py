"""What the customers are worth: money expected by decile, beside what came of it when judged."""

from __future__ import annotations

from console.report.colours import BLUE, GREY
from console.report.facts import Facts
from console.report.pictures import AbsentError, Picture, Table, axis, figure, percent, whole
from insights.value import Value
from pipeline.worth import value_of
from warehouse.errors import NotReadyError

PLACE = 850
TITLE = ("What customers will spend", "顾客未来价值")


def pictures(facts: Facts) -> list[Picture]:
    """Who the money comes from; and where a window was judged, whether as much came as was expected."""
    if facts.release is None:
        raise AbsentError(facts.say("no release was made for that date", "该日期没有发布"), "`reprise run`")
    try:
        found = value_of(facts.release, None)
    except NotReadyError as error:
        needs = facts.say("orders with amounts, and a run since", "带金额的订单，并重新运行")
        raise AbsentError(error.message.removeprefix("There is no value of customers: ").rstrip("."), needs) from error
    if not found.table.num_rows:
        raise AbsentError(facts.say("nobody has a value", "没有可预测的顾客"), facts.say("orders", "订单"))
    return [_shares(facts, found), *([_judged(facts, found)] if found.card.get("deciles") else [])]


def _shares(facts: Facts, found: Value) -> Picture:
    rows, days = found.deciles(), found.card["horizon_days"]
    total = found.card["total"]
    first = rows[0]["share"]
    answer = facts.say(
        f"{whole(total['expected'])} is expected of {whole(found.card['customers'])} customers in the next {days} days "
        f"(90 % by the fit: {whole(total['low'])} to {whole(total['high'])}); the first tenth brings {percent(first)}.",
        f"未来{days}天预计{whole(found.card['customers'])}名顾客消费{whole(total['expected'])}"
        f"（拟合的90%区间：{whole(total['low'])}–{whole(total['high'])}）；前十分之一贡献{percent(first)}。",
    )
    bars = {
        "type": "bar", "x": [str(row["decile"]) for row in rows], "y": [row["share"] for row in rows],
        "marker": {"color": BLUE}, "texttemplate": "%{y:.0%}", "hovertemplate": "%{x}: %{y:.1%}",
    }  # fmt: skip
    return Picture(
        facts.say("Whom will the money come from?", "未来的收入来自谁？"),
        answer,
        figure(
            [bars],
            xaxis=axis(facts.say("tenths of the customers, most first", "按预计消费排序的十分位"), category=True),
            yaxis=axis(facts.say("share of the money", "金额占比"), share=True, rangemode="tozero"),
        ),
        Table(
            [facts.say("tenth", "十分位"), facts.say("customers", "人数"), facts.say("money expected", "预计金额"),
             facts.say("share", "占比"), facts.say("spent so far", "累计消费")],
            [[str(row["decile"]), whole(row["customers"]), whole(row["predicted_clv"]), percent(row["share"]),
              whole(row["historic_clv"])] for row in rows],
        ),
        [
            facts.say(
                "The interval is that of the fitted parameters and of chance; how far off the model itself was is the "
                "next picture.",
                "区间只反映参数与随机性；模型本身的偏差见下图。",
            )
        ],
    )  # fmt: skip


def _judged(facts: Facts, found: Value) -> Picture:
    rows, card = found.card["deciles"], found.card
    ratio, share = (card["judged"][card["model"]][name] for name in ("total_ratio", "top_decile_share"))
    day = card["protocol"]["judge"]
    lines = [
        {
            "type": "scatter", "mode": "lines+markers", "name": name, "x": [str(row["decile"]) for row in rows],
            "y": [row[key] for row in rows], "line": {"color": colour}, "hovertemplate": "%{x}: %{y:,.2f}",
        }
        for name, key, colour in (
            (facts.say("expected", "预计"), "expected_mean", GREY),
            (facts.say("spent", "实际"), "spent_mean", BLUE),
        )
    ]  # fmt: skip
    return Picture(
        facts.say("Does as much come as was expected?", "实际消费与预计相符吗？"),
        facts.say(
            f"Judged on {day}, {percent(ratio)} of what was then spent had been expected in all; the tenth expected to "
            f"spend most held {percent(share)} of the money.",
            f"以{day}评估：预计总额为实际的{percent(ratio)}；预计最高的十分之一占实际金额的{percent(share)}。",
        ),
        figure(
            lines,
            xaxis=axis(facts.say("tenths of the judged customers", "评估顾客的十分位"), category=True),
            yaxis=axis(facts.say("money a customer", "人均金额"), rangemode="tozero"),
        ),
        Table(
            [facts.say("tenth", "十分位"), facts.say("customers", "人数"), facts.say("expected", "预计"),
             facts.say("spent", "实际")],
            [[str(r["decile"]), whole(r["customers"]), f"{r['expected_mean']:,.2f}", f"{r['spent_mean']:,.2f}"]
             for r in rows],
        ),
        [card["why"]],
    )  # fmt: skip
