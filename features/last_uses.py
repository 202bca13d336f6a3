"""When each customer last used each function of the app."""

from __future__ import annotations

from datetime import date

import pyarrow as pa

from features.engines import engine_of
from features.source import Source, register_acts, register_visible
from features.statements import staging_for, statements
from warehouse.progress import Progress, silent


def last_uses(source: Source, as_of: date, progress: Progress = silent) -> pa.Table | None:
    """One row per customer and function used before `as_of`, sorted by both: entity_id, feature, last_used_on.

    None where no event names a function.
    """
    if "events" not in source.tables:
        return None
    statement = statements("profile")["last_uses"]
    found = []
    with engine_of(source) as engine:
        parts = engine.parts(source)
        values = {"every_event": register_acts(engine, source)}
        for done, part in enumerate(parts):
            progress("last uses", done, len(parts))
            register_visible(engine, source, part, as_of, ("events",))
            for staged in staging_for([statement]):
                staged.keep(engine, as_of, values)
            found.append(statement.table(engine, as_of))
    table = pa.concat_tables(found)
    if not table.num_rows:
        return None
    days = table["last_day"].cast(pa.int32()).cast(pa.date32())
    named = {"entity_id": table["entity_id"].cast(pa.string()), "feature": table["feature"].cast(pa.string())}
    return pa.table({**named, "last_used_on": days}).sort_by([("entity_id", "ascending"), ("feature", "ascending")])
