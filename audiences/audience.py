"""An audience: those for whom a rule is true, without those who must not be contacted, in two arms, in a folder."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from audiences.assignment import CONTROL, TREATMENT, assign_arms
from audiences.consents import aligned
from audiences.drawing import Drawing
from audiences.expecting import Scored, expected_target, named_by, none_because
from audiences.exports.writing import Mode, export_table, write_table
from audiences.publishing import Changed, publish, recover, refuse_other_settings, refuse_shrunk_list
from audiences.suppression import (
    PROFILING,
    REASONS,
    SuppressionList,
    Withheld,
    list_named,
    unmatched,
    unprofiled,
    withheld,
)
from features import rules
from warehouse.errors import DataProblemError, RepriseError, UsageError
from warehouse.files import sha256, sweep, write_text
from warehouse.progress import Progress, silent
from warehouse.settings import AudienceSettings
from warehouse.workspace import Workspace

_ATTEMPTS = 3
_PERSONAL = ("entity_id", "user_id", "blocked", "consent_sms", "consent_email", "consent_push", PROFILING)


@dataclass(frozen=True)
class ExpectedHits:
    """How many are expected to do what the target asks: sums of calibrated probabilities, by arm.

    `unknown` customers of the audience have no probability, or refused profiling, and are in neither sum.
    """

    target: str
    horizon_days: int
    column: str
    model_version: str
    treatment: float
    control: float
    unknown: int


@dataclass(frozen=True)
class AudienceReport:
    """What was written. `counts` follows the way down from all customers to those left; `state` compares to before."""

    name: str
    as_of: date
    folder: Path
    state: str
    counts: Mapping[str, int]
    expected_hits: ExpectedHits | None
    manifest: Mapping[str, Any]

    @property
    def empty(self) -> bool:
        return self.counts["left"] == 0

    @property
    def failed(self) -> bool:
        """Nobody is in it, and its settings do not allow that."""
        return bool(self.empty and not self.manifest["allow_empty"])


def build_audience(
    workspace: Workspace,
    name: str,
    frame: pa.Table,
    rule: str | AudienceSettings,
    as_of: date,
    release: str,
    now: datetime,
    out: Path | None = None,
    progress: Progress = silent,
    *,
    replace: bool = False,
    mode: Mode = "safe",
    fields: Mapping[str, rules.Field] | None = None,
    scores: Sequence[Scored] = (),
    fresh: Callable[[], pa.Table] | None = None,
    known_at: datetime | None = None,
    draw: Drawing | None = None,
    connection: duckdb.DuckDBPyConnection | None = None,
) -> AudienceReport:
    """Writes `audiences/<name>/<as_of>/` with audience.csv, audience.parquet and manifest.json, whole or not at all.

    `frame` has one row per `entity_id` with features, wide scores and, where the users table has them, `blocked` and
    `consent_…`. `now` is the time of the run (naive: UTC), by which the suppression list's age is told. `fresh`
    gives the consent columns as they are at that moment (entity_id and flags); with it and the list, suppression is
    applied again just before the folder is published; `known_at` is when they were last loaded. `fields` are the
    catalogue's fields, to judge the rule more closely than by the frame's types. `scores` are the targets whose scores
    the frame holds, in declared order. `draw` narrows it (a survey, an offer). `out` is one more
    copy, its type by its suffix. `connection` is a locked engine nobody else is using, for callers that build many.

    Run again with nothing changed it writes nothing; with other rows (a new release, a new opt-out) it writes
    anew; with another rule or other settings, or with a suppression list less than half as long as last time, it
    refuses, unless `replace`. An audience of nobody is written too: a header, no row, and `report.failed` unless its
    settings allow it.
    """
    settings = AudienceSettings.model_validate({"rule": rule}) if isinstance(rule, str) else rule
    parsed = rules.read(settings.rule)
    if fields is not None:
        parsed = rules.check(parsed, fields)
    base = workspace.inside(workspace.audiences, name)
    work = Work(
        workspace, name, frame, settings, parsed, as_of, release, now, mode, tuple(scores), fresh, known_at, draw
    )
    target = base / as_of.isoformat()
    with workspace.lock(f"audience-{name}"):
        recover(target)
        sweep(base)
        if not replace:
            refuse_other_settings(target, work.declared())
            refuse_shrunk_list(base, _list(work))
        progress("rule", 0, 3)
        matched = _matched(work, connection)
        state, audience, manifest = _write(work, matched, target, progress)
        if out is not None:
            export_table(audience, out, mode)
    progress("written", 3, 3)
    hits = manifest["expected_hits"]
    return AudienceReport(
        name, as_of, target, state, manifest["counts"], ExpectedHits(**hits) if hits else None, manifest
    )


@dataclass(frozen=True)
class Work:
    """What one build is given; see `build_audience`."""

    workspace: Workspace
    name: str
    frame: pa.Table
    settings: AudienceSettings
    rule: rules.Rule
    as_of: date
    release: str
    now: datetime
    mode: Mode
    scores: tuple[Scored, ...]
    fresh: Callable[[], pa.Table] | None
    known_at: datetime | None
    draw: Drawing | None = None

    @property
    def salt(self) -> str:
        return self.settings.salt or self.name

    @property
    def by_scores(self) -> bool:
        """Whether scores decide who belongs to it."""
        return bool(self.draw and self.draw.by_scores) or named_by(rules.fields_of(self.rule), self.scores) is not None

    def declared(self) -> dict[str, Any]:
        """What makes this audience this audience; a change of it under the same name and date is refused."""
        return {
            "rule": self.rule.text(),
            "rule_json": self.rule.to_json(),
            "control_share": self.settings.control_share,
            "salt": self.salt,
            "channel": self.settings.channel,
            "target": self.settings.target,
        } | ({self.draw.kind: dict(self.draw.declared())} if self.draw else {})


def fill(work: Work, folder: Path) -> dict[str, Any]:
    """Writes the audience's files into a folder that is there already, as `work` says; returns the manifest."""
    matched, suppression = _matched(work, None), _suppression(work)
    chosen = _chosen(work, matched, suppression)
    audience = _table(work, chosen)
    manifest = _manifest(work, matched, suppression, chosen) | {"columns": audience.column_names}
    _write_files(folder, audience, manifest, work.mode)
    return manifest


