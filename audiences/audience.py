"""An audience: those for whom a rule is true, without those who must not be contacted, in two arms, in a folder."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
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
from audiences.exports.writing import Mode, export_table, write_table
from audiences.publishing import Changed, publish, recover, refuse_other_settings, refuse_shrunk_list
from audiences.suppression import SuppressionList, Withheld, read_list, unmatched, withheld
from features import rules
from warehouse.errors import DataProblemError, RepriseError, UsageError
from warehouse.files import sha256, sweep, write_text
from warehouse.progress import Progress, silent
from warehouse.settings import AudienceSettings
from warehouse.workspace import Workspace

_ATTEMPTS = 3
_PERSONAL = ("entity_id", "user_id", "blocked", "consent_sms", "consent_email", "consent_push", "consent_profiling")


@dataclass(frozen=True)
class ExpectedHits:
    """How many are expected to do what the target asks: sums of calibrated probabilities, by arm.

    `unknown` customers of the audience have no probability and are in neither sum.
    """

    target: str
    column: str
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
    fresh: Callable[[], pa.Table] | None = None,
    connection: duckdb.DuckDBPyConnection | None = None,
) -> AudienceReport:
    """Writes `audiences/<name>/<as_of>/` with audience.csv, audience.parquet and manifest.json, whole or not at all.

    `frame` has one row per `entity_id` with features, wide scores and, where the users table has them, `blocked` and
    `consent_…`. `now` is the time of the run (naive: UTC), by which the suppression list's age is told. `fresh`
    gives the consent columns as they are at that moment (entity_id and flags); with it and the list, suppression is
    applied again just before the folder is published. `fields` are the catalogue's fields, to judge the rule more
    closely than by the frame's types. `out` is one more copy, its type by its suffix. `connection` is a locked engine
    nobody else is using, for callers that build many.

    Run again with nothing changed it writes nothing; with other rows (a new release, a new opt-out) it writes
    anew; with another rule or other settings, or with a suppression list less than half as long as last time, it
    refuses, unless `replace`. An audience of nobody is a `DataProblemError` unless its settings allow it.
    """
    settings = AudienceSettings.model_validate({"rule": rule}) if isinstance(rule, str) else rule
    parsed = rules.parse(settings.rule)
    if fields is not None:
        rules.check(parsed, fields)
    base = workspace.inside(workspace.audiences, name)
    work = _Work(workspace, name, frame, settings, parsed, as_of, release, now, mode, fresh)
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
class _Work:
    """What one build is given."""

    workspace: Workspace
    name: str
    frame: pa.Table
    settings: AudienceSettings
    rule: rules.Rule
    as_of: date
    release: str
    now: datetime
    mode: Mode
    fresh: Callable[[], pa.Table] | None

    def declared(self) -> dict[str, Any]:
        """What makes this audience this audience; a change of it under the same name and date is refused."""
        return {
            "rule": self.rule.text(),
            "rule_json": self.rule.to_json(),
            "control_share": self.settings.control_share,
            "salt": self.settings.salt or self.name,
            "channel": self.settings.channel,
            "target": self.settings.target,
        }


def _matched(work: _Work, connection: duckdb.DuckDBPyConnection | None) -> npt.NDArray[np.bool_]:
    ids = work.frame.column("entity_id")
    if ids.null_count or len(ids.unique()) != len(ids):
        raise DataProblemError("An audience needs one row for each entity_id, none without.")
    return rules.evaluate(work.rule, work.frame, connection)


def _list(work: _Work) -> SuppressionList | None:
    settings = work.workspace.settings.suppression
    if settings.file is None:
        return None
    return read_list(work.workspace.root / settings.file, work.now, settings.max_age_hours)


@dataclass(frozen=True)
class _Suppression:
    """The list and the consents as they were at one moment, judged for every row of the frame."""

    listed: SuppressionList | None
    left_out: Withheld
    blocks: bool

    def same_as(self, other: _Suppression) -> bool:
        return self.listed == other.listed and np.array_equal(self.left_out.any, other.left_out.any)


def _suppression(work: _Work) -> _Suppression:
    listed, people = _list(work), work.frame
    if work.fresh is not None:
        people = aligned(work.fresh(), work.frame.column("entity_id"))
    left_out = withheld(people, listed, work.settings.channel)
    return _Suppression(listed, left_out, "blocked" in people.column_names)


def _write(
    work: _Work, matched: npt.NDArray[np.bool_], target: Path, progress: Progress
) -> tuple[str, pa.Table, dict[str, Any]]:
    for _ in range(_ATTEMPTS):
        progress("suppression", 1, 3)
        suppression = _suppression(work)
        chosen = matched & ~suppression.left_out.any
        if not chosen.any() and not work.settings.allow_empty:
            raise _nobody(work, matched)
        audience = _table(work, chosen)
        manifest = _manifest(work, matched, suppression, audience)

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


def _nobody(work: _Work, matched: npt.NDArray[np.bool_]) -> DataProblemError:
    count = int(matched.sum())
    why = f"all {count} who match must not be contacted" if count else "the rule is true for nobody"
    return DataProblemError(
        f"The audience {work.name} is empty: {why} ({work.rule.text()}).",
        hint="Widen the rule, or set allow_empty = true for this audience.",
    )


def _table(work: _Work, chosen: npt.NDArray[np.bool_]) -> pa.Table:
    """One row per customer of the audience, by id: user_id, arm, what the rule asked, the target's columns, origin."""
    rows = work.frame.filter(pa.array(chosen)).sort_by("entity_id")
    ids = rows.column("entity_id").cast(pa.string())
    arms = assign_arms(ids.to_pylist(), work.settings.salt or work.name, work.settings.control_share)
    columns = {"user_id": ids, "arm": pa.array(arms.tolist(), pa.string())}
    probability = _probability_column(work)
    wanted = list(rules.fields_of(work.rule))
    if probability is not None:
        wanted += [probability, probability.replace("_probability", "_percentile", 1)]
    for name in wanted:
        if name not in _PERSONAL and name in rows.column_names:
            columns[name] = rows.column(name)
    columns["as_of"] = pa.repeat(pa.scalar(work.as_of), rows.num_rows)
    columns["release"] = pa.repeat(work.release, rows.num_rows)
    return pa.table(columns)


