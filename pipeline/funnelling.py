"""What `reprise funnel` says: the steps asked for, those they are cut by, and what customers bring customers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from audiences.exports import export_table
from features.building import build_features
from features.catalogue import FEATURES
from features.funnels import NAMED, Counted, Step, funnel_counts, parse_step, referral_counts
from features.funnels import Asked as Counting
from features.source import Source, StoreSource, versions
from insights.funnels import AARRR, Funnel, Reach, Referral, aarrr, duration, funnel, referral
from pipeline.opening import load
from warehouse.errors import NotReadyError, UsageError
from warehouse.progress import Progress, silent
from warehouse.workspace import Workspace

WINDOW = 30
"""Days of a funnel that says none; aarrr has no window: it tells how far everybody ever came."""
REFERRAL_DAYS = 90
_HAPPENINGS = ("orders", "events")
_LOOKED_AT = 100_000
"""Events, at least, of which names are counted where there are so many."""
_NAMES_TOLD = 10
COLUMNS = (
    "group", "step", "users", "conversion", "from", "to", "overall", "furthest_here", "did_it_ever", "median_time",
)  # fmt: skip
_SAID = {
    "en": {
        "window": "within {days} days of the first step; known until {until}",
        "ever": "at any time after each other; known until {until}",
        "open": "{n:,} entered less than {days} days before and are counted nowhere: their window is not over",
        "devices": "{n:,} of those who entered are devices on which nobody ever signed in",
        "never": "nobody ever did {step}; most frequent among the {kind}s of the data: {names}",
        "k": "a customer brings {k:.3f} ({low:.3f} to {high:.3f}) others within {days} days of registering (K factor)",
        "value": "who was brought buys for {difference:+,.2f} ({low:+,.2f} to {high:+,.2f}) in that time compared with "
        "others: observational, not what bringing them did",
    },
    "zh": {
        "window": "自第一步起{days}天内；数据截至{until}",
        "ever": "先后不限时间；数据截至{until}",
        "open": "{n:,}人进入不足{days}天，窗口未结束，未计入",
        "devices": "进入者中{n:,}个是从未登录的设备",
        "never": "从未有人做过{step}；数据中最常见的{kind}：{names}",
        "k": "每名顾客注册后{days}天内带来{k:.3f}（{low:.3f}至{high:.3f}）名顾客（K因子）",
        "value": "被推荐者在此期间比其他人多消费{difference:+,.2f}（{low:+,.2f}至{high:+,.2f}）：仅为观察，并非因果",
    },
}


@dataclass(frozen=True)
class Asked:
    """The words typed: the name of a funnel or its steps, the window, and what to cut by."""

    words: tuple[str, ...]
    window_days: int | None
    by: str | None


@dataclass(frozen=True)
class Told:
    """An answer as JSON and as rows."""

    payload: Any
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    shown: Sequence[str]
    notes: Sequence[str]


def funnel_at(
    workspace: Workspace, asked: Asked, as_of: date | None, out: Path | None, loaded_at: datetime, progress: Progress
) -> Told:
    """The funnel of a workspace as of a date; `out` gets each user's furthest step."""
    with workspace.lock("run"):
        loaded, _ = load(workspace, as_of, loaded_at, progress)
        source, day = loaded.source, loaded.as_of
        name, steps, window = chosen(source, day, asked)
        found, counted = counted_now(source, day, name, steps, window, asked.by, out is not None, progress)
        brought = referral_now(source, day) if name == AARRR else None
    payload = found.payload() | ({"referral": brought.payload() if brought else None} if name == AARRR else {})
    if out is not None and counted.ways is not None:
        ways = counted.ways
        named = pa.array([found.steps[n - 1].step for n in ways["furthest"].to_pylist()], pa.string())
        report = export_table(ways.append_column("furthest_step", named), out)
        payload["out"] = {"path": report.path, "rows": report.rows, "sha256": report.sha256}
    rows = [_row(None, reach) for reach in found.steps]
    rows += [_row(value or "–", reach) for value, steps in found.groups.items() for reach in steps]
    shown = COLUMNS if found.groups else COLUMNS[1:]
    language = workspace.settings.language
    payload["never_done"] = never_done(source, found, list(steps.values()), language)
    told = [*payload["never_done"], *notes(found, brought, language)]
    return Told(payload, COLUMNS, rows, shown, told)


def chosen(source: StoreSource, as_of: date, asked: Asked) -> tuple[str, Mapping[str, Step], int | None]:
    """The name of the funnel asked for, its steps by what they are called, and its window in days (None: ever)."""
    declared = source.store.workspace.settings.funnels
    words = asked.words or (AARRR,)
    if len(words) > 1:
        steps = [parse_step(word) for word in words]
        _check(source, steps)
        return "steps", _named(steps), asked.window_days or WINDOW
    if told := declared.get(words[0]):
        steps = [parse_step(word) for word in told.steps]
        _check(source, steps)
        return words[0], _named(steps), asked.window_days or told.window_days
    if words[0] == AARRR:
        stages = aarrr(source.tables, _of_what_known(source), _referrals_known(source, as_of))
        return AARRR, stages, asked.window_days
    there = ", ".join([AARRR, *declared])
    raise UsageError(
        f'There is no funnel "{words[0]}".', hint=f"There are: {there}. Or name two steps or more: event:view order."
    )


def _named(steps: Sequence[Step]) -> dict[str, Step]:
    """Steps by what they are called; one that comes again is numbered."""
    named: dict[str, Step] = {}
    for step in steps:
        again = sum(other.text == step.text for other in named.values())
        named[f"{step.text} #{again + 1}" if again else step.text] = step
    return named


