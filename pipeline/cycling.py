"""What `reprise cycles` says: cycles of a workspace as of a date, what is bought next, who is due."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, get_args

import pyarrow.compute as pc

from audiences.exports import export_table
from features.cycles import By, refuse_without_items
from pipeline.cycles import Cycle, cycles_now, default_by, next_now
from pipeline.lists import current
from pipeline.opening import load
from warehouse.errors import NotReadyError, UsageError
from warehouse.progress import Progress
from warehouse.workspace import Workspace

STATUSES = ("due", "overdue", "not_yet", "all")


@dataclass(frozen=True)
class Asked:
    """One category or item, or all of them; `within` days and at most `most` rows."""

    category: str | None
    item: str | None
    by: str | None
    within: int
    most: int

    @property
    def thing(self) -> str | None:
        return self.category if self.category is not None else self.item

    def grain(self) -> By | None:
        """By what it is asked, if that is said; `UsageError` where two things are."""
        if self.category is not None and self.item is not None:
            raise UsageError("A category and an item are asked for at once.", hint="Give one of --category and --item.")
        said = "category" if self.category is not None else "item" if self.item is not None else self.by
        if said is not None and said not in get_args(By):
            raise UsageError(f"There are no cycles by {said!r}.", hint="Give --by category or --by item.")
        return said  # type: ignore[return-value]


@dataclass(frozen=True)
class Told:
    """An answer as JSON and as rows; `shown` are the columns drawn on a terminal, with `notes` below."""

    payload: Any
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    shown: Sequence[str] | None = None
    notes: Sequence[str] = ()


_SAID = {
    "en": (
        "cycle: of those who have bought twice and buy again, half have done so by then; reminder: the shortest "
        "stretch of days that holds half of their purchases",
        "never: not back within the horizon (days); of all customers, one weight each; data until {}",
        "lift: how many times as often as after any purchase of the same weeks; the interval holds for all {} pairs "
        "tried at once",
    ),
    "zh": (
        "周期：买过两次以上且再次购买的顾客，一半在此天数内再次购买；提醒窗口：包含其一半再次购买的最短时段",
        "不再购买：观察期（天）内未再购买；每名顾客权重相同；数据截至{}",
        "提升度：与同一周任意购买之后相比的倍数；区间已对全部{}个组合作校正",
    ),
}
_COLUMNS = (
    "thing", "name", "customers", "repeat_customers", "cycle_days", "from", "to",
    "remind_from", "remind_to", "never", "horizon_days", "quartile_25", "quartile_50", "quartile_75",
)  # fmt: skip
_SHOWN = ("thing", "customers", "repeat_customers", "cycle_days", "remind_from", "remind_to", "never", "horizon_days")


def cycles(workspace: Workspace, asked: Asked, as_of: date | None, loaded_at: datetime, progress: Progress) -> Told:
    """When things are bought again. One thing alone comes with its curve in JSON."""
    by = asked.grain()
    with workspace.lock("run"):
        loaded, _ = load(workspace, as_of, loaded_at, progress)
        refuse_without_items(loaded.source)
        found = cycles_now(loaded, by or default_by(loaded.source, loaded.as_of), asked.thing, progress)
    if not found.found and asked.thing is None:
        raise NotReadyError(f"No order line names its {found.by}.", hint="Cycles need orders with an item_id.")
    told = [found.one(asked.thing)] if asked.thing is not None else list(found.found)
    notes = _SAID[workspace.settings.language]
    rows = [_row(each) for each in told[: asked.most]]
    payload = found.payload(asked.thing)
    payload["cycles"], payload["things"] = payload["cycles"][: asked.most], len(told)
    return Told(payload, _COLUMNS, rows, _SHOWN, (notes[0], notes[1].format(found.until)))


def _row(cycle: Cycle) -> Sequence[Any]:
    told = cycle.payload()
    window = told["reminder_window"] or {"from_day": None, "to_day": None}
    low, high = told["cycle_days_interval"] or (None, None)
    return (
        cycle.thing, cycle.name, cycle.customers, cycle.repeat_customers, told["cycle_days"], low, high,
        window["from_day"], window["to_day"], round(told["never_returning"], 3), told["horizon_days"],
        *told["quartile_days"].values(),
    )  # fmt: skip


def following(workspace: Workspace, asked: Asked, as_of: date | None, loaded_at: datetime, progress: Progress) -> Told:
    """What is bought after what: the pairs whose lift is surely not 1."""
    by = asked.grain()
    with workspace.lock("run"):
        loaded, _ = load(workspace, as_of, loaded_at, progress)
        refuse_without_items(loaded.source)
        grain = by or default_by(loaded.source, loaded.as_of)
        every = next_now(loaded, grain, asked.within, progress)
    found = every if asked.thing is None else every.after(asked.thing)
    payload = {"as_of": loaded.as_of, "by": grain, **found.payload(asked.most)}
    columns = (
        "after",
        "next",
        "purchases",
        "customers",
        "share",
        "base_share",
        "lift",
        "lift_from",
        "lift_to",
        "median_days",
    )
    rows = [
        tuple(round(v, 4) if isinstance(v, float) else v for v in (pair[name] for name in columns))
        for pair in payload["pairs"]
    ]
    return Told(payload, columns, rows, None, (_SAID[workspace.settings.language][2].format(found.tried),))


def due(workspace: Workspace, status: str, most_overdue: float | None, out: Path | None) -> Told:
    """The due items of the current release with that status, the first due first; written to `out` if given."""
    release = current(workspace)
    missing = next((each for each in release.absent if each["what"] == "due_items"), None)
    if "due_items" not in release.tables:
        why = missing["why"] if missing else "the release was made without orders, or before there were any"
        raise NotReadyError(f"There are no due items: {why}.", hint="It needs orders with an item_id, bought again.")
    table = release.tables["due_items"].rename_columns({"entity_id": "user_id"})
    if status != "all":
        table = table.filter(pc.field("status") == status)
    if most_overdue is not None:
        table = table.filter(pc.field("overdue_gaps") <= most_overdue)
    order = [("due_date", "ascending"), ("user_id", "ascending"), ("item_id", "ascending")]
    table = table.sort_by(order).combine_chunks()
    facts = {"as_of": release.as_of, "release": release.id, "status": status, "rows": table.num_rows}
    if out is not None:
        report = export_table(table, out)
        wrote = f"wrote {report.path} ({report.rows:,} rows)"
        return Told({**facts, "out": report.path, "sha256": report.sha256}, table.column_names, (), None, (wrote,))
    items = table.to_pylist()
    rows = [tuple(round(v, 3) if isinstance(v, float) else v for v in row.values()) for row in items]
    return Told({**facts, "items": items}, table.column_names, rows)
