"""The files of a benchmark: who took what, and where it is known how much, in which basket and when."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from warehouse.batches import LINE, Batch
from warehouse.checking import Checker, merged
from warehouse.contracts import Column, Contract
from warehouse.errors import DataProblemError, Problem
from warehouse.progress import Progress, silent
from warehouse.reading import header, kind_of, read_batches
from warehouse.settings import Settings, TableSettings
from warehouse.sniffing import time_formats
from warehouse.text_blocks import opened

PAIRS = Contract(
    "pairs",
    "one item taken by one user",
    (
        Column("user_id", "id", required=True),
        Column("item_id", "id", required=True),
        Column("value", "quantity"),
        Column("basket_no", "id"),
        Column("occurred_at", "time"),
    ),
    happened="occurred_at",
    entity=None,
    unlocks="a benchmark",
)
OPTIONAL = ("value", "basket_no", "occurred_at")
_SEPARATORS = ",\t;|"
_LOOKED_AT = 5_000
_AMOUNT = "a number above 0"
_BASKET = r"^[0-9]{1,15}$"
_FIXES = {
    "user_id": "Every row needs one; ids are kept exactly as written, so take blanks around them away.",
    "value": "Write how much was taken as a number above 0, or leave the column out.",
    "basket_no": "Number the baskets of a user in the order of time, or leave the column out.",
    "occurred_at": "Write times as 2011-06-01 08:26:00 (or seconds since 1970), or leave the column out.",
    None: "The header must name user_id and item_id, and where they are known value, basket_no, occurred_at.",
}
_FIXES["item_id"] = _FIXES["user_id"]


@dataclass(frozen=True)
class Files:
    """The rows of the files: `train` and `test`, and `valid` where it was given.

    Each has user_id and item_id as text, and where the file has them value (float64, above 0), basket_no (int64) and
    day (int32, days since 1970-01-01 of occurred_at, in UTC).
    """

    train: pa.Table
    test: pa.Table
    valid: pa.Table | None = None


def read_files(train: Path, test: Path, valid: Path | None, loaded_at: datetime, progress: Progress = silent) -> Files:
    """Reads CSV, Parquet, JSON lines or Excel; `DataProblemError` tells all problems of all files at once.

    `loaded_at`, naive UTC, is the only clock: a later time is a problem.
    """
    tables: list[pa.Table | None] = []
    problems: list[Problem] = []
    for path in (train, test, valid):
        progress(f"reading {path.name}" if path else "reading", len(tables), 3)
        table, wrong = read_pairs(path, loaded_at) if path else (None, [])
        tables.append(table)
        problems += wrong
    if problems:
        files = list(dict.fromkeys(problem.file for problem in problems))
        raise DataProblemError(
            f"{' and '.join(files)} cannot be used as {'they are' if files[1:] else 'it is'}.", problems
        )
    return Files(*tables)


def read_pairs(path: Path, loaded_at: datetime) -> tuple[pa.Table, list[Problem]]:
    """The rows of one file, and what is wrong with it."""
    try:
        form = _form(path)
        names = header(path, form)
        with Checker(PAIRS, form, Settings(), loaded_at, path.name) as checker:
            wrong = checker.missing(names) if names else [_no_row(path.name)]
            if wrong:
                return _none(), [_mended(problem) for problem in wrong]
            return _read(path, form, checker)
    except DataProblemError as error:
        told = Problem(path.name, None, None, error.message.rstrip("."), "a readable file", error.hint or "")
        return _none(), list(error.problems) or [told]


def _form(path: Path) -> TableSettings:
    """How the file is written, as far as its beginning tells."""
    form = TableSettings(duplicates="keep", guests="stop")
    if not path.is_file():
        raise DataProblemError(f"There is no file {path}.", hint="Check the path.")
    if kind_of(path) == "csv":
        with opened(path) as file:
            first = file.readline(1 << 16).decode("utf-8", "replace")
        parted = max(_SEPARATORS, key=first.count)
        form = form.model_copy(update={"separator": parted})
    times = [
        text
        for batch in islice(read_batches(path, form, block=1 << 18), 1)
        if "occurred_at" in batch.rows.column_names
        for text in batch.rows.column("occurred_at").slice(0, _LOOKED_AT).to_pylist()
        if text
    ]
    formats = time_formats([text for text in times if re.fullmatch(r"[0-9.]+", text)])
    return form.model_copy(update={"time_format": formats[0]}) if formats and "epoch" in str(formats[0]) else form


@dataclass
class _Filled:
    """In how many rows a column says something, and where it first does not."""

    rows: int = 0
    empty: int = 0
    first: int | None = None


@dataclass
class _Seen:
    """What reading has met so far."""

    tables: list[pa.Table] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    filled: dict[str, _Filled] = field(default_factory=dict)
    rows: int = 0


def _read(path: Path, form: TableSettings, checker: Checker) -> tuple[pa.Table, list[Problem]]:
    seen = _Seen()
    ids = frozenset({"user_id", "item_id", "basket_no"})
    try:
        for batch in read_batches(path, form, ids):
            checked = checker.check(batch)
            seen.rows += checked.read
            seen.problems += [_mended(problem) for problem in checked.problems]
            seen.problems += _ours(path.name, batch)
            _count_filled(seen, batch)
            if not seen.problems:
                seen.tables.append(_kept(checked.accepted))
    except DataProblemError as error:
        seen.problems += error.problems
    else:
        seen.problems += _half_filled(path.name, seen)
        if not seen.rows:
            seen.problems.append(_no_row(path.name))
    if seen.problems:
        return _none(), merged(sorted(seen.problems, key=lambda problem: problem.line or 0))
    table = pa.concat_tables(seen.tables)
    full = [name for name in table.column_names if not table.column(name).null_count]
    return table.select(full), []


def _ours(file: str, batch: Batch) -> Iterator[Problem]:
    """What the contract does not say: baskets are counted, and nothing is taken away."""
    for column, right, expected in (
        ("basket_no", _BASKET, "a whole number such as 12, of at most 15 digits"),
        ("value", "^[^-]|^$", _AMOUNT),
    ):
        if column in batch.rows.column_names:
            texts = pc.fill_null(batch.rows.column(column), "")
            wrong = pc.and_(pc.not_equal(texts, ""), pc.invert(pc.match_substring_regex(texts, right)))
            hit = batch.rows.filter(wrong)
            if hit.num_rows:
                found = f'"{hit.column(column)[0].as_py()[:40]}"'
                line = hit.column(LINE)[0].as_py()
                yield Problem(file, line, column, found, expected, _FIXES[column], hit.num_rows)


def _count_filled(seen: _Seen, batch: Batch) -> None:
    for name in OPTIONAL:
        if name in batch.rows.column_names:
            empty = batch.rows.filter(pc.equal(pc.fill_null(batch.rows.column(name), ""), ""))
            counts = seen.filled.setdefault(name, _Filled())
            counts.rows += batch.rows.num_rows
            counts.empty += empty.num_rows
            if empty.num_rows and counts.first is None:
                counts.first = empty.column(LINE)[0].as_py()


def _half_filled(file: str, seen: _Seen) -> list[Problem]:
    return [
        Problem(file, counts.first, name, "missing", "a value in every row, or in none", _FIXES[name], counts.empty)
        for name, counts in seen.filled.items()
        if 0 < counts.empty < counts.rows
    ]


def _no_row(file: str) -> Problem:
    return Problem(file, None, None, "no row", "at least one", "Check that the export is complete.")


def _mended(problem: Problem) -> Problem:
    """The same problem with what is allowed here and what to do about it, where there are no settings."""
    if problem.column not in _FIXES or problem.line is None:
        return problem
    expected = _AMOUNT if problem.column == "value" else problem.expected
    return replace(problem, expected=expected, fix=_FIXES[problem.column])


def _kept(accepted: pa.Table) -> pa.Table:
    basket = pc.cast(accepted.column("basket_no"), pa.int64())
    day = pc.floor(pc.divide(pc.cast(pc.cast(accepted.column("occurred_at"), pa.int64()), pa.float64()), 8.64e10))
    return pa.table(
        {
            "user_id": accepted.column("user_id").cast(pa.large_string()),
            "item_id": accepted.column("item_id").cast(pa.large_string()),
            "value": accepted.column("value"),
            "basket_no": basket,
            "day": pc.cast(day, pa.int32()),
        }
    )


def _none() -> pa.Table:
    return pa.table({"user_id": pa.array([], pa.large_string()), "item_id": pa.array([], pa.large_string())})


def described(tables: Sequence[pa.Table]) -> list[dict[str, object]]:
    """Of each table its rows, users, items, distinct pairs, and the columns it has."""
    return [
        {
            "rows": table.num_rows,
            "users": pc.count_distinct(table.column("user_id")).as_py(),
            "items": pc.count_distinct(table.column("item_id")).as_py(),
            "pairs": table.group_by(["user_id", "item_id"]).aggregate([]).num_rows,
            "columns": [name for name in table.column_names if name not in ("user_id", "item_id")],
        }
        for table in tables
    ]