def _check(source: Source, steps: Sequence[Step]) -> None:
    needs = {"order": "orders", "registered": "users", "referred": "users"}
    needs |= dict.fromkeys(("event", "page", "feature", "activated"), "events")
    for step in steps:
        table = needs.get(step.kind)
        if table is not None and table not in source.tables:
            raise NotReadyError(
                f"The step {step.text} needs {table}, and there are none.",
                hint=f"Name their files under [tables.{table}] in reprise.toml, or leave the step out.",
            )


def counted_now(
    source: StoreSource,
    as_of: date,
    name: str,
    steps: Mapping[str, Step],
    window: int | None,
    by: str | None = None,
    keep_ways: bool = False,
    progress: Progress = silent,
) -> tuple[Funnel, Counted]:
    """A funnel of a store as of a date, and its sums."""
    groups, by_channel = _groups(source, as_of, by, next(iter(steps.values())))
    counting = Counting(tuple(steps.values()), window, as_of, known_until(source, as_of), groups, by_channel)
    counted = funnel_counts(source, counting, keep_ways, progress)
    return funnel(name, list(steps), counting, counted, by), counted


def known_until(source: StoreSource, as_of: date) -> date:
    """How far acts are known."""
    return min(as_of, max(source.store.observed_until(table) for table in _HAPPENINGS if table in source.tables))


def _groups(source: Source, as_of: date, by: str | None, first: Step) -> tuple[pa.Table | None, bool]:
    """Who is in which group (entity_id, value), or that the channel of the first order says so."""
    if by is None:
        return None, False
    users = versions(source, "users", as_of) if "users" in source.tables else None
    if users is not None and by in users.column_names:
        known = users.select(["entity_id", by])
        return known.set_column(1, "value", known[by].cast(pa.string())).rename_columns(["entity_id", "value"]), False
    if by == "channel":
        if first.kind != "order":
            raise UsageError(
                "The channel is known of orders only, and this funnel does not begin with one.",
                hint="Cut by a column of users that was known before, such as source.",
            )
        return None, True
    feature = next((each for each in FEATURES if each.name == by and each.kind == "category"), None)
    if feature is None:
        raise UsageError(
            f'Customers are not cut by "{by}".',
            hint="Give channel, a column of the users table, or a category of `reprise features list`.",
        )
    built = build_features(source, as_of, families=[feature.family])
    if by not in built.column_names:
        raise NotReadyError(f"The data do not give {by}.", hint="`reprise features list` says what it needs.")
    return built.select(["entity_id", by]).rename_columns(["entity_id", "value"]), False


def _of_what_known(source: StoreSource) -> bool:
    """Whether events name the item or the feature that they are of."""
    return "events" in source.tables and not {"item_id", "feature"}.isdisjoint(source.store.manifest("events").columns)


def _referrals_known(source: Source, as_of: date) -> bool:
    if "users" not in source.tables:
        return False
    users = versions(source, "users", as_of)
    return "referred_by" in users.column_names and users["referred_by"].null_count < users.num_rows


def referral_now(source: StoreSource, as_of: date) -> Referral | None:
    """What customers bring customers, of those who registered since the first day of the data."""
    days = [source.store.manifest(table).first_day for table in _HAPPENINGS if table in source.tables]
    since = min(day for day in days if day is not None)
    found = referral_counts(source, as_of, since, known_until(source, as_of), REFERRAL_DAYS)
    return referral(found, REFERRAL_DAYS)


def _row(group: str | None, reach: Reach) -> Sequence[Any]:
    low, high = (reach.conversion.interval if reach.conversion else None) or (None, None)
    share = reach.conversion.share if reach.conversion else None
    return (
        group, reach.step, reach.users, _percent(share), _percent(low), _percent(high), _percent(reach.overall.share),
        reach.stayed_here, reach.ever, duration(reach.median_seconds),
    )  # fmt: skip


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{share:.1%}"


def never_done(source: StoreSource, found: Funnel, steps: Sequence[Step], language: str) -> list[str]:
    """Of each step that names something nobody ever did: what the data have instead, by a look at some of them."""
    told = []
    for reach, step in zip(found.steps, steps, strict=True):
        if step.kind in NAMED and not reach.ever:
            names: Counter[str] = Counter()
            for k in range(source.store.buckets):
                if names.total() < _LOOKED_AT:
                    column = pq.read_table(source.store.bucket("events", k), columns=[step.kind])[step.kind]
                    names.update({n["values"]: n["counts"] for n in column.drop_null().value_counts().to_pylist()})
            most = sorted(names, key=lambda name: (-names[name], name))[:_NAMES_TOLD]
            names_told = ", ".join(most) or "–"
            told.append(_SAID[language]["never"].format(step=step.text, kind=step.kind, names=names_told))
    return told


def notes(found: Funnel, brought: Referral | None, language: str) -> list[str]:
    """What a reader of the rows must know."""
    say = _SAID[language]
    told = [say["window" if found.window_days else "ever"].format(days=found.window_days, until=found.until)]
    if found.open and found.window_days:
        told.append(say["open"].format(n=found.open, days=found.window_days))
    if found.devices:
        told.append(say["devices"].format(n=found.devices))
    if brought is not None:
        k = brought.k
        told.append(say["k"].format(k=k.mean, low=max(0, k.mean - k.half), high=k.mean + k.half, days=REFERRAL_DAYS))
        if brought.difference:
            difference, low, high = brought.difference
            told.append(say["value"].format(difference=difference, low=low, high=high))
    return told
