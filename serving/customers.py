"""The table that rules about served customers read: features, wide scores, tags and attributes, one row each."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from audiences.expecting import Scored
from features.rules import TAGS, Field, fields_from_schema
from features.source import FramesSource, versions
from serving.columns import Columns
from serving.complements import Key
from serving.due import DUE, DUE_FIELDS, with_due
from serving.release import Release
from serving.standing import standing_fields, with_standing

_PLUMBING = frozenset({"entity_id", "user_id", "recorded_at", "local_at", "point_in_time"})


def suffixes(keys: Iterable[Key]) -> dict[Key, str]:
    """What follows the name of a wide column: nothing for a target's first horizon, then `_90d`."""
    found: dict[Key, str] = {}
    seen: set[str] = set()
    for target, horizon in keys:
        found[(target, horizon)] = f"_{horizon}d" if target in seen else ""
        seen.add(target)
    return found


def scored(release: Release) -> tuple[Scored, ...]:
    """The targets rules can name the scores of, in declared order."""
    named = suffixes(release.scores.targets)
    return tuple(Scored(*key, suffix, release.models[key].version) for key, suffix in named.items())


def wide_scores(scores: Columns) -> dict[str, pa.Array]:
    """`churn_probability`, `churn_percentile`, `churn_state`, `churn_probability_90d`, …, aligned with the users."""
    columns: dict[str, pa.Array] = {}
    for key, suffix in suffixes(scores.targets).items():
        one = scores.targets[key]
        for what, numbers in (("probability", one.probability), ("percentile", one.percentile)):
            columns[f"{key[0]}_{what}{suffix}"] = pa.array(numbers, mask=np.isnan(numbers))
        columns[f"{key[0]}_state{suffix}"] = one.state.cast(pa.string())
    return columns


def fields(release: Release) -> dict[str, Field]:
    """Every field a rule about the customers of this release may name; closed lists of values are the release's."""
    scores = pa.schema([(name, column.type) for name, column in wide_scores(release.scores).items()])
    # What is a feature and an attribute alike is read as the feature: a number, where the file has its text.
    found = fields_from_schema(release.tables["users"].schema) if "users" in release.tables else {}
    found |= fields_from_schema(pq.read_schema(release.directory / "features.parquet")) | fields_from_schema(scores)
    if "tags" in release.tables:
        found[TAGS] = Field(TAGS, "tags")
    if DUE in release.tables:
        found |= fields_from_schema(DUE_FIELDS)
    found |= fields_from_schema(standing_fields(release.tables))
    found |= {field.name: field for field in release.fields if field.name in found}
    return {name: field for name, field in found.items() if name not in _PLUMBING}


def customers(release: Release, names: Collection[str]) -> pa.Table:
    """One row per user of the release, sorted by `entity_id`, with the named fields."""
    schema = pq.read_schema(release.directory / "features.parquet")
    table = release.features(["entity_id", *(name for name in names if name in schema.names and name != "entity_id")])
    for name, column in wide_scores(release.scores).items():
        if name in names:
            table = table.append_column(name, column)
    if DUE in release.tables and set(DUE_FIELDS.names) & set(names):
        table = with_due(table, release.tables[DUE], release.as_of, names)
    table = with_standing(table, release.tables, names)
    table = _with_attributes(release, table, [name for name in names if name not in table.column_names])
    return _with_tags(release, table) if TAGS in names else table


def attributes(release: Release, users: pa.Table | None = None) -> pa.Table | None:
    """One row per user with the attributes known at `as_of`, or the first ones known; None without a users table.

    `users` are some rows of it instead of all.
    """
    if "users" not in release.tables:
        return None
    some = release.tables["users"] if users is None else users
    static = frozenset(name for name, table in release.settings.tables.items() if table.static)
    source = FramesSource({"users": some}, time_zone=release.settings.time_zone, static=static)
    return versions(source, "users", release.as_of)


def _with_attributes(release: Release, table: pa.Table, names: Collection[str]) -> pa.Table:
    known = attributes(release) if names else None
    if known is None:
        return table
    place = pc.index_in(table["entity_id"], known["entity_id"].combine_chunks())
    for name in names:
        if name in known.column_names and name not in _PLUMBING:
            table = table.append_column(name, known[name].combine_chunks().take(place))
    return table


def _with_tags(release: Release, table: pa.Table) -> pa.Table:
    if "tags" not in release.tables:
        return table
    source = FramesSource({"tags": release.tables["tags"]}, time_zone=release.settings.time_zone)
    by_user = versions(source, "tags", release.as_of).group_by("entity_id").aggregate([("tag", "list")])
    place = pc.index_in(table["entity_id"], by_user["entity_id"].combine_chunks())
    return table.append_column(TAGS, by_user["tag_list"].combine_chunks().take(place))
