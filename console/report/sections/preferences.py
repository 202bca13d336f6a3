"""What customers of each group prefer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from console.report.colours import SCALE
from console.report.facts import Facts, Language
from console.report.pictures import AbsentError, Picture, Table, axis, figure, percent, whole
from features.building import build_features
from features.catalogue import Feature, available, families_of

PLACE = 400
TITLE = ("Preferences by group", "各群体的偏好")
GROUPS = {"month": "lifecycle_group_complete", "week": "lifecycle_group_week"}
"""By what the customers are parted: the groups of the growth beside, of months that are over."""
ASKED = {
    "preferred_category": ("category", "品类"),
    "preferred_brand": ("brand", "品牌"),
    "preferred_price_band": ("price band", "价格带"),
    "preferred_channel": ("channel", "渠道"),
    "preferred_weekday": ("day of the week", "星期"),
    "preferred_hour_band": ("time of day", "时段"),
    "preferred_app_feature": ("function of the app", "功能"),
    "preferred_page": ("page", "页面"),
}
COLUMNS = 10
"""So many values are drawn, those that most customers prefer."""
LEAST = 30
"""A group of fewer customers is not put into the sentence."""


def pictures(facts: Facts) -> list[Picture]:
    """One picture for each preference that these data tell: the share of every group who prefer each value."""
    there = {feature.name: feature for feature in available(facts.source.tables)}
    asked = [name for name in ASKED if name in there]
    if not asked:
        raise AbsentError(
            facts.say("nothing tells what customers prefer", "没有可用于判断偏好的数据"),
            facts.say("orders with items or channels, or events with functions", "含商品或渠道的订单，或含功能的行为"),
        )
    group = there[GROUPS[facts.grain]]
    table = build_features(facts.source, facts.as_of, families=families_of([group.name, *asked]))
    found = [_picture(facts, table, group, there[name]) for name in asked if name in table.column_names]
    drawn = [each for each in found if each is not None]
    if not drawn:
        raise AbsentError(
            facts.say("no preference parts the customers", "顾客之间没有偏好差异"),
            facts.say("items with categories, channels, or functions", "含品类的商品、渠道或功能"),
        )
    return drawn


def _picture(facts: Facts, table: pa.Table, group: Feature, feature: Feature) -> Picture | None:
    groups, values = (np.array(table[name].to_pylist(), dtype=object) for name in (group.name, feature.name))
    known = (groups != None) & (values != None)  # noqa: E711 - of arrays
    counted = _counted(values[known])
    if len(counted) < 2:
        return None
    named = {each.value: each.zh if facts.language == "zh" else each.en for each in feature.values}
    order = [each.value for each in feature.values] or counted
    columns = [value for value in order if value in counted[:COLUMNS]]
    lives = [each for each in group.values if ((groups == each.value) & known).any()]
    sizes = [int(((groups == life.value) & known).sum()) for life in lives]
    cells = [
        [float(((groups == life.value) & (values == value)).sum()) / size for value in columns]
        for life, size in zip(lives, sizes, strict=True)
    ]
    everybody = [float((values[known] == value).mean()) for value in columns]
    rows = [life.zh if facts.language == "zh" else life.en for life in lives]
    labels = [named.get(value, value) for value in columns]
    what = ASKED[feature.name][facts.language == "zh"]
    return Picture(
        facts.say(f"Which {what} do customers of each group prefer?", f"各群体偏好的{what}是什么？"),
        _answer(facts, rows, sizes, labels, cells, everybody),
        figure(
            [
                {"type": "heatmap", "x": labels, "y": rows, "z": cells, "zmin": 0, "zmax": max(map(max, cells)),
                 "xgap": 2, "ygap": 2,
                 "colorscale": [list(step) for step in SCALE], "texttemplate": "%{z:.0%}",
                 "hovertemplate": "%{y}, %{x}: %{z:.1%}", "colorbar": {"tickformat": ".0%", "thickness": 10}}
            ],
            height=150 + 34 * len(rows),
            xaxis=axis(category=True, showgrid=False),
            yaxis=axis(category=True, autorange="reversed", showgrid=False),
        ),
        Table(
            (facts.say("group", "群体"), facts.say("customers", "人数"), *labels),
            [
                (facts.say("everybody", "全体"), whole(sum(sizes)), *map(percent, everybody)),
                *(
                    (row, whole(size), *map(percent, shares))
                    for row, size, shares in zip(rows, sizes, cells, strict=True)
                ),
            ],
        ),
        [
            facts.say(
                f"Groups of {_when(facts, 'en')}. Of customers whose preference is known; the last 90 days, for the "
                "silent those before their last act.",
                f"群体取自{_when(facts, 'zh')}。仅含偏好已知的顾客；取近90天，沉默顾客取其最后活跃前90天。",
            )
        ],
    )  # fmt: skip


def _when(facts: Facts, language: Language) -> str:
    """Of which period the groups are."""
    if facts.grain == "week":
        return "这一周" if language == "zh" else "this week"
    complete = [each["period"] for each in facts.growth["periods"] if each["complete"]]
    return str(complete[-1])


def _counted(values: np.ndarray) -> list[str]:
    """The values, those of most customers first."""
    found, users = np.unique(values.astype(str), return_counts=True)
    return [str(found[k]) for k in np.lexsort((found, -users))]


def _answer(
    facts: Facts,
    rows: Sequence[str],
    sizes: Sequence[int],
    labels: Sequence[str],
    cells: Sequence[Sequence[float]],
    everybody: Sequence[float],
) -> str:
    """The group and value that stand furthest from everybody."""
    apart = [
        (abs(cells[g][v] - everybody[v]), g, v)
        for g in range(len(rows))
        for v in range(len(labels))
        if sizes[g] >= LEAST
    ]
    if not apart:
        top = int(np.argmax(everybody))
        return facts.say(
            f"Most prefer “{labels[top]}” ({percent(everybody[top])}).",
            f"最多人偏好“{labels[top]}”（{percent(everybody[top])}）。",
        )
    _, g, v = max(apart)
    return facts.say(
        f"Furthest from everybody stands “{rows[g]}”: {percent(cells[g][v])} of them prefer “{labels[v]}”, of all "
        f"{percent(everybody[v])}.",
        f"与全体差别最大的是“{rows[g]}”：其中{percent(cells[g][v])}偏好“{labels[v]}”，全体为{percent(everybody[v])}。",
    )
