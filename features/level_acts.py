"""What earns a customer points, or takes them back, found in the visible rows and put in the order of (time, id)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa

from features.engines import Engine, duckdb_engine
from features.levels import NO_ACT, UNIT, WHY, Acts, Changes, Scheme, State, advance
from features.relations import Relation, rows
from features.source import Source, register_part
from features.visible import literal_of
from features.windows import day_number
from warehouse.clock import instant
from warehouse.errors import UsageError
from warehouse.level_settings import LevelRules
from warehouse.progress import Progress, silent
from warehouse.wall_time import zone_rules

ORDER, RETURN, PROFILE, REFERRAL = "order", "return", "profile", "referral"
_ALWAYS = (ORDER, RETURN, PROFILE, REFERRAL)
_DAY = 86_400_000_000

# Rows equal in time, kind and id are alike but for their points, so these end the order of a customer's acts.
_IN_ORDER = "entity_id, happened, what, id, units"
_MONEY = "cast(cast({amount} * cast({each} as decimal(18, 6)) as decimal(38, 4)) * 10000 as bigint)"
_ID = "coalesce({0}, '') || '|' || coalesce({1}, '')"

TABLE = pa.schema(
    [
        ("entity_id", pa.string()),
        ("level", pa.string()),
        ("level_points", pa.float64()),
        ("points_to_next_level", pa.float64()),
        ("level_since", pa.date32()),
        ("level_valid_until", pa.date32()),
    ]
)
"""One row per customer. `points_to_next_level` is null in the highest level; `level_since` for who never left the
lowest; on `level_valid_until` the level is judged anew, and it is null in the lowest."""


@dataclass(frozen=True)
class Levels:
    """Every customer's level as of a date.

    `standing`, sorted by `entity_id`: `level` (from 0), `units` and `left` (those that still count on the day the level
    expires), `since` and `until` (days, null for who is in the lowest from the beginning, and in the lowest now).
    `changes`, by customer and time: entity_id, day, before, after, why, units, what (the kind of act, null at expiry).
    """

    as_of: date
    rules: LevelRules
    standing: pa.Table
    changes: pa.Table

    @property
    def names(self) -> tuple[str, ...]:
        """The levels, the lowest first."""
        return tuple(self.rules.steps)

    def table(self) -> pa.Table:
        """Every customer's level as people read it, sorted by `entity_id`: `TABLE`."""
        level = self.standing["level"].to_numpy()
        begins = np.array([*(round(points * UNIT) for points in self.rules.steps.values()), 0], np.int64)
        units, top = self.standing["units"].to_numpy(), level == len(self.names) - 1
        columns = (
            self.standing["entity_id"],
            pa.array(self.names, pa.string()).take(pa.array(level)),
            pa.array(units / UNIT),
            pa.array((begins[level + 1] - units) / UNIT, mask=top),
            self.standing["since"].cast(pa.int32()).cast(pa.date32()),
            self.standing["until"].cast(pa.int32()).cast(pa.date32()),
        )
        return pa.table(list(columns), schema=TABLE)


def levels(
    source: Source, as_of: date, rules: LevelRules, changes_from: date | None = None, progress: Progress = silent
) -> Levels:
    """The levels of all customers, replayed from everything before `as_of`; changes from a date on, else all."""
    scheme, now = Scheme.of(rules), day_number(as_of)
    since = 0 if changes_from is None else day_number(changes_from)
    if "users" not in source.tables:
        _refuse_unknown(rules.attributes or (), ())
    found = []
    with duckdb_engine(source) as engine:
        give_referrals(engine, source, as_of, rules)
        parts = source.parts()
        for done, part in enumerate(parts):
            progress("levels", done, len(parts))
            ids, acts = acts_of_part(engine, source, part, as_of, rules)
            state, changes = advance(State.start(scheme, len(ids)), acts, now)
            found.append((_standing(ids, state), _changes(ids, changes, since, kinds(rules))))
    standing, told = (pa.concat_tables(tables) for tables in zip(*found, strict=True))
    order = [("entity_id", "ascending")]
    return Levels(as_of, rules, standing.sort_by(order), told.sort_by([*order, ("place", "ascending")]).drop("place"))


def kinds(rules: LevelRules) -> tuple[str, ...]:
    """What acts can be, by number."""
    return (*_ALWAYS, *rules.events)


