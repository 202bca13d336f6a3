"""The customer table of a workspace as of any date, to a file or a database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from audiences import consents
from audiences.exports import export_table, export_to_database
from audiences.suppression import unprofiled
from features import rules
from features.building import build_features
from features.catalogue import by_name, families_of
from features.last_uses import last_uses
from features.rules import fields_from_schema
from features.selling import selling
from features.source import StoreSource, versions
from features.stages import read_by, stage_table
from pipeline import due
from pipeline.cycles import observed
from pipeline.dated import release_at
from pipeline.levelling import levels_table
from pipeline.opening import load
from pipeline.stages import stages_there
from serving import customers, profiles
from serving.due import DUE_FIELDS, with_due
from serving.release import Release
from serving.standing import STANDING, with_standing
from warehouse.databases import Database
from warehouse.errors import UsageError
from warehouse.progress import Progress
from warehouse.workspace import Workspace

FUNCTIONS = 12
"""So many functions of the app have a column of their own, those that most customers used."""
NAME = "profile"


@dataclass(frozen=True)
class Profiles:
    """The customer table as of a date; `release` gave the probabilities, None where none was made for that date."""

    table: pa.Table
    as_of: date
    release: str | None
    targets: tuple[tuple[str, int], ...]

    def told(self, language: Literal["en", "zh"]) -> pa.Table:
        """The table with headers and names in a language; in English headers are the names of the columns."""
        return profiles.in_chinese(self.table, self.targets) if language == "zh" else self.table

    def facts(self) -> dict[str, Any]:
        return {"as_of": self.as_of, "release": self.release, "rows": self.table.num_rows}


def profiles_at(
    workspace: Workspace, as_of: date | None, other: str | None, loaded_at: datetime, progress: Progress
) -> Profiles:
    """The customers as of a date, else the day after the last row; `other` is a rule that becomes a column of its own.

    Of a date for which a release was published it is read from that, otherwise counted; probabilities are only in
    releases. Of who refused profiling by then, or has since, nothing that is inferred.
    """
    with workspace.lock("run"):
        loaded, _ = load(workspace, as_of, loaded_at, progress)
        release = release_at(workspace, loaded.as_of, exactly=True)
        rule = rules.read(other) if other else None
        refused = _refused_since(loaded.source)
        if release is not None:
            return _of_release(release, rule, refused)
        return _counted(loaded.source, loaded.as_of, rule, refused, progress)


def _refused_since(source: StoreSource) -> frozenset[str]:
    """Who refuses profiling by the newest version of users that is known."""
    newest = consents.latest(source.store)
    if newest is None:
        return frozenset()
    return frozenset(newest.people["entity_id"].filter(pa.array(unprofiled(newest.people))).to_pylist())


def _of_release(release: Release, rule: rules.Rule | None, refused: frozenset[str]) -> Profiles:
    checked = rules.check(rule, customers.fields(release)) if rule else None
    names = {*profiles.wanted(), *(rules.fields_of(checked) if checked else ())}
    table = customers.customers(release, sorted(names))
    uses = release.tables.get("last_uses")
    functions = profiles.functions_of(uses, FUNCTIONS)
    attributes = customers.attributes(release)
    made = profiles.profile(table, release.as_of, attributes, release.scores, uses, functions, refused)
    return Profiles(_with_other(made, table, checked), release.as_of, release.id, tuple(release.scores.targets))


def _counted(
    source: StoreSource, as_of: date, rule: rules.Rule | None, refused: frozenset[str], progress: Progress
) -> Profiles:
    known = by_name()
    names = [name for name in profiles.wanted() if name in known]
    names += sorted(rules.fields_of(rule) & known.keys()) if rule else []
    stages = stages_there(source, source.store.workspace.settings)
    names += read_by(stages)
    table = build_features(source, as_of, progress, families_of(names))
    attributes = versions(source, "users", as_of) if "users" in source.tables else None
    items = due.due_items(source, as_of, observed(source, as_of), progress)
    if items is not None:
        table = with_due(table, items, as_of, DUE_FIELDS.names)
    levels = levels_table(source, as_of, source.store.workspace.settings, progress)
    sellers = selling(source, as_of, progress) if source.store.workspace.settings.entity == "user" else None
    standing = {"levels": levels, "stages": stage_table(stages, table), "selling": sellers}
    known_by = {name: found for name, found in standing.items() if found is not None}
    table = with_standing(table, known_by, {name for each in STANDING.values() for name in each.names})
    uses = last_uses(source, as_of, progress)
    made = profiles.profile(table, as_of, attributes, None, uses, profiles.functions_of(uses, FUNCTIONS), refused)
    checked = rules.check(rule, fields_from_schema(table.schema)) if rule else None
    return Profiles(_with_other(made, table, checked), as_of, None, ())


def _with_other(made: pa.Table, table: pa.Table, rule: rules.Rule | None) -> pa.Table:
    """The profile with a column that says of whom a rule is true; of what is inferred it asks no one who refused."""
    if rule is None:
        return made
    told = made.append_column(profiles.OTHER, pa.array(rules.evaluate(rule, table)))
    reads = any(profiles.is_inferred(field) for field in rules.fields_of(rule))
    return profiles.withheld(told, [profiles.OTHER] if reads else [])


def write(found: Profiles, out: Path, language: Literal["en", "zh"]) -> dict[str, Any]:
    """The table as .xlsx, .csv, .parquet or .jsonl."""
    report = export_table(found.told(language), out)
    return {**found.facts(), "out": report.path, "columns": list(report.columns), "sha256": report.sha256}


def send(found: Profiles, to: str, name: str | None, progress: Progress) -> tuple[list[str], Mapping[str, Any]]:
    """The table as a table of a database, under the names of the columns whatever the language."""
    report = export_to_database(found.table, Database.at(to, Path.cwd()), name or NAME, ("user_id",), progress)
    return list(report.lines()), {**found.facts(), **asdict(report), "rows": report.rows}


def one(found: Profiles, user: str, language: Literal["en", "zh"]) -> dict[str, Any]:
    """One customer's row; `UsageError` for an unknown one."""
    row = pc.index(found.table["user_id"], user).as_py()
    if row < 0:
        raise UsageError(f"There is no customer {user} as of {found.as_of}.", hint="Leading zeros count.")
    told: dict[str, Any] = found.told(language).slice(row, 1).to_pylist()[0]
    return told
