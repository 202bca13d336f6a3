"""The groups of customers of a workspace: its store read as of a date, and scores joined where both are told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime

import pyarrow as pa

from features.building import build_features
from features.catalogue import available, families_of
from features.population import count_population
from features.source import StoreSource
from insights.segments import Segments, segments, wanted
from pipeline.opening import load
from warehouse.errors import UsageError
from warehouse.progress import Progress
from warehouse.workspace import Workspace


def segments_at(
    workspace: Workspace, as_of: date | None, only: str | None, loaded_at: datetime, progress: Progress
) -> Segments:
    """Every segment of a workspace's customers as of a date, or the one named."""
    with workspace.lock("run"):
        loaded, _ = load(workspace, as_of, loaded_at, progress)
        there = available(loaded.source.tables)
        known = [feature.name for feature in there if feature.is_segment]
        if only is not None and only not in known:
            raise UsageError(f'There is no segment "{only}" here.', hint=f"There are: {', '.join(known)}.")
        names = wanted(there, only)
        population = count_population(loaded.source, loaded.as_of, families_of(names))
        table = columns(replace(loaded.source, population=population), loaded.as_of, names, progress)
        cuts = population["rfm_thresholds"].to_pylist()[0] if "rfm_thresholds" in population else None
        return segments(table, loaded.as_of, cuts, loaded.first_day)


def columns(source: StoreSource, as_of: date, names: Sequence[str], progress: Progress) -> pa.Table:
    """These features of everybody as of a date; only their families are built."""
    table = build_features(source, as_of, progress, families_of(names))
    return table.select(["entity_id", *(name for name in names if name in table.column_names)])