def _refuse_unknown(attributes: Iterable[str], columns: Iterable[str]) -> None:
    """`UsageError` for an attribute that earns points and is no column of users."""
    if unknown := sorted(set(attributes) - set(columns)):
        raise UsageError(
            f'Points are to be earned by "{unknown[0]}", which is no column of users.',
            hint="Mend [levels.attributes] in reprise.toml, or add the column to the file of users.",
        )


def acts_of_part(
    engine: Engine, source: Source, part: Mapping[str, Relation], as_of: date, rules: LevelRules
) -> tuple[pa.Array, Acts]:
    """The customers of a part, and their acts by number; `give_referrals` must have been called."""
    ids = register_part(engine, source, part, as_of)
    earning = pa.table(
        {
            "event": pa.array(rules.events, pa.string()),
            "what": pa.array(range(len(_ALWAYS), len(_ALWAYS) + len(rules.events)), pa.int64()),
            "units": pa.array([round(points * UNIT) for points in rules.events.values()], pa.int64()),
            "daily": pa.array([name in rules.once_a_day for name in rules.events], pa.bool_()),
        }
    )
    engine.give("earning_events", earning)
    union = " union all ".join(_selects(engine, source, part, as_of, rules))
    found = engine.rows(f"select {_IN_ORDER}, lasting from ({union}) as acts where units <> 0 order by {_IN_ORDER}")
    return ids, _numbered(found, source.time_zone)


def _numbered(found: pa.Table, time_zone: str) -> Acts:
    entity, happened, what, units = (
        found[name].cast(pa.int64()).to_numpy() for name in ("entity_id", "happened", "what", "units")
    )
    days = zone_rules(time_zone).to_wall(happened) // _DAY
    # Where clocks go back over midnight a later act would lie on an earlier day.
    highest = np.maximum.accumulate(entity * (1 << 20) + days) if len(days) else days
    return Acts(entity, highest - entity * (1 << 20), units, found["lasting"].to_numpy(zero_copy_only=False), what)


def _selects(
    engine: Engine, source: Source, part: Mapping[str, Relation], as_of: date, rules: LevelRules
) -> Iterator[str]:
    """The statements of all that earns: entity_id, happened (microseconds), what, id, units, lasting."""
    yield from _of_orders(rules)
    line = _ID.format("seen.item_id", "seen.session_id")
    yield f"""
        select entity_id, epoch_us(occurred_at) as happened, what, id, units, false as lasting from (
            select seen.entity_id, seen.occurred_at, earning.what, {line} as id, earning.units, earning.daily,
                row_number() over (partition by seen.entity_id, seen.event, cast(seen.local_at as date)
                    order by seen.occurred_at, {line}) as nth
            from events as seen inner join earning_events as earning on seen.event = earning.event
        ) as counted where not daily or nth = 1"""
    yield f"""
        select customers.entity_id, epoch_us(happened), {_ALWAYS.index(REFERRAL)}, referred,
            {round(rules.per_referral * UNIT)}, false
        from referrals inner join customers on referrals.referrer = customers.id"""
    if part.get("users") is not None and (worth := _worth_of_a_version(engine, part["users"], source, rules)):
        yield _of_profiles(engine, source, part["users"], as_of, worth)


def _of_orders(rules: LevelRules) -> Iterator[str]:
    """Lines sold and lines given back. An order that is wholly given back loses what the order itself brought."""
    each = round(rules.per_order * UNIT)
    id_, key = _ID.format("order_id", "item_id"), "coalesce(order_id, cast(cast(local_at as date) as varchar))"
    money = _MONEY.format(amount="amount", each=rules.per_amount)
    yield f"""
        select entity_id, epoch_us(ordered_at) as happened, {_ALWAYS.index(ORDER)} as what, {id_} as id,
            {money} + case when row_number() over (partition by entity_id, {key}
                order by ordered_at, {id_}, amount) = 1 then {each} else 0 end as units, false as lasting
        from orders where kind = 'sale' and amount > 0"""
    rest = "partition by entity_id, order_id order by ordered_at, kind desc, item_id nulls first, amount"
    money = _MONEY.format(amount="abs(amount)", each=rules.per_amount)
    yield f"""
        select entity_id, epoch_us(ordered_at), {_ALWAYS.index(RETURN)}, {id_},
            - {money} - case when order_id is not null and rest <= 0 and rest + abs(amount) > 0 then {each} else 0 end,
            false
        from (
            select *, sum(case when kind = 'sale' then amount else - abs(amount) end) over ({rest}) as rest
            from orders where kind = 'return' or amount > 0
        ) as lines where kind = 'return'"""


