"""What was shown and clicked, as the service is told: judged by the rules of the files, and kept for the next load."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from serving import answers
from serving.problems import ProblemError
from serving.questions import as_problem
from serving.raw_lines import texts
from serving.release import Release
from serving.wire import ExposuresRequest
from warehouse.checking import Checker
from warehouse.contracts import EXPOSURES
from warehouse.engine import shared
from warehouse.erasures import Tombstones
from warehouse.errors import DataProblemError, RepriseError
from warehouse.posted import append
from warehouse.settings import TableSettings

_TIMES = ("shown_at", "clicked_at")


def keep(release: Release, root: Path, asked: ExposuresRequest) -> dict[str, Any]:
    """Writes the exposures of a request beside the store of the workspace in `root`, but those of erased users.

    All of them are on the disk when it returns. A 422 problem tells every row that breaks the contract of the table,
    503 that they cannot be kept.
    """
    raw = texts([each.model_dump(exclude_none=True) for each in asked.exposures])
    rows = _judged(release, raw, datetime.now(UTC).replace(tzinfo=None))
    try:
        kept = rows.filter(pa.array(~Tombstones(root).hit("user", rows["user_id"])))
        if kept.num_rows:
            append(root, list(zip(*(kept[name].to_pylist() for name in EXPOSURES.names), strict=True)))
    except RepriseError as error:
        raise ProblemError(503, "The exposures cannot be kept now; nothing of them was.") from error
    return {**answers.origin(release), "kept": kept.num_rows, "left_out": rows.num_rows - kept.num_rows}


def _judged(release: Release, raw: pa.Table, now: datetime) -> pa.Table:
    """The rows as text, times in UTC, empty where there is nothing."""
    policy = release.settings.tables.get(EXPOSURES.name, TableSettings())
    plain = TableSettings(time_zone=policy.time_zone)
    checked = Checker(EXPOSURES, plain, release.settings, now, EXPOSURES.name, shared()).check(raw)
    if checked.problems:
        raise as_problem(DataProblemError("The exposures break the contract.", checked.problems))
    rows = checked.accepted
    _refuse(np.asarray(pc.fill_null(pc.less(rows["clicked_at"], rows["shown_at"]), False)), "clicked_at",
            "expected a moment at or after shown_at")  # fmt: skip
    for name, count in checked.null_like_ids.items():
        words = pc.is_in(pc.utf8_lower(raw[name]), value_set=pa.array(["null", "nan", "none", "n/a", "na", "0"]))
        _refuse(np.asarray(words) if count else np.zeros(0, bool), name, "expected an id, not a word for nothing")
    shown = {name: _moments(rows[name]) for name in _TIMES}
    return pa.table({name: shown.get(name, _filled(raw, name)) for name in EXPOSURES.names})


def _refuse(wrong: Any, column: str, expected: str) -> None:
    errors = [{"where": f"exposures.{row}.{column}", "message": expected} for row in np.flatnonzero(wrong)]
    if errors:
        raise ProblemError(422, "The exposures break the contract.", errors)


def _moments(times: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.fill_null(pc.strftime(times.cast(pa.timestamp("us")), "%Y-%m-%dT%H:%M:%SZ"), "")


def _filled(raw: pa.Table, name: str) -> pa.ChunkedArray:
    if name not in raw.column_names:
        return pa.chunked_array([pa.repeat("", raw.num_rows)])
    return pc.fill_null(raw[name], "")
