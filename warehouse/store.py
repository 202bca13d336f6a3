"""The store: checked tables as Parquet, one file a bucket of entities, in immutable versions and one pointer."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa

from warehouse import fetching, layout, loading
from warehouse.clock import local_day
from warehouse.contracts import CONTRACTS
from warehouse.drift import compare_ids, drift
from warehouse.engine import connect
from warehouse.erasures import Tombstones
from warehouse.errors import DataProblemError, NotReadyError, Problem
from warehouse.files import sha256, sweep, write_text
from warehouse.inputs import files_of
from warehouse.load_report import LoadReport as LoadReport
from warehouse.manifest import (
    SourceFile,
    TableManifest,
    kept_versions,
    next_version,
    read_manifest,
    read_pointer,
    swap_pointer,
)
from warehouse.merging import write_version
from warehouse.posted import is_sealed, seal, with_posted
from warehouse.progress import Progress, silent
from warehouse.settings import LABEL_HORIZON
from warehouse.settings_values import TableName
from warehouse.workspace import Workspace

MAX_KINDS = 20
MAX_NAMED = 5


class Store:
    """The tables of a workspace. What is read stays what it was when the store was opened, until `load_new`."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = with_posted(workspace)
        self._root = workspace.store
        self._versions: dict[str, str] | None = None
        self._manifests: dict[str, TableManifest] = {}

    @property
    def workspace(self) -> Workspace:
        """The workspace whose tables these are."""
        return self._workspace

    @property
    def buckets(self) -> int:
        return self._workspace.settings.buckets

    @property
    def tables(self) -> frozenset[str]:
        """The names of the tables that have rows."""
        return frozenset(table for table in self._current() if self.manifest(table).rows)

    def has(self, table: str) -> bool:
        return table in self.tables

    def _current(self) -> dict[str, str]:
        if self._versions is None:
            self._versions = read_pointer(self._root)
        return self._versions

    def _folder(self, table: str) -> Path:
        try:
            return self._root / table / self._current()[table]
        except KeyError:
            raise NotReadyError(
                f"The store has no table {table}.",
                hint=f"Add [tables.{table}] with its files to reprise.toml and run `reprise check`.",
            ) from None

    def manifest(self, table: str) -> TableManifest:
        """Rows, first day, counts, columns and sources of a table; `NotReadyError` where it has not been loaded."""
        folder = self._folder(table)
        if table not in self._manifests:
            self._manifests[table] = read_manifest(folder)
        return self._manifests[table]

    def damaged(self, table: str) -> list[str]:
        """The files of a table that are not there with the bytes its manifest tells; each is read whole."""
        contents, folder = self.manifest(table).hashes, self._folder(table)
        return [
            name for name, told in contents.items() if not (folder / name).is_file() or sha256(folder / name) != told
        ]

    def schema(self, table: str) -> pa.Schema:
        """The columns of a table in the store. Its files carry one more, last: the hash of the source row."""
        found = self.manifest(table).open_columns if table in self._current() else ()
        return layout.schema_of(CONTRACTS[table], found)

    def bucket(self, table: str, k: int) -> Path:
        """Rows of the entities in bucket `k`, sorted by entity, then time, then the other columns."""
        if not 0 <= k < self.buckets:
            raise ValueError(f"there are {self.buckets} buckets, numbered from 0; {k} was asked for")
        return self._folder(table) / layout.bucket_name(k)

    def files(self, table: str, k: int) -> list[Path]:
        """The rows of bucket `k`, and in a file of their own those of nobody that became known to be theirs: as of
        these entities, and recorded when it was known (`warehouse.joining`)."""
        joined = layout.joined_name(k)
        more = [self._folder(table) / joined] if joined in self.manifest(table).joined else []
        return [self.bucket(table, k), *more]

    def anonymous(self, table: str) -> Path:
        """Rows that belong to no entity, such as the acts of devices nobody has signed in on."""
        return self._folder(table) / layout.ANONYMOUS

    def whole(self, table: str) -> Path:
        """All rows of a table that is not about people."""
        return self._folder(table) / layout.WHOLE

    def observed_until(self, table: str) -> date:
        """The start of the local day after the last accepted row of that table."""
        until = self.manifest(table).observed_until
        if until is None:
            raise NotReadyError(f"The rows of {table} have no time, so it is not known until when they were observed.")
        return until

    def default_as_of(self) -> date:
        """The start of the local day after the last accepted order or event; with labels alone, the day on which the
        last of them had ended, at most the day after they were loaded."""
        known = [self.observed_until(table) for table in ("orders", "events") if self.has(table)]
        if not known and self.has("labels"):
            return self._day_after_labels()
        known = known or [until for table in self.tables if (until := self.manifest(table).observed_until)]
        if not known:
            raise NotReadyError("There are no orders and no events yet.", hint="Run `reprise check` to load them.")
        return max(known)

    def _day_after_labels(self) -> date:
        manifest = self.manifest("labels")
        settings = self._workspace.settings
        loaded = local_day(manifest.loaded_at, settings.time_zone) + timedelta(days=1)
        if manifest.observed_until is None:
            return loaded
        horizons = [days for told in settings.targets.values() for days in told.horizons or ()] or [LABEL_HORIZON]
        return min(loaded, manifest.observed_until + timedelta(days=max(horizons) - 1))

    def fingerprint(self) -> str:
        """Changes exactly when rows of the store change, or the zone whose days count."""
        contents = {table: self.manifest(table).hashes for table in sorted(self._current())}
        zone = self._workspace.settings.time_zone
        return hashlib.sha256(json.dumps([zone, self.buckets, contents], sort_keys=True).encode()).hexdigest()

    def load_new(self, loaded_at: datetime, progress: Progress = silent, accept_drift: str | None = None) -> LoadReport:
        """Loads files that are new; all tables are published together, or none.

        A file of known content is skipped. A changed file, or changed settings of a table, make the table anew.
        `loaded_at` is a naive UTC instant. `DataProblemError` lists every problem of every file; the store is then as
        it was. `accept_drift`, a reason kept in the manifest, lets a surprising load pass.
        """
        with self._workspace.lock("store"), ExitStack() as stack:
            self._tidy()
            seal(self._workspace.root)
            self._workspace = with_posted(self._workspace)
            self._versions, self._manifests = read_pointer(self._root), {}
            self._root.mkdir(parents=True, exist_ok=True)
            scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix=".writing-", dir=self._root))
            jobs, said = self._jobs(loaded_at, accept_drift, scratch)
            gone = [table for table in self._versions if table not in self._workspace.settings.tables]
            if not jobs and not gone:
                rows = {table: self.manifest(table).rows for table in sorted(self._versions)}
                return LoadReport(False, (), rows, tuple(said))
            before = dict(self._manifests)
            made, notes = self._make(jobs, progress, before, accept_drift)
            kept = {table: version for table, version in self._versions.items() if table not in gone}
            swap_pointer(self._root, {**kept, **{table: manifest.version for table, manifest in made.items()}})
            self._versions, self._manifests = None, {}
            fresh: dict[str, set[str]] = {job.table: {given.name for given in job.files} for job in jobs}
            files = [(t, s) for t, m in made.items() for s in m.sources if s.path in fresh[t]]
            rows = {table: self.manifest(table).rows for table in sorted(self._current())}
            return LoadReport(True, tuple(files), rows, (*said, *notes))

    def _tidy(self) -> None:
        """Removes what killed loads left behind and versions that nobody can be reading any more."""
        if not self._root.exists():
            return
        sweep(self._root)
        kept = kept_versions(self._root)
        for table in {*CONTRACTS, *self._current(), *self._workspace.settings.tables}:
            folder = self._root / table
            if folder.is_dir():
                sweep(folder)
                for version in folder.iterdir():
                    if (table, version.name) not in kept:
                        shutil.rmtree(version, ignore_errors=True)

    def _jobs(self, loaded_at: datetime, accept_drift: str | None, scratch: str) -> tuple[list[loading.Job], list[str]]:
        """What is to be loaded, and what is worth knowing of files that changed or are gone."""
        jobs, notes = [], []
        for table, policy in self._workspace.settings.tables.items():
            base = self.manifest(table) if table in self._current() else None
            known = {source.path: source for source in base.sources} if base else {}
            wanted = loading.settings_hash(self._workspace.settings, table)
            if policy.source is not None:
                last = base.sources[-1].path if base and base.settings == wanted else None
                found = fetching.new_rows(policy, self._workspace.root, Path(scratch), table, last)
            else:
                named = files_of(self._workspace.root, table, policy.files)
                found = [(name, path, sha256(path)) for name, path in named]
            here = {name for name, _, _ in found}, {digest for _, _, digest in found}
            gone = [name for name, source in known.items() if name not in here[0] and source.sha256 not in here[1]]
            if policy.source is not None:
                gone = [name for name in gone if not fetching.is_piece(name)]
            gone = [name for name in gone if not is_sealed(name)]
            changed = [name for name, _, digest in found if name in known and known[name].sha256 != digest]
            job: loading.Job | None
            if base is None or base.settings != wanted or changed:
                job = self._whole(table, found, known, wanted, loaded_at)
                if base is not None:
                    why = f"{_named(changed)} changed since it was loaded" if changed else "its settings changed"
                    notes.append(f"{table}: {why}, so the table was read anew from its {_files(len(job.files))}")
                    job = self._without(job, [known[name] for name in gone], why, accept_drift)
            else:
                job = self._added(table, base, found, wanted, loaded_at)
                if gone:
                    rows = sum(known[name].accepted for name in gone)
                    notes.append(f"{table}: {_named(gone)} is gone; the {rows:,} rows loaded from it stay in the store")
            if job:
                jobs.append(job)
        return jobs, notes

    def _whole(
        self,
        table: TableName,
        found: list[tuple[str, Path, str]],
        known: dict[str, SourceFile],
        wanted: str,
        loaded_at: datetime,
    ) -> loading.Job:
        """All files of a table, each with the time at which it was first loaded as it is; copies of a file once.

        They come in the order in which they first came, so that of copies of a row the same one is kept as then.
        """
        first = {source.sha256: source.loaded_at for source in known.values()}
        place = {source.path: number for number, source in enumerate(known.values())}
        found = sorted(found, key=lambda each: (first.get(each[2], loaded_at), place.get(each[0], len(place)), each[0]))
        files: dict[str, loading.Given] = {}
        for name, path, digest in found:
            files.setdefault(digest, loading.Given(name, path, first.get(digest, loaded_at), digest))
        return loading.Job(table, None, None, tuple(files.values()), wanted)

    def _added(
        self,
        table: TableName,
        base: TableManifest,
        found: list[tuple[str, Path, str]],
        wanted: str,
        loaded_at: datetime,
    ) -> loading.Job | None:
        """The files whose content is not in the table yet."""
        seen = {source.sha256 for source in base.sources}
        files: dict[str, loading.Given] = {}
        for name, path, digest in found:
            if digest not in seen:
                files.setdefault(digest, loading.Given(name, path, loaded_at, digest))
        return loading.Job(table, base, self._folder(table), tuple(files.values()), wanted) if files else None

    def _without(self, job: loading.Job, gone: list[SourceFile], why: str, accept_drift: str | None) -> loading.Job:
        """The job, if the rows of files that are gone may be given up."""
        if not gone:
            return job
        found = f"{_named([source.path for source in gone])} is gone, {sum(source.accepted for source in gone):,} rows"
        if not accept_drift:
            raise DataProblemError(
                f"{job.table} must be read anew, because {why}, but {found}.",
                hint='Put it back, or go on without those rows with --accept-drift "reason".',
            )
        return replace(job, given_up=(f"{accept_drift}: {found}",))

    def _make(
        self,
        jobs: list[loading.Job],
        progress: Progress,
        before: dict[str, TableManifest],
        accept_drift: str | None,
    ) -> tuple[dict[str, TableManifest], list[str]]:
        """Writes a new version for every job; nothing is published yet."""
        settings = self._workspace.settings
        self._root.mkdir(parents=True, exist_ok=True)
        erased = Tombstones(self._workspace.root)
        made: dict[str, TableManifest] = {}
        with (
            tempfile.TemporaryDirectory(prefix=".writing-", dir=self._root) as scratch,
            connect([self._root], memory_limit=settings.memory_limit) as connection,
        ):
            staged = {}
            for job in jobs:
                folder = Path(scratch) / job.table
                folder.mkdir()
                staged[job.table] = loading.stage(
                    job, settings, connection, folder, self._root / "rejects", progress, erased
                )
            _raise_all([problem for each in staged.values() for problem in each.problems])
            for job in jobs:
                version = next_version(self._root / job.table)
                target = self._root / job.table / version
                made[job.table] = write_version(job, staged.pop(job.table), settings, connection, target, progress)
                shutil.rmtree(Path(scratch) / job.table)
            notes = self._judge(connection, made, before, accept_drift)
        for table, manifest in made.items():
            if manifest.joined_rows:
                told = f"{table}: {manifest.joined_rows:,} of {manifest.anonymous_rows:,} acts of nobody"
                notes.append(f"{told} are those of users who signed in on the device later (join_devices)")
        return made, notes

    def _judge(
        self,
        connection: duckdb.DuckDBPyConnection,
        made: dict[str, TableManifest],
        before: dict[str, TableManifest],
        accept_drift: str | None,
    ) -> list[str]:
        """The gates over whole tables; returns what is worth knowing, raises for what stops the load."""
        surprises = {table: drift(before.get(table), manifest) for table, manifest in made.items()}
        tables = {**{t: self.manifest(t) for t in self._current() if t not in made}, **made}
        files = {table: self._all_files(manifest) for table, manifest in tables.items()}
        notes, unknown = compare_ids(connection, tables, files, frozenset(made))
        for table, problems in unknown.items():
            surprises.setdefault(table, []).extend(problems)
        found = [problem for problems in surprises.values() for problem in problems]
        if found and not accept_drift:
            raise DataProblemError("The load is unlike what came before, and was not taken.", found)
        if found:
            notes += [f"accepted ({accept_drift}): {problem}" for problem in found]
            for table, problems in surprises.items():
                if problems and table in made:
                    said = tuple(f"{accept_drift}: {problem}" for problem in problems)
                    self._rewrite(made, table, said)
        return notes

    def _rewrite(self, made: dict[str, TableManifest], table: str, said: tuple[str, ...]) -> None:
        manifest = replace(made[table], accepted_drift=(*made[table].accepted_drift, *said))
        made[table] = manifest
        write_text(self._root / table / manifest.version / "manifest.json", manifest.to_json())

    def _all_files(self, manifest: TableManifest) -> list[Path]:
        return [self._root / manifest.table / manifest.version / name for name in sorted(manifest.contents)]


def _named(files: list[str]) -> str:
    more = len(files) - MAX_NAMED
    return ", ".join(files[:MAX_NAMED]) + (f" and {more:,} more" if more > 0 else "")


def _files(count: int) -> str:
    return "one file" if count == 1 else f"{count:,} files"


def _problems(count: int) -> str:
    return "one problem" if count == 1 else f"{count} kinds of problem"


def _raise_all(problems: list[Problem]) -> None:
    if not problems:
        return
    shown = problems[:MAX_KINDS]
    files = ", ".join(dict.fromkeys(problem.file for problem in problems))
    more = len(problems) - len(shown)
    raise DataProblemError(
        f"{files}: nothing was loaded because of {_problems(len(problems))}.",
        shown,
        hint=f"… and {_problems(more)} more." if more else None,
    )