def _matched(work: Work, connection: duckdb.DuckDBPyConnection | None) -> npt.NDArray[np.bool_]:
    ids = work.frame.column("entity_id")
    if ids.null_count or len(ids.unique()) != len(ids):
        raise DataProblemError("An audience needs one row for each entity_id, none without.")
    return rules.evaluate(work.rule, work.frame, connection)


def _list(work: Work) -> SuppressionList | None:
    return list_named(work.workspace.settings.suppression, work.workspace.root, work.now)


@dataclass(frozen=True)
class _Suppression:
    """The list and the consents as they were at one moment, judged for every row of the frame.

    `asked` are the columns of consents there were.
    """

    listed: SuppressionList | None
    left_out: Withheld
    unprofiled: npt.NDArray[np.bool_]
    asked: frozenset[str]

    def same_as(self, other: _Suppression) -> bool:
        return (
            self.listed == other.listed
            and np.array_equal(self.left_out.any, other.left_out.any)
            and np.array_equal(self.unprofiled, other.unprofiled)
        )


def _suppression(work: Work) -> _Suppression:
    listed, people = _list(work), work.frame
    if work.fresh is not None:
        people = aligned(work.fresh(), work.frame.column("entity_id"))
    left_out = withheld(people, listed, work.settings.channel, by_scores=work.by_scores)
    return _Suppression(listed, left_out, unprofiled(people), frozenset(people.column_names))


@dataclass(frozen=True)
class _Chosen:
    """The audience's rows of the frame, by id, their arms, and who of them has a score that may not be used."""

    rows: pa.Table
    arms: npt.NDArray[np.str_]
    unprofiled: npt.NDArray[np.bool_]

    def probabilities(self, scored: Scored) -> npt.NDArray[np.float64]:
        """NaN where there is none, or none that may be used."""
        column = self.rows.column(scored.probability).cast(pa.float64())
        return np.where(self.unprofiled, np.nan, np.asarray(column.to_numpy(), dtype=np.float64))


def _chosen(work: Work, matched: npt.NDArray[np.bool_], suppression: _Suppression) -> _Chosen:
    ids, left = work.frame.column("entity_id").combine_chunks(), matched & ~suppression.left_out.any
    places = np.nonzero(work.draw.drawn(ids, left, work.salt) if work.draw else left)[0]
    places = places[pc.sort_indices(ids.take(pa.array(places))).to_numpy()]
    rows = work.frame.take(pa.array(places))
    arms = assign_arms(rows.column("entity_id").to_pylist(), work.salt, work.settings.control_share)
    return _Chosen(rows, arms, suppression.unprofiled[places])


def _write(
    work: Work, matched: npt.NDArray[np.bool_], target: Path, progress: Progress
) -> tuple[str, pa.Table, dict[str, Any]]:
    for _ in range(_ATTEMPTS):
        progress("suppression", 1, 3)
        suppression = _suppression(work)
        chosen = _chosen(work, matched, suppression)
        audience = _table(work, chosen)
        manifest = _manifest(work, matched, suppression, chosen) | {"columns": audience.column_names}

        def write(folder: Path, audience: pa.Table = audience, manifest: dict[str, Any] = manifest) -> None:
            progress("writing", 2, 3)
            _write_files(folder, audience, manifest, work.mode)

        def check(before: _Suppression = suppression) -> None:
            progress("checking again", 2.5, 3)
            if not _suppression(work).same_as(before):
                raise Changed

        try:
            return publish(target, write, check), audience, manifest
        except Changed:
            continue
    raise RepriseError(
        f"Who must not be contacted changed {_ATTEMPTS} times while {work.name} was written.", hint="Run it again."
    )


