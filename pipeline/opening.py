"""A workspace opened for work: everything new loaded, the date settled."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from features.source import StoreSource
from pipeline import declarations
from training.snapshots import Snapshots
from training.targets import Target
from training.trainer import Trainer
from warehouse.clock import instant
from warehouse.errors import DataProblemError, NotReadyError, RepriseError, UsageError
from warehouse.files import sweep
from warehouse.progress import Progress
from warehouse.starting import HAPPENINGS, NEEDED
from warehouse.store import Store
from warehouse.workspace import Workspace

FURTHEST_AHEAD = timedelta(hours=26)
"""A cutoff may start at most so long after the time of loading: the day after a last row of this minute, on any day."""


@dataclass(frozen=True)
class Loaded:
    """An opened workspace whose store holds everything new, and the date that is asked about."""

    trainer: Trainer
    as_of: date
    first_day: date
    observed_until: date

    @property
    def workspace(self) -> Workspace:
        return self.trainer.workspace

    @property
    def store(self) -> Store:
        return self.trainer.store

    @property
    def source(self) -> StoreSource:
        return self.trainer.source

    @property
    def snapshots(self) -> Snapshots:
        return self.trainer.snapshots

    @property
    def targets(self) -> list[Target]:
        return self.trainer.declared(self.as_of)


def load(
    workspace: Workspace, as_of: date | None, loaded_at: datetime, progress: Progress, accept_drift: str | None = None
) -> tuple[Loaded, Any]:
    """Loads what is new and settles the date; the report of the load is the second value."""
    declarations.check(workspace)
    _tidy(workspace)
    store = Store(workspace)
    report = store.load_new(loaded_at, progress, accept_drift=accept_drift)
    declarations.check_acts(store)
    happenings = sorted(HAPPENINGS & store.tables) or sorted(NEEDED & store.tables)
    if not NEEDED & workspace.settings.tables.keys():
        raise NotReadyError(
            "There are neither orders nor events here, nor labels, and everything is learnt from them.",
            hint="Name their files under [tables.orders], [tables.events] or [tables.labels] in reprise.toml; what "
            "else is there has been checked and kept.",
        )
    if not happenings:
        raise DataProblemError(
            "There are no rows of orders, events or labels.", hint="Check the files named in reprise.toml."
        )
    day = as_of or store.default_as_of()
    trainer = Trainer(workspace, store, progress)
    declarations.check_own(workspace, trainer.source.own, trainer.declared(day))
    first_day = min((f for name in happenings if (f := store.manifest(name).first_day)), default=date.min)
    if day <= first_day:
        raise DataProblemError(
            f"Nothing happened before {day}: the first row is of {first_day}.", hint="Choose a later --as-of."
        )
    if instant(day, workspace.settings.time_zone) > loaded_at + FURTHEST_AHEAD:
        raise UsageError(
            f"{day} lies in the future: everybody would look as if they had left.",
            hint=f"Choose an --as-of up to {loaded_at.date() + timedelta(days=1)}; without one it is the day after the "
            f"last row, {store.default_as_of()}.",
        )
    outcome_table = next((name for name in ("orders", "events") if name in happenings), None)
    observed_until = store.observed_until(outcome_table) if outcome_table else day
    return Loaded(trainer, day, first_day, observed_until), report


def _tidy(workspace: Workspace) -> None:
    """Removes what killed runs left behind; the store, the snapshots and the audiences do so themselves."""
    with suppress(RepriseError), workspace.lock("models"):
        for folder in (workspace.root, workspace.runs, workspace.releases, workspace.models):
            sweep(folder)
        for folder in workspace.models.glob("*/"):
            sweep(folder)
