"""Tables that are never held whole: made, written and read some thousand rows at a time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from warehouse.progress import Progress

ROWS_PER_GROUP = 16_384
"""Rows of a row group."""


@dataclass(frozen=True)
class Streamed:
    """A table in chunks, which are made anew whenever they are asked for.

    `make` is given the columns that are wanted, None for all; its chunks hold at least those, in one order of rows.
    """

    schema: pa.Schema
    make: Callable[[Sequence[str] | None], Iterable[pa.Table]]

    def chunks(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """The rows from the first on, or some columns of them; the chunks' sizes mean nothing."""
        wanted = self.schema.names if columns is None else list(columns)
        for chunk in self.make(columns):
            yield chunk.select(wanted)

    def renamed(self, names: Mapping[str, str]) -> Streamed:
        """The same rows with other names for the columns that are among `names`."""
        schema = self.schema
        told = {names.get(name, name): name for name in schema.names}

        def make(columns: Sequence[str] | None) -> Iterator[pa.Table]:
            wanted = list(told) if columns is None else list(columns)
            for chunk in self.chunks([told[name] for name in wanted]):
                yield chunk.rename_columns(wanted)

        return Streamed(pa.schema([schema.field(told[name]).with_name(name) for name in told]), make)

    def watched(self, progress: Progress, label: str, total: int) -> Streamed:
        """The same; `progress` hears how many of `total` rows have come, whenever they are gone through."""

        def make(columns: Sequence[str] | None) -> Iterator[pa.Table]:
            rows = 0
            for chunk in self.make(columns):
                yield chunk
                rows += chunk.num_rows
                progress(label, rows, total)

        return Streamed(self.schema, make)

    def held(self, columns: Sequence[str] | None = None) -> pa.Table:
        """All the rows, or some columns of them, in memory."""
        wanted = self.schema.names if columns is None else list(columns)
        schema = pa.schema([self.schema.field(name) for name in wanted])
        return pa.concat_tables([schema.empty_table(), *self.chunks(columns)])

    @classmethod
    def of(cls, table: pa.Table | Streamed) -> Streamed:
        """A table that is there as one chunk of itself."""
        return table if isinstance(table, Streamed) else cls(table.schema, lambda columns: [table])


def from_file(path: Path) -> Streamed:
    """The rows of a Parquet file, a row group at a time."""
    with pq.ParquetFile(path) as file:
        schema = file.schema_arrow
    return Streamed(schema, lambda columns: row_groups(path, columns))


def row_groups(
    path: Path, columns: Sequence[str] | None = None, as_codes: Sequence[str] | None = None
) -> Iterator[pa.Table]:
    """Every row group of a Parquet file; the columns `as_codes` come dictionary-encoded, as the file holds them."""
    with pq.ParquetFile(path, read_dictionary=None if as_codes is None else list(as_codes)) as file:
        for group in range(file.num_row_groups):
            yield file.read_row_group(group, columns=None if columns is None else list(columns))


def write_parquet(table: pa.Table | Streamed, path: Path, schema: pa.Schema | None = None) -> int:
    """Writes a Parquet file, cast to `schema` where given; how many rows.

    The same rows give the same bytes, however they are cut into chunks.
    """
    streamed, rows = Streamed.of(table), 0
    kind = schema or streamed.schema
    with pq.ParquetWriter(path, kind, compression="zstd") as writer:
        for group in _regrouped(streamed.chunks(kind.names)):
            writer.write_table(group.cast(kind))
            rows += group.num_rows
    return rows


def _regrouped(chunks: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in tables of `ROWS_PER_GROUP`, the last of what is left, each column in one piece."""
    held: list[pa.Table] = []
    rows = 0
    for chunk in chunks:
        held.append(chunk)
        rows += chunk.num_rows
        if rows >= ROWS_PER_GROUP:
            table = pa.concat_tables(held)
            full = rows - rows % ROWS_PER_GROUP
            for start in range(0, full, ROWS_PER_GROUP):
                yield table.slice(start, ROWS_PER_GROUP).combine_chunks()
            held, rows = [table.slice(full)], rows - full
    if rows:
        yield pa.concat_tables(held).combine_chunks()


def read(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """A Parquet file, or some of its columns; without Arrow's datasets, which take longer to import than to read."""
    with pq.ParquetFile(path) as file:
        return file.read(columns=None if columns is None else list(columns))


class Tables(Mapping[str, pa.Table]):
    """The Parquet files of a folder by name: held, but for those `on_demand`, which are read whenever asked for."""

    def __init__(self, folder: Path, on_demand: Collection[str] = ()) -> None:
        self._paths = {path.stem: path for path in sorted(folder.glob("*.parquet"))}
        self._held = {name: read(path) for name, path in self._paths.items() if name not in on_demand}

    def __getitem__(self, name: str) -> pa.Table:
        return self._held[name] if name in self._held else read(self._paths[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)

    def __contains__(self, name: object) -> bool:
        return name in self._paths  # the default would read it
