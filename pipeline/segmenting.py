"""The groups of customers of a workspace: its store read as of a date, and scores joined where both are told."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from audiences.exports import export_table
from features import rules
from features.building import build_features
from features.catalogue import Feature, available, by_name, families_of, fields
from features.families import FAMILIES
from features.population import count_population
from features.source import Source
from insights.differences import Differences, differences
from insights.segments import Segments, segments, wanted
from insights.transitions import Transitions, transitions
from insights.winback import Winback, winback
from pipeline.lists import current
from pipeline.opening import load
from serving import customers
from serving.release import Release
from warehouse.errors import NotReadyError, UsageError
from warehouse.progress import Progress
from warehouse.workspace import Workspace

SPAN = 90
"""Days between the dates of transitions where the first is not given."""
SILENT = 60
"""Days without an act after which a customer has lapsed, where the release has no model of it and no rule is given."""
ORDERS = {
    "days_silent": "days_since_last_order",
    "frequency": "order_count_lifetime",
    "amount": "amount_lifetime",
    "value": "average_order_value_lifetime",
}
ACTS = {
    "days_silent": "days_since_last_act",
    "frequency": "act_day_count_lifetime",
    "amount": "event_count_lifetime",
    "value": "events_per_session_lifetime",
}
"""What stands for recency, frequency, money and the worth of one return, with orders and without."""


def segments_at(
    workspace: Workspace, as_of: date | None, only: str | None, loaded_at: datetime, progress: Progress
) -> Segments:
    """Every segment of a workspace's customers as of a date, or the one named."""
    with workspace.lock("run"):
        loaded, _ = load(workspace, as_of, loaded_at, progress)
        there = available(loaded.source.tables)
        known = [feature.name for feature in there if feature.is_segment]
        if only is not None and only not in known:
            raise UsageError(f'There is no segment "{only}" here.', hint=f"There are: {', '.join(known)}.")
        names = wanted(there, only)
        population = count_population(loaded.source, loaded.as_of, families_of(names))
        table = columns(loaded.source.with_population(population), loaded.as_of, names, progress)
        cuts = population["rfm_thresholds"].to_pylist()[0] if "rfm_thresholds" in population else None
        return segments(table, loaded.as_of, cuts, loaded.first_day)


def columns(source: Source, as_of: date, names: Sequence[str], progress: Progress) -> pa.Table:
    """These features of everybody as of a date; only their families are built."""
    return build_features(source, as_of, progress, families_of(names), names)


@dataclass(frozen=True)
class _Columns:
    """The features of a file, read one at a time, and further columns of the same rows."""

    path: Path
    further: pa.Table | None = None

    @property
    def column_names(self) -> list[str]:
        return [*pq.read_schema(self.path).names, *(self.further.column_names if self.further is not None else [])]

    def column(self, name: str) -> pa.ChunkedArray:
        if self.further is not None and name in self.further.column_names:
            return self.further.column(name)
        return pq.read_table(self.path, columns=[name]).column(name)

    def table(self, names: Sequence[str]) -> pa.Table:
        there = set(self.column_names)
        return pa.table({name: self.column(name) for name in ["entity_id", *names] if name in there})


@dataclass(frozen=True)
class Special:
    """What is special about the customers of a rule, as of a date."""

    as_of: date
    rule: str
    differences: Differences

    def payload(self) -> dict[str, Any]:
        return {"as_of": self.as_of, "rule": self.rule, **self.differences.payload()}


def differences_at(
    workspace: Workspace,
    text: str,
    as_of: date | None,
    families: Collection[str],
    loaded_at: datetime,
    progress: Progress,
) -> Special:
    """The customers of a rule against everybody else: of the current release, or counted as of a date.

    `families` narrows what is compared; all there is where none is named.
    """
    names = {family.name for family in FAMILIES}
    if unknown := sorted(set(families) - names):
        raise UsageError(f'There is no feature family "{unknown[0]}".', hint=f"There are: {', '.join(sorted(names))}.")
    if as_of is None:
        release = current(workspace)
        path = release.directory / "features.parquet"
        scores = pa.table(customers.wide_scores(release.scores))
        beside = scores.select([name for name in scores.column_names if "_probability" in name])
        rule = rules.check(rules.read(text), customers.fields(release))
        table = customers.customers(release, sorted(rules.fields_of(rule)))
        known = _described(release.own.features)
        return _special(release.as_of, rule, table, _Columns(path, beside), known, families)
    with workspace.lock("run"):
        loaded, _ = load(workspace, as_of, loaded_at, progress)
        known = _described(loaded.source.own.features)
        found = _Columns(loaded.snapshots.file(loaded.as_of))
        there = fields([known[name] for name in found.column_names if name in known])
        rule = rules.check(rules.read(text), there)
        return _special(loaded.as_of, rule, found.table(sorted(rules.fields_of(rule))), found, known, families)


