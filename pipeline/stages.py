"""Value stages of a workspace: what `reprise stages` says, and the table that a release keeps."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from audiences.exports import export_table
from features.building import build_features
from features.catalogue import available, families_of
from features.periods import Grain, periods
from features.rules import Field
from features.source import Source
from features.stages import Stage, read_by, stage_codes, stage_table, stages_of
from insights.stages import COUNTS, Cut, StageSummary
from pipeline.opening import load
from warehouse.progress import Progress, silent
from warehouse.settings import Settings
from warehouse.workspace import Workspace


def stages_there(source: Source, settings: Settings) -> tuple[Stage, ...]:
    """The stages of a workspace whose tables these are."""
    return stages_of(settings.stages, {feature.name for feature in available(source.tables)})


def stages_table(features: Path, settings: Settings) -> pa.Table:
    """The stage of every customer of a file of features (`features.stages.TABLE`)."""
    stages = stages_of(settings.stages, pq.read_schema(features).names)
    return stage_table(stages, pq.read_table(features, columns=["entity_id", *read_by(stages)]))


def stage_field(settings: Settings, features: list[str]) -> Field:
    """The field `value_stage` with its closed list of values."""
    stages = stages_of(settings.stages, features)
    names = tuple(stage.title[1] for stage in stages) if not settings.stages else ()
    return Field("value_stage", "text", tuple(stage.name for stage in stages), names)


def summarised(
    source: Source,
    settings: Settings,
    as_of: date,
    first_day: date,
    observed_until: date,
    grain: Grain = "month",
    most: int = 3,
    progress: Progress = silent,
) -> StageSummary:
    """The stages as of a date, and their figures over the last `most` whole periods before it."""
    stages = stages_there(source, settings)
    every = periods(first_day, as_of, grain, observed_until)
    spans = [each for each in every if each.complete and each.start > first_day]
    spans = spans[-most:] if most else []
    edges = [*(span.start for span in spans), *([spans[-1].end] if spans else [])]
    cuts = {day: cut(source, stages, day, progress) for day in dict.fromkeys([*edges, as_of])}
    return StageSummary(stages, cuts[as_of], spans, [cuts[day] for day in edges])


def cut(source: Source, stages: tuple[Stage, ...], day: date, progress: Progress = silent) -> Cut:
    """All customers as a day begins."""
    there = {feature.name for feature in available(source.tables)}
    names = sorted({*read_by(stages), *(name for name in COUNTS if name in there)})
    table = build_features(source, day, progress, families_of(names), names)
    counts = {name: table[name].to_numpy() for name in COUNTS if name in table.column_names}
    return Cut(day, table["entity_id"].combine_chunks(), stage_codes(stages, table), counts)


def stages_at(
    workspace: Workspace, as_of: date | None, grain: Grain, most: int, loaded_at: datetime, progress: Progress
) -> StageSummary:
    """The stages of a workspace as of a date, else the day after the last row."""
    with workspace.lock("run"):
        loaded, _ = load(workspace, as_of, loaded_at, progress)
        known = min(loaded.as_of, loaded.observed_until)
        return summarised(
            loaded.source, workspace.settings, loaded.as_of, loaded.first_day, known, grain, most, progress
        )


def write(found: StageSummary, out: Path) -> dict[str, Any]:
    """Writes everybody's stage to a file; its type by its suffix."""
    names = pa.array([stage.name for stage in found.stages], pa.string())
    table = pa.table({"user_id": found.now.ids, "value_stage": names.take(pa.array(found.now.stage))})
    report = export_table(table, out)
    return {"path": report.path, "rows": report.rows, "sha256": report.sha256}
