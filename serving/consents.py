"""Who may be contacted, for answers over HTTP. Every doubt means that nobody is told.

Beside a workspace its store and settings say so, for people object after a release was made; without one the release.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Literal

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from audiences.consents import COLUMNS, Consents, aligned, latest
from audiences.suppression import Withheld, list_named, unprofiled, withheld
from serving.customers import customers
from serving.problems import ProblemError
from serving.release import Release
from warehouse.clock import instant
from warehouse.errors import NotReadyError, RepriseError
from warehouse.manifest import read_pointer
from warehouse.settings import SETTINGS_FILE, Settings, SuppressionSettings
from warehouse.store import Store
from warehouse.workspace import Workspace

logger = logging.getLogger("reprise.serving")


@dataclass(frozen=True)
class Judged:
    """Who of a release's customers is left out, by what, and as of when (ISO 8601, UTC) that was known.

    `unprofiled` are all who refused profiling, whether that leaves them out or not.
    """

    left_out: Withheld
    unprofiled: npt.NDArray[np.bool_]
    source: Literal["store", "release"]
    as_of: str


@dataclass(frozen=True)
class _Known:
    people: pa.Table
    suppression: SuppressionSettings
    source: Literal["store", "release"]
    at: datetime


class ConsentsBeside:
    """The consents of the workspace in a folder, read once for each version of its users table; threads share it."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._reading = Lock()
        self._read: tuple[tuple[str | None, Settings], Consents | None] | None = None

    def judge(self, release: Release, channel: str | None, by_scores: bool = False) -> Judged:
        """Who of the release's customers must not be contacted, in their order.

        `by_scores` says that scores choose among them, which leaves out who refused profiling.

        A 503 problem where it cannot be told: the list is missing or too old, the settings are broken, the store is
        damaged or was loaded under other settings. `NotReadyError` where nobody's consent for `channel` is known.
        """
        try:
            known = self._known(release)
            listed = list_named(known.suppression, self._root, datetime.now(UTC))
        except (RepriseError, OSError, ValueError, KeyError, pa.ArrowException, duckdb.Error) as error:
            # Not its text: a list without a header shows an id where the names of columns are told.
            logger.error("consents or suppression list not read: %s", type(error).__name__)
            raise ProblemError(
                503, "Who must not be contacted cannot be told, so nobody is. `reprise audience build` says why."
            ) from error
        left_out = withheld(known.people, listed, channel, by_scores=by_scores)
        return Judged(left_out, unprofiled(known.people), known.source, f"{known.at.isoformat()}Z")

    def _known(self, release: Release) -> _Known:
        store, settings = self._root / "store", release.settings.suppression
        if (self._root / SETTINGS_FILE).exists() or store.exists():
            workspace = Workspace.open(self._root)
            settings = workspace.settings.suppression
            found = self._latest(workspace)
            if found is not None:
                return _Known(aligned(found.people, release.scores.users), settings, "store", found.loaded_at)
            if "users" in workspace.settings.tables and "users" in release.tables:
                raise NotReadyError("The table of users has gone from the store.", hint="Load it with `reprise check`.")
        have = customers(release, COLUMNS)
        people = have.select(["entity_id", *(name for name in COLUMNS if name in have.column_names)])
        return _Known(people, settings, "release", instant(release.as_of, release.settings.time_zone))

    def _latest(self, workspace: Workspace) -> Consents | None:
        """The consents of the store, read anew where another version or other settings of users are current."""
        current = (read_pointer(workspace.store).get("users"), workspace.settings)
        with self._reading:
            if self._read is None or self._read[0] != current:
                self._read = (current, latest(Store(workspace)))
            return self._read[1]
