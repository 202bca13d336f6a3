"""Checked rows on their way to a new version: in memory while they are few, beyond that parted by bucket on disk."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from warehouse.files import told
from warehouse.layout import FILE, bucket_name

BUCKET = "__bucket__"
_IN_MEMORY = 96 << 20


def bucket_number(buckets: int) -> str:
    """The expression for the bucket of a row; rows of no entity come after the last one."""
    return f"coalesce(bucket_of(entity_id, {buckets}), {buckets})::integer"


class Spool:
    """Rows with the columns of `schema` and `FILE`; close it when all are in.

    `rows` counts them; `table` holds them all, or is None once they were parted: then `part(k)` is where those of
    bucket `k` lie, if there are any, and `sizes[k]` how many.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, folder: Path, schema: pa.Schema, buckets: int) -> None:
        self.schema = schema.append(pa.field(FILE, pa.int32()))
        self.rows = 0
        self.sizes: dict[int, int] = {}
        self._connection, self._folder, self._buckets = connection, folder, buckets
        self._held: list[pa.Table] = []
        self._stack = ExitStack()
        self._writers: dict[int, pq.ParquetWriter] = {}

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def add(self, rows: pa.Table, number: int) -> None:
        """Takes rows of file `number`; columns they lack are NULL."""
        columns = {name: rows.column(name) for name in rows.column_names}
        columns[FILE] = pa.repeat(pa.scalar(number, pa.int32()), rows.num_rows)
        full = [columns.get(field.name, pa.nulls(rows.num_rows, field.type)) for field in self.schema]
        self._held.append(pa.table(full, names=self.schema.names).cast(self.schema))
        self.rows += rows.num_rows
        if sum(table.nbytes for table in self._held) > _IN_MEMORY:
            self.part_all()

    @property
    def table(self) -> pa.Table | None:
        return None if self._writers else pa.concat_tables([self.schema.empty_table(), *self._held])

    def part(self, bucket: int) -> Path:
        return self._folder / bucket_name(bucket)

    def part_all(self) -> None:
        """Brings the rows that are held to the parts on disk."""
        held = pa.concat_tables([self.schema.empty_table(), *self._held])
        self._held = []
        self._connection.register("held", held.select(["entity_id"]))
        numbers = self._connection.sql(f"select {bucket_number(self._buckets)} as {BUCKET} from held").to_arrow_table()
        self._connection.unregister("held")
        # Only the numbers are sorted, and rows then taken: the engine would hold all rows once more to sort them.
        order = np.argsort(numbers.column(BUCKET).to_numpy(), kind="stable")
        parted, numbers = held.combine_chunks().take(pa.array(order)), numbers.take(pa.array(order))
        for bucket, start, count in runs(numbers.column(BUCKET)):
            with told(self.part(bucket)):
                self._write(bucket, parted.slice(start, count))

    def _write(self, bucket: int, rows: pa.Table) -> None:
        if bucket not in self._writers:
            writer = pq.ParquetWriter(self.part(bucket), self.schema, compression="lz4", use_dictionary=False)
            self._writers[bucket] = self._stack.enter_context(writer)
        self._writers[bucket].write_table(rows)
        self.sizes[bucket] = self.sizes.get(bucket, 0) + rows.num_rows

    def finish(self) -> None:
        """To be called after the last row: rows were parted all or not at all."""
        if self._writers:
            self.part_all()
        with told(self._folder):
            self._stack.close()


def runs(buckets: pa.ChunkedArray) -> list[tuple[int, int, int]]:
    """The stretches of equal values of a sorted column: value, start, length."""
    found, start = [], 0
    for entry in sorted(buckets.value_counts().to_pylist(), key=lambda entry: int(entry["values"])):
        found.append((int(entry["values"]), start, int(entry["counts"])))
        start += int(entry["counts"])
    return found
