"""The store: checked tables as Parquet, one file a bucket of entities, in immutable versions and one pointer."""

from __future__ import annotations

import glob
import hashlib
import json
import shutil
import tempfile
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from warehouse import layout, loading
from warehouse.contracts import CONTRACTS
from warehouse.drift import compare_ids, drift
from warehouse.engine import connect
from warehouse.errors import DataProblemError, NotReadyError, Problem, SettingsError
from warehouse.files import sha256, sweep, write_text
from warehouse.manifest import SourceFile, TableManifest, kept_versions, read_manifest, read_pointer, swap_pointer
from warehouse.merging import write_version
from warehouse.progress import Progress, silent
from warehouse.workspace import Workspace

MAX_KINDS = 20


@dataclass(frozen=True)
class LoadReport:
    """What a load did: for each new file what became of its rows, and what else is worth knowing."""

    changed: bool
    files: tuple[tuple[str, SourceFile], ...]
    rows: dict[str, int]
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        files = [
            {"table": table, **json.loads(json.dumps(asdict(source), default=str))} for table, source in self.files
        ]
        return {"changed": self.changed, "rows": self.rows, "files": files, "notes": list(self.notes)}

    def lines(self) -> list[str]:
        """One line a file: read = accepted + rejected + duplicates + set aside."""
        if not self.changed:
            kept = ", ".join(f"{table} {rows:,} rows" for table, rows in self.rows.items())
            return [f"Nothing new to load: {kept}."]
        return [line for table, source in self.files for line in _file_lines(table, source)] + list(self.notes)


def _file_lines(table: str, source: SourceFile) -> list[str]:
    aside = ", ".join(f"{policy} {count:,}" for policy, count in source.set_aside.items())
    kept = f" ({source.duplicates_kept:,} of the accepted are duplicates, kept)" if source.duplicates_kept else ""
    first = (
        f"{table}: {source.read:,} rows read from {Path(source.path).name} = {source.accepted:,} accepted"
        f" + {source.rejected:,} rejected + {source.duplicates:,} duplicates"
        f" + {sum(source.set_aside.values()):,} set aside"
        f"{f' ({aside})' if aside else ''}{kept}"
    )
    return [first, *(f"  {note}" for note in source.notes)]