def _probability_column(work: _Work) -> str | None:
    """The target's probability; without a declared target the first one the rule asks."""
    target, names = work.settings.target, work.frame.column_names
    if target is None:
        asked = [name for name in rules.fields_of(work.rule) if "_probability" in name]
        return asked[0] if asked else None
    stem, _, days = target.rpartition("_")
    for name in (f"{target}_probability", f"{stem}_probability_{days}"):
        if name in names:
            return name
    there = ", ".join(sorted(name for name in names if "_probability" in name)) or "none"
    raise UsageError(f"There are no probabilities of the target {target}; there are: {there}.")


def _manifest(
    work: _Work,
    matched: npt.NDArray[np.bool_],
    suppression: _Suppression,
    audience: pa.Table,
) -> dict[str, Any]:
    treated = int(pc.sum(pc.equal(audience.column("arm"), TREATMENT)).as_py() or 0)
    counts = {"customers": work.frame.num_rows, "matched": int(matched.sum())}
    left = matched.copy()
    for reason in ("blocked", "no_consent", "listed", "near"):
        out = getattr(suppression.left_out, reason)
        counts[f"left_out_{reason}"] = int((left & out).sum())
        left = left & ~out
    counts |= {"left": int(left.sum()), "treatment": treated, "control": audience.num_rows - treated}
    return {
        "format": 1,
        "name": work.name,
        "as_of": work.as_of.isoformat(),
        "release": work.release,
        "declared": work.declared(),
        "counts": counts,
        "empty": audience.num_rows == 0,
        "expected_hits": _expected_hits(work, audience),
        "suppression": _told(work, suppression),
        "columns": audience.column_names,
        "csv_mode": work.mode,
    }


def _expected_hits(work: _Work, audience: pa.Table) -> dict[str, Any] | None:
    column = _probability_column(work)
    if column is None:
        return None
    probabilities = np.asarray(audience.column(column).cast(pa.float64()).to_numpy(), dtype=np.float64)
    arms = np.array(audience.column("arm").to_pylist(), dtype="U9")
    known = ~np.isnan(probabilities)
    sums = {arm: round(math.fsum(probabilities[known & (arms == arm)]), 6) for arm in (TREATMENT, CONTROL)}
    target = work.settings.target or column.partition("_probability")[0]
    return {"target": target, "column": column, **sums, "unknown": int((~known).sum())}


def _told(work: _Work, suppression: _Suppression) -> dict[str, Any]:
    """What the manifest says about who was left out; with nothing configured it says that."""
    channel, listed = work.settings.channel, suppression.listed
    told: dict[str, Any] = {
        "configured": listed is not None or channel is not None or suppression.blocks,
        "blocked": suppression.blocks,
        "consent": f"consent_{channel}" if channel else None,
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
