"""Rows of text become rows of the store, or are told why not: every value is judged by the contract.

Each row of a file ends in one of three ways here: accepted, rejected (it breaks a rule) or set aside (by a stated
policy not ours to count: guests, non-orders, non-products, lines without a price, in this order). Being set aside comes
first. Duplicates are found later, among the accepted rows of a whole table.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime

import duckdb
import numpy as np
import pyarrow as pa

from warehouse.batches import LINE, Batch, Ragged
from warehouse.contracts import EXTRA, Contract, of_sellers
from warehouse.engine import connect
from warehouse.erasures import Person
from warehouse.errors import Problem
from warehouse.judging import SOURCE_LINE, Judgement
from warehouse.rulebook import KEY
from warehouse.settings import Settings, TableSettings

_OF_THE_STORE = ("entity_id", "recorded_at", "local_at", SOURCE_LINE)


@dataclass(frozen=True)
class Checked:
    """What became of the rows of one batch; read = accepted + rejected + set aside.

    `accepted` has the columns of the store, and `KEY`: a hash of every column of the source row, mapped or not.
    `rejected` has the line, the reasons and the columns of the source. `door` holds the columns that are judged over
    a whole load and not kept, beside `KEY` and the line.
    """

    accepted: pa.Table
    rejected: pa.Table
    door: pa.Table
    problems: list[Problem]
    read: int
    set_aside: dict[str, int] = field(default_factory=dict)
    moved_times: dict[str, int] = field(default_factory=dict)
    null_like_ids: dict[str, int] = field(default_factory=dict)
    told: dict[str, int] = field(default_factory=dict)


def entity_column(contract: Contract, settings: Settings) -> str | None:
    """The column by whose values the rows of a table belong together."""
    chosen = {"user": "user_id", "seller": "seller_id", "device": "device_id"}[settings.entity]
    return chosen if contract.entity and chosen in contract.names else contract.entity


def id_column(contract: Contract, settings: Settings, of: Person) -> str | None:
    """The column that holds ids of users, or of sellers where these are the customers; None where there is none.

    There `user_id` holds ids of sellers in tables that name no seller beside it.
    """
    sellers = entity_column(contract, settings) if settings.entity == "seller" else None
    if of == "seller":
        return sellers
    return "user_id" if "user_id" in contract.names and sellers != "user_id" else None


class Checker:
    """Judges batches of text rows of one table: a few raw lines of a request as well as a block of a file.

    Columns the contract does not know are ignored, except in open-ended tables, which keep them as text.
    `loaded_at` is the only clock: a naive UTC instant. Given a `connection` of `engine.connect`, it works there, and
    may be made for every request; without, an engine of its own is kept until `close`.
    """

    def __init__(
        self,
        contract: Contract,
        table_settings: TableSettings,
        settings: Settings,
        loaded_at: datetime,
        file: str = "",
        connection: duckdb.DuckDBPyConnection | None = None,
    ) -> None:
        self.contract = of_sellers(contract) if settings.entity == "seller" else contract
        self.policy = table_settings
        self.settings = settings
        self.loaded_at = loaded_at
        self.file = file or contract.name
        self._connection = connection
        self._engine = ExitStack()

    def close(self) -> None:
        """Ends the engine of its own, if it has one."""
        self._engine.close()

    def __enter__(self) -> Checker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def theirs(self, ours: str) -> str:
        """The name of one of our columns in the file."""
        return self.policy.columns.get(ours, ours)

    def present(self, names: list[str]) -> tuple[str, ...]:
        """Our columns that a file with these column names has."""
        return tuple(c.name for c in (*self.contract.columns, *self.contract.door) if self.theirs(c.name) in names)

    def missing(self, names: list[str], sparse: bool = False) -> list[Problem]:
        """What a file with these column names lacks; without it no row can be judged.

        In `sparse` files, whose records may lack fields, only what the contract requires has to be there.
        """
        have = set(self.present(names))
        listed = ", ".join(names) or "none"
        fix = f'Name it in [tables.{self.contract.name}.columns]: ours = "theirs".'
        fix += "" if have else _misread(names)
        lacking = [(name,) for name in self.contract.required if name not in have]
        if not sparse:
            lacking += [(column,) for column in self.policy.columns if self.theirs(column) not in names]
        if self.contract.name.startswith(EXTRA) and not self.policy.static and "known_at" not in have:
            fix += f" Or declare [tables.{self.contract.name}] static = true: what it says was true at all times."
            lacking.append(("known_at",))
        if self.contract.one_of and not any(have >= set(choice) for choice in self.contract.one_of):
            lacking.append((" or ".join(" and ".join(choice) for choice in self.contract.one_of),))
        return [
            Problem(self.file, 1, None, f"columns {listed}", f"a column {self.theirs(name)} for {name}"
                    if self.theirs(name) != name else f"a column {name}", fix)
            for (name,) in dict.fromkeys(lacking)
        ]  # fmt: skip

    def open_columns(self, names: list[str]) -> list[str]:
        """Columns of the file that are kept as further text columns."""
        if not self.contract.open_ended:
            return []
        used = {self.theirs(column.name) for column in self.contract.columns}
        # The engine does not tell capitals apart in names of columns.
        taken = {n.lower() for n in (*self.contract.names, LINE, KEY, *_OF_THE_STORE)}
        kept: dict[str, str] = {}
        for name in sorted(set(names) - used):
            if name.lower() not in taken and not name.startswith("__"):
                kept.setdefault(name.lower(), name)
        return sorted(kept.values())

    @contextmanager
    def _cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        if self._connection is None:
            self._connection = self._engine.enter_context(connect(memory_limit=self.settings.memory_limit))
        cursor = self._connection.cursor()
        try:
            yield cursor
        finally:
            cursor.close()

    def check(self, raw: pa.Table | Batch) -> Checked:
        """Casts and judges rows: text columns named as in the file, and `LINE` (counted from 1 where it is absent)."""
        batch = raw if isinstance(raw, Batch) else Batch(raw)
        rows = batch.rows
        if LINE not in rows.column_names:
            rows = rows.append_column(LINE, pa.array(np.arange(1, rows.num_rows + 1), pa.int64()))
        names = [name for name in rows.column_names if name != LINE]
        with self._cursor() as cursor:
            judged = Judgement(cursor, self.contract, self.policy, self.settings, self.loaded_at, rows)
            problems = judged.problems(self.file)
            if batch.ragged:
                problems.append(_ragged(self.file, batch.ragged))
            return Checked(
                accepted=judged.accepted(entity_column(self.contract, self.settings), self.open_columns(names)),
                rejected=_with_ragged(judged.rejected(), batch.ragged),
                door=judged.door(),
                problems=problems,
                read=rows.num_rows + len(batch.ragged) + sum(batch.aside.values()),
                set_aside={**batch.aside, **judged.set_aside()},
                told=batch.told,
                moved_times=judged.moved,
                null_like_ids=judged.null_like_ids(),
            )


def _misread(names: list[str]) -> str:
    """What to try where a header has none of our columns: it is parted otherwise, or stands further down."""
    mark = next((mark for mark in ";\t|" if len(names) == 1 and mark in names[0]), None)
    if mark:
        shown = mark.replace("\t", "\\t")
        return f' The columns seem to be parted otherwise: set separator = "{shown}".'
    return " If titles stand above the header, set skip_rows."


def _ragged(file: str, ragged: list[Ragged]) -> Problem:
    first = ragged[0]
    return Problem(
        file,
        first.line,
        None,
        f"a row of {first.found} values",
        f"{first.expected} values, as many as the header has names",
        "Quote values that hold the separator, or mend the line.",
        len(ragged),
    )


def _with_ragged(rejected: pa.Table, ragged: list[Ragged]) -> pa.Table:
    if not ragged:
        return rejected
    lines = pa.array([row.line for row in ragged], pa.int64())
    reasons = [f"{row.found} values where the header has {row.expected} names" for row in ragged]
    return pa.concat_tables([rejected, pa.table({LINE: lines, "reason": reasons})], promote_options="default")


def merged(problems: list[Problem]) -> list[Problem]:
    """The same problems with those of one kind put together: the first line, the sum of the counts."""
    kinds: dict[tuple[str, str | None, str, str], Problem] = {}
    for problem in problems:
        kind = (problem.file, problem.column, problem.expected, problem.fix)
        known = kinds.get(kind)
        kinds[kind] = replace(known, count=known.count + problem.count) if known else problem
    return list(kinds.values())
