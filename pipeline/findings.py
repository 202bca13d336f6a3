"""What a look at a workspace is, and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from warehouse.starting import NEEDED
from warehouse.workspace import Workspace


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: whether it is well, and what to do where it is not."""

    what: str
    state: Literal["ok", "warning", "broken"]
    found: str
    todo: str = ""


@dataclass(frozen=True)
class Look:
    """One thing that is looked at, and what can be found wrong with it."""

    what: str
    finds: str
    look: Callable[[Workspace, datetime], Iterator[Finding]]


def first_run(workspace: Workspace) -> str:
    """What to do where nothing has run yet."""
    if NEEDED & workspace.settings.tables.keys():
        return "reprise run"
    return (
        "Name files under [tables.orders], [tables.events] or [tables.labels] in reprise.toml; a run needs one of them."
    )
