"""Recency, frequency and money: the eight types, and the grid of recency by frequency."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from console.report.colours import BLUE, GREY, SCALE
from console.report.facts import Facts
from console.report.pictures import AbsentError, Picture, Table, axis, figure, percent, whole
from features.building import build_features
from features.catalogue import by_name, families_of

PLACE = 200
TITLE = ("RFM", "RFM分层")
SCORES = ("rfm_recency_score", "rfm_frequency_score")
MONEY = "amount_365d"


def pictures(facts: Facts) -> list[Picture]:
    """Two pictures: the types with their share of money, and the grid."""
    if "orders" not in facts.source.tables and "events" not in facts.source.tables:
        raise AbsentError(facts.say("nobody bought or did anything", "没有订单或行为"), facts.say("orders", "订单"))
    names = ["rfm_type", *SCORES, *([MONEY] if "orders" in facts.source.tables else [])]
    table = build_features(facts.source, facts.as_of, families=families_of(names))
    inside = table.filter(pc.is_valid(table["rfm_type"]))
    if not inside.num_rows:
        raise AbsentError(
            facts.say("nobody was active in the last 365 days", "近365天无人活跃"),
            facts.say("acts of the last year", "近一年的活跃"),
        )
    return [_types(facts, inside), _grid(facts, inside)]


def _types(facts: Facts, table: pa.Table) -> Picture:
    values = by_name()["rfm_type"].values
    money = table[MONEY].to_numpy() if MONEY in table.column_names else None
    kinds = np.array(table["rfm_type"].to_pylist())
    users = [int((kinds == each.value).sum()) for each in values]
    total = 0.0 if money is None else float(np.nansum(money))
    held = [
        float(np.nansum(money[kinds == each.value])) / total if money is not None and total > 0 else None
        for each in values
    ]
    named = [each.zh if facts.language == "zh" else each.en for each in values]
    top = max(range(len(values)), key=lambda k: held[k] or 0.0) if total > 0 else int(np.argmax(users))
    share = users[top] / table.num_rows
    bars = [
        {"type": "bar", "orientation": "h", "name": said, "y": named[::-1], "x": shares[::-1],
         "marker": {"color": colour}, "texttemplate": "%{x:.0%}", "hovertemplate": "%{y}: %{x:.1%}"}
        for said, colour, shares in (
            (facts.say("share of money", "金额占比"), GREY, held),
            (facts.say("share of customers", "人数占比"), BLUE, [n / table.num_rows for n in users]),
        )
        if any(each is not None for each in shares)
    ]  # fmt: skip
    by_money = total > 0
    asked = facts.say(
        "Which types of customers are there, and who brings the money?" if by_money else "Which types are there?",
        "有哪些类型的顾客，谁带来收入？" if by_money else "有哪些类型的顾客？",
    )
    answer = facts.say(
        f"{_capital(named[top])}: {percent(share)} of the customers"
        f"{f', {percent(held[top])} of the money of the last 365 days' if by_money else ''}.",
        f"{named[top]}：占顾客的{percent(share)}{f'，占近365天金额的{percent(held[top])}' if by_money else ''}。",
    )
    columns = [facts.say("type", "类型"), facts.say("customers", "人数"), facts.say("share", "占比")]
    rows = [[name, whole(n), percent(n / table.num_rows)] for name, n in zip(named, users, strict=True)]
    if by_money:
        columns.append(facts.say("share of money", "金额占比"))
        rows = [[*row, percent(part)] for row, part in zip(rows, held, strict=True)]
    measure = facts.say("money", "金额") if by_money else facts.say("engagement (all events)", "互动量（全部行为）")
    return Picture(
        asked,
        answer,
        figure(bars, height=460, barmode="group", legend={"traceorder": "reversed"},
               xaxis=axis(share=True, rangemode="tozero"), yaxis=axis(category=True)),
        Table(columns, rows),
        [
            facts.say(
                f"Of customers with an act in the last 365 days; each of recency, frequency and {measure} is high or "
                f"low. Important: {measure} is high.",
                f"仅含近365天有活跃的顾客。重要：{measure}高；价值：近且频；发展：近而不频；保持：频而不近；挽留：都不。",
            )
        ],
    )  # fmt: skip


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _grid(facts: Facts, table: pa.Table) -> Picture:
    recency, frequency = (np.nan_to_num(table[name].to_numpy()).astype(int) for name in SCORES)
    cells = [[int(((recency == r) & (frequency == f)).sum()) for r in range(1, 6)] for f in range(1, 6)]
    best, lost = cells[4][4], sum(row[0] for row in cells)
    heat = {
        "type": "heatmap", "x": [str(k) for k in range(1, 6)], "y": [str(k) for k in range(1, 6)], "z": cells,
        "colorscale": [list(step) for step in SCALE], "texttemplate": "%{z:,}", "xgap": 2, "ygap": 2,
        "hovertemplate": "R %{x}, F %{y}: %{z:,}", "colorbar": {"thickness": 10},
    }  # fmt: skip
    return Picture(
        facts.say("How recent and how frequent are the customers?", "顾客的近度与频度如何分布？"),
        facts.say(
            f"{whole(best)} customers are in the best fifth of both; {whole(lost)} are in the least recent fifth.",
            f"近度与频度都在最高一档的有{whole(best)}人；近度在最低一档的有{whole(lost)}人。",
        ),
        figure(
            [heat],
            height=440,
            xaxis=axis(facts.say("recency (5: most recent)", "近度（5为最近）"), category=True, showgrid=False),
            yaxis=axis(facts.say("frequency (5: most often)", "频度（5为最频）"), category=True, showgrid=False),
        ),
        Table(
            (facts.say("frequency \\ recency", "频度 \\ 近度"), *(str(k) for k in range(1, 6))),
            [(str(f + 1), *(whole(n) for n in cells[f])) for f in reversed(range(5))],
        ),
        [
            facts.say(
                "A score counts how many fifths of the customers are lower. Equal customers have equal scores, so a "
                "score that nobody has (an empty row or column) means ties, not a gap.",
                "得分表示低于该顾客的人占几个五分之一。数值相同则得分相同，因此空行或空列是并列造成的，并非缺失。",
            )
        ],
    )
