"""What `reprise paths` says: pages and transitions, and what becomes of items, categories and sellers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import pyarrow.compute as pc

from features.paths import BY, STAGES, By, Flows, ItemWays, flows, item_ways, told_by
from features.source import Source, StoreSource, versions
from insights.funnels import duration
from insights.paths import Conversion, Paths, compare_sellers, conversions, paths, seller_of
from insights.standardised import Standardised
from pipeline.funnelling import Told, known_until
from pipeline.opening import load
from warehouse.errors import NotReadyError, UsageError
from warehouse.progress import Progress, silent
from warehouse.workspace import Workspace

WINDOW = 30
"""Days from the first look at an item to its purchase."""
OF = ("item", "category", "seller")
PAGES = ("page", "visits", "users", "entries", "leaves", "leaving", "from", "to", "median_stay", "stays_known")
FLOWS = ("from", "to", "visits", "share_of_from")
SELLERS = (
    "seller", "pairs", "converted", "crude", "covered", "on_same_mix", "others_on_it", "difference", "from", "to",
    "verdict",
)  # fmt: skip
_SAID = {
    "en": {
        "pages": "{sessions:,} sessions by {by}; of the last visit of a session the stay is unknown, not 0; leaving: "
        "nothing followed in the session",
        "items": "pairs of a customer and an item, stages in this order within {days} days of the first",
        "sellers": "items of one seller, weighted as the categories of everybody; corrected for all sellers compared. "
        "Observational: customers chose where to look",
    },
    "zh": {
        "pages": "{sessions:,}个会话（按{by}）；会话最后一次访问的停留时间未知（不是0）；离开：会话中再无后续行为",
        "items": "以（顾客，商品）计，各步骤须按此顺序，自第一步起{days}天内",
        "sellers": "仅含单一卖家的商品，按全部类目构成加权，已对全部卖家作校正。仅为观察：顾客自己选择看什么",
    },
}


@dataclass(frozen=True)
class Asked:
    """Visits of what; of what kind of thing the conversion is asked; which event names stand for a stage."""

    by: str | None = None
    of: str | None = None
    transitions: bool = False
    most: int = 20
    names: Mapping[str, str] | None = None


def paths_at(workspace: Workspace, asked: Asked, as_of: date | None, loaded_at: datetime, progress: Progress) -> Told:
    """The paths of a workspace as of a date, or the conversion of its items, categories or sellers."""
    if asked.of is not None and asked.of not in OF:
        raise UsageError(f"There is no conversion by {asked.of!r}.", hint=f"Give one of {', '.join(OF)}.")
    if asked.by is not None and asked.by not in BY:
        raise UsageError(f"There are no paths by {asked.by!r}.", hint=f"Give one of {', '.join(BY)}.")
    with workspace.lock("run"):
        loaded, _ = load(workspace, as_of, loaded_at, progress)
        source, day = loaded.source, loaded.as_of
        say = _SAID[workspace.settings.language]
        if asked.of is not None:
            return _converted(source, day, asked, say, progress)
        found = paths_now(source, day, next((by for by in BY if by == asked.by), None), progress)
    payload = {"as_of": day, **found.payload(asked.most)}
    note = say["pages"].format(sessions=found.sessions, by=found.by)
    if asked.transitions:
        rows: list[Sequence[Any]] = [
            (flow.from_page, flow.to_page, flow.visits, _percent(flow.share)) for flow in found.flows[: asked.most]
        ]
        return Told(payload, FLOWS, rows, FLOWS, [note])
    rows = [_page(page.payload()) for page in found.pages[: asked.most]]
    return Told(payload, PAGES, rows, PAGES, [note])


def paths_now(source: Source, as_of: date, by: By | None = None, progress: Progress = silent) -> Paths:
    """The paths of a source; by pages where there are any, else by features, else by events."""
    if "events" not in source.tables:
        raise NotReadyError("There are no events, so no paths are known.", hint="Name them under [tables.events].")
    chosen = told_by(source, as_of) if by is None else by
    if chosen is not None and (counted := flows(source, as_of, chosen, progress)).nodes.num_rows:
        _refuse_days(counted)
        return paths(counted, chosen)
    raise NotReadyError(f"No event before {as_of} names a {by or 'page'}.", hint="Try --by event.")


def _refuse_days(counted: Flows) -> None:
    """Where every known stay is of no length, nothing is known of the order of what happened on a day."""
    if counted.dwells.num_rows and not pc.any(pc.greater(counted.dwells["seconds"], 0)).as_py():
        raise NotReadyError(
            "The events tell the day and not the time, so what followed what is not known.",
            hint="Give occurred_at with the time of day.",
        )


def converted_now(
    source: StoreSource, as_of: date, names: Mapping[str, str] | None = None, progress: Progress = silent
) -> ItemWays:
    """How far customers come with items; `NotReadyError` where too little is known."""
    progress("items", 0, 1)
    stages = {**STAGES, **{stage: (name,) for stage, name in (names or {}).items()}}
    ways = item_ways(source, as_of, known_until(source, as_of), WINDOW, stages)
    if ways is None:
        raise NotReadyError(
            "Fewer than two of list, detail, cart and pay are known of items.",
            hint="It needs events with an item_id; --detail, --cart and --list name those of the shop.",
        )
    return ways


def categories(source: Source, as_of: date) -> dict[str, str]:
    """The category of each item that has one."""
    if "items" not in source.tables:
        return {}
    items = versions(source, "items", as_of)
    items = items.filter(pc.is_valid(items["category"]))
    return dict(zip(items["item_id"].to_pylist(), items["category"].to_pylist(), strict=True))


def _converted(source: StoreSource, as_of: date, asked: Asked, say: Mapping[str, str], progress: Progress) -> Told:
    ways = converted_now(source, as_of, asked.names, progress)
    category = categories(source, as_of)
    of = {"item": None, "category": category, "seller": seller_of(ways)}[str(asked.of)]
    if of is not None and not of:
        raise NotReadyError(f"No item has a known {asked.of}.", hint=f"It needs a {asked.of} of items.")
    told = conversions(ways, of)
    payload: dict[str, Any] = {
        "as_of": as_of, "of": asked.of, "window_days": WINDOW, "stages": ways.stages, "things": len(told),
        "conversion": [each.payload() for each in told[: asked.most]],
    }  # fmt: skip
    notes = [say["items"].format(days=WINDOW)]
    if asked.of == "seller":
        compared = compare_sellers(ways, category)
        payload |= {"same_mix": [each.payload() for each in compared[: asked.most]], "observational": True}
        rows = [_seller(each) for each in compared[: asked.most]]
        return Told(payload, SELLERS, rows, SELLERS, [*notes, say["sellers"]])
    columns = (str(asked.of), *ways.stages, *(f"to_{stage}" for stage in ways.stages[1:]), "overall", "from", "to")
    return Told(payload, columns, [_conversion(each) for each in told[: asked.most]], columns, notes)


def _page(page: Mapping[str, Any]) -> Sequence[Any]:
    leaving = page["leaving"]
    return (
        page["page"], page["visits"], page["users"], page["entries"], page["leaves"], _percent(leaving["share"]),
        _percent(leaving["low"]), _percent(leaving["high"]), duration(page["median_stay_seconds"]), page["stays_known"],
    )  # fmt: skip


def _conversion(each: Conversion) -> Sequence[Any]:
    overall = each.payload()["overall"]
    return (
        each.name, *each.reached, *(_percent(rate.share) for rate in each.rates()),
        *(_percent(overall[name]) for name in ("share", "low", "high")),
    )  # fmt: skip


def _seller(each: Standardised) -> Sequence[Any]:
    told = each.payload()
    shares = ("crude_rate", "covered", "rate", "others", "difference", "low", "high")
    return (each.name, each.tries, each.hits, *(_percent(told[name]) for name in shares), each.verdict)


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{share:.1%}"
