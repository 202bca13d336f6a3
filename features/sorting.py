"""Rows of many tables sorted by their id without holding them all: stretches of ids on disk, then one after another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

ROWS_AT_ONCE = 8_000
"""About so many rows are sorted at a time."""
MOST_FILES = 500
"""More are never open; stretches are longer then."""


def sorted_by(tables: Iterable[pa.Table], by: str, count: int, folder: Path) -> Iterator[pa.Table]:
    """The rows of `count` tables, sorted by the text column `by`, in tables of about `ROWS_AT_ONCE` rows.

    Sample sort (Frazer and McKellar 1970): quantiles of the ids of the first table part the ids into stretches, for
    the parts of a store are a hash of the id and so each a sample of all. The rows of each stretch wait in a file of
    `folder` until all tables have come.
    """
    waiting = iter(tables)
    first = next(waiting, None)
    if first is None:
        return
    bounds = _bounds(first[by], min(MOST_FILES, -(-first.num_rows * count // ROWS_AT_ONCE)))
    with TemporaryDirectory(dir=folder, prefix=".writing-sorted-") as scratch:
        paths = [Path(scratch, f"{n}.arrow") for n in range(len(bounds) + 1)]
        _part(first, waiting, by, bounds, paths)
        # What the tables took is kept for the next ones; the stretches would come on top of it.
        pa.default_memory_pool().release_unused()
        for path in paths:
            with pa.OSFile(str(path)) as file:
                table = pa.ipc.open_file(file).read_all()
            path.unlink()
            if table.num_rows:
                yield table.take(pc.sort_indices(table[by]))


def _bounds(ids: pa.ChunkedArray, stretches: int) -> pa.Array:
    """The ids at which a stretch begins, without the first; as many stretches as asked for, or as there are ids."""
    ordered = ids.take(pc.sort_indices(ids)).combine_chunks()
    places = np.unique(np.linspace(0, len(ordered), stretches + 1)[1:-1].astype(np.int64))
    return ordered.take(pa.array(places))


def _part(first: pa.Table, others: Iterator[pa.Table], by: str, bounds: pa.Array, paths: list[Path]) -> None:
    """Writes the rows of all tables to the files of the stretches that their ids are in."""
    texts = np.array(bounds.to_pylist(), dtype=object)
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with ExitStack() as stack:
        writers = [stack.enter_context(pa.ipc.new_file(str(path), first.schema, options=options)) for path in paths]
        table: pa.Table | None = first
        while table is not None:
            table = table.take(pc.sort_indices(table[by]))
            ids = np.array(table[by].to_pylist(), dtype=object)
            ends = [0, *np.searchsorted(ids, texts, side="left"), len(ids)]
            for writer, (start, end) in zip(writers, pairwise(ends), strict=True):
                writer.write_table(table.slice(start, end - start))
            table = next(others, None)
