"""How far customers come along steps in a given order: counted by the SQL of `features/sql/funnels`, part by part.

An act counts for a step only if it comes after one that counted for the step before, at most the window after the
first. Acts of one moment stand in the order of the steps that they are; acts equal in everything are one. A customer's
way is the one that came furthest: the first such, and of those that lead there the one entered last.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

import pyarrow as pa
import pyarrow.compute as pc

from features.engines import Engine, Values, engine_of
from features.lifecycle import added_up, register_anonymous
from features.relations import columns
from features.source import Source, register_visible
from features.statements import Statement, staging_for, statements
from features.sums import summed
from features.windows import day_number
from warehouse.errors import UsageError
from warehouse.progress import Progress, silent

NAMED = ("event", "page", "feature")
"""Kinds of steps that name something."""
WORDS = ("registered", "order", "acquired", "activated", "retained", "referred")
"""Kinds of steps that are words of their own."""
NO_WINDOW = 1_000_000
"""Days that nothing exceeds."""
_FILES = {"registered": "registered_acts", "order": "order_acts", "acquired": "acquired_acts",
          "retained": "retained_acts", "referred": "referred_acts"}  # fmt: skip


@dataclass(frozen=True)
class Step:
    """One step: what it is called, its kind, and the names (any of them) where the kind has some."""

    text: str
    kind: str
    names: tuple[str, ...] = ("",)


def parse_step(text: str) -> Step:
    """A step as people write it: `event:view_item`, `event:cart|add_to_cart`, `page:pay`, `feature:scan`, `order`, …"""
    kind, colon, names = text.strip().partition(":")
    if not colon and kind in WORDS:
        return Step(kind, kind)
    found = tuple(dict.fromkeys(name.strip() for name in names.split("|")))
    if colon and kind in NAMED and all(found):
        return Step(text.strip(), kind, found)
    raise UsageError(
        f'"{text}" is no step of a funnel.',
        hint=f"Write event:NAME, page:NAME, feature:NAME (NAME|OTHER: either), or one of {', '.join(WORDS)}.",
    )


@dataclass(frozen=True)
class Asked:
    """What is counted: the steps, within how many days of the first (None: ever), of rows before `as_of`.

    `until` is the day up to which acts are known. `groups` (entity_id, value) cut the customers; `by_channel` cuts
    them by the channel of the order they enter with.
    """

    steps: Sequence[Step]
    window_days: int | None
    as_of: date
    until: date
    groups: pa.Table | None = None
    by_channel: bool = False

    @property
    def values(self) -> dict[str, object]:
        """What the SQL files name; who enters after `entries_until` could not be watched for the whole window."""
        return {
            "window_days": self.window_days or NO_WINDOW,
            "entries_until": day_number(self.until) - (self.window_days or 0),
            "by_channel": self.by_channel,
        }

    @property
    def table(self) -> pa.Table:
        """The steps as the SQL reads them."""
        rows = [(n, step.kind, name) for n, step in enumerate(self.steps, 1) for name in step.names]
        columns = zip(*rows, strict=True)
        kinds = (pa.int32(), pa.string(), pa.string())
        named = zip(("step", "kind", "name"), columns, kinds, strict=True)
        return pa.table({name: pa.array(values, kind) for name, values, kind in named})


@dataclass(frozen=True)
class Counted:
    """Sums over all customers. `counts`: value, furthest, users; `times`: step, seconds since the step before, users;
    `ever`: step, users (who did it at all); `open`: who entered too late; `ways`: user_id, furthest (if asked for);
    `devices`: of those who entered, how many are devices on which nobody ever signed in."""

    counts: pa.Table
    times: pa.Table
    ever: pa.Table
    open: int
    devices: int
    ways: pa.Table | None = None


def funnel_counts(source: Source, asked: Asked, keep_ways: bool = False, progress: Progress = silent) -> Counted:
    """How far everybody came. Where a later step is `registered`, devices on which nobody signed in enter, too."""
    files = statements("funnels")
    names = ("funnel_counts", "funnel_times", "funnel_ever", "funnel_open")
    found: dict[str, list[pa.Table]] = {name: [] for name in names}
    ways, devices = [], 0
    with engine_of(source) as engine:
        engine.give("funnel_steps", asked.table)
        engine.give("funnel_groups", NO_GROUPS if asked.groups is None else asked.groups)
        if any(step.kind == "referred" for step in asked.steps):
            engine.give("referrals_of_all", _referrals(engine, source, asked.as_of))
        for stranger in _people(engine, source, asked, progress):
            kept = _follow(engine, asked)
            for name in names:
                found[name].append(files[name].table(engine, asked.as_of, asked.values))
            if stranger:
                devices = int(pc.sum(found["funnel_counts"][-1]["users"]).as_py() or 0)
            if keep_ways and not stranger:
                ways.append(engine.rows("select entity_id as user_id, furthest from way_first"))
            for name in kept:
                engine.drop(name)
    sums = {name: added_up(tables) for name, tables in found.items()}
    told = pa.concat_tables(ways).sort_by("user_id") if ways else None
    late = int(pc.sum(sums["funnel_open"]["users"]).as_py() or 0)
    return Counted(sums["funnel_counts"], sums["funnel_times"], sums["funnel_ever"], late, devices, told)


def _people(engine: Engine, source: Source, asked: Asked, progress: Progress) -> Iterator[bool]:
    """Makes the tables of one part of the customers after the other (False), then of unknown devices (True)."""
    parts, seen = engine.parts(source), []
    strangers = any(step.kind == "registered" for step in asked.steps[1:]) and "events" in source.tables
    for done, part in enumerate(parts):
        progress("funnel", done, len(parts))
        register_visible(engine, source, part, asked.as_of, ("orders", "events", "users"))
        if strangers:
            seen.append(statements("lifecycle")["signed_in_devices"].table(engine, asked.as_of))
        yield False
    if strangers:
        engine.give("signed_in_devices", pa.concat_tables(seen))
        register_visible(engine, source, {}, asked.as_of, ("orders", "events", "users"))
        register_anonymous(engine, source, asked.as_of)
        rest = ", ".join(name for name, _ in columns("events") if name != "entity_id")
        engine.keep(
            "events_of_strangers",
            f"select device_id as entity_id, {rest} from anonymous_events where device_id is not null "
            "and device_id not in (select device_id from signed_in_devices)",
        )
        engine.view("events", "select * from events_of_strangers")
        yield True


def _follow(engine: Engine, asked: Asked) -> list[str]:
    """Makes the ways of the customers at hand; returns the names of what was kept."""
    kinds = dict.fromkeys(step.kind for step in asked.steps)
    acts = list(dict.fromkeys(_FILES.get(kind, "event_acts") for kind in kinds))
    traces = ["first_traces"] if {"acquired", "retained", "referred"} & kinds.keys() else []
    for name in [*traces, *acts]:
        statements("funnels")[name].keep(engine, asked.as_of, asked.values)
    return [*traces, *acts, *follow(engine, asked, acts)]


def follow(engine: Engine, asked: Asked, acts: Sequence[str]) -> list[str]:
    """Makes the ways along acts that are in these tables; returns the names of what was kept."""
    files, values, kept = statements("funnels"), asked.values, []

    def keep(file: str, name: str, **more: object) -> None:
        Statement(name, files[file].text).keep(engine, asked.as_of, {**values, **more})
        kept.append(name)

    engine.view("funnel_acts", " union all ".join(f"select * from {name}" for name in acts))
    keep("funnel_places", "funnel_places")
    numbers = range(1, len(asked.steps) + 1)
    keep("reached_first", "reached_1")
    for before, step in pairwise(numbers):
        engine.view("reached", f"select * from reached_{before}")
        keep("reached_next", f"reached_{step}", step=step)
    arrivals = (f"select entity_id, {n} as step, place, start_place from reached_{n}" for n in numbers)
    engine.view("funnel_arrivals", " union all ".join(arrivals))
    keep("furthest", "furthest")
    keep("way_first", "way_first")
    engine.view("way_1", "select * from way_first")
    for before, step in pairwise(numbers):
        engine.view("way", f"select * from way_{before}")
        keep("way_next", f"way_{step}", step=step)
    ways = (f"select entity_id, {n} as step, moment from way_{n}" for n in numbers)
    engine.view("funnel_ways", " union all ".join(ways))
    return kept


@dataclass(frozen=True)
class Referrals:
    """What customers bring customers. `brought`: referrals, users (who brought so many within the window);
    `values`: was_referred, users, buyers, amount, squares (of what each bought within the window)."""

    brought: pa.Table
    values: pa.Table


def referral_counts(source: Source, as_of: date, since: date, until: date, window_days: int) -> Referrals | None:
    """Of customers registered from `since` on, at least the window before `until`; None where nobody was brought."""
    if "users" not in source.tables:
        return None
    bound: Values = {
        "window_days": window_days,
        "entries_until": day_number(until) - window_days,
        "since": day_number(since),
    }
    files = [statements("funnels")[name] for name in ("referrer_counts", "referral_values")]
    found: Mapping[str, list[pa.Table]] = {file.name: [] for file in files}
    with engine_of(source) as engine:
        everybody = _referrals(engine, source, as_of)
        if not everybody.num_rows:
            return None
        engine.give("referrals_of_all", everybody)
        for part in engine.parts(source):
            register_visible(engine, source, part, as_of, ("orders", "users"))
            staging = staging_for(files)
            for staged in staging:
                staged.keep(engine, as_of)
            for file in files:
                found[file.name].append(file.table(engine, as_of, bound))
            for staged in staging:
                engine.drop(staged.name)
    return Referrals(*(summed(tables, [key]) for tables, key in zip(found.values(), _KEYS, strict=True)))


_KEYS = ("referrals", "was_referred")
NO_GROUPS = pa.table({"entity_id": pa.array([], pa.string()), "value": pa.array([], pa.string())})


def _referrals(engine: Engine, source: Source, as_of: date) -> pa.Table:
    """Everybody who was brought by somebody; they may be in other parts than who brought them."""
    found = []
    for part in engine.parts(source):
        register_visible(engine, source, part, as_of, ("users",))
        found.append(statements("funnels")["referrals"].table(engine, as_of))
    return pa.concat_tables(found)
