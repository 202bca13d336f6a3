"""One row per customer as of a date: counted in SQL, named in a catalogue, cut by a rule language."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from warehouse.workspace import Workspace


def build(workspace: Workspace, as_of: date) -> pd.DataFrame:
    """The features of a workspace's customers as of a date, one row each, as pandas; the index is `entity_id`."""
    from features.building import build_features
    from features.source import StoreSource
    from warehouse.store import Store

    frame: pd.DataFrame = build_features(StoreSource(Store(workspace)), as_of).to_pandas()
    return frame.set_index("entity_id")
