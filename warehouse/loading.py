"""From files to a new version of a table: read, check, part into buckets, drop duplicates, sort, write.

Memory is bounded by one block of a file and one bucket of the table. Nothing is published here: a version is a folder,
and the store swaps its pointer when every table is ready.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from warehouse.casting import STORED_TYPES, quoted
from warehouse.checking import Checked, Checker, merged
from warehouse.contracts import CONTRACTS, Contract
from warehouse.engine import connect
from warehouse.errors import DataProblemError, Problem
from warehouse.files import atomic_directory, atomic_file, sha256, write_text
from warehouse.judging import store_columns
from warehouse.manifest import SourceFile, TableManifest
from warehouse.progress import Progress
from warehouse.reading import LINE, header, read_batches
from warehouse.rulebook import KEY
from warehouse.settings import Settings, TableSettings

MAX_NULL_LIKE_SHARE = 0.005
MAX_KINDS = 20
_ROW_GROUP = 65_536
_ARROW_TYPES = {
    "varchar": pa.string(),
    "timestamp": pa.timestamp("us"),
    "decimal(18,4)": pa.decimal128(18, 4),
    "double": pa.float64(),
    "integer": pa.int32(),
    "boolean": pa.bool_(),
    "varchar[]": pa.list_(pa.string()),
}


def schema_of(contract: Contract, open_columns: tuple[str, ...] = ()) -> pa.Schema:
    """The columns of the store: the entity, the contract, the local time, and open columns as text."""
    return pa.schema(
        [
            ("entity_id", pa.string()),
            *((column.name, _ARROW_TYPES[STORED_TYPES[column.kind]]) for column in store_columns(contract)),
            ("local_at", pa.timestamp("us")),
            *((name, pa.string()) for name in open_columns),
        ]
    )


def bucket_name(bucket: int) -> str:
    return f"bucket-{bucket:04d}.parquet"


WHOLE = "whole.parquet"
ANONYMOUS = "anonymous.parquet"
EVENT_IDS = "event-ids.parquet"


@dataclass(frozen=True)
class Job:
    """What is to be loaded into a table: on top of `base` (None: from nothing), these files."""

    table: str
    base: TableManifest | None
    base_folder: Path | None
    files: tuple[tuple[str, Path, datetime], ...]
    settings_hash: str


@dataclass
class Staged:
    """The checked rows of a job, parted by bucket in a folder of their own, and what is known of each file."""

    folder: Path
    sources: list[SourceFile] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    open_columns: tuple[str, ...] = ()


def settings_hash(settings: Settings, table: str) -> str:
    """Changes when the rows of a table would be let in otherwise."""
    policy = settings.tables[table].model_dump_json(exclude={"files", "on_problem", "max_bad_ratio", "static"})
    shared = f"{settings.time_zone}|{settings.currency}|{settings.entity}|{settings.buckets}"
    return hashlib.sha256(f"{policy}|{shared}".encode()).hexdigest()[:16]


def stage(job: Job, settings: Settings, folder: Path, rejects: Path, progress: Progress) -> Staged:
    """Reads and checks every file of the job; problems are gathered, not raised."""
    contract, policy = CONTRACTS[job.table], settings.tables[job.table]
    staged = Staged(folder)
    opened: set[str] = set(job.base.open_columns if job.base else ())
    readable = []
    for number, (name, path, loaded_at) in enumerate(job.files, 1):
        try:
            names = header(path, policy)
        except DataProblemError as error:
            staged.problems += error.problems or [
                Problem(path.name, None, None, error.message, "a readable file", error.hint or "")
            ]
            continue
        with Checker(contract, policy, settings, loaded_at, path.name) as checker:
            missing = checker.missing(names) if names else [_no_rows(path.name)]
            opened.update(checker.open_columns(names))
        staged.problems += missing
        if not missing:
            readable.append((number, name, path, loaded_at, names))
    staged.open_columns = tuple(sorted(opened))
    with _writers(folder, schema_of(contract, staged.open_columns), settings.buckets) as write:
        for number, name, path, loaded_at, names in readable:
            with Checker(contract, policy, settings, loaded_at, path.name) as checker:
                source = _stage_file(checker, (number, name, path), names, write, staged, rejects, progress)
            staged.sources.append(source)
    return staged


def _no_rows(file: str) -> Problem:
    return Problem(file, None, None, f"0 rows in {file}", "at least one row", "Check that the export is complete.")


def _stage_file(
    checker: Checker,
    numbered: tuple[int, str, Path],
    names: list[str],
    write: Callable[[Checked, int], None],
    staged: Staged,
    rejects: Path,
    progress: Progress,
) -> SourceFile:
    number, name, path = numbered
    contract, policy = checker.contract, checker.policy
    ids = frozenset(checker.theirs(column.name) for column in contract.columns if column.kind == "id")
    read = accepted = rejected = 0
    aside: dict[str, int] = {}
    moved: dict[str, int] = {}
    null_like: dict[str, int] = {}
    problems: list[Problem] = []
    with _reject_file(rejects / f"{contract.name}-{path.name}.csv", names) as reject:
        try:
            for batch in read_batches(path, policy, ids):
                checked = checker.check(batch)
                read += checked.read
                accepted += checked.accepted.num_rows
                rejected += checked.rejected.num_rows
                for total, counts in (
                    (aside, checked.set_aside),
                    (moved, checked.moved_times),
                    (null_like, checked.null_like_ids),
                ):
                    for key, count in counts.items():
                        total[key] = total.get(key, 0) + count
                problems = merged([*problems, *checked.problems])
                write(checked, number)
                if policy.on_problem == "quarantine":
                    reject(checked.rejected)
                progress(f"{contract.name}: checking {path.name}", batch.share, 1.0)
        except DataProblemError as error:
            staged.problems += [*problems, *error.problems]
            return SourceFile(name, 0, "", checker.loaded_at, ())
    staged.problems += _fatal(checker, path.name, (read, accepted, rejected), null_like, problems)
    notes = [f"{label}: {count:,} times" for label, count in moved.items()]
    if moved:
        notes.append("a time skipped by a clock change is moved forward; one that occurs twice is the first of the two")
    extra = sorted(
        set(names) - {checker.theirs(ours) for ours in checker.present(names)} - set(checker.open_columns(names))
    )
    if extra:
        notes.append(f"columns not used: {', '.join(extra)}")
    if rejected and policy.on_problem == "quarantine":
        notes.append(f"rejected rows are in store/rejects/{contract.name}-{path.name}.csv")
    return SourceFile(
        name,
        path.stat().st_size,
        sha256(path),
        checker.loaded_at,
        checker.present(names),
        read=read,
        accepted=accepted,
        rejected=rejected,
        set_aside=aside,
        notes=tuple(notes),
    )


def _fatal(
    checker: Checker,
    file: str,
    counts: tuple[int, int, int],
    null_like: dict[str, int],
    problems: list[Problem],
) -> list[Problem]:
    """Of what was found in a file, that which stops the load."""
    read, accepted, rejected = counts
    policy = checker.policy
    fatal = []
    if policy.on_problem == "stop":
        fatal += problems
    elif read and rejected / read > policy.max_bad_ratio:
        fatal += problems
        found = f"{rejected:,} of {read:,} rows rejected ({rejected / read:.2%})"
        fatal.append(
            Problem(
                file, None, None, found, f"at most {policy.max_bad_ratio:.2%}", "Mend the rows or raise max_bad_ratio."
            )
        )
    for name, count in null_like.items():
        if count > MAX_NULL_LIKE_SHARE * read:
            fatal.append(
                Problem(
                    file,
                    None,
                    checker.theirs(name),
                    f"a word for nothing (null, nan, none, 0, …) in {count:,} of {read:,} rows",
                    f"real ids, such words in at most {MAX_NULL_LIKE_SHARE:.1%} of rows",
                    "Leave missing ids empty in the export.",
                )
            )
    if not read:
        fatal.append(_no_rows(file))
    elif not accepted and not fatal:
        fatal.append(
            Problem(
                file, None, None, f"no row of {read:,} left after setting aside", "at least one", "Check the policies."
            )
        )
    return fatal


@contextmanager
def _reject_file(target: Path, names: list[str]) -> Iterator[Callable[[pa.Table], None]]:
    """A CSV of rejected rows with line and reason, made only if there is one."""
    schema = pa.schema([("line", pa.int64()), ("reason", pa.string()), *((name, pa.string()) for name in names)])
    with ExitStack() as stack:
        writers: list[pacsv.CSVWriter] = []

        def write(rejected: pa.Table) -> None:
            if not rejected.num_rows:
                return
            if not writers:
                temporary = stack.enter_context(atomic_file(target))
                writers.append(stack.enter_context(pacsv.CSVWriter(temporary, schema)))
            columns = [
                rejected.column(n) if n in rejected.column_names else pa.nulls(rejected.num_rows, pa.string())
                for n in (LINE, "reason", *names)
            ]
            writers[0].write_table(pa.table(columns, schema=schema))

        yield write


@contextmanager
def _writers(folder: Path, schema: pa.Schema, buckets: int) -> Iterator[Callable[[Checked, int], None]]:
    """Parts checked rows by bucket into one growing file each."""
    full = schema.append(pa.field(KEY, pa.uint64())).append(pa.field("file", pa.int32()))
    with ExitStack() as stack:
        connection = stack.enter_context(connect())
        writers: dict[str, pq.ParquetWriter] = {}

        def writer(name: str, kind: pa.Schema) -> pq.ParquetWriter:
            if name not in writers:
                writers[name] = stack.enter_context(pq.ParquetWriter(folder / name, kind, compression="lz4"))
            return writers[name]

        def write(checked: Checked, number: int) -> None:
            rows = checked.accepted
            for name in schema.names:
                if name not in rows.column_names:
                    rows = rows.append_column(name, pa.nulls(rows.num_rows, schema.field(name).type))
            rows = (
                rows.append_column("file", pa.array([number] * rows.num_rows, pa.int32())).select(full.names).cast(full)
            )
            connection.register("accepted", rows)
            parted = connection.sql(
                f"select *, coalesce(bucket_of(entity_id, {buckets}), -1)::integer as bucket from accepted order by bucket"
            ).to_arrow_table()
            for bucket, start, count in _runs(parted):
                name = bucket_name(bucket) if bucket >= 0 else ANONYMOUS
                writer(name, full).write_table(parted.slice(start, count).select(full.names).cast(full))
            if checked.door.num_rows:
                door = checked.door.append_column("file", pa.array([number] * checked.door.num_rows, pa.int32()))
                writer(EVENT_IDS, door.schema).write_table(door)

        yield write


def _runs(parted: pa.Table) -> list[tuple[int, int, int]]:
    """The stretches of equal bucket of a table sorted by it: bucket, start, length."""
    counts = parted.column("bucket").value_counts().to_pylist()
    runs, start = [], 0
    for entry in sorted(counts, key=lambda entry: int(entry["values"])):
        runs.append((int(entry["values"]), start, int(entry["counts"])))
        start += int(entry["counts"])
    return runs


def write_version(job: Job, staged: Staged, settings: Settings, target: Path, progress: Progress) -> TableManifest:
    """Merges staged rows with those of the base into the folder of a new version."""
    contract, policy = CONTRACTS[job.table], settings.tables[job.table]
    schema = schema_of(contract, staged.open_columns)
    folders = [staged.folder, target.parent, *([job.base_folder] if job.base_folder else [])]
    with atomic_directory(target) as folder, connect(folders, memory_limit=settings.memory_limit) as connection:
        merge = _Merge(connection, job, staged, policy, schema, folder)
        names = [(WHOLE, ANONYMOUS)] if contract.entity is None else []
        if contract.entity is not None:
            names += [(bucket_name(k), bucket_name(k)) for k in range(settings.buckets)] + [(ANONYMOUS, ANONYMOUS)]
        for done, (published, staged_name) in enumerate(names):
            merge.one(published, staged_name)
            progress(f"{job.table}: sorting", done + 1, len(names))
        merge.event_ids()
        manifest = merge.manifest(target.name, settings)
        write_text(folder / "manifest.json", manifest.to_json())
    return manifest


class _Merge:
    """The buckets of one new version, one after the other."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        job: Job,
        staged: Staged,
        policy: TableSettings,
        schema: pa.Schema,
        folder: Path,
    ) -> None:
        self.connection, self.job, self.staged, self.policy = connection, job, staged, policy
        self.schema, self.folder = schema, folder
        self.copies: dict[int, int] = {}
        self.rows = self.entities = self.anonymous = 0
        self.daily: dict[str, int] = {}
        self.contents: dict[str, str] = {}

    def one(self, published: str, staged_name: str) -> None:
        """Writes one file of the version, sorted by entity, then time, then the other columns."""
        parts = []
        if self.job.base_folder is not None:
            parts.append(self._select(self.job.base_folder / published, "0"))
        if (self.staged.folder / staged_name).exists():
            parts.append(self._select(self.staged.folder / staged_name, "file"))
        stored = self.schema.append(pa.field(KEY, pa.uint64()))
        with pq.ParquetWriter(self.folder / published, stored, compression="zstd", compression_level=3) as writer:
            if parts:
                self._merge(parts)
                happened = CONTRACTS[self.job.table].happened
                order = ["entity_id", *([happened] if happened else [])]
                order += [name for name in stored.names if name not in order]
                keep = "where copy = 1" if self.policy.duplicates == "drop" else ""
                rows = self.connection.sql(
                    f"select {', '.join(map(quoted, stored.names))} from merged {keep}"
                    f" order by {', '.join(f'{quoted(name)} nulls last' for name in order)}"
                )
                for batch in _even(rows.to_arrow_reader(_ROW_GROUP), stored):
                    writer.write_table(batch, row_group_size=_ROW_GROUP)
                    self.rows += batch.num_rows
                self._count(published, keep)
        self.contents[published] = sha256(self.folder / published)

    def _select(self, path: Path, number: str) -> str:
        have = set(pq.read_schema(path).names)
        columns = [
            quoted(field.name) if field.name in have else f"null::varchar as {quoted(field.name)}"
            for field in self.schema
        ]
        file = "'" + str(path).replace("'", "''") + "'"
        return f"select {', '.join(columns)}, {KEY}, {number}::integer as file from read_parquet({file})"

    def _merge(self, parts: list[str]) -> None:
        self.connection.execute(
            "create or replace temp table merged as"
            f" select *, row_number() over (partition by {KEY}, entity_id order by file) as copy"
            f" from ({' union all '.join(parts)})"
        )
        for file, copies in self.connection.execute(
            "select file, count(*) from merged where copy > 1 group by file"
        ).fetchall():
            self.copies[file] = self.copies.get(file, 0) + copies

    def _count(self, published: str, keep: str) -> None:
        entities, rows = self.connection.execute(
            f"select count(distinct entity_id), count(*) from merged {keep}"
        ).fetchall()[0]
        self.entities += entities
        self.anonymous += rows if published == ANONYMOUS else 0
        for day, count in self.connection.execute(
            f"select cast(local_at as date)::varchar, count(*) from merged {keep} group by 1"
        ).fetchall():
            if day is not None:
                self.daily[day] = self.daily.get(day, 0) + count

    def event_ids(self) -> None:
        """Keeps the ids of acts, and refuses an id that stands for two different rows."""
        parts = [(folder / EVENT_IDS) for folder in (self.job.base_folder, self.staged.folder) if folder]
        parts = [path for path in parts if path.exists()]
        if not parts:
            return
        listed = ", ".join("'" + str(path).replace("'", "''") + "'" for path in parts)
        self.connection.execute(f"create temp table ids as select * from read_parquet([{listed}])")
        clashes = self.connection.execute(f"""
            select arg_min(file, (file, line)), min(line), max(line), count(*) over () from ids
            group by event_id having count(distinct {KEY}) > 1 order by 2 limit 1
        """).fetchall()
        if clashes:
            file, first, second, count = clashes[0]
            name = next((path.name for i, (_, path, _) in enumerate(self.job.files, 1) if i == file), self.job.table)
            raise DataProblemError(
                f"{name} cannot be loaded.",
                [Problem(name, first, "event_id", f"the same as on line {second}, where the rest differs",
                         "one row for an event_id", "Find out which of the two is right and remove the other.", count)],
            )  # fmt: skip
        table = self.connection.sql(
            "select event_id, source_key, line, 0::integer as file from ids order by all"
        ).to_arrow_table()
        pq.write_table(table, self.folder / EVENT_IDS, compression="zstd")

    def manifest(self, version: str, settings: Settings) -> TableManifest:
        base = self.job.base
        dropped = self.policy.duplicates == "drop"
        fresh = []
        for source in self.staged.sources:
            number = next(i for i, (name, _, _) in enumerate(self.job.files, 1) if name == source.path)
            copies = self.copies.get(number, 0)
            changed = (
                replace(source, accepted=source.accepted - copies, duplicates=copies)
                if dropped
                else replace(source, duplicates_kept=copies)
            )
            fresh.append(changed)
        sources = (*(base.sources if base else ()), *fresh)
        present = {column for source in sources for column in source.columns}
        days = sorted(self.daily)
        return TableManifest(
            table=self.job.table,
            version=version,
            settings=self.job.settings_hash,
            rows=self.rows,
            entities=self.entities,
            anonymous_rows=self.anonymous,
            columns=tuple(name for name in CONTRACTS[self.job.table].names if name in present),
            open_columns=self.staged.open_columns,
            sources=sources,
            first_day=date.fromisoformat(days[0]) if days else None,
            observed_until=date.fromisoformat(days[-1]) + timedelta(days=1) if days else None,
            loaded_at=max(source.loaded_at for source in sources),
            daily=dict(sorted(self.daily.items())),
            contents=self.contents,
            accepted_drift=base.accepted_drift if base else (),
        )


def _even(reader: pa.RecordBatchReader, schema: pa.Schema) -> Iterator[pa.Table]:
    """The same rows in tables of exactly `_ROW_GROUP` rows, so that equal rows make equal bytes."""
    waiting: list[pa.Table] = []
    rows = 0
    for batch in reader:
        waiting.append(pa.Table.from_batches([batch]).cast(schema))
        rows += batch.num_rows
        while rows >= _ROW_GROUP:
            table = pa.concat_tables(waiting)
            yield table.slice(0, _ROW_GROUP).combine_chunks()
            rest = table.slice(_ROW_GROUP)
            waiting, rows = [rest], rest.num_rows
    if rows:
        yield pa.concat_tables(waiting).combine_chunks()
