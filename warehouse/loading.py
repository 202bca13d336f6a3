"""From files to checked rows: read, judge, and part into buckets, in a folder that is thrown away afterwards.

Memory is bounded by one block of a file. Problems are gathered over all files, so that they can be told at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from warehouse.batches import LINE, Batch
from warehouse.checking import Checked, Checker, id_column, merged
from warehouse.contracts import CONTRACTS
from warehouse.erasures import ERASED, PEOPLE, Tombstones
from warehouse.errors import DataProblemError, Problem
from warehouse.files import atomic_file, told
from warehouse.layout import EVENT_IDS, FILE, file_schema
from warehouse.manifest import SourceFile, TableManifest
from warehouse.progress import Progress
from warehouse.reading import header, is_sparse, label, read_batches
from warehouse.rulebook import KEY
from warehouse.settings import Settings
from warehouse.settings_values import TableName
from warehouse.spooling import Spool

MAX_NULL_LIKE_SHARE = 0.005
_CHANGES_NO_ROW = {"files", "source", "on_problem", "max_bad_ratio", "static", "features", "categories", "time_order"}


@dataclass(frozen=True)
class Given:
    """A file to be loaded: its name in the settings' terms, and its hash, taken before it is read.

    A file that changes while it is read is so known by the bytes before, and read anew by the next load.
    """

    name: str
    path: Path
    loaded_at: datetime
    sha256: str


@dataclass(frozen=True)
class Without:
    """Which rows of the base stay out of the new version, in SQL over tables the connection holds.

    `kept` is the condition for those that stay, `ids` that for event ids. Where `mention` (a column) names one of the
    ids of the table `erased`, it is emptied, and the row's key becomes that of the row without it.
    """

    kept: str
    mention: str | None
    ids: str
    erased: str

    def rest_of(self, source: str) -> str:
        """The relation without them."""
        if self.mention is None:
            return f"(select * from {source} where {self.kept})"
        whole = f"{1 << 64}::hugeint"
        key = f"((all_rows.{KEY}::hugeint - coalesce(named.mention, 0)::hugeint + {whole}) % {whole})::ubigint"
        name = f"case when named.id is null then all_rows.{self.mention} end"
        return (
            f"(select all_rows.* replace ({name} as {self.mention}, {key} as {KEY}) from {source} as all_rows"
            f" left join {self.erased} as named on named.id = all_rows.{self.mention} where {self.kept})"
        )


@dataclass(frozen=True)
class Job:
    """What is to be loaded into a table: on top of `base` (None: from nothing), these files.

    `given_up` tells, with a reason, whose rows were in the table and are not any more; `without` erases some of the
    base.
    """

    table: TableName
    base: TableManifest | None
    base_folder: Path | None
    files: tuple[Given, ...]
    settings_hash: str
    given_up: tuple[str, ...] = ()
    without: Without | None = None


@dataclass
class Staged:
    """The checked rows of a job, with a folder of their own, and what is known of each file."""

    folder: Path
    spool: Spool = field(init=False)
    sources: list[SourceFile] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    open_columns: tuple[str, ...] = ()


def settings_hash(settings: Settings, table: TableName) -> str:
    """Changes when the rows of a table would be let in otherwise."""
    apart = _CHANGES_NO_ROW if table == "events" else _CHANGES_NO_ROW | {"join_devices"}
    policy = settings.tables[table].model_dump_json(exclude=apart)
    # Whoever changes how rows are read, or the hash by which copies are known, raises the number in front.
    shared = f"3|{settings.time_zone}|{settings.currency}|{settings.entity}|{settings.buckets}"
    return hashlib.sha256(f"{policy}|{shared}".encode()).hexdigest()[:16]


def stage(
    job: Job,
    settings: Settings,
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    rejects: Path,
    progress: Progress,
    erased: Tombstones,
) -> Staged:
    """Reads and checks every file of the job; problems are gathered, not raised. Rows of the erased stay out."""
    contract, policy = CONTRACTS[job.table], settings.tables[job.table]
    staged = Staged(folder)
    opened: set[str] = set(job.base.open_columns if job.base else ())
    readable = []
    for number, given in enumerate(job.files, 1):
        path = given.path
        try:
            names, called = header(path, policy), label(path, policy)
        except DataProblemError as error:
            staged.problems += error.problems or [
                Problem(path.name, None, None, error.message.rstrip("."), "a readable file", error.hint or "")
            ]
            continue
        checker = Checker(contract, policy, settings, given.loaded_at, called, connection)
        missing = checker.missing(names, is_sparse(path, policy)) if names else [_no_rows(called)]
        extra = checker.open_columns(names)
        missing += _spelled_otherwise(called, extra, opened)
        opened.update(extra)
        staged.problems += missing
        if not missing:
            readable.append((number, given, names))
    staged.open_columns = tuple(sorted(opened))
    schema = file_schema(contract, staged.open_columns)
    with Spool(connection, folder, schema, settings.buckets) as staged.spool, _ids(folder / EVENT_IDS) as keep_ids:

        def take(checked: Checked, number: int) -> None:
            staged.spool.add(checked.accepted, number)
            keep_ids(checked.door, number)

        for number, given, names in readable:
            called = label(given.path, policy)
            checker = Checker(contract, policy, settings, given.loaded_at, called, connection)
            staged.sources.append(_stage_file(checker, (number, given), names, take, staged, rejects, progress, erased))
        staged.spool.finish()
    return staged


def _spelled_otherwise(file: str, names: list[str], known: set[str]) -> list[Problem]:
    """Own columns that earlier files write with other capitals: which of them a row belongs to would be a guess."""
    before = {name.lower(): name for name in sorted(known)}
    return [
        Problem(
            file,
            1,
            None,
            f"a column {name}",
            f"{other}, as in the other files",
            "Write it the same in all files.",
        )
        for name in names
        if (other := before.get(name.lower(), name)) != name
    ]


def _no_rows(file: str) -> Problem:
    return Problem(file, None, None, f"0 rows in {file}", "at least one row", "Check that the export is complete.")


def _stage_file(
    checker: Checker,
    numbered: tuple[int, Given],
    names: list[str],
    write: Callable[[Checked, int], None],
    staged: Staged,
    rejects: Path,
    progress: Progress,
    erased: Tombstones,
) -> SourceFile:
    number, given = numbered
    path = given.path
    contract, policy = checker.contract, checker.policy
    ids = frozenset(checker.theirs(column.name) for column in contract.columns if column.kind == "id")
    read = accepted = rejected = 0
    aside: dict[str, int] = {}
    moved: dict[str, int] = {}
    null_like: dict[str, int] = {}
    counted: dict[str, int] = {}
    problems: list[Problem] = []
    refused = rejects / _reject_name(contract.name, given.name)
    with _reject_file(refused, names) as reject:
        try:
            for batch in read_batches(path, policy, ids):
                if erased:
                    batch, gone = _without_erased(checker, batch, erased)
                    read += gone
                    aside |= {ERASED: aside.get(ERASED, 0) + gone} if gone else {}
                checked = _without_erased_acts(checker, checker.check(batch), erased)
                read += checked.read
                accepted += checked.accepted.num_rows
                rejected += checked.rejected.num_rows
                for total, counts in (
                    (aside, checked.set_aside),
                    (moved, checked.moved_times),
                    (null_like, checked.null_like_ids),
                    (counted, checked.told),
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
            return SourceFile(given.name, 0, "", checker.loaded_at, ())
    staged.problems += _fatal(checker, checker.file, (read, accepted, rejected), null_like, problems, ERASED in aside)
    notes = [f"{label}: {count:,} times" for label, count in moved.items()]
    if moved:
        notes.append("a time skipped by a clock change is moved forward; one that occurs twice is the first of the two")
    notes += [f"{count:,} {sentence}" for sentence, count in counted.items()]
    extra = sorted(
        set(names) - {checker.theirs(ours) for ours in checker.present(names)} - set(checker.open_columns(names))
    )
    if extra:
        notes.append(f"columns not used: {', '.join(extra)}")
    if rejected and policy.on_problem == "quarantine":
        notes.append(f"rejected rows are in store/rejects/{refused.name}")
    return SourceFile(
        given.name,
        path.stat().st_size,
        given.sha256,
        checker.loaded_at,
        checker.present(names),
        read=read,
        accepted=accepted,
        rejected=rejected,
        set_aside=aside,
        notes=tuple(notes),
    )


def _without_erased(checker: Checker, batch: Batch, erased: Tombstones) -> tuple[Batch, int]:
    """The batch as if the erased had never been in the file, and how many rows were theirs."""
    user, seller = (id_column(checker.contract, checker.settings, of) for of in PEOPLE)
    here = {
        ours: checker.theirs(ours)
        for ours in (user, seller, "device_id", "referred_by")
        if ours in checker.contract.names and checker.theirs(ours) in batch.rows.column_names
    }
    mentions = [here["referred_by"]] if "referred_by" in here else []
    device, bought, sold = (here.get(ours or "") for ours in ("device_id", user, seller))
    rows, gone = erased.without(batch.rows, bought, device, mentions, sold)
    return replace(batch, rows=rows), gone


def _without_erased_acts(checker: Checker, checked: Checked, erased: Tombstones) -> Checked:
    """What was accepted without acts of nobody that were an erased user's; which these are is known of checked rows."""
    if checker.contract.name != "events" or not erased:
        return checked
    gone = erased.acts(checked.accepted)
    if not gone.any():
        return checked
    kept, lost = (checked.accepted.filter(pa.array(which)) for which in (~gone, gone))
    door = checked.door
    if door.num_rows:
        door = door.filter(pc.invert(pc.is_in(door[KEY], value_set=lost[KEY].combine_chunks())))
    aside = {**checked.set_aside, ERASED: checked.set_aside.get(ERASED, 0) + lost.num_rows}
    return replace(checked, accepted=kept, door=door, set_aside=aside)


