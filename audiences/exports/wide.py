"""Scores and suggestions with one row a customer, as spreadsheets and CRM systems want them."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from warehouse.errors import DataProblemError

LONG_COLUMNS = (
    "user_id",
    "target",
    "horizon_days",
    "probability",
    "percentile",
    "state",
    "as_of",
    "model_version",
    "release",
)
_PER_TARGET = ("probability", "percentile", "state")
_SHARED = ("as_of", "release")


def wide_scores(long: pa.Table, first: Mapping[str, int] | None = None) -> pa.Table:
    """One row per user, sorted by `user_id`: `churn_probability`, `churn_percentile`, …, then `as_of` and `release`.

    The first horizon of a target has bare names, the others end in `_90d`. `first` names it by target; a target not
    in it takes its smallest. A user without a row for a target has nulls there. `churn_state` stands only where some
    row has a state, `churn_state_90d` only where it is not the same column over. Which model answered is not a column:
    it is the same in every row and known by the release.
    """
    missing = [name for name in LONG_COLUMNS if name not in long.column_names]
    if missing:
        raise DataProblemError(f"These are not long scores: {', '.join(missing)} missing.")
    users = pc.unique(long.column("user_id")).sort()
    columns = {"user_id": users}
    states: dict[str, pa.ChunkedArray] = {}
    for target, horizon, suffix in _models(long, first or {}):
        part = long.filter(pc.and_(pc.equal(long["target"], target), _same(long["horizon_days"], horizon)))
        rows = _rows_of(users, part, f"Scores of {target} at {horizon} days")
        for name in _PER_TARGET:
            column = part.column(name).take(rows)
            if name == "state" and not _is_news(column, states.setdefault(target, column), suffix):
                continue
            columns[f"{target}_{name}{suffix}"] = column
    for name in _SHARED:
        columns[name] = pa.repeat(_only(long, name), len(users))
    return pa.table(columns)


def wide_suggestions(long: pa.Table) -> pa.Table:
    """One row per user, sorted by `user_id`: `suggestion_1` and so on hold item ids, then `as_of` and `release`."""
    users = pc.unique(long.column("user_id")).sort()
    columns = {"user_id": users}
    for rank in pc.unique(long.column("rank")).sort().to_pylist():
        part = long.filter(pc.equal(long["rank"], rank))
        columns[f"suggestion_{rank}"] = part.column("item_id").take(
            _rows_of(users, part, f"Suggestions of rank {rank}")
        )
    for name in _SHARED:
        columns[name] = pa.repeat(_only(long, name), len(users))
    return pa.table(columns)


def _is_news(states: pa.ChunkedArray, first: pa.ChunkedArray, suffix: str) -> bool:
    """Whether a column of states says something: at the first horizon anything, at another something else."""
    return states.null_count < len(states) if not suffix else not states.equals(first)


def _models(long: pa.Table, first: Mapping[str, int]) -> list[tuple[str, int | None, str]]:
    """Targets in order of appearance, horizons from the first on, and what their column names end in."""
    horizons: dict[str, set[int | None]] = {}
    pairs = (
        long.select(["target", "horizon_days"]).group_by(["target", "horizon_days"], use_threads=False).aggregate([])
    )
    for row in pairs.to_pylist():
        horizons.setdefault(row["target"], set()).add(row["horizon_days"])
    models = []
    for target, found in horizons.items():
        ordered = sorted(found, key=lambda days: -1 if days is None else days)
        bare = first.get(target, ordered[0])
        bare = bare if bare in found else ordered[0]
        ordered.sort(key=lambda days: days != bare)
        models += [(target, days, "" if days == bare else f"_{days}d") for days in ordered]
    return models


def _same(column: pa.ChunkedArray, horizon: int | None) -> pa.ChunkedArray:
    return pc.is_null(column) if horizon is None else pc.fill_null(pc.equal(column, horizon), False)


def _rows_of(users: pa.Array, part: pa.Table, what: str) -> pa.Array:
    ids = part.column("user_id")
    if len(ids.unique()) != len(ids):
        raise DataProblemError(f"{what} hold a user twice.")
    return pc.index_in(users, value_set=ids.combine_chunks())


def _only(long: pa.Table, name: str) -> pa.Scalar:
    found = pc.unique(long.column(name))
    if len(found) > 1:
        raise DataProblemError(
            f"Scores of {len(found)} different {name} cannot be one wide table.", hint="Export one release at a time."
        )
    return found[0] if len(found) else pa.scalar(None, found.type)