class Store:
    """The tables of a workspace. What is read stays what it was when the store was opened, until `load_new`."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
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

    def schema(self, table: str) -> pa.Schema:
        """The columns of a table in the store. Its files carry one more, last: the hash of the source row."""
        found = self.manifest(table).open_columns if table in self._current() else ()
        return layout.schema_of(CONTRACTS[table], found)

    def bucket(self, table: str, k: int) -> Path:
        """Rows of the entities in bucket `k`, sorted by entity, then time, then the other columns."""
        if not 0 <= k < self.buckets:
            raise ValueError(f"there are {self.buckets} buckets, numbered from 0; {k} was asked for")
        return self._folder(table) / layout.bucket_name(k)

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
        """The start of the local day after the last accepted order or event."""
        known = [self.observed_until(table) for table in ("orders", "events") if self.has(table)]
        known = known or [until for table in self.tables if (until := self.manifest(table).observed_until)]
        if not known:
            raise NotReadyError("There are no orders and no events yet.", hint="Run `reprise check` to load them.")
        return max(known)

    def fingerprint(self) -> str:
        """Changes exactly when rows of the store change, or the zone whose days count."""
        contents = {table: self.manifest(table).contents for table in sorted(self._current())}
        zone = self._workspace.settings.time_zone
        return hashlib.sha256(json.dumps([zone, self.buckets, contents], sort_keys=True).encode()).hexdigest()

    def load_new(self, loaded_at: datetime, progress: Progress = silent, accept_drift: str | None = None) -> LoadReport:
        """Loads files that are new; all tables are published together, or none.

        A file of known content is skipped. A changed file, or changed settings of a table, make the table anew.
        `loaded_at` is a naive UTC instant. `DataProblemError` lists every problem of every file; the store is then as
        it was. `accept_drift`, a reason kept in the manifest, lets a surprising load pass.
        """
        with self._workspace.lock("store"):
            self._tidy()
            self._versions, self._manifests = read_pointer(self._root), {}
            jobs = self._jobs(loaded_at)
            gone = [table for table in self._versions if table not in self._workspace.settings.tables]
            if not jobs and not gone:
                return LoadReport(False, (), {table: self.manifest(table).rows for table in sorted(self._versions)})
            before = dict(self._manifests)
            made, notes = self._make(jobs, progress, before, accept_drift)
            kept = {table: version for table, version in self._versions.items() if table not in gone}
            swap_pointer(self._root, {**kept, **{table: manifest.version for table, manifest in made.items()}})
            self._versions, self._manifests = None, {}
            fresh: dict[str, set[str]] = {job.table: {name for name, _, _ in job.files} for job in jobs}
            files = [(t, s) for t, m in made.items() for s in m.sources if s.path in fresh[t]]
            rows = {table: self.manifest(table).rows for table in sorted(self._current())}
            return LoadReport(True, tuple(files), rows, tuple(notes))

    def _tidy(self) -> None:
        """Removes what killed loads left behind and versions that nobody can be reading any more."""
        if not self._root.exists():
            return
        sweep(self._root)
        kept = kept_versions(self._root)
        for table in CONTRACTS:
            folder = self._root / table
            if folder.is_dir():
                sweep(folder)
                for version in folder.iterdir():
                    if (table, version.name) not in kept:
                        shutil.rmtree(version, ignore_errors=True)

    def _jobs(self, loaded_at: datetime) -> list[loading.Job]:
        jobs = []
        for table, policy in self._workspace.settings.tables.items():
            wanted = loading.settings_hash(self._workspace.settings, table)
            base = self.manifest(table) if table in self._current() else None
            known = {source.path: source for source in base.sources} if base else {}
            hashes = {name: (path, sha256(path)) for name, path in self._files(table, policy.files)}
            changed = [name for name, source in known.items() if name in hashes and hashes[name][1] != source.sha256]
            if base is None or base.settings != wanted or changed:
                lost = [name for name in known if name not in hashes]
                if lost:
                    raise DataProblemError(
                        f"{table} must be read anew, but {', '.join(lost)} is gone.",
                        hint="Put it back, or delete the store folder to start from the files there are.",
                    )
                first = {n: known[n].loaded_at if n in known and n not in changed else loaded_at for n in hashes}
                files = tuple((name, path, first[name]) for name, (path, _) in hashes.items())
                jobs.append(loading.Job(table, None, None, files, wanted))
                continue
            seen = {source.sha256 for source in known.values()}
            new = {digest: (name, path, loaded_at) for name, (path, digest) in hashes.items() if digest not in seen}
            if new:
                jobs.append(loading.Job(table, base, self._folder(table), tuple(new.values()), wanted))
        return jobs

    def _files(self, table: str, patterns: tuple[str, ...]) -> list[tuple[str, Path]]:
        """The files of a table, sorted by name: their name in the settings' terms, and where they are."""
        found: dict[str, Path] = {}
        for pattern in patterns:
            whole = Path(pattern) if Path(pattern).is_absolute() else self._workspace.root / pattern
            matches = [whole] if whole.is_file() else sorted(map(Path, glob.glob(str(whole))))
            if not matches:
                raise DataProblemError(
                    f"tables.{table}.files: there is no file {pattern}.",
                    hint="Check the path in reprise.toml; it is relative to the folder of that file.",
                )
            for path in matches:
                name = pattern if path == whole else str(Path(pattern).parent / path.name)
                found[name] = path
        if not found:
            raise SettingsError(f"tables.{table}.files names no file.", hint="List at least one.")
        return sorted(found.items())

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
        made: dict[str, TableManifest] = {}
        with (
            tempfile.TemporaryDirectory(prefix=".writing-", dir=self._root) as scratch,
            connect([self._root], memory_limit=settings.memory_limit) as connection,
        ):
            staged = {}
            for job in jobs:
                folder = Path(scratch) / job.table
                folder.mkdir()
                staged[job.table] = loading.stage(job, settings, connection, folder, self._root / "rejects", progress)
            _raise_all([problem for each in staged.values() for problem in each.problems])
            for job in jobs:
                version = self._next_version(job.table)
                target = self._root / job.table / version
                made[job.table] = write_version(job, staged.pop(job.table), settings, connection, target, progress)
                shutil.rmtree(Path(scratch) / job.table)
            notes = self._judge(connection, made, before, accept_drift)
        return made, notes

    def _next_version(self, table: str) -> str:
        folder = self._root / table
        folder.mkdir(parents=True, exist_ok=True)
        taken = [int(path.name) for path in folder.iterdir() if path.name.isdigit()]
        return f"{max(taken, default=0) + 1:06d}"

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