def _fatal(
    checker: Checker,
    file: str,
    counts: tuple[int, int, int],
    null_like: dict[str, int],
    problems: list[Problem],
    some_erased: bool,
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
    elif not accepted and not fatal and not some_erased:
        fatal.append(
            Problem(
                file, None, None, f"no row of {read:,} left after setting aside", "at least one", "Check the policies."
            )
        )
    return fatal


def _reject_name(table: str, source: str) -> str:
    """What the rejected rows of a source are called: two of one name in two folders must not share a file."""
    folder, name = Path(source).parent, Path(source).name
    told = "" if folder == Path(".") else f"-{hashlib.sha256(source.encode()).hexdigest()[:8]}"
    return f"{table}-{name}{told}.csv"


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
def _ids(target: Path) -> Iterator[Callable[[pa.Table, int], None]]:
    """A growing file of what is judged over a whole load, made only if there is any."""
    with ExitStack() as stack:
        writers: list[pq.ParquetWriter] = []

        def write(door: pa.Table, number: int) -> None:
            if door.num_rows:
                rows = door.append_column(FILE, pa.repeat(pa.scalar(number, pa.int32()), door.num_rows))
                with told(target):
                    if not writers:
                        writers.append(stack.enter_context(pq.ParquetWriter(target, rows.schema, compression="lz4")))
                    writers[0].write_table(rows)

        yield write
        with told(target):
            stack.close()
