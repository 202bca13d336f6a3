"""From checked rows to a new version of a table: join with what is there, drop duplicates, sort, write.

Memory is bounded by one bucket of the table, and beyond that the engine spills. Nothing is published here: a version is
a folder, and the store swaps its pointer when every table is ready.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from warehouse.casting import quoted
from warehouse.contracts import CONTRACTS
from warehouse.engine import connect
from warehouse.errors import DataProblemError, Problem
from warehouse.files import atomic_directory, sha256, write_text
from warehouse.layout import ANONYMOUS, EVENT_IDS, FILE, WHOLE, bucket_name, file_schema, listed, order_of
from warehouse.loading import Job, Staged
from warehouse.manifest import TableManifest
from warehouse.progress import Progress
from warehouse.rulebook import KEY
from warehouse.settings import Settings, TableSettings

_ROW_GROUP = 65_536
_COPY = "__copy__"


def write_version(job: Job, staged: Staged, settings: Settings, target: Path, progress: Progress) -> TableManifest:
    """Merges staged rows with those of the base into the folder of a new version."""
    contract, policy = CONTRACTS[job.table], settings.tables[job.table]
    schema = file_schema(contract, staged.open_columns)
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
            parts.append(self._select(self.staged.folder / staged_name, FILE))
        with pq.ParquetWriter(self.folder / published, self.schema, compression="zstd", compression_level=3) as writer:
            if parts:
                self._merge(parts)
                order = order_of(CONTRACTS[self.job.table], self.schema)
                keep = f"where {_COPY} = 1" if self.policy.duplicates == "drop" else ""
                rows = self.connection.sql(
                    f"select {', '.join(map(quoted, self.schema.names))} from merged {keep}"
                    f" order by {', '.join(f'{quoted(name)} nulls last' for name in order)}"
                )
                for batch in _even(rows.to_arrow_reader(_ROW_GROUP), self.schema):
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
        return f"select {', '.join(columns)}, {number}::integer as {FILE} from {listed([path])}"

    def _merge(self, parts: list[str]) -> None:
        self.connection.execute(
            "create or replace temp table merged as"
            f" select *, row_number() over (partition by {KEY}, entity_id order by {FILE}) as {_COPY}"
            f" from ({' union all '.join(parts)})"
        )
        for file, copies in self.connection.execute(
            f"select {FILE}, count(*) from merged where {_COPY} > 1 group by {FILE}"
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
        self.connection.execute(f"create temp table ids as select * from {listed(parts)}")
        clashes = self.connection.execute(f"""
            select event_id,
                list({FILE} order by {FILE}, line)[:2], list(line order by {FILE}, line)[:2], count(*) over ()
            from (select distinct on (event_id, {KEY}) * from ids order by event_id, {KEY}, {FILE}, line)
            group by event_id having count(*) > 1 order by 3 limit 1
        """).fetchall()
        if clashes:
            _, files, lines, count = clashes[0]
            names = [self.job.files[file - 1][1].name if file else "what is loaded" for file in files]
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
