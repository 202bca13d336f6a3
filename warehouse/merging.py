"""From checked rows to a new version of a table: join with what is there, drop duplicates, sort, write.

Memory is bounded by a few buckets of the table, and beyond that the engine spills. Nothing is published here: a version
is a folder, and the store swaps its pointer when every table is ready.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from warehouse.casting import quoted
from warehouse.contracts import CONTRACTS
from warehouse.errors import DataProblemError, Problem
from warehouse.files import atomic_directory, sha256, write_text
from warehouse.joining import joined_events
from warehouse.layout import ANONYMOUS, EVENT_IDS, FILE, WHOLE, bucket_name, file_schema, joined_name, listed, order_of
from warehouse.loading import Job, Staged
from warehouse.manifest import TableManifest
from warehouse.progress import Progress
from warehouse.rulebook import KEY
from warehouse.settings import Settings
from warehouse.spooling import BUCKET, bucket_number, runs

_ROW_GROUP = 65_536
_AT_ONCE = 600_000
_COPY = "__copy__"


def write_version(
    job: Job,
    staged: Staged,
    settings: Settings,
    connection: duckdb.DuckDBPyConnection,
    target: Path,
    progress: Progress,
) -> TableManifest:
    """Merges staged rows with those of the base into the folder of a new version."""
    with atomic_directory(target) as folder, closing(connection.cursor()) as cursor:
        merge = _Merge(cursor, job, staged, settings, folder)
        for done, group in enumerate(groups := merge.groups(), 1):
            merge.write(group)
            progress(f"{job.table}: sorting", done, len(groups))
        merge.event_ids()
        merge.join_devices()
        manifest = merge.manifest(target.name)
        write_text(folder / "manifest.json", manifest.to_json())
    return manifest


class _Merge:
    """The buckets of one new version, as many at a time as there is room for."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, job: Job, staged: Staged, settings: Settings, folder: Path
    ) -> None:
        self.connection, self.job, self.staged, self.folder = connection, job, staged, folder
        self.contract, self.policy = CONTRACTS[job.table], settings.tables[job.table]
        self.schema = file_schema(self.contract, staged.open_columns)
        self.buckets = settings.buckets
        self.nobody = WHOLE if self.contract.entity is None else ANONYMOUS
        self.copies: dict[int, int] = {}
        self.rows = self.entities = self.anonymous = self.joined_rows = 0
        self.daily: dict[date, int] = {}
        self.contents: dict[str, str] = {}
        self.joined: dict[str, str] = {}
        self.joins = job.table == "events" and settings.entity == "user" and self.policy.join_devices

    def _name(self, bucket: int) -> str:
        return bucket_name(bucket) if bucket < self.buckets else self.nobody

    def groups(self) -> list[list[int]]:
        """The numbers of the buckets, parted so that no group has more than `_AT_ONCE` rows if it has two buckets."""
        buckets = [*(range(self.buckets) if self.contract.entity is not None else ()), self.buckets]
        base = {k: pq.read_metadata(path).num_rows for k in buckets if (path := self._base(k))}
        if self.staged.spool.rows + sum(base.values()) <= _AT_ONCE and self.staged.spool.table is not None:
            return [buckets]
        self.staged.spool.part_all()
        self.staged.spool.finish()
        groups: list[list[int]] = [[]]
        room = _AT_ONCE
        for bucket in buckets:
            size = base.get(bucket, 0) + self.staged.spool.sizes.get(bucket, 0)
            if groups[-1] and size > room:
                groups.append([])
                room = _AT_ONCE
            groups[-1].append(bucket)
            room -= size
        return groups

    def _base(self, bucket: int) -> Path | None:
        return self.job.base_folder / self._name(bucket) if self.job.base_folder is not None else None

    def write(self, group: list[int]) -> None:
        """Writes a file for each bucket of the group, sorted by entity, then time, then the other columns."""
        self._gather(group)
        kept = self._without_copies()
        for bucket, table in self._written(kept, {bucket: self._name(bucket) for bucket in group}, self.contents):
            self._count(table, bucket)
        self.entities += self.connection.execute("select count(distinct entity_id) from gathered").fetchall()[0][0]

    def _written(self, sql: str, names: Mapping[int, str], hashes: dict[str, str]) -> Iterator[tuple[int, pa.Table]]:
        """Writes a sorted file for each bucket that is named, rows of which the statement gives; yields what it wrote.

        The hashes of the files are added to `hashes`.
        """
        order = [BUCKET, *map(quoted, order_of(self.contract, self.schema))]
        rows = self.connection.sql(
            f"select {', '.join(map(quoted, self.schema.names))}, {BUCKET} from ({sql})"
            f" order by {', '.join(f'{name} nulls last' for name in order)}"
        ).to_arrow_reader(_ROW_GROUP)
        text = [field.name for field in self.schema if pa.types.is_string(field.type)]
        parts = parted(rows, list(names))
        for bucket, name in names.items():
            path = self.folder / name
            with pq.ParquetWriter(
                path, self.schema, compression="zstd", compression_level=1, use_dictionary=text
            ) as writer:
                for table in even(next(parts), self.schema):
                    writer.write_table(table, row_group_size=_ROW_GROUP)
                    yield bucket, table
            hashes[path.name] = sha256(path)

    def join_devices(self) -> None:
        """Writes the acts of nobody that became somebody's beside the buckets of those users."""
        if not (self.anonymous and self.joins):
            return
        signed_in = [self.folder / bucket_name(bucket) for bucket in range(self.buckets)]
        sql, there = joined_events(self.connection, signed_in, self.folder / ANONYMOUS, self.buckets)
        for _, table in self._written(sql, {bucket: joined_name(bucket) for bucket in there}, self.joined):
            self.joined_rows += table.num_rows

    def _gather(self, group: list[int]) -> None:
        """The rows of the group, old and new, as the view `gathered`."""
        spooled = self.staged.spool.table
        parts = []
        if old := [path for bucket in group if (path := self._base(bucket))]:
            source = listed(old) if self.job.without is None else self.job.without.rest_of(listed(old))
            parts.append(self._select(source, set(pq.read_schema(old[0]).names), "0"))
        if spooled is not None:
            self.connection.register("spooled", spooled)
            parts.append(self._select("spooled", set(self.schema.names), FILE))
        elif new := [self.staged.spool.part(bucket) for bucket in group if self.staged.spool.sizes.get(bucket)]:
            parts.append(self._select(listed(new), set(self.schema.names), FILE))
        if not parts:
            self.connection.register("spooled", self.staged.spool.schema.empty_table())
            parts.append(self._select("spooled", set(self.schema.names), FILE))
        self.connection.execute(f"create or replace temp view gathered as {' union all '.join(parts)}")

    def _select(self, source: str, have: set[str], number: str) -> str:
        columns = [
            quoted(field.name) if field.name in have else f"null::varchar as {quoted(field.name)}"
            for field in self.schema
        ]
        bucket = bucket_number(self.buckets)
        return f"select {', '.join(columns)}, {number}::integer as {FILE}, {bucket} as {BUCKET} from {source}"

    def _without_copies(self) -> str:
        """Counts the rows that were there before, and says how to read the others."""
        # Copies are few: ranking only rows whose key occurs again spares the engine a window over all.
        keys = np.sort(self.connection.sql(f"select {KEY} from gathered").to_arrow_table().column(KEY).to_numpy())
        self.connection.register("again", pa.table({KEY: np.unique(keys[1:][keys[1:] == keys[:-1]])}))
        self.connection.execute(
            f"create or replace temp table ranked as"
            f" select *, row_number() over (partition by {KEY}, entity_id order by {FILE}) as {_COPY}"
            f" from gathered where {KEY} in (select {KEY} from again)"
        )
        copies = self.connection.execute(
            f"select {FILE}, count(*) from ranked where {_COPY} > 1 group by {FILE}"
        ).fetchall()
        for file, count in copies:
            self.copies[file] = self.copies.get(file, 0) + count
        if self.policy.duplicates == "keep" or not copies:
            return "from gathered"
        return (
            f"select * from gathered where {KEY} not in (select {KEY} from again)"
            f" union all select * exclude {_COPY} from ranked where {_COPY} = 1"
        )

    def _count(self, table: pa.Table, bucket: int) -> None:
        self.rows += table.num_rows
        self.anonymous += table.num_rows if self._name(bucket) == ANONYMOUS else 0
        for entry in table.column("local_at").cast(pa.date32(), safe=False).drop_null().value_counts().to_pylist():
            self.daily[entry["values"]] = self.daily.get(entry["values"], 0) + entry["counts"]

    def event_ids(self) -> None:
        """Keeps the ids of acts, and refuses an id that stands for two different rows."""
        parts = [(folder / EVENT_IDS) for folder in (self.job.base_folder, self.staged.folder) if folder]
        parts = [path for path in parts if path.exists()]
        if not parts:
            return
        rest = f" where {self.job.without.ids}" if self.job.without else ""
        self.connection.execute(f"create or replace temp table ids as select * from {listed(parts)}{rest}")
        clashes = self.connection.execute(f"""
            select event_id,
                list({FILE} order by {FILE}, line)[:2], list(line order by {FILE}, line)[:2], count(*) over ()
            from (select distinct on (event_id, {KEY}) * from ids order by event_id, {KEY}, {FILE}, line)
            group by event_id having count(*) > 1 order by 3 limit 1
        """).fetchall()
        if clashes:
            _, files, lines, count = clashes[0]
            names = [self.job.files[file - 1].path.name if file else "what is loaded" for file in files]
            other = f"line {lines[0]}" if names[0] == names[1] else f"line {lines[0]} of {names[0]}"
            problem = Problem(
                names[1],
                lines[1],
                "event_id",
                f"the same as on {other}, where the rest differs",
                "one row for an event_id",
                "Find out which of the two is right and remove the other.",
                count,
            )
            raise DataProblemError(f"{names[1]} cannot be loaded.", [problem])
        kept = self.connection.sql(f"select event_id, {KEY}, line, 0::integer as {FILE} from ids order by all")
        pq.write_table(kept.to_arrow_table(), self.folder / EVENT_IDS, compression="zstd")

    def manifest(self, version: str) -> TableManifest:
        base = self.job.base
        dropped = self.policy.duplicates == "drop"
        fresh = []
        for source in self.staged.sources:
            number = next(i for i, given in enumerate(self.job.files, 1) if given.name == source.path)
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
            first_day=days[0] if days else None,
            observed_until=days[-1] + timedelta(days=1 - math.ceil(self.policy.late_hours / 24)) if days else None,
            loaded_at=max(source.loaded_at for source in sources),
            daily={day.isoformat(): self.daily[day] for day in days},
            contents=self.contents,
            joined=self.joined,
            joined_rows=self.joined_rows,
            accepted_drift=(*(base.accepted_drift if base else ()), *self.job.given_up),
            erased=(base.erased if base else 0) + (base.rows - self.rows if base and self.job.without else 0),
        )


