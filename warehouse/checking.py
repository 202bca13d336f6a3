"""Rows of text become rows of the store, or are told why not: every value is judged by the contract.

Each row of a file ends in one of three ways here: accepted, rejected (it breaks a rule) or set aside (it is whole, but by
a stated policy not ours to count: guests, non-orders, non-products, lines without a price, in this order). Being set
aside comes first. Duplicates are found later, among the accepted rows of a whole table.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import duckdb
import numpy as np
import pyarrow as pa

from warehouse import casting
from warehouse.casting import literal, quoted, words
from warehouse.contracts import Column, Contract
from warehouse.engine import connect
from warehouse.errors import Problem
from warehouse.reading import LINE, Batch
from warehouse.rulebook import KEY, Rule, asides, rules
from warehouse.settings import Settings, TableSettings
from warehouse.wall_time import zone_rules

CLOCK_SKEW = timedelta(minutes=5)


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


def entity_column(contract: Contract, settings: Settings) -> str | None:
    """The column by whose values the rows of a table belong together."""
    chosen = {"user": "user_id", "seller": "seller_id", "device": "device_id"}[settings.entity]
    return chosen if contract.entity and chosen in contract.names else contract.entity


def store_columns(contract: Contract) -> list[Column]:
    """The columns of the store that come from the contract, `recorded_at` always among them."""
    columns = list(contract.columns)
    return columns if "recorded_at" in contract.names else [*columns, Column("recorded_at", "time")]


class Checker:
    """Judges batches of text rows of one table. `check` takes a few raw lines of a request as well as a block of a file.

    Columns the contract does not know are ignored, except in open-ended tables, which keep them as text.
    `loaded_at` is the only clock: a naive UTC instant. An engine of its own is kept until `close`.
    """

    def __init__(
        self, contract: Contract, table_settings: TableSettings, settings: Settings, loaded_at: datetime, file: str = ""
    ) -> None:
        self.contract = contract
        self.policy = table_settings
        self.settings = settings
        self.loaded_at = loaded_at
        self.file = file or contract.name
        self._engine = connect(memory_limit=settings.memory_limit)
        self._connection: duckdb.DuckDBPyConnection | None = None
        zones = (table_settings.time_zone or settings.time_zone, settings.time_zone)
        self._source_zone, self._business_zone = (zone_rules(name) for name in zones)

    def close(self) -> None:
        if self._connection is not None:
            self._engine.__exit__(None, None, None)
            self._connection = None

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

    def missing(self, names: list[str]) -> list[Problem]:
        """What a file with these column names lacks; without it no row can be judged."""
        have = set(self.present(names))
        listed = ", ".join(names) or "none"
        fix = f'Name it in [tables.{self.contract.name}.columns]: ours = "theirs".'
        lacking = [(name,) for name in self.contract.required if name not in have]
        lacking += [(column,) for column in self.policy.columns if self.theirs(column) not in names]
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
        taken = {*used, *self.contract.names, LINE, KEY, "entity_id", "recorded_at", "local_at"}
        return sorted(name for name in names if name not in taken)

    @contextmanager
    def _cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        if self._connection is None:
            self._connection = self._engine.__enter__()
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
            judged = _Judgement(self, cursor, rows, names)
            return judged.outcome(batch)


class _Judgement:
    """One batch on its way through the engine."""

    def __init__(
        self, checker: Checker, cursor: duckdb.DuckDBPyConnection, rows: pa.Table, names: list[str]
    ) -> None:
        self.checker = checker
        self.cursor = cursor
        self.names = names
        self.rows = rows
        self.texts = self._texts()
        self.moved: dict[str, int] = {}
        cursor.register("raw", rows.rename_columns([f"c{i}" for i in range(len(rows.column_names))]))
        self._times = self._cast_times()
        self.rules = rules(checker.contract, checker.policy, checker.settings, set(self.texts), checker.loaded_at)

    def _texts(self) -> dict[str, str]:
        """For each of our columns that the file has: the expression of its text, empty as NULL."""
        place = {name: i for i, name in enumerate(self.rows.column_names)}
        ours = [*self.checker.contract.columns, *self.checker.contract.door]
        have = {c.name: place[self.checker.theirs(c.name)] for c in ours if self.checker.theirs(c.name) in place}
        return {name: f"nullif(c{i}, '')" for name, i in have.items()}

    def _cast_times(self) -> pa.Table:
        """Every time column as a UTC instant; NULL where the text is no time."""
        columns = [c for c in self.checker.contract.columns if c.kind == "time" and c.name in self.texts]
        if not columns:
            return pa.table({"c_none": pa.nulls(self.rows.num_rows, pa.int8())})
        select = []
        for column in columns:
            wall, offset = casting.wall_and_offset(self.texts[column.name], self.checker.policy.time_format)
            select += [f"epoch_us({wall}) as {quoted(column.name)}", f"{offset} as {quoted('offset_' + column.name)}"]
        found = self.cursor.sql(f"select {', '.join(select)} from raw").to_arrow_table()
        return pa.table({f"t_{c.name}": self._instants(found, c.name) for c in columns})

    def _instants(self, found: pa.Table, name: str) -> pa.Array:
        wall = found.column(name).combine_chunks()
        offset = found.column(f"offset_{name}").combine_chunks()
        unread = np.asarray(wall.is_null())
        walls = wall.fill_null(0).to_numpy(zero_copy_only=False)
        naive = np.asarray(offset.is_null())
        instants = walls - offset.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64) * 1_000_000
        if naive.any():
            from_wall, skipped, twice = self.checker._source_zone.to_utc(walls)
            instants = np.where(naive, from_wall, instants)
            for label, hit in (("skipped by a clock change", skipped), ("occurs twice", twice)):
                count = int((hit & naive & ~unread).sum())
                if count:
                    self.moved[f"{name} {label}"] = count
        return pa.array(instants, pa.timestamp("us"), mask=unread)

    def outcome(self, batch: Batch) -> Checked:
        self._judge()
        problems, null_likes = self._problems(batch)
        accepted = self._accepted()
        set_aside = dict(
            self.cursor.execute(
                "select aside, count(*) from judged where aside is not null group by aside order by aside"
            ).fetchall()
        )
        rejected = self._rejected(batch)
        return Checked(
            accepted,
            rejected,
            self._door(),
            problems,
            self.rows.num_rows + len(batch.ragged),
            set_aside,
            self.moved,
            null_likes,
        )

    def _judge(self) -> None:
        """One row per row of the batch: typed values, whether it is set aside and why, and which rules it breaks."""
        width = len(self.rows.column_names)
        combined = self.rows.rename_columns([f"c{i}" for i in range(width)])
        for name in self._times.column_names:
            combined = combined.append_column(name, self._times.column(name))
        self.cursor.register("combined", combined)
        broken = ", ".join(f"case when {rule.broken} then {i} end" for i, rule in enumerate(self.rules))
        parts = ", ".join(
            f"{literal(self.rows.column_names[i] + '=')} || nullif(c{i}, '')"
            for i in sorted(range(width), key=lambda i: self.rows.column_names[i])
            if self.rows.column_names[i] != LINE
        )
        line = self.rows.column_names.index(LINE)
        self.cursor.execute(f"""
            create temp table judged as
            with texts as (
                select *, {", ".join(f"{text} as x_{name}" for name, text in self.texts.items())} from combined
            ), typed as (
                select *, {", ".join(self._typed())} from texts
            ), sided as (
                select *, {asides(self.checker.contract, self.checker.policy, set(self.texts))} as aside from typed
            )
            select *, c{line} as line,
                md5_number_lower(concat_ws(chr(31), {parts})) as {KEY},
                case when aside is null then list_filter([{broken}]::integer[], lambda i: i is not null) else [] end as broken
            from sided
        """)

    def _typed(self) -> list[str]:
        """An expression for every column of the contract, NULL where the file has none."""
        contract, policy = self.checker.contract, self.checker.policy
        typed = []
        for column in (*store_columns(contract), *contract.door):
            if column.name not in self.texts:
                typed.append(f"null::{casting.STORED_TYPES[column.kind]} as v_{column.name}")
            elif column.kind == "time":
                typed.append(f"t_{column.name} as v_{column.name}")
            else:
                typed.append(f"{casting.cast(column, f'x_{column.name}')} as v_{column.name}")
        if contract.name == "orders":
            typed += _money_of_orders(policy)
        return typed

    def _problems(self, batch: Batch) -> tuple[list[Problem], dict[str, int]]:
        """The problems of the batch, one for each rule that is broken, and how many ids look like a missing value."""
        found = self.cursor.execute("""
            select rule, count(*), min(line) from (select unnest(broken) as rule, line from judged)
            group by rule order by rule
        """).fetchall()
        problems = [self._told(self.rules[rule], count, line) for rule, count, line in found]
        if batch.ragged:
            first = batch.ragged[0]
            problems.append(
                Problem(self.checker.file, first.line, None, f"{first.found} values", f"{first.expected} values, as many as names",
                        "Quote values that hold the separator, or mend the line.", len(batch.ragged))
            )  # fmt: skip
        ids = [c.name for c in self.checker.contract.columns if c.kind == "id" and c.name in self.texts]
        if not ids:
            return problems, {}
        empty_words = words(("null", "nan", "none", "n/a", "na", "nil", "undefined", "unknown", "0", "-"))
        counts = self.cursor.execute(
            "select " + ", ".join(f"count(*) filter (lower(x_{name}) in {empty_words})" for name in ids) + " from judged"
        ).fetchall()[0]
        return problems, {name: count for name, count in zip(ids, counts, strict=True) if count}

    def _told(self, rule: Rule, count: int, line: int) -> Problem:
        found = rule.found
        if found is None:
            value = self.cursor.execute(
                f"select x_{rule.column} from judged where line = $line limit 1", {"line": line}
            ).fetchall()[0][0]
            found = "missing" if value is None else _shown(value, rule.masked)
        column = self.checker.theirs(rule.column)
        column = column if column == rule.column else f"{column} ({rule.column})"
        if rule.lists_values:
            top = self.cursor.execute(
                f"select x_{rule.column} from judged where list_contains(broken, {self.rules.index(rule)})"
                " group by all order by count(*) desc, 1 limit 5"
            ).fetchall()
            found = ", ".join(_shown(value, False) for (value,) in top)
        return Problem(self.checker.file, line, column, found, rule.expected, rule.fix, count)

    def _accepted(self) -> pa.Table:
        contract, loaded = self.checker.contract, literal(self.checker.loaded_at.isoformat(sep=" "))
        entity = entity_column(contract, self.checker.settings)
        select = [f"v_{entity} as entity_id" if entity else "null::varchar as entity_id"]
        for column in store_columns(contract):
            value = f"v_{column.name}"
            if column.name == "recorded_at":
                happened = f"v_{contract.happened}" if contract.happened else "null"
                value = f"coalesce(v_recorded_at, {happened}, timestamp {loaded})"
            elif contract.name == "orders":
                value = _ORDERS_STORED.get(column.name, value)
            select.append(f"{value} as {quoted(column.name)}")
        happened = "recorded_at" if contract.happened == "recorded_at" else contract.happened
        select.append(f"{quoted(happened) if happened else 'null::timestamp'} as local_at")
        for name in self.checker.open_columns(self.names):
            select.append(f"nullif(c{self.rows.column_names.index(name)}, '') as {quoted(name)}")
        accepted = self.cursor.sql(
            f"select {', '.join(select)}, {KEY} from judged where aside is null and len(broken) = 0"
        ).to_arrow_table()
        return self._with_local(accepted)

    def _with_local(self, accepted: pa.Table) -> pa.Table:
        place = accepted.column_names.index("local_at")
        moment = accepted.column("local_at").cast(pa.int64()).combine_chunks()
        if isinstance(moment, pa.ChunkedArray):
            moment = pa.concat_arrays(moment.chunks) if moment.num_chunks else pa.array([], pa.int64())
        local = self.checker._business_zone.to_wall(moment.fill_null(0).to_numpy(zero_copy_only=False))
        mask = np.asarray(moment.is_null())
        return accepted.set_column(place, "local_at", pa.array(local, pa.timestamp("us"), mask=mask))

    def _door(self) -> pa.Table:
        columns = [c.name for c in self.checker.contract.door if c.name == "event_id" and c.name in self.texts]
        if not columns:
            return pa.table({KEY: pa.array([], pa.uint64())})
        return self.cursor.sql(
            f"select x_event_id as event_id, {KEY}, line from judged"
            " where aside is null and len(broken) = 0 and x_event_id is not null"
        ).to_arrow_table()

    def _rejected(self, batch: Batch) -> pa.Table:
        reasons = [f"{self.checker.theirs(rule.column)}: expected {rule.expected}" for rule in self.rules]
        listed = "([" + ", ".join(literal(reason) for reason in reasons) + "]::varchar[])"
        columns = ", ".join(f"c{i} as {quoted(n)}" for i, n in enumerate(self.rows.column_names) if n != LINE)
        rejected = self.cursor.sql(
            f"select line as {quoted(LINE)}, array_to_string(list_transform(broken, lambda i: {listed}[i + 1]), '; ') as reason,"
            f" {columns} from judged where len(broken) > 0"
        ).to_arrow_table()
        if not batch.ragged:
            return rejected
        ragged = pa.table(
            {
                LINE: pa.array([row.line for row in batch.ragged], pa.int64()),
                "reason": [f"{row.found} values where the header has {row.expected} names" for row in batch.ragged],
            }
        )
        return pa.concat_tables([rejected, ragged], promote_options="default")


_ORDERS_STORED = {
    "kind": "case when is_return then 'return' else 'sale' end",
    "amount": "case when is_return then -abs(paid) else paid end",
    "quantity": "case when is_return then -abs(v_quantity) else v_quantity end",
}


def _money_of_orders(policy: TableSettings) -> list[str]:
    """What was paid on the line, and whether it is a return."""
    negative = "(coalesce(v_quantity, 0) < 0 or coalesce(v_amount, 0) < 0)"
    known = {
        "kind": "false",
        "sign": negative,
        "order_prefix": f"({negative} or coalesce(starts_with(v_order_id, {literal(policy.return_prefix)}), false))",
    }[policy.returns]
    told = f"coalesce(lower(v_kind) in {words(casting.RETURN_WORDS)}, false)"
    return [
        "coalesce(v_amount, try_cast(try_cast(v_quantity as decimal(18,6)) * v_unit_price as decimal(18,4))) as paid",
        f"({told} or {known}) as is_return",
    ]


def _shown(value: str, masked: bool) -> str:
    """A value as an error may show it: personal ones only by their length and first letter."""
    if masked:
        return f'"{value[:1]}…" ({len(value)} characters)'
    return f'"{value[:40]}…"' if len(value) > 40 else f'"{value}"'


def merged(problems: list[Problem]) -> list[Problem]:
    """The same problems with those of one kind put together: the first line, the sum of the counts."""
    kinds: dict[tuple[str, str | None, str, str], Problem] = {}
    for problem in problems:
        kind = (problem.file, problem.column, problem.expected, problem.fix)
        known = kinds.get(kind)
        kinds[kind] = replace(known, count=known.count + problem.count) if known else problem
    return list(kinds.values())