def _described(own: Sequence[Feature]) -> dict[str, Feature]:
    return by_name() | {feature.name: feature for feature in own}


def _special(
    as_of: date,
    rule: rules.Rule,
    table: pa.Table,
    all_: _Columns,
    known: dict[str, Feature],
    families: Collection[str],
) -> Special:
    inside = rules.evaluate(rule, table)
    if not inside.any() or inside.all():
        who = "everybody" if inside.all() else "nobody"
        raise NotReadyError(
            f"The rule is true for {who}, so there is nobody to compare.",
            hint="Choose a rule that parts the customers.",
        )
    return Special(as_of, rule.text(), differences(all_, inside, known, rules.fields_of(rule), families or None))


def transitions_at(
    workspace: Workspace,
    start: date | None,
    end: date | None,
    shift: int | None,
    loaded_at: datetime,
    progress: Progress,
) -> Transitions:
    """The moves between RFM types of a workspace's customers from one date to another."""
    with workspace.lock("run"):
        loaded, _ = load(workspace, end, loaded_at, progress)
        first = start or loaded.as_of - timedelta(days=SPAN)
        return transitions(loaded.source, first, loaded.as_of, loaded.first_day, shift, progress)


@dataclass(frozen=True)
class Lapsed:
    """The order of the lapsed as of a date, and by which probability the other order goes."""

    as_of: date
    who: str
    probability: str | None
    winback: Winback

    def payload(self) -> dict[str, Any]:
        return {"as_of": self.as_of, "who": self.who, "probability": self.probability, **self.winback.payload()}


def winback_now(workspace: Workspace, text: str | None, first: int | None) -> Lapsed:
    """The lapsed of the current release in both orders.

    The lapsed are those the rule names; without one those whom the model of `win_back` is about, or, where there is no
    such model, those without an act for `SILENT` days. The probability is that of `win_back`, else of `repurchase`.
    """
    release = current(workspace)
    there = customers.fields(release)
    scored = next((name for name in ("win_back_probability", "repurchase_probability") if name in there), None)
    who = text or (
        "win_back_probability is known" if scored == "win_back_probability" else f"days_since_last_act > {SILENT}"
    )
    rule = rules.check(rules.read(who), there)
    table = _lapsed(release, rule, scored)
    probability = None if scored is None else _numbers(table, scored)
    return Lapsed(release.as_of, rule.text(), scored, winback(table, probability, first))


def _lapsed(release: Release, rule: rules.Rule, scored: str | None) -> pa.Table:
    there = customers.fields(release)
    named = ORDERS if ORDERS["frequency"] in there else ACTS
    asked = {*rules.fields_of(rule), *named.values(), *([scored] if scored else [])}
    table = customers.customers(release, sorted(asked & there.keys()))
    inside = table.filter(pa.array(rules.evaluate(rule, table)))
    columns = {ours: _column(inside, name) for ours, name in named.items()}
    beside = {} if scored is None else {scored: inside[scored]}
    found = pa.table({"entity_id": inside["entity_id"], **columns, **beside})
    # who was never active has nothing to come back to
    return found.filter(found["days_silent"].is_valid())


def _column(table: pa.Table, name: str) -> pa.ChunkedArray | pa.Array:
    return table[name] if name in table.column_names else pa.nulls(table.num_rows, pa.float64())


def _numbers(table: pa.Table, name: str) -> npt.NDArray[np.float64]:
    numbers: npt.NDArray[np.float64] = table[name].combine_chunks().cast(pa.float64()).to_numpy(zero_copy_only=False)
    return numbers


def write(found: Lapsed, out: Path) -> dict[str, Any]:
    """Writes everybody who has lapsed, in the plain order, to a file; its type by its suffix."""
    report = export_table(found.winback.table, out)
    return {"path": report.path, "rows": report.rows, "sha256": report.sha256}