def _table(work: Work, chosen: _Chosen) -> pa.Table:
    """One row per customer of the audience, by id: user_id, arm, what the rule asked, the target's columns, origin.

    Nobody's scores are shown who refused profiling.
    """
    rows = chosen.rows
    columns = {"user_id": rows.column("entity_id").cast(pa.string()), "arm": pa.array(chosen.arms, pa.string())}
    columns |= work.draw.columns(columns["user_id"]) if work.draw else {}
    shown = _declared_target(work) or named_by(rules.fields_of(work.rule), work.scores)
    wanted = [*rules.fields_of(work.rule), *(shown.columns if shown else ())]
    of_scores = {name for scored in work.scores for name in scored.columns}
    for name in wanted:
        if name not in _PERSONAL and name in rows.column_names:
            column = rows.column(name)
            hidden = name in of_scores and chosen.unprofiled.any()
            columns[name] = pc.if_else(pa.array(chosen.unprofiled), None, column) if hidden else column
    columns["as_of"] = pa.repeat(pa.scalar(work.as_of), rows.num_rows)
    columns["release"] = pa.repeat(work.release, rows.num_rows)
    return pa.table(columns)


def _declared_target(work: Work) -> Scored | None:
    """The target its settings name: `churn` is the first horizon, `churn_90d` another."""
    wanted = work.settings.target
    if wanted is None:
        return None
    for scored in work.scores:
        if wanted in (f"{scored.target}{scored.suffix}", f"{scored.target}_{scored.horizon_days}d"):
            return scored
    there = ", ".join(f"{scored.target}{scored.suffix}" for scored in work.scores) or "none"
    raise UsageError(f"There are no probabilities of the target {wanted}; there are: {there}.")


def _manifest(work: Work, matched: npt.NDArray[np.bool_], suppression: _Suppression, chosen: _Chosen) -> dict[str, Any]:
    treated = int((chosen.arms == TREATMENT).sum())
    counts = {"customers": work.frame.num_rows, "matched": int(matched.sum())}
    left = matched.copy()
    for reason in REASONS:
        out = getattr(suppression.left_out, reason)
        counts[f"left_out_{reason}"] = int((left & out).sum())
        left = left & ~out
    if work.draw:
        counts |= work.draw.counts(work.frame.column("entity_id").combine_chunks(), left)
    counts |= {"left": chosen.rows.num_rows, "treatment": treated, "control": chosen.rows.num_rows - treated}
    hits = _expected_hits(work, chosen)
    return {
        "format": 1,
        "name": work.name,
        "as_of": work.as_of.isoformat(),
        "release": work.release,
        "declared": work.declared(),
        "counts": counts,
        "empty": counts["left"] == 0,
        "allow_empty": work.settings.allow_empty,
        "expected_hits": hits,
        "expected_hits_reason": None if hits else none_because(work.scores),
        "suppression": _told(work, suppression),
        "csv_mode": work.mode,
    }


def _expected_hits(work: Work, chosen: _Chosen) -> dict[str, Any] | None:
    def has_some(scored: Scored) -> bool:
        return not chosen.rows.num_rows or not np.isnan(chosen.probabilities(scored)).all()

    expected = _declared_target(work) or expected_target(rules.fields_of(work.rule), work.scores, has_some)
    if expected is None:
        return None
    probabilities = chosen.probabilities(expected)
    known = ~np.isnan(probabilities)
    sums = {arm: round(math.fsum(probabilities[known & (chosen.arms == arm)]), 6) for arm in (TREATMENT, CONTROL)}
    return {
        "target": expected.target,
        "horizon_days": expected.horizon_days,
        "column": expected.probability,
        "model_version": expected.model_version,
        **sums,
        "unknown": int((~known).sum()),
    }


def _told(work: Work, suppression: _Suppression) -> dict[str, Any]:
    """What the manifest says about who was left out; with nothing configured it says that."""
    channel, listed = work.settings.channel, suppression.listed
    told: dict[str, Any] = {
        "configured": listed is not None or channel is not None or bool(suppression.asked & {"blocked", PROFILING}),
        "blocked": "blocked" in suppression.asked,
        "consent": f"consent_{channel}" if channel else None,
        "profiling": PROFILING if work.by_scores and PROFILING in suppression.asked else None,
        "known_at": work.known_at.isoformat(timespec="seconds") if work.known_at else None,
        "list": None,
    }
    if listed is not None:
        strays = unmatched(listed, work.frame.column("entity_id").to_pylist())
        told["list"] = {
            "file": work.workspace.settings.suppression.file,
            "sha256": listed.sha256,
            "changed_at": listed.changed_at.isoformat(timespec="seconds"),
            "ids": len(listed.ids),
            "unmatched": len(strays),
            "unmatched_share": round(len(strays) / len(listed.ids), 6) if listed.ids else 0.0,
            "near_misses": int(suppression.left_out.near.sum()),
        }
    return told


def _write_files(folder: Path, audience: pa.Table, manifest: dict[str, Any], mode: Mode) -> None:
    for suffix in (".csv", ".parquet"):
        path = folder / f"audience{suffix}"
        write_table(audience, path, suffix, mode)
        manifest.setdefault("files", {})[path.name] = sha256(path)
    write_text(folder / "manifest.json", json.dumps(manifest, ensure_ascii=False, indent=2) + "\n")
