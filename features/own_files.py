"""The SQL files of a workspace: read, held to the same lint as ours, and tried on empty tables before they count.

A file begins with its grain; then each column may have a line of its own: `-- name | unit | meaning | 含义 | 0`, where
the last part is its value for a customer of whom the file says nothing (unknown, if it is left out).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa

from features.catalogue import Feature
from features.engines import DuckDBEngine
from features.lint import problems_in
from features.own import OwnFile, family_of_file
from features.periods import calendar
from features.relations import rows
from features.seasons import festival_days
from features.statements import Statement, staging_for, statements
from warehouse.contracts import CONTRACTS
from warehouse.engine import connect
from warehouse.errors import DataProblemError, Problem, SettingsError

VIEWS = ("orders", "events", "users", "contacts", "tags", "items")
_OF_POPULATION = ("item_prices", "festival_days")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_MEANING = re.compile(r"^--\s*([^|]+?)\s*\|(.*)$")
_QUERIES = re.compile(r"\b([a-z_][a-z0-9_]*)\s+as\s+\(")
_ANY_DAY = date(2000, 1, 1)
_WORDS = {"category", "*"}


def checked_files(folder: Path) -> tuple[OwnFile, ...]:
    """The files of that folder, sorted by name; none where there is no folder.

    `SettingsError` lists every problem of every file with its line.
    """
    paths = sorted(folder.glob("*.sql")) if folder.is_dir() else []
    found: list[OwnFile] = []
    problems: list[Problem] = []
    with connect() as connection:
        for path in paths:
            try:
                found.append(_checked(connection, path))
            except _WrongFileError as error:
                problems += error.problems
    if problems:
        told = "\n".join(str(problem) for problem in problems)
        raise SettingsError(f"The features of this workspace's own cannot be counted.\n{told}")
    return tuple(found)


class _WrongFileError(DataProblemError):
    """The problems of one file."""


def readable() -> tuple[str, ...]:
    """The tables that a file may read: views cut at the cutoff, and what ours are staged in."""
    staged = {re.sub(r"^(acts|rfm_values|worth)_of_.*", r"\1", name) for name in statements("staging")}
    return (*VIEWS, *_OF_POPULATION, *sorted(staged))


def _checked(connection: duckdb.DuckDBPyConnection, path: Path) -> OwnFile:
    name, shown = path.stem, f"features/extra/{path.name}"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _wrong(shown, None, "what cannot be read as text", "a file in UTF-8", "Save it as UTF-8.") from error
    if not _NAME.fullmatch(name):
        raise _wrong(shown, None, f'the name "{name}"', "lower-case letters, digits and _", "Rename the file.")
    found = [
        Problem(shown, line, None, said, "what both engines count alike, and only before the cutoff", _FIX)
        for line, said in problems_in(text)
    ]
    if found:
        raise _WrongFileError(f"{shown} breaks the rules.", found)
    statement = Statement(family_of_file(name), text)
    _refuse_other_tables(connection, statement, shown)
    described = _tried(connection, statement, shown)
    meanings = dict(_meanings(text, shown))
    for column, (line, *_) in meanings.items():
        if column not in described:
            raise _wrong(shown, line, f'a meaning of "{column}"', f"columns it has: {', '.join(described)}", "Mend it.")
    features = tuple(_feature(statement.name, column, kind, meanings) for column, kind in described.items())
    return OwnFile(name, text, features)


_FIX = "Mend the file; docs/own_features.md says what may stand in it."


def _wrong(file: str, line: int | None, found: str, expected: str, fix: str) -> _WrongFileError:
    return _WrongFileError(f"{file} cannot be read.", [Problem(file, line, None, found, expected, fix)])


def _refuse_other_tables(connection: duckdb.DuckDBPyConnection, statement: Statement, shown: str) -> None:
    """What a file reads is asked of the engine's own parser: a comma or brackets hide nothing from it."""
    try:
        read = connection.get_table_names(_bindless(statement))
    except duckdb.Error as error:
        raise _engine(statement, shown, error) from error
    # The parser leaves out what belongs to the engine; the words after from and join do not.
    named = statement.reads - frozenset(_QUERIES.findall(statement.body))
    for table in sorted((read | named) - set(readable())):
        line = _line_of(statement.body, table)
        expected = f"one of {', '.join(readable())}"
        raise _wrong(shown, line, f'the table "{table}"', expected, "Rows at or after the cutoff cannot be read.")


