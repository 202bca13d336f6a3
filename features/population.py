"""What is counted over everybody, so that a few customers alone get the features they have among all.

A table of the population is a file of `sql/population` that reads another one there: that one is run over every part,
and the table over all their rows together. Sums are decimals and whole numbers, so that the parts change nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import pyarrow as pa

from features.catalogue import available
from features.engines import Engine, engine_of
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
    share of the items of the same category that cost no more). `rfm_thresholds`: one row, see its file.
    """
    files = statements("families")
    possible = {feature.family for feature in available(source.tables)}
    names = read_by(files[name] for name in (possible if families is None else possible & set(families)))
    if not names:
        return {}
    with engine_of(source) as engine:
        register_items(engine, source, as_of)
        return count_tables(engine, source, as_of, names)


def count_tables(engine: Engine, source: Source, as_of: date, names: Iterable[str]) -> dict[str, pa.Table]:
    """The same on an engine that has `items`, of those named and not handed over; all are then on the engine."""
    given = source.given_population()
    found = {name: given[name] if name in given else _counted(engine, source, as_of, name) for name in names}
    for name, table in found.items():
        engine.give(name, table)
    return found


def _counted(engine: Engine, source: Source, as_of: date, name: str) -> pa.Table:
    files = statements("population")
    (of_part,) = (files[read] for read in files[name].reads & files.keys())
    staging = staging_for([of_part], *chosen_staging(source))
    read = frozenset[str]().union(of_part.reads, *(staged.reads for staged in staging))
    values = {"every_event": register_acts(engine, source)}
    kept: list[str] = []
    for k, part in enumerate(engine.parts(source.everybody)):
        register_visible(engine, source, part, as_of, [table for table in PEOPLE if table in read])
        for staged in staging:
            staged.keep(engine, as_of, values)
        body = of_part.body
        if kept and of_part.name in _ADDED:
            # Added up part after part, one table of items is held and not one a part.
            both = f"select * from {kept.pop()} union all select * from ({body}) as of_part"
            body = f"select {_ADDED[of_part.name]} from ({both}) as of_both group by item_id"
        kept.append(f"{of_part.name}_0" if of_part.name in _ADDED else f"{of_part.name}_{k}")
        engine.keep(kept[-1], body, of_part.bound(as_of, values))
        for staged in staging:
            engine.drop(staged.name)
    engine.view(of_part.name, " union all ".join(f"select * from {one}" for one in kept))
    return files[name].table(engine, as_of)
