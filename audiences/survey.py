"""A survey: some of an audience drawn by chance, none of whom was asked lately."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from audiences.assignment import CONTROL, draw
from audiences.erasing import audience_folders
from audiences.publishing import MANIFEST
from warehouse.errors import DataProblemError
from warehouse.store import Store
from warehouse.workspace import Workspace

SURVEY = "survey"
"""What the manifest of a survey declares, and that of no other audience."""


@dataclass(frozen=True)
class Draw:
    """At most `size` customers are drawn, none of `asked`: those who were asked in the last `not_asked_in` days."""

    size: int
    not_asked_in: int
    asked: frozenset[str]
    kind: ClassVar[str] = SURVEY
    by_scores: ClassVar[bool] = False

    def declared(self) -> dict[str, int]:
        return {"size": self.size, "not_asked_in_days": self.not_asked_in}

    def rested(self, ids: pa.Array, left: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Those of `left`, aligned with `ids`, who were not asked."""
        asked = pc.is_in(ids, value_set=pa.array(sorted(self.asked), ids.type))
        return np.asarray(left & ~np.asarray(asked), dtype=bool)

    def drawn(self, ids: pa.Array, left: npt.NDArray[np.bool_], salt: str) -> npt.NDArray[np.bool_]:
        """Those of `left` who are asked now; see `assignment.draw`."""
        places = np.nonzero(self.rested(ids, left))[0]
        found = np.zeros(len(left), bool)
        found[places[draw(ids.take(pa.array(places)).to_pylist(), salt, self.size)]] = True
        return found

    def counts(self, ids: pa.Array, left: npt.NDArray[np.bool_]) -> dict[str, int]:
        """How many of `left` were asked lately, and how many may be asked."""
        rested = int(self.rested(ids, left).sum())
        return {"left_out_asked": int(left.sum()) - rested, "may_be_asked": rested}

    def columns(self, ids: pa.ChunkedArray) -> dict[str, pa.Array]:
        """None further."""
        return {}


def asked_lately(store: Store, name: str, as_of: date, days: int) -> frozenset[str]:
    """Whom a survey asked in the `days` local days before `as_of`, or later; without what the survey `name` of `as_of`
    itself asked, so that it can be drawn again.

    Asked is who was drawn for another survey of this workspace at most `days` before or after `as_of`, and who has a
    contact, not held back, of a campaign that bears the name of such a survey or matches `survey.campaigns`.
    """
    workspace = store.workspace
    drawn = list(_drawn(workspace))
    mine = [each for each in drawn if (each.name, each.as_of) == (name, as_of)]
    asked = {
        one for each in drawn if each not in mine and abs((each.as_of - as_of).days) <= days for one in each.members()
    }
    own = mine[0].members() if mine else frozenset()
    names = {name, *(each.name for each in drawn)}
    patterns = workspace.settings.survey.campaigns
    for touched in _touches(store, datetime.combine(as_of - timedelta(days=days), time())):
        ours = touched.filter(_of_surveys(touched.column("campaign_id"), names, patterns))
        asked.update(_others(ours, name, datetime.combine(as_of, time()), own).column("entity_id").to_pylist())
    return frozenset(asked)


@dataclass(frozen=True)
class _Drawn:
    """A survey that was drawn."""

    folder: Path
    name: str
    as_of: date

    def members(self) -> frozenset[str]:
        with _reading(self.folder):
            members = pq.read_table(self.folder / "audience.parquet", columns=["user_id"]).column("user_id")
            return frozenset(members.to_pylist())


def _drawn(workspace: Workspace) -> Iterator[_Drawn]:
    for folder in audience_folders(workspace):
        with _reading(folder):
            told = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
            if SURVEY not in told["declared"]:
                continue
            drawn = _Drawn(folder, told["name"], date.fromisoformat(told["as_of"]))
        yield drawn


@contextmanager
def _reading(folder: Path) -> Iterator[None]:
    """Says of a folder that cannot be read what that means here."""
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataProblemError(
            f"audiences/{folder.parent.name}/{folder.name} cannot be read, so who was asked is not known.",
            hint="Delete that folder if it is no survey, or build it anew with --replace.",
        ) from error


def _touches(store: Store, since: datetime) -> Iterator[pa.Table]:
    """The contacts made from `since` (wall time) on, a bucket at a time; people held back were not touched."""
    if not store.has("contacts"):
        return
    columns = ["entity_id", "campaign_id", "arm", "local_at"]
    for k in range(store.buckets):
        table = pq.read_table(store.bucket("contacts", k), columns=columns, filters=pc.field("local_at") >= since)
        yield table.filter(pc.not_equal(pc.utf8_lower(table.column("arm")), CONTROL))


def _of_surveys(campaigns: pa.ChunkedArray, names: Collection[str], patterns: Collection[str]) -> pa.ChunkedArray:
    def asks(campaign: str) -> bool:
        return campaign in names or any(fnmatchcase(campaign, pattern) for pattern in patterns)

    asking = [campaign for campaign in campaigns.unique().to_pylist() if asks(campaign)]
    return pc.is_in(campaigns, value_set=pa.array(asking, campaigns.type))


def _others(touched: pa.Table, name: str, since: datetime, own: frozenset[str]) -> pa.Table:
    """Without the contacts by which this very survey asked its members."""
    mine = pc.and_(pc.equal(touched.column("campaign_id"), name), pc.greater_equal(touched.column("local_at"), since))
    drawn = pc.is_in(touched.column("entity_id"), value_set=pa.array(sorted(own), pa.string()))
    return touched.filter(pc.invert(pc.and_(mine, drawn)))
