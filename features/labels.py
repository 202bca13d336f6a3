"""What the labels table says: which targets, of whom, as of which day, and with which columns beside."""

from __future__ import annotations

from datetime import date

import pyarrow as pa

from features.attributes import expression
from features.engines import duckdb_engine
from features.source import Source
from features.windows import day_number
from warehouse.casting import literal, quoted
from warehouse.clock import instant
from warehouse.errors import DataProblemError

_KEY = ("entity_id", "target", "as_of")


def label_targets(source: Source) -> tuple[str, ...]:
    """The targets that the labels table speaks of, sorted."""
    found: set[str] = set()
    with duckdb_engine(source) as engine:
        for part in source.parts():
            if (labels := part.get("labels")) is not None:
                origin, _ = engine.scan("labels", labels, source.time_zone)
                found |= set(engine.rows(f"select distinct target from {origin}")["target"].to_pylist())
    return tuple(sorted(found))


def labels_of(source: Source, target: str, as_of: date, known: date | None = None) -> pa.Table:
    """The rows of a target whose y is known: `entity_id`, `day`, `y`, `source_line`, and the features beside them.

    `day` is the number of the local day of as_of, NULL where there is none; then days until a date are counted from
    `as_of`. Of several rows for one customer and date the one recorded last counts, of those recorded before `known`.
    Sorted by line and customer. `DataProblemError` where two recorded at the same time differ in y.
    """
    own = source.own.of("labels")
    seen = "true"
    if known is not None:
        seen = f"recorded_at < timestamp '{instant(known, source.time_zone):%Y-%m-%d %H:%M:%S}' or as_of is null"
    counted = f"coalesce(cast(day_number(local_at) as int), {day_number(as_of)})"
    beside = "".join(
        f", {expression(column, counted)} as {quoted(column.feature.name)}" for column in (own.columns if own else ())
    )
    key = ", ".join(_KEY)
    parts = []
    with duckdb_engine(source) as engine:
        for part in source.parts():
            if (labels := part.get("labels")) is None:
                continue
            origin, have = engine.scan("labels", labels, source.time_zone)
            if "y" not in have:
                continue
            rows = f"(select * from {origin} where target = {literal(target)} and y is not null and ({seen}))"
            clash = engine.rows(
                f"select entity_id, as_of from {rows} group by {key}, recorded_at having count(distinct y) > 1"
                " order by all limit 1"
            ).to_pylist()
            if clash:
                raise _contradiction(target, *clash[0].values())
            latest = f"row_number() over (partition by {key} order by recorded_at desc, source_line desc)"
            parts.append(
                engine.rows(
                    f"select entity_id, cast(day_number(local_at) as int) as day, y, source_line{beside}"
                    f" from {rows} as told qualify {latest} = 1"
                )
            )
    if not parts:
        return pa.table(
            {"entity_id": pa.array([], pa.string()), "day": pa.array([], pa.int32()), "y": pa.array([], pa.float64())}
        )
    order = [("day", "ascending"), ("source_line", "ascending"), ("entity_id", "ascending")]
    return pa.concat_tables(parts).sort_by(order).combine_chunks()


def _contradiction(target: str, user: str, as_of: object) -> DataProblemError:
    when = f" as of {as_of}" if as_of is not None else ""
    return DataProblemError(
        f'The labels say both 0 and 1 of "{user}" in {target}{when}.',
        hint="Keep one row for a customer, target and date, or give recorded_at: then the row recorded last counts.",
    )
