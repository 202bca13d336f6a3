"""What `reprise behaviours` says: what goes with staying, and what comes before leaving."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from features.behaviours import Spans, behaviour_counts
from features.source import StoreSource, act_statement
from insights.behaviours import LEAST, Behaviour, Behaviours, behaviours
from pipeline.funnelling import Told
from pipeline.opening import load
from warehouse.errors import NotReadyError
from warehouse.progress import Progress, silent
from warehouse.workspace import Workspace

EARLY = (14, 90)
"""The first days of a customer, and the days after them in which an act means that they stayed."""
BEFORE = (28, 60)
"""The days before a date, and the days after it without an act that mean that they left."""
COLUMNS = ("behaviour", "users", "compared", "share", "difference", "from", "to", "q", "verdict")
_SAID = {
    "en": {
        "staying": "observational: of {users:,} new customers, those who did it in their first {days} days against "
        "those alike who did not; share with an act in the {later} days after",
        "leaving": "observational: of customers at dates {later} days apart ({users:,} in all), those who did it in "
        "the {days} days before against those alike in tenure and activity; share without an act in the {later} days "
        "after",
        "found": "{found} of {tried} hold (Benjamini–Hochberg, 1 % false discoveries; intervals at {level:.2%}). To "
        "know what a behaviour brings, offer it to a part of the customers, chosen by chance",
    },
    "zh": {
        "staying": "仅为观察：{users:,}名新顾客中，前{days}天内有此行为者与活跃度相同而没有者比较；"
        "其后{later}天内有活动的比例",
        "leaving": "仅为观察：每隔{later}天的顾客（共{users:,}人次）中，"
        "此前{days}天内有此行为者与同等资历和活跃度者比较；"
        "其后{later}天内没有活动的比例",
        "found": "{tried}个行为中{found}个成立（Benjamini–Hochberg 校正，错误发现率1%；区间水平{level:.2%}）。"
        "若要知道行为的作用，请随机选取一部分顾客尝试",
    },
}


@dataclass(frozen=True)
class Asked:
    """Staying or leaving; the days looked at and judged, the usual ones where absent; at most so many rows."""

    leaving: bool = False
    days: int | None = None
    later_days: int | None = None
    most: int = 20


def behaviours_at(
    workspace: Workspace, asked: Asked, as_of: date | None, loaded_at: datetime, progress: Progress
) -> Told:
    """The behaviours of a workspace that go with staying or leaving, as of a date."""
    with workspace.lock("run"):
        loaded, _ = load(workspace, as_of, loaded_at, progress)
        spans, found = behaviours_now(loaded.source, loaded.as_of, asked, progress)
    payload = {
        "as_of": spans.as_of, "known_until": spans.until, "days": spans.days, "later_days": spans.later_days,
        **found.payload(asked.most),
    }  # fmt: skip
    rows = [_row(each) for each in found.all[: asked.most]]
    return Told(payload, COLUMNS, rows, COLUMNS, notes(spans, found, workspace.settings.language))


def behaviours_now(
    source: StoreSource, as_of: date, asked: Asked, progress: Progress = silent
) -> tuple[Spans, Behaviours]:
    """The same of a store; `NotReadyError` where too little time or too few customers are known."""
    tables = [table for table in ("orders", "events") if table in source.tables]
    acted = "events" if act_statement(source) == "acts_of_events" else "orders"
    if not tables or acted not in source.tables:
        raise NotReadyError("Nothing is known of acts.", hint="It needs orders or events.")
    first = min(day for table in tables if (day := source.store.manifest(table).first_day) is not None)
    days, later = BEFORE if asked.leaving else EARLY
    until = min(as_of, source.store.observed_until(acted))
    spans = Spans(as_of, first, until, asked.days or days, asked.later_days or later, asked.leaving)
    found = behaviours(behaviour_counts(source, spans, progress), asked.leaving)
    if not found.all:
        raise NotReadyError(
            f"There is no behaviour that {LEAST} customers showed and {LEAST} alike did not, watched for {spans.days} "
            f"days and {spans.later_days} after them.",
            hint="It needs events of several kinds, or fewer --days and --later-days.",
        )
    return spans, found


def _row(each: Behaviour) -> Sequence[Any]:
    shares = (f"{value:+.1%}" for value in (each.difference, each.low, each.high))
    return (each.behaviour, each.users, each.compared, f"{each.share:.1%}", *shares, f"{each.q:.2g}", each.verdict)


def notes(spans: Spans, found: Behaviours, language: str) -> list[str]:
    """What a reader of the rows must know."""
    say = _SAID[language]
    told = say["leaving" if spans.leaving else "staying"]
    return [
        told.format(users=found.users, days=spans.days, later=spans.later_days),
        say["found"].format(found=len(found.found), tried=len(found.all), level=found.interval_level),
    ]
