"""What is counted over everybody, so that a few customers alone get the features they have among all.

A table of the population is a file of `sql/population` that reads another one there whose grain is "of a part": that
one is run over every part, and the table over all their rows together. A part may be counted with other tables of the
population. Sums are decimals and whole numbers, so that the parts change nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date

import pyarrow as pa

from features.catalogue import available
from features.engines import SHARE, Engine, Values, engine_of
from features.seasons import festival_days
from features.source import PEOPLE, Source, chosen_staging, register_acts, register_items, register_visible
from features.statements import POPULATION, Statement, staging_for, statements

_ADDED = {"item_sums": "item_id, sum(list_amount) as list_amount, sum(unit_count) as unit_count"}
"""How rows of several parts become one table, where they are many and sums of sums are the same."""


def read_by(readers: Iterable[Statement]) -> tuple[str, ...]:
    """The tables of the population that these statements read."""
    return tuple(sorted(POPULATION & frozenset[str]().union(*(reader.reads for reader in readers))))


def count_population(source: Source, as_of: date, families: Iterable[str] | None = None) -> dict[str, pa.Table]:
    """The tables of the population that the features of a source read, or those of some families; before `as_of`.

    `item_prices`: one row per item sold: item_id, category, usual_price (list price of a unit), price_percentile (the
    share of the items of the same category that cost no more). Of the others the first line of their file says what
    they are.
    """
    files = statements("families")
    possible = {feature.family for feature in available(source.tables)}
    readers = [files[name] for name in sorted(possible if families is None else possible & set(families))]
    return count_named(source, as_of, read_by([*readers, *staging_for(readers, *chosen_staging(source))]))


def count_named(source: Source, as_of: date, names: Sequence[str]) -> dict[str, pa.Table]:
    """The same of those named, on an engine of their own: what counting took of memory is given back at its end."""
    if not names:
        return {}
    with engine_of(source, SHARE) as engine:
        engine.give("festival_days", festival_days())
        register_items(engine, source, as_of)
        return count_tables(engine, source, as_of, names)


def count_tables(engine: Engine, source: Source, as_of: date, names: Iterable[str]) -> dict[str, pa.Table]:
    """The same of those named, on an engine that has `items` and `festival_days`; all are then on the engine."""
    given = source.given_population()
    found: dict[str, pa.Table] = {}

    def hold(tables: Mapping[str, pa.Table]) -> None:
        for name, table in tables.items():
            engine.give(name, table)
        found.update(tables)

    hold({name: given[name] for name in names if name in given})
    for together in _rounds(names, given.keys(), chosen_staging(source)):
        hold(_counted(engine, source, as_of, together))
    return found


def _rounds(names: Iterable[str], given: Collection[str], chosen: Sequence[str]) -> list[list[str]]:
    """The tables that are counted, those that others need before them; a round is one pass over the parts."""
    found: dict[str, int] = {}

    def visit(name: str) -> int:
        if name not in found:
            of_part = _of_part(name)
            before = read_by([of_part, *staging_for([of_part], *chosen)])
            found[name] = 1 + max((visit(other) for other in before if other not in given), default=-1)
        return found[name]

    for name in names:
        if name not in given:
            visit(name)
    return [[name for name in found if found[name] == k] for k in range(1 + max(found.values(), default=-1))]


def _of_part(name: str) -> Statement:
    """What is counted over each part for a table of the population."""
    files = statements("population")
    (of_part,) = (files[read] for read in files[name].reads & files.keys() - POPULATION)
    return of_part


def _counted(engine: Engine, source: Source, as_of: date, names: Iterable[str]) -> dict[str, pa.Table]:
    of_parts = {one.name: one for one in map(_of_part, names)}
    staging = staging_for(of_parts.values(), *chosen_staging(source))
    read = frozenset[str]().union(*(one.reads for one in (*of_parts.values(), *staging)))
    values = {"every_event": register_acts(engine, source)}
    kept: dict[str, list[str]] = {name: [] for name in of_parts}
    for k, part in enumerate(engine.parts(source.everybody)):
        register_visible(engine, source, part, as_of, [table for table in PEOPLE if table in read])
        for staged in staging:
            staged.keep(engine, as_of, values)
        for of_part in of_parts.values():
            _keep(engine, of_part, kept[of_part.name], k, of_part.bound(as_of, values))
        for staged in staging:
            engine.drop(staged.name)
    for name, tables in kept.items():
        engine.view(name, " union all ".join(f"select * from {one}" for one in tables))
    values = {"by_score": source.rfm_split == "score"}
    return {name: statements("population")[name].table(engine, as_of, values) for name in names}


def _keep(engine: Engine, of_part: Statement, kept: list[str], k: int, values: Values) -> None:
    """Counts one more part: its rows stand beside those of the others or, where they are sums, in them."""
    body, name = of_part.body, f"{of_part.name}_{k}"
    if of_part.name in _ADDED:
        name = f"{of_part.name}_0"
        if kept:
            # Added up part after part, one table of items is held and not one a part.
            both = f"select * from {kept.pop()} union all select * from ({body}) as of_part"
            body = f"select {_ADDED[of_part.name]} from ({both}) as of_both group by item_id"
    kept.append(name)
    engine.keep(name, body, values)
