"""From when until when a table was observed, as far as it was known on a date."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from features.engines import engine_of
from features.source import Source, register_visible
from warehouse.errors import NotReadyError


def reach(source: Source, table: str, as_of: date) -> tuple[date, date]:
    """The first local day with a row of `table` (orders or events), and the day after the last one.

    Only rows that happened, and were recorded, before `as_of` count: which labels were closed on that day must not
    depend on what came later. `NotReadyError` where there was no row.
    """
    firsts: list[datetime] = []
    lasts: list[datetime] = []
    with engine_of(source) as engine:
        for part in engine.parts(source):
            register_visible(engine, source, part, as_of, (table,))
            (found,) = engine.rows(f"select min(local_at) as first, max(local_at) as last from {table}").to_pylist()
            if found["first"] is not None:
                firsts.append(found["first"])
                lasts.append(found["last"])
    if not firsts:
        raise NotReadyError(f"No row of {table} was known before {as_of}.", hint="It needs a later --as-of.")
    return min(firsts).date(), max(lasts).date() + timedelta(days=1)
