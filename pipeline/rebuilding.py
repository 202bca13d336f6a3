"""A list of the past rebuilt from its release, with the consents that were recorded then."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa

from audiences import consents, rebuilding
from features import rules
from pipeline.lists import target_columns
from serving import customers
from serving.holder import key_from_environment
from serving.release import open_release
from warehouse.store import Store
from warehouse.workspace import Workspace

WHY = (
    "What can differ: users recorded earlier but loaded later, users without recorded_at after the store was deleted, "
    "customers erased since, another version of the libraries."
)


@dataclass(frozen=True)
class RebuiltAudience:
    """A list of the past made again, and how to say it."""

    past: rebuilding.Past
    rebuilt: rebuilding.Rebuilt

    def as_dict(self) -> dict[str, Any]:
        return {
            "name": self.past.name,
            "as_of": self.past.as_of,
            "release": self.past.release,
            "known_at": self.past.known_at,
            "folder": self.rebuilt.folder,
            "identical": self.rebuilt.identical,
            "differs": list(self.rebuilt.differs),
            "counts": dict(self.rebuilt.counts),
        }

    def lines(self) -> list[str]:
        told = f"audience {self.past.name} of {self.past.as_of}, from release {self.past.release}"
        if self.past.known_at:
            told += f", consents as loaded at {self.past.known_at} UTC"
        if self.rebuilt.identical:
            return [told, f"the same bytes as then; wrote {self.rebuilt.folder}"]
        return [told, *(f"  {line}" for line in self.rebuilt.differs), WHY, f"wrote {self.rebuilt.folder}"]


def rebuild_audience(
    workspace: Workspace, name: str, as_of: date, out: Path | None = None, listed: Path | None = None
) -> RebuiltAudience:
    """Makes the audience of that name and date once more, from the release and the consents of then.

    It is written to `out`, else to `audiences/NAME/<as_of>-rebuilt`; what was acted upon is left alone. `listed` is the
    suppression list of then, where it has changed since.
    """
    past = rebuilding.read_past(workspace, name, as_of)
    release = open_release(workspace.releases / past.release, key_from_environment(), canary=False)
    fields = customers.fields(release)
    wanted = {*rules.fields_of(rules.read(past.settings.rule)), *consents.COLUMNS, *target_columns(fields)}
    target = out or past.folder.with_name(f"{past.folder.name}-rebuilt")
    rebuilt = rebuilding.rebuild(
        workspace,
        past,
        customers.customers(release, sorted(wanted)),
        target,
        listed,
        fields=fields,
        scores=customers.scored(release),
        fresh=(lambda: _consents_then(workspace, past)) if past.known_at else None,
    )
    return RebuiltAudience(past, rebuilt)


def _consents_then(workspace: Workspace, past: rebuilding.Past) -> pa.Table:
    found = consents.latest(Store(workspace), past.known_at)
    return found.people if found else pa.table({"entity_id": pa.array([], pa.string())})
