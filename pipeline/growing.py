"""The growth of a workspace's business, with everything new loaded."""

from __future__ import annotations

from datetime import date, datetime

from features import rules
from features.periods import Grain
from features.source import act_statement
from insights.growth import Growth, growth
from pipeline.opening import load
from warehouse.progress import Progress
from warehouse.workspace import Workspace


def growth_at(
    workspace: Workspace,
    as_of: date | None,
    grain: Grain,
    lapsed_after: int | None,
    split: str | None,
    loaded_at: datetime,
    progress: Progress,
    split_latest: int | None = None,
) -> Growth:
    """The growth ledger as of a date, else the day after the last row; of a split all periods or the latest so many."""
    with workspace.lock("run"):
        loaded, _ = load(workspace, as_of, loaded_at, progress)
        source = loaded.source
        acted = "events" if act_statement(source) == "acts_of_events" else "orders"
        return growth(
            source,
            loaded.as_of,
            grain,
            lapsed_after,
            rules.read(split) if split else None,
            split_latest=split_latest,
            observed_until=loaded.store.observed_until(acted),
            progress=progress,
        )
