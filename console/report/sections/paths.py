"""Where sessions end, and where they go before."""

from __future__ import annotations

from console.report.colours import BLUE, ORANGE
from console.report.facts import Facts
from console.report.pictures import Picture, Table, axis, figure, percent, whole
from insights.funnels import duration
from insights.paths import Paths
from pipeline.pathing import paths_now

PLACE = 330
TITLE = ("Paths", "访问路径")
SHOWN = 15


def pictures(facts: Facts) -> list[Picture]:
    """Where they leave, and the most frequent transitions."""
    found = paths_now(facts.source, facts.as_of)
    return [_leaving(facts, found), *([_moves(facts, found)] if found.flows else [])]


def _leaving(facts: Facts, found: Paths) -> Picture:
    pages = found.pages[:SHOWN]
    most = max(pages, key=lambda page: page.leaves)
    bars = [
        {"type": "bar", "orientation": "h", "name": name, "x": values, "y": [page.name for page in pages],
         "marker": {"color": colour}, "hovertemplate": "%{y}: %{x:,}"}
        for name, colour, values in (
            (facts.say("went on", "继续"), BLUE, [page.visits - page.leaves for page in pages]),
            (facts.say("left", "离开"), ORANGE, [page.leaves for page in pages]),
        )
    ]  # fmt: skip
    share = percent(most.leaves / found.sessions)
    return Picture(
        facts.say("Where do customers leave?", "顾客在哪里离开？"),
        facts.say(
            f"Of {whole(found.sessions)} sessions {share} end on {most.name}; nothing follows "
            f"{percent(most.leaves / most.visits)} of its visits.",
            f"{whole(found.sessions)}个会话中{share}结束于{most.name}；"
            f"其访问中{percent(most.leaves / most.visits)}之后再无行为。",
        ),
        figure(
            bars,
            barmode="stack",
            height=110 + 30 * len(pages),
            xaxis=axis(facts.say("visits", "访问次数")),
            yaxis=axis(category=True, autorange="reversed"),
        ),
        Table(
            (facts.say("page", "页面"), facts.say("visits", "访问次数"), facts.say("customers", "顾客数"),
             facts.say("sessions begin", "会话开始"), facts.say("sessions end", "会话结束"), facts.say("left", "离开"),
             facts.say("from", "下限"), facts.say("to", "上限"), facts.say("median stay", "停留中位数")),
            [
                (page.name, whole(page.visits), whole(page.users), whole(page.entries), whole(page.leaves),
                 percent(page.leaves / page.visits), *(percent(end) for end in page.leaving),
                 duration(page.stay_seconds) or "–")
                for page in pages
            ],
        ),
        [
            facts.say(
                "Of the last visit of a session the stay is unknown, unless the event says it; it does not count as 0.",
                "会话最后一次访问的停留时间未知（除非事件本身记录），不按0计算。",
            )
        ],
    )  # fmt: skip


def _moves(facts: Facts, found: Paths) -> Picture:
    moves = found.flows[:SHOWN]
    first = moves[0]
    return Picture(
        facts.say("Where do customers go next?", "顾客接下来去哪里？"),
        facts.say(
            f"The most frequent step is from {first.from_page} to {first.to_page}: {percent(first.share)} of the "
            f"visits of {first.from_page}.",
            f"最常见的是从{first.from_page}到{first.to_page}：占{first.from_page}访问的{percent(first.share)}。",
        ),
        figure(
            [{"type": "bar", "orientation": "h", "x": [move.visits for move in moves], "marker": {"color": BLUE},
              "y": [f"{move.from_page} → {move.to_page}" for move in moves],
              "hovertemplate": "%{y}: %{x:,}<extra></extra>"}],
            height=110 + 30 * len(moves),
            xaxis=axis(facts.say("visits", "访问次数"), rangemode="tozero"),
            yaxis=axis(category=True, autorange="reversed"),
        ),
        Table(
            (facts.say("from → to", "由 → 到"), facts.say("visits", "访问次数"), facts.say("share of from", "占前者")),
            [(f"{move.from_page} → {move.to_page}", whole(move.visits), percent(move.share)) for move in moves],
        ),
    )  # fmt: skip
