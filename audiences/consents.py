"""What each customer is known at this moment to allow: by the store, whatever the cutoff of the scores."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from audiences.suppression import CONSENTS, PROFILING
from features.source import StoreSource, versions
from warehouse.errors import DataProblemError, NotReadyError
from warehouse.loading import settings_hash
from warehouse.store import Store

COLUMNS = ("blocked", *CONSENTS, PROFILING)


@dataclass(frozen=True)
class Consents:
    """`people` has a row for each customer the users table knows: `entity_id` and those of `COLUMNS` it has.

    `loaded_at` (naive UTC) is when that table was last loaded.
    """

    people: pa.Table
    loaded_at: datetime


def latest(store: Store, known_at: datetime | None = None) -> Consents | None:
    """The newest version of every customer, of those recorded up to `known_at` if it is given; None without users.

    `NotReadyError` where the settings by which users are read have changed since they were loaded: rows might then be
    looked for in the wrong place, and who is blocked not be found.
    """
    if not store.has("users"):
        return None
    manifest, settings = store.manifest("users"), store.workspace.settings
    if "users" not in settings.tables or manifest.settings != settings_hash(settings, "users"):
        raise NotReadyError(
            "The settings of users have changed since they were loaded, so nobody's consent is known.",
            hint="Load them with `reprise check`.",
        )
    cutoff = known_at + timedelta(seconds=1) if known_at else date(9999, 1, 1)
    newest = versions(StoreSource(store), "users", cutoff)
    if known_at:
        newest = newest.filter(newest.column("point_in_time"))
    people = newest.select(["entity_id", *(name for name in COLUMNS if name in newest.column_names)])
    return Consents(people, manifest.loaded_at)


def aligned(people: pa.Table, ids: pa.ChunkedArray) -> pa.Table:
    """The rows of `people` in the order of `ids`; who has none there has unknown consents."""
    known = people.column("entity_id").combine_chunks()
    if len(known.unique()) != len(known):
        raise DataProblemError("The consents hold a user twice, so nobody can be contacted.")
    rows = pc.index_in(ids.combine_chunks(), value_set=known)
    return people.drop_columns(["entity_id"]).take(rows).append_column("entity_id", ids)
