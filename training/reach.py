"""From when until when a table was observed, as far as it was known on a date."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from features.source import Source, register_visible
from warehouse.engine import connect
from warehouse.errors import NotReadyError


def reach(source: Source, table: str, as_of: date) -> tuple[date, date]:
    """The first local day with a row of `table` (orders or events), and the day after the last one.

    Only rows that happened, and were recorded, before `as_of` count: which labels were closed on that day must not
    depend on what came later. `NotReadyError` where there was no row.
    """
    firsts: list[datetime] = []
    lasts: list[datetime] = []
    with connect(source.folders, memory_limit=source.memory_limit) as connection:
        for part in source.parts():
            register_visible(connection, source, part, as_of, (table,))
            found = connection.execute(f"select min(local_at), max(local_at) from {table}").fetchone()
            if found is not None and found[0] is not None:
                firsts.append(found[0])
                lasts.append(found[1])
    if not firsts:
        raise NotReadyError(f"No row of {table} was known before {as_of}.", hint="It needs a later --as-of.")
    return min(firsts).date(), max(lasts).date() + timedelta(days=1)
