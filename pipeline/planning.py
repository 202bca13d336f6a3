"""A plan for a workspace: its growth as of a date, and what a target takes."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from features.periods import YEAR
from insights.cheapest import Costs
from insights.planner import Plan, Target, plan
from insights.spans import number_named
from pipeline.growing import growth_at
from warehouse.progress import Progress
from warehouse.workspace import Workspace


def plan_at(
    workspace: Workspace,
    target: Target,
    as_of: date | None,
    history: Literal["half_year", "same_season"],
    new: float | None,
    costs: Costs,
    lapsed_after: int | None,
    loaded_at: datetime,
    progress: Progress,
) -> Plan:
    """The plan for a target whose periods are months or weeks, as of a date, else the day after the last row."""
    _, grain = number_named(target.first)
    number_named(target.last)
    found = growth_at(workspace, as_of, grain, lapsed_after, None, loaded_at, progress)
    periods = found.payload()["periods"]
    seed = workspace.settings.training.seed
    return plan(periods, target, found.lapsed_after, history=history, year=YEAR[grain], new=new, costs=costs, seed=seed)
