"""Clusters of a workspace: fitted on features as of a date, and kept for the next run and the release."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from audiences.exports import export_table
from features.building import build_features
from features.catalogue import available, by_name, families_of
from features.source import Source
from insights.clusters import Apart, ClusterSummary
from models.clusters import Clusters, apart, fit, strongest
from pipeline.opening import load
from serving.standing import CLUSTERS
from warehouse import hidden
from warehouse.errors import DataProblemError, UsageError
from warehouse.files import write_text
from warehouse.progress import Progress, silent
from warehouse.workspace import Workspace

FEATURES = (
    "days_since_last_act", "days_since_first_act", "order_day_count_365d", "average_order_value_lifetime",
    "units_per_order_lifetime", "discount_order_share_lifetime", "category_count_lifetime",
    "repeat_item_share_lifetime", "weekend_order_share_lifetime", "return_line_share_lifetime",
    "event_day_count_90d", "cart_event_count_90d",
)  # fmt: skip
"""What customers are compared by where nothing else is said: each side of them once."""
_ACTED = "act_day_count_lifetime"
_LOGGED = ("share", "ratio", "hours", "rating")
_KNOWN = by_name()
Columns = dict[str, NDArray[np.float64]]


def model_path(workspace: Workspace) -> Path:
    """Where the last clusters are kept."""
    return workspace.root / "clusters" / "clusters.json"


def kept(workspace: Workspace) -> Clusters | None:
    """The clusters of the last run; `DataProblemError` where their file is damaged."""
    path = model_path(workspace)
    if not path.exists():
        return None
    try:
        return Clusters.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, KeyError, TypeError) as error:
        raise DataProblemError(f"{path} is damaged.", hint="Remove it; clusters get new names then.") from error


@dataclass(frozen=True)
class _Customers:
    """Who ever acted, as of a date, with the numbers they are compared by; `left_out` never did."""

    as_of: date
    ids: pa.ChunkedArray
    columns: Columns
    left_out: int

    @classmethod
    def of(cls, source: Source, as_of: date, names: Sequence[str], progress: Progress) -> _Customers:
        wanted = [*names, _ACTED]
        table = build_features(source, as_of, progress, families_of(wanted), wanted)
        active = _acted(table)
        return cls(as_of, active["entity_id"], _numbers(active, names), table.num_rows - active.num_rows)

    def codes(self, found: Clusters) -> NDArray[np.int64]:
        """The cluster of each."""
        return found.assign(self.columns) if len(found.labels) > 1 else np.zeros(len(self.ids), np.int64)


def clusters_at(
    workspace: Workspace,
    as_of: date | None,
    asked: Sequence[str],
    out: Path | None,
    loaded_at: datetime,
    progress: Progress,
) -> tuple[ClusterSummary, dict[str, Any] | None]:
    """Fits the clusters as of a date and keeps them; what they are, and the file that was written.

    `asked` are the features to go by, `FEATURES` as far as they are there if empty.
    """
    hidden.show()  # scikit-learn, which `reprise` otherwise does without
    with workspace.lock("run"):
        loaded, _ = load(workspace, as_of, loaded_at, progress)
        names = _chosen(asked, {feature.name for feature in available(loaded.source.tables)})
        customers = _Customers.of(loaded.source, loaded.as_of, names, progress)
        logs = {name: _is_logged(name) for name in names}
        found = fit(customers.columns, logs, kept(workspace), workspace.settings.training.seed)
        path = model_path(workspace)
        path.parent.mkdir(exist_ok=True)
        write_text(path, json.dumps(found.to_json()))
    return _summary(found, customers), None if out is None else _write(found, customers, out)


def kept_summary(workspace: Workspace, source: Source, as_of: date) -> ClusterSummary | None:
    """The clusters of the last run with the customers of a date; None where none were fitted, or not on such tables."""
    found = kept(workspace)
    if found is None or not set(found.scaling.names) <= {feature.name for feature in available(source.tables)}:
        return None
    return _summary(found, _Customers.of(source, as_of, found.scaling.names, silent))


def _chosen(asked: Sequence[str], there: set[str]) -> list[str]:
    for name in asked:
        if name not in there or _KNOWN[name].kind != "number":
            raise UsageError(f'There is no number "{name}" among the features.', hint="See `reprise features list`.")
    return list(dict.fromkeys(asked)) or [name for name in FEATURES if name in there]


def _is_logged(name: str) -> bool:
    """Counts, days and money are compared as logs: 1 and 2 orders lie apart as 10 and 20 do, nearly."""
    return _KNOWN[name].unit not in _LOGGED


def _numbers(table: pa.Table, names: Sequence[str]) -> Columns:
    return {name: table[name].combine_chunks().cast(pa.float64()).to_numpy(zero_copy_only=False) for name in names}


def _acted(table: pa.Table) -> pa.Table:
    return table.filter(pa.array(table[_ACTED].to_numpy() > 0))


def _summary(found: Clusters, customers: _Customers) -> ClusterSummary:
    number, codes, columns = len(found.labels), customers.codes(found), customers.columns
    told: list[list[Apart]] = [[] for _ in found.labels]
    if number > 1:
        differences = apart(found.scaling.apply(columns), codes, number)
        for k in range(number):
            for place in strongest(differences[k]):
                name = found.scaling.names[place]
                medians = (_median(columns[name][codes == k]), _median(columns[name]))
                told[k].append(Apart(name, float(differences[k, place]), *medians))
    sizes, tried = np.bincount(codes, minlength=number), [vars(each) for each in found.tried]
    return ClusterSummary(
        customers.as_of, found.labels, sizes, customers.left_out, told, _KNOWN, found.scaling.names, tried
    )


def _median(x: NDArray[np.float64]) -> float | None:
    known = x[~np.isnan(x)]
    return float(np.median(known)) if known.size else None


def _write(found: Clusters, customers: _Customers, out: Path) -> dict[str, Any]:
    table = _table(customers.ids, found, customers.codes(found))
    report = export_table(table.rename_columns(["user_id", "cluster"]), out)
    return {"path": report.path, "rows": report.rows, "sha256": report.sha256}


def _table(ids: pa.ChunkedArray, found: Clusters, codes: NDArray[np.int64]) -> pa.Table:
    return pa.table([ids, pa.array(found.labels, pa.string()).take(pa.array(codes))], schema=CLUSTERS)


def clusters_table(workspace: Workspace, features: Path) -> pa.Table | None:
    """The nearest cluster of every customer of a file of features who ever acted; None where none were fitted, or
    where a feature they go by is not there."""
    found = kept(workspace)
    if found is None or len(found.labels) < 2:
        return None
    wanted = {*found.scaling.names, _ACTED}
    if not wanted <= set(pq.read_schema(features).names):
        return None
    active = _acted(pq.read_table(features, columns=["entity_id", *sorted(wanted)]))
    return _table(active["entity_id"], found, found.assign(_numbers(active, found.scaling.names)))
