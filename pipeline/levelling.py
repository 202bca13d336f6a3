"""Member levels of a workspace: what `reprise levels` says, and the table that a release keeps."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, cast, get_args

import pyarrow as pa
import pyarrow.compute as pc

from audiences.exports import export_table
from features.level_acts import Levels, levels
from features.rules import Field
from features.source import Source
from insights.levels import SAID, LevelSummary, history, summary
from pipeline.opening import load
from warehouse.errors import NotReadyError, UsageError
from warehouse.level_settings import PRESETS, LevelRules, LevelSettings, Preset
from warehouse.progress import Progress, silent
from warehouse.settings import Settings
from warehouse.workspace import Workspace


def rules_of(settings: Settings, preset: str | None = None) -> LevelRules:
    """What levels a workspace has, or would have with a preset; `NotReadyError` where none are declared."""
    if preset is not None:
        if preset not in get_args(Preset):
            raise UsageError(f"There is no preset {preset!r}.", hint=f"There are: {', '.join(PRESETS)}.")
        return LevelSettings(preset=cast(Preset, preset)).rules
    if settings.levels is None:
        raise NotReadyError(
            "This workspace declares no levels.",
            hint='Write [levels] with preset = "shop", "content" or "tool" in reprise.toml, or try one with --preset.',
        )
    return settings.levels.rules


def levels_table(source: Source, as_of: date, settings: Settings, progress: Progress = silent) -> pa.Table | None:
    """Every customer's level as of a date (`features.level_acts.TABLE`); None where no levels are declared."""
    if settings.levels is None:
        return None
    return levels(source, as_of, settings.levels.rules, as_of, progress).table()


def level_field(settings: Settings) -> list[Field]:
    """The field `level` with its closed list of values, where levels are declared."""
    return [] if settings.levels is None else [Field("level", "text", tuple(settings.levels.rules.steps))]


def levels_at(source: Source, as_of: date, rules: LevelRules, days: int, progress: Progress = silent) -> Levels:
    """The levels as of a date, with the changes of so many days."""
    return levels(source, as_of, rules, as_of - timedelta(days=days), progress)


def summary_at(
    workspace: Workspace, as_of: date | None, preset: str | None, days: int, loaded_at: datetime, progress: Progress
) -> LevelSummary:
    """The levels of a workspace's customers as of a date, beside those some days earlier."""
    rules = rules_of(workspace.settings, preset)
    with workspace.lock("run"):
        loaded, _ = load(workspace, as_of, loaded_at, progress)
        return summary(levels_at(loaded.source, loaded.as_of, rules, days, progress), days)


@dataclass(frozen=True)
class Customer:
    """Where one customer stands, and every change of their level with its reason."""

    payload: dict[str, Any]

    def lines(self, language: Literal["en", "zh"]) -> list[str]:
        zh = language == "zh"
        told = self.payload
        next_ = told["points_to_next_level"]
        lines = [
            (f"{told['user_id']}：{told['level']}，{told['level_points']:,g} 积分"
             + (f"，距下一级 {next_:,g}" if next_ is not None else "")
             + (f"，有效期至 {told['level_valid_until']}" if told["level_valid_until"] else ""))
            if zh
            else (f"{told['user_id']}: {told['level']} with {told['level_points']:,g} points"
                  + (f", {next_:,g} to the next level" if next_ is not None else "")
                  + (f", valid until {told['level_valid_until']}" if told["level_valid_until"] else ""))
        ]  # fmt: skip
        for row in told["changes"]:
            by = f" ({row['by']})" if row["by"] else ""
            lines.append(f"{row['day']}\t{row['from']} → {row['to']}\t{SAID[row['why']][zh]}\t{row['points']:,g}{by}")
        return lines


def customer_at(
    workspace: Workspace, user: str, as_of: date | None, preset: str | None, loaded_at: datetime, progress: Progress
) -> Customer:
    """One customer's level and how it came about; `UsageError` for an unknown one."""
    rules = rules_of(workspace.settings, preset)
    with workspace.lock("run"):
        loaded, _ = load(workspace, as_of, loaded_at, progress)
        found = levels(loaded.source, loaded.as_of, rules, None, progress)
    return Customer(_told(found, user))


def _told(found: Levels, user: str) -> dict[str, Any]:
    table = found.table()
    row = pc.index(table["entity_id"], user).as_py()
    if row < 0:
        raise UsageError(f"There is no customer {user} as of {found.as_of}.", hint="Leading zeros count.")
    told: dict[str, Any] = table.slice(row, 1).to_pylist()[0]
    del told["entity_id"]
    benefits = (found.rules.benefits or {}).get(told["level"])
    changes = history(found, user)
    return {"as_of": found.as_of, "user_id": user, **told, "benefits": benefits, "changes": changes}


def write(found: LevelSummary, out: Path) -> dict[str, Any]:
    """Writes everybody's level to a file; its type by its suffix."""
    report = export_table(found.table(), out)
    return {"path": report.path, "rows": report.rows, "sha256": report.sha256}