def parted(reader: pa.RecordBatchReader, buckets: list[int]) -> Iterator[Iterator[pa.Table]]:
    """The rows of each of the buckets, in this order, from rows sorted by `BUCKET`."""
    pieces = (
        (bucket, pa.Table.from_batches([batch.slice(start, count)]))
        for batch in reader
        for bucket, start, count in runs(batch.column(BUCKET))
    )
    waiting = next(pieces, None)

    def of(bucket: int) -> Iterator[pa.Table]:
        nonlocal waiting
        while waiting is not None and waiting[0] == bucket:
            yield waiting[1]
            waiting = next(pieces, None)

    for bucket in buckets:
        yield of(bucket)


def even(tables: Iterator[pa.Table], schema: pa.Schema) -> Iterator[pa.Table]:
    """The same rows in tables of exactly `_ROW_GROUP` rows, so that equal rows make equal bytes."""
    waiting: list[pa.Table] = []
    rows = 0
    for given in tables:
        chosen = given.select(schema.names)
        waiting.append(chosen if chosen.schema.equals(schema) else chosen.cast(schema))
        rows += given.num_rows
        while rows >= _ROW_GROUP:
            table = pa.concat_tables(waiting)
            yield table.slice(0, _ROW_GROUP).combine_chunks()
            rest = table.slice(_ROW_GROUP)
            waiting, rows = [rest], rest.num_rows
    if rows:
        yield pa.concat_tables(waiting).combine_chunks()