def _worth_of_a_version(engine: Engine, users: Relation, source: Source, rules: LevelRules) -> str | None:
    """SQL of the units of a version of a user: the share of the profile that is filled in, and numbers it holds."""
    _, have = engine.scan("users", users, source.time_zone)
    _refuse_unknown(rules.attributes or (), have)
    known = [name for name in rules.profile_columns if name in have]
    filled = " + ".join(f"case when {_quoted(name)} is null then 0 else 1 end" for name in known)
    whole = round(rules.profile * UNIT)
    terms = [f"({filled}) * {whole} // {len(rules.profile_columns)}"] if known and whole else []
    terms += [
        f"cast(round(coalesce(try_cast({_quoted(name)} as double), 0) * {points * UNIT}) as bigint)"
        for name, points in (rules.attributes or {}).items()
    ]
    return " + ".join(terms) or None


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _of_profiles(engine: Engine, source: Source, users: Relation, as_of: date, worth: str) -> str:
    """What each version adds to the one before, from when it was known; the first one from when the customer was.

    It counts for good: a profile does not wear off.
    """
    every = rows(engine, "users", users, source.time_zone, open_columns=True)
    cutoff = literal_of(instant(as_of, source.time_zone))
    return f"""
        select customers.entity_id, epoch_us(known), {_ALWAYS.index(PROFILE)}, cast(nth as varchar),
            worth - coalesce(lag(worth) over (partition by customers.entity_id order by nth), 0), true
        from (
            select *, case when nth = 1 then least(recorded_at, registered_at, first_seen) else recorded_at end as known
            from (
                select versions.entity_id as id, recorded_at, registered_at, {worth} as worth, row_number() over (
                    partition by versions.entity_id order by recorded_at nulls first, {worth}) as nth
                from {every} as versions
            ) as numbered
            left join (
                select id as seen_id, min(first) as first_seen from (
                    select entity_id as id, min(ordered_at) as first from seen_orders group by entity_id union all
                    select entity_id as id, min(occurred_at) as first from seen_events group by entity_id
                ) as firsts group by id
            ) as seen on numbered.id = seen.seen_id
        ) as told
        inner join customers on told.id = customers.id where known < {cutoff}"""


def give_referrals(engine: Engine, source: Source, as_of: date, rules: LevelRules) -> None:
    """Makes `referrals`: referrer, referred, happened; each user who registered before `as_of` and names one, once."""
    found = []
    cutoff = literal_of(instant(as_of, source.time_zone))
    for part in source.parts() if rules.per_referral else []:
        if part.get("users") is not None:
            every = rows(engine, "users", part["users"], source.time_zone)
            when = "coalesce(registered_at, recorded_at)"
            found.append(
                engine.rows(
                    f"select referred_by as referrer, entity_id as referred, {when} as happened from {every} as users "
                    f"where referred_by <> entity_id and {when} < {cutoff} qualify row_number() over "
                    f"(partition by entity_id order by {when}, referred_by) = 1"
                )
            )
    none = pa.table({name: pa.array([], pa.string()) for name in ("referrer", "referred")})
    empty = none.append_column("happened", pa.array([], pa.timestamp("us")))
    engine.give("referrals", pa.concat_tables(found) if found else empty)


def _standing(ids: pa.Array, state: State) -> pa.Table:
    lowest = state.level == 0
    return pa.table(
        {
            "entity_id": ids,
            "level": pa.array(state.level),
            "units": pa.array(state.units()),
            "left": pa.array(state.units(state.until), mask=lowest),
            "since": pa.array(state.since, mask=state.since < 0),
            "until": pa.array(state.until, mask=lowest),
        }
    )


def _changes(ids: pa.Array, changes: Changes, since: int, what: tuple[str, ...]) -> pa.Table:
    late = changes.day >= since
    columns = {name: column[late] for name, column in vars(changes).items()}
    act = columns["what"]
    return pa.table(
        {
            "entity_id": ids.take(pa.array(columns["entity"])),
            "day": pa.array(columns["day"]),
            "before": pa.array(columns["before"]),
            "after": pa.array(columns["after"]),
            "why": pa.array(WHY, pa.string()).take(pa.array(columns["why"])),
            "units": pa.array(columns["units"]),
            "what": pa.array(what, pa.string()).take(pa.array(act, mask=act == NO_ACT)),
            "place": pa.array(np.arange(len(act))),
        }
    )
