"""Who is new, active, silent or gone in each month or week: counted part by part, added up over everybody.

The rows of a customer are those with an act; what happens in silent periods follows from them, so the work grows with
the acts and not with customers times periods.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from features.engines import Engine, engine_of
from features.periods import YEAR, Grain, calendar, last_number
from features.relations import Relation, rows
from features.source import (
    PEOPLE,
    Source,
    chosen_staging,
    customers,
    register_acts,
    register_items,
    register_part,
    register_visible,
)
from features.statements import staging_for, statements
from warehouse.clock import instant
from warehouse.progress import Progress, silent

GROUPS = ("new", "last_new", "active", "awakened", "returned", "dormant", "lapsed")
"""The lifecycle groups; who is in one of the first five has an act in the period."""

ACTIVE_GROUPS = GROUPS[:5]

MEASURES = frozenset({"users", "amount", "change", "buyers", "repeat_buyers", "again_buyers", "orders", "units"})
"""Columns that are added up over the parts; the others say of what."""


@dataclass(frozen=True)
class Counting:
    """What is counted: until when, by months or weeks, and after how many silent periods a customer has lapsed."""

    source: Source
    as_of: date
    grain: Grain
    lapsed_after: int = 2

    @property
    def last_period(self) -> int:
        """The number of the period that holds the day before the cutoff."""
        return last_number(self.as_of, self.grain)

    @property
    def values(self) -> dict[str, object]:
        """What the SQL files name."""
        return {
            "weekly": self.grain == "week",
            "lapsed_after": self.lapsed_after,
            "last_period": self.last_period,
            "year": YEAR[self.grain],
        }

    def tables(
        self,
        names: Iterable[str],
        beside: Mapping[str, pa.Table] | None = None,
        values: Mapping[str, object] | None = None,
        progress: Progress = silent,
    ) -> dict[str, pa.Table]:
        """The rows of files of `features/sql/lifecycle`, by name, added up over everybody.

        `beside` are further tables that they read, `values` further values that they name.
        """
        files = [statements("lifecycle")[name] for name in names]
        staging = staging_for(files, *chosen_staging(self.source))
        found: dict[str, list[pa.Table]] = {file.name: [] for file in files}
        with engine_of(self.source) as engine:
            register_items(engine, self.source, self.as_of)
            bound = self.values | dict(values or {}) | give_lifecycle(engine, self.source, self.lapsed_after)
            for name, table in (beside or {}).items():
                engine.give(name, table)
            parts = engine.parts(self.source)
            for done, part in enumerate(parts):
                progress("growth", done, len(parts))
                self._register(engine, part)
                for staged in staging:
                    staged.keep(engine, self.as_of, bound)
                for file in files:
                    found[file.name].append(file.table(engine, self.as_of, bound))
                for staged in staging:
                    engine.drop(staged.name)
        return {name: added_up(tables) for name, tables in found.items()}

    def steps_by_answer(self, answers: Iterable[tuple[int, pa.Array]]) -> Iterator[tuple[int, pa.Table]]:
        """The steps into each period, by who was chosen at its end and at the end of the one before.

        `answers` are the ids of the chosen at the ends of consecutive periods, the first of which only says who was
        chosen before. Columns `group_before`, `group_after`, `was_chosen`, `is_chosen` (0 or 1), `users`.
        """
        with engine_of(self.source) as engine:
            self._everybody_active(engine)
            before: pa.Array | None = None
            for period, chosen in answers:
                if before is not None:
                    engine.give("chosen_before", pa.table({"id": before}))
                    engine.give("chosen_now", pa.table({"id": chosen}))
                    values = {"period": period, "lapsed_after": self.lapsed_after}
                    yield period, statements("split")["steps_of_period"].table(engine, self.as_of, values)
                before = chosen

    def _everybody_active(self, engine: Engine) -> None:
        """Makes `everybody_active`: the rows of `active_groups` of all parts, by the ids of the customers."""
        register_items(engine, self.source, self.as_of)
        values = self.values | give_lifecycle(engine, self.source, self.lapsed_after)
        active = statements("split")["active_of_part"]
        staging = staging_for([active], *chosen_staging(self.source))
        kept = []
        for k, part in enumerate(engine.parts(self.source)):
            self._register(engine, part)
            for staged in staging:
                staged.keep(engine, self.as_of, values)
            kept.append(f"everybody_active_{k}")
            engine.keep(kept[k], active.body)
            for staged in staging:
                engine.drop(staged.name)
        engine.view("everybody_active", " union all ".join(f"select * from {one}" for one in kept))

    def _register(self, engine: Engine, part: Mapping[str, Relation]) -> None:
        if self.source.spark is None:
            register_part(engine, self.source, part, self.as_of)
        else:
            # To number everybody would put every row in one place.
            register_visible(engine, self.source, part, self.as_of, PEOPLE)
            seen = customers(engine, self.source, part, self.as_of)
            engine.view("customers", f"select id, id as entity_id from ({seen}) as seen")

    def devices_never_signed_in(self, signed_in: pa.Table) -> pa.Table:
        """Days on which devices acted first, one row each, of devices on which nobody was ever signed in.

        `signed_in` has the `device_id` of the others.
        """
        with engine_of(self.source) as engine:
            register_anonymous(engine, self.source, self.as_of)
            seen = statements("anonymous")["first_days"].table(engine, self.as_of)
        return seen.filter(pc.invert(pc.is_in(seen["device_id"], value_set=signed_in["device_id"]))).select(["day"])


def register_anonymous(engine: Engine, source: Source, as_of: date) -> None:
    """Makes `anonymous_events`: what happened before `as_of`, and was recorded, and belongs to nobody."""
    cutoff = f"timestamp '{instant(as_of, source.time_zone)}'"
    every = rows(engine, "events", source.anonymous_events(), source.time_zone)
    before = f"occurred_at < {cutoff} and recorded_at < {cutoff} and entity_id is null"
    engine.keep("anonymous_events", f"select * from {every} as seen where {before}")


def give_lifecycle(engine: Engine, source: Source, lapsed_after: int) -> dict[str, object]:
    """Makes the tables that the lifecycle reads beside the acts; returns the values that go with them."""
    engine.give("calendar", calendar())
    engine.give("silences", pa.table({"silence": pa.array(range(1, lapsed_after + 1), pa.int32())}))
    return {"every_event": register_acts(engine, source), "lapsed_after": lapsed_after}


def added_up(tables: Sequence[pa.Table]) -> pa.Table:
    """Rows of several parts with the measures of equal rows added up, sorted by what they are equal in."""
    whole = pa.concat_tables(tables, promote_options="permissive")
    keys = [name for name in whole.column_names if name not in MEASURES]
    measures = [name for name in whole.column_names if name in MEASURES]
    summed = whole.group_by(keys, use_threads=False).aggregate([(name, "sum") for name in measures])
    summed = summed.rename_columns([*keys, *measures] if summed.column_names[0] in keys else [*measures, *keys])
    return summed.select(whole.column_names).sort_by([(name, "ascending") for name in keys])


def ledger(source: Source, as_of: date, grain: Grain = "month", lapsed_after: int = 2) -> pa.Table:
    """How many customers went from which group to which, in every period from the first act to the cutoff.

    Columns `period` (number), `previous_group` (NULL for who is new), `group`, `users`. The sum of `users` over a
    period is who has ever been seen by its end. Groups and their meaning: `GROUPS`.
    """
    counting = Counting(source, as_of, grain, lapsed_after)
    return with_the_lapsed(counting.tables(["steps"])["steps"], counting.last_period)


def with_the_lapsed(steps: pa.Table, last_period: int) -> pa.Table:
    """The steps with those who stay lapsed: they are who had lapsed the period before and did not return."""
    told = [(r["period"], r["group_before"], r["group_after"], int(r["users"])) for r in steps.to_pylist()]
    came: Counter[int] = Counter()
    left: Counter[int] = Counter()
    for period, before, after, users in told:
        came[period] += users * (after == "lapsed")
        left[period] += users * (before == "lapsed")
    lapsed = 0
    for period in range(min(came, default=last_period), last_period + 1):
        stayed = lapsed - left[period]
        if stayed:
            told.append((period, "lapsed", "lapsed", stayed))
        lapsed = stayed + came[period]
    place = {None: -1} | {group: n for n, group in enumerate(GROUPS)}
    told.sort(key=lambda row: (row[0], place[row[1]], place[row[2]]))
    columns = zip(*told, strict=True) if told else ([], [], [], [])
    names = {"period": pa.int32(), "previous_group": pa.string(), "group": pa.string(), "users": pa.int64()}
    return pa.table({name: pa.array(values, kind) for (name, kind), values in zip(names.items(), columns, strict=True)})
