"""The embedded DuckDB, locked down: no network, no extensions, no files but those of the given folders.

The names of our shims are the same on every engine, so that a SQL file runs unchanged on each.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

# Differences of instants are taken from microseconds: the engines' own date_diff count differently.
_SHIMS = (
    "create macro days_between(earlier, later) as (epoch_us(later) - epoch_us(earlier)) / 8.64e10",
    "create macro day_number(moment) as (cast(cast(moment as date) as date) - date '1970-01-01')",
    # A number of 63 bits instead of a text to group and join by; equal texts, equal numbers, NULL stays NULL.
    "create macro key_of(id) as case when id is not null then cast(hash(id) >> 1 as bigint) end",
    "create macro iso_dow(moment) as cast(isodow(moment) as integer)",
    # `round` gives one engine 0.001972 and the other 0.001973 of 0.0019725; these steps are the same everywhere.
    "create macro rounded(number, digits) as floor(number * power(10, digits) + 0.5e0) / power(10, digits)",
    "create macro bucket_of(id, buckets) as cast('0x' || substr(md5(id), 1, 8) as bigint) % buckets",
)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


@contextmanager
def connect(
    folders: Sequence[Path] = (), *, memory_limit: str = "1GB", threads: int = 2
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that reads and writes only inside `folders` and spills to a folder of its own.

    Arrow tables and readers are given to it with `register`; results leave by `.to_arrow_table()`.
    """
    with TemporaryDirectory(prefix="reprise-spill-") as spill:
        connection = duckdb.connect(":memory:")
        try:
            for shim in _SHIMS:
                connection.execute(shim)
            allowed = ", ".join(_quoted(str(Path(folder).resolve())) for folder in (*folders, Path(spill)))
            for setting in (
                f"threads = {int(threads)}",
                f"memory_limit = {_quoted(memory_limit)}",
                f"temp_directory = {_quoted(spill)}",
                f"allowed_directories = [{allowed}]",
                "autoinstall_known_extensions = false",
                "autoload_known_extensions = false",
                "allow_community_extensions = false",
                "python_enable_replacements = false",
                "enable_external_access = false",
                "lock_configuration = true",
            ):
                connection.execute(f"set {setting}")
            yield connection
        finally:
            connection.close()


def shared(memory_limit: str = "1GB") -> duckdb.DuckDBPyConnection:
    """A connection without folders that lives as long as the process, for small work done often.

    Take a cursor of it for each piece of work: threads may do so at the same moment, one connection may not be shared.
    """
    return _of_process(os.getpid(), memory_limit)


@cache
def _of_process(process: int, memory_limit: str) -> duckdb.DuckDBPyConnection:
    # By process, because a forked child must not touch the engine of its parent.
    stack = ExitStack()
    connection = stack.enter_context(connect(memory_limit=memory_limit))

    def close() -> None:
        if os.getpid() == process:
            stack.close()

    atexit.register(close)
    return connection