def _bindless(statement: Statement) -> str:
    """The text with a number for each value: what is asked for names takes no values."""
    return re.sub(r":([a-z_][a-z0-9_]*)", "0", statement.body)


def _tried(connection: duckdb.DuckDBPyConnection, statement: Statement, shown: str) -> dict[str, str]:
    """Runs the file on empty tables; the kind of each column but `entity_id`."""
    engine = DuckDBEngine(connection)
    for table in VIEWS:
        number = "* replace (cast(entity_id as int) as entity_id)" if CONTRACTS[table].entity else "*"
        key = ", cast(null as bigint) as item_key" if table == "items" else ""
        empty = rows(engine, table, None, "UTC")
        engine.view(table, f"select {number}{key} from {empty} as none_yet")
    engine.give("act_events", pa.table({"event": pa.array([], pa.string())}))
    engine.give("festival_days", festival_days())
    engine.give("calendar", calendar())
    values = {"every_event": True, "lapsed_after": 2}
    try:
        prices = statements("population")
        engine.keep("item_sums", prices["item_sums"].body)
        prices["item_prices"].keep(engine, _ANY_DAY)
        for staged in staging_for([statement], "acts_of_sales", "rfm_values_of_sales", "worth_of_sales"):
            staged.keep(engine, _ANY_DAY, values)
        schema = statement.table(engine, _ANY_DAY).schema
    except duckdb.Error as error:
        raise _engine(statement, shown, error) from error
    if "entity_id" not in schema.names:
        raise _wrong(shown, None, f"columns {', '.join(schema.names)}", "entity_id among them", "Select entity_id.")
    wrong = [name for name in schema.names if not _NAME.fullmatch(name)]
    if wrong:
        raise _wrong(
            shown, _line_of(statement.body, wrong[0]), f'a column "{wrong[0]}"', "lower-case names", "Rename it."
        )
    return {field.name: _kind(field, statement, shown) for field in schema if field.name != "entity_id"}


def _kind(field: pa.Field, statement: Statement, shown: str) -> str:
    kind = field.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return "category"
    if any(
        test(kind) for test in (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_boolean)
    ):
        return "number"
    line = _line_of(statement.body, field.name)
    raise _wrong(shown, line, f"{field.name}, which is {kind}", "numbers or text", "Count days, or cast it.")


def _engine(statement: Statement, shown: str, error: duckdb.Error) -> _WrongFileError:
    """What the engine says of a file, with the line of the file."""
    said = str(error).strip()
    at = re.search(r"LINE (\d+):", said)
    named = re.search(r'"([^"]+)"', said)
    line = int(at[1]) if at else _line_of(statement.body, named[1]) if named else None
    return _wrong(shown, line, said.splitlines()[0], "SQL that the engine can run", _FIX)


def _line_of(text: str, word: str) -> int | None:
    found = re.search(rf"\b{re.escape(word)}\b", text)
    return text[: found.start()].count("\n") + 1 if found else None


def _meanings(text: str, shown: str) -> Iterator[tuple[str, tuple[int, str, str, str, float | None]]]:
    """The lines of meaning: the line, unit, English, Chinese, and what stands for nothing."""
    for number, line in enumerate(text.splitlines(), 1):
        told = _MEANING.match(line)
        if told is None:
            continue
        parts = [part.strip() for part in told[2].split("|")]
        if not 2 <= len(parts) <= 4 or not parts[1] or (len(parts) == 4 and parts[3] not in ("", "0", "?")):
            expected = "-- name | unit | meaning | 含义, and | 0 where nothing counts as 0"
            raise _wrong(shown, number, line, expected, "Write the line so.")
        unit, en, zh, nothing = (*parts, "", "")[:4]
        yield told[1], (number, unit, en, zh or en, 0.0 if nothing == "0" else None)


def _feature(
    family: str, column: str, kind: str, meanings: dict[str, tuple[int, str, str, str, float | None]]
) -> Feature:
    plain = column.replace("_", " ")
    _, unit, en, zh, absent = meanings.get(column, (0, "", plain, plain, None))
    told = None if kind == "category" else "" if unit in _WORDS else unit
    return Feature(column, family, kind, told, None, en, zh, False, absent if kind == "number" else None)  # type: ignore[arg-type]
