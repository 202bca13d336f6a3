"""One row per customer as of a date: counted in SQL, named in a catalogue, cut by a rule language."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from warehouse.workspace import Workspace


def build(workspace: Workspace | Path | str, as_of: date | str) -> pd.DataFrame:
    """The features of a workspace's customers as of a date, as pandas: one row each, the index is `user_id`.

    `workspace` may be its folder; files that are new are loaded first, as every command does. `as_of` is a day or its
    text, `2011-06-11`; a moment must be a midnight. Units and windows are those of `features.catalogue.FEATURES`.
    `SettingsError` where the folder holds no workspace, `UsageError` for what is not a day, `DataProblemError` for
    files that cannot be loaded, `NotReadyError` where there is nothing to count.
    """
    from features.building import build_features
    from features.source import StoreSource
    from warehouse.clock import parse_day
    from warehouse.store import Store
    from warehouse.workspace import Workspace

    midnight = isinstance(as_of, datetime) and as_of.tzinfo is None and as_of.time() == time()
    day = as_of.date() if isinstance(as_of, datetime) and midnight else parse_day(as_of)
    store = Store(workspace if isinstance(workspace, Workspace) else Workspace.open(workspace))
    store.load_new(datetime.now(UTC).replace(tzinfo=None))
    frame: pd.DataFrame = build_features(StoreSource.counted_as_set(store), day).to_pandas()
    return frame.rename(columns={"entity_id": "user_id"}).set_index("user_id")
