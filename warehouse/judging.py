"""One batch of text rows in the engine: cast, set aside, judged by every rule at once, and told apart."""

from __future__ import annotations

import functools
from datetime import datetime
from typing import Any, Literal

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from warehouse import casting
from warehouse.batches import LINE
from warehouse.casting import literal, quoted, words
from warehouse.contracts import Column, Contract
from warehouse.errors import Problem
from warehouse.row_keys import row_keys
from warehouse.rulebook import KEY, MAX_ID, Rule, asides, rules
from warehouse.settings import Settings, TableSettings
from warehouse.wall_time import zone_rules

ROW = "__row__"
_NULL_LIKE = ("null", "nan", "none", "n/a", "na", "nil", "undefined", "unknown", "0", "-")
# Of a date, a date and time, and those with three or six digits of a second.
_PLAIN_LENGTHS = (10, 19, 23, 26)
_ORDERS_STORED = {
    "kind": "case when is_return then 'return' else 'sale' end",
    "amount": "case when is_return then -abs(paid) else paid end",
    "quantity": "case when is_return then -abs(v_quantity) else v_quantity end",
}


SOURCE_LINE = "source_line"
"""Where a label stood in its file: the order in time of a table without dates."""


def store_columns(contract: Contract) -> list[Column]:
    """The columns of the store that come from the contract, `recorded_at` always among them."""
    columns = list(contract.columns)
    if contract.name == "labels":
        columns.append(Column(SOURCE_LINE, "number"))
    return columns if "recorded_at" in contract.names else [*columns, Column("recorded_at", "time")]


class Judgement:
    """The rows of one batch, judged. `rows` are text columns named as in the file, and `LINE`.

    `moved` counts wall times that a clock change made unclear, by column and how.
    """

    def __init__(
        self,
        cursor: duckdb.DuckDBPyConnection,
        contract: Contract,
        policy: TableSettings,
        settings: Settings,
        loaded_at: datetime,
        rows: pa.Table,
    ) -> None:
        self._cursor, self._contract, self._policy = cursor, contract, policy
        self._rows, self._loaded_at = rows, loaded_at
        self._source_zone = zone_rules(policy.time_zone or settings.time_zone)
        self._business_zone = zone_rules(settings.time_zone)
        self.moved: dict[str, int] = {}
        ours = [*contract.columns, *contract.door]
        place = {name: i for i, name in enumerate(rows.column_names)}
        self._places = {c.name: place[theirs] for c in ours if (theirs := policy.columns.get(c.name, c.name)) in place}
        self._fill = {name: _fill(rows.column(i)) for i, name in enumerate(rows.column_names) if name != LINE}
        clean = frozenset(name for name, i in self._places.items() if is_clean(rows.column(i)))
        self._rules = rules(contract, policy, settings, set(self._places), loaded_at, clean)
        self._judge()
        self._broken = self._any_broken()

    def _text(self, ours: str) -> str:
        """The text of one of our columns, empty as NULL."""
        place = self._places[ours]
        match self._fill[self._rows.column_names[place]]:
            case "all":
                return f"c{place}"
            case "none":
                return "null::varchar"
        return f"nullif(c{place}, '')"

    def _judge(self) -> None:
        """One row per row of the batch: typed values, the policy that sets it aside, and a bit for each broken rule."""
        names = self._rows.column_names
        combined = self._rows.rename_columns([f"c{i}" for i in range(len(names))])
        combined = combined.append_column(ROW, pa.array(np.arange(combined.num_rows), pa.int64()))
        combined = combined.append_column(KEY, self._keys())
        self._cursor.register("raw", combined)
        for name, instants in self._times().items():
            combined = combined.append_column(f"t_{name}", instants)
        self._cursor.register("combined", combined)
        texts = "".join(f", {self._text(name)} as x_{name}" for name in self._places)
        bits = " + ".join(f"case when {rule.broken} then {1 << i} else 0 end" for i, rule in enumerate(self._rules))
        values = ", ".join(f"v_{column.name}" for column in (*store_columns(self._contract), *self._contract.door))
        orders = ", paid, is_return" if self._contract.name == "orders" else ""
        self._cursor.execute(f"""
            create temp table judged as
            with texts as (select *{texts} from combined),
            typed as (select *, {", ".join(self._typed())} from texts),
            sided as (select *, {asides(self._contract, self._policy)} as aside from typed)
            select {ROW}, {values}{orders}, aside,
                {KEY}, case when aside is null then ({bits or 0})::bigint else 0 end as broken
            from sided
        """)

    def _keys(self) -> pa.Array:
        """By what a row is known as a copy: all its columns, or those the policy names where all of them are filled."""
        keys = row_keys(self._rows.drop_columns([LINE]))
        if not self._policy.duplicates_by:
            return keys
        chosen = self._rows.select(list(self._policy.duplicates_by))
        filled = [pc.fill_null(pc.greater(pc.binary_length(texts), 0), False) for texts in chosen.columns]
        return pc.if_else(functools.reduce(pc.and_, filled).combine_chunks(), row_keys(chosen), keys)

    def _times(self) -> dict[str, pa.Array]:
        """Every time column as UTC instants; NULL where the text is no time."""
        columns = [c.name for c in self._contract.columns if c.kind == "time" and c.name in self._places]
        walls: dict[str, pa.ChunkedArray] = {}
        select = []
        for name in columns:
            alike = None if self._policy.time_format else plain_times(self._rows.column(self._places[name]))
            if alike is not None:
                walls[name] = alike
                continue
            wall, offset = casting.wall_and_offset(self._text(name), self._policy.time_format)
            select += [f"epoch_us({wall}) as {quoted(name)}", f"{offset} as {quoted('offset_' + name)}"]
        found = (
            self._cursor.sql(f"select {', '.join(select)} from raw order by {ROW}").to_arrow_table()
            if select
            else pa.table({})
        )
        zoneless = pa.nulls(self._rows.num_rows, pa.int32())
        return {
            name: self._instants(name, walls[name], zoneless)
            if name in walls
            else self._instants(name, found.column(name), found.column(f"offset_{name}"))
            for name in columns
        }

    def _instants(self, name: str, wall: pa.ChunkedArray, offset: pa.ChunkedArray | pa.Array) -> pa.Array:
        """UTC instants of wall times with their offsets, in seconds, where they are known."""
        unread, naive = np.asarray(wall.is_null()), np.asarray(offset.is_null())
        walls, offsets = wall.fill_null(0).to_numpy(), offset.fill_null(0).to_numpy().astype(np.int64)
        from_wall, skipped, twice = self._source_zone.to_utc(walls)
        for label, hit in (("skipped by a clock change", skipped), ("occurs twice", twice)):
            if count := int((hit & naive & ~unread).sum()):
                self.moved[f"{name} {label}"] = count
        return pa.array(np.where(naive, from_wall, walls - offsets * 1_000_000), pa.timestamp("us"), mask=unread)

    def _typed(self) -> list[str]:
        """An expression for every column of the contract, NULL where the file has none."""
        typed = []
        for column in (*store_columns(self._contract), *self._contract.door):
            if column.name not in self._places:
                typed.append(f"null::{casting.STORED_TYPES[column.kind]} as v_{column.name}")
            elif column.kind == "time":
                typed.append(f"t_{column.name} as v_{column.name}")
            else:
                text = casting.pointed(column, f"x_{column.name}", self._policy.numbers)
                typed.append(f"{casting.cast(column, text)} as v_{column.name}")
        return [*typed, *(_money_of_orders(self._policy) if self._contract.name == "orders" else [])]

    def _one(self, query: str) -> tuple[Any, ...]:
        row: tuple[Any, ...] = self._cursor.execute(query).fetchall()[0]
        return row

    def _any_broken(self) -> int:
        """The bits of all rules that any row breaks."""
        return int(self._one("select coalesce(bit_or(broken), 0) from judged")[0])

    def problems(self, file: str) -> list[Problem]:
        """One problem for each rule that is broken: the first line, what it holds, and how many lines."""
        return [self._told(file, i, rule) for i, rule in enumerate(self._rules) if self._broken >> i & 1]

    def _told(self, file: str, i: int, rule: Rule) -> Problem:
        count, first = self._one(f"select count(*), min({ROW}) from judged where broken & {1 << i} <> 0")
        theirs = self._policy.columns.get(rule.column, rule.column)
        texts = self._rows.column(theirs)
        value = texts[first].as_py()
        found = "missing" if not value else _shown(value, rule.masked)
        if rule.lists_values:
            hit = self._cursor.sql(f"select {ROW} from judged where broken & {1 << i} <> 0").to_arrow_table()
            counts = pc.value_counts(texts.take(hit.column(0))).to_pylist()
            top = sorted(counts, key=lambda entry: (-entry["counts"], str(entry["values"])))[:5]
            found = ", ".join(_shown(entry["values"], False) if entry["values"] else "missing" for entry in top)
        column = theirs if theirs == rule.column else f"{theirs} ({rule.column})"
        return Problem(file, self._rows.column(LINE)[first].as_py(), column, found, rule.expected, rule.fix, count)

    def set_aside(self) -> dict[str, int]:
        """Rows set aside, by policy."""
        found = self._cursor.execute("select aside, count(*) from judged where aside is not null group by 1 order by 1")
        return dict(found.fetchall())

    def null_like_ids(self) -> dict[str, int]:
        """How many customers and items are a word for nothing."""
        words_for_nothing = pa.array(_NULL_LIKE)
        found = {}
        for name in (self._contract.entity or "user_id", "item_id"):
            if name in self._places:
                texts = pc.utf8_lower(self._rows.column(self._places[name]))
                found[name] = pc.sum(pc.is_in(texts, words_for_nothing)).as_py() or 0
        return {name: count for name, count in found.items() if count}

    def accepted(self, entity: str | None, open_columns: list[str]) -> pa.Table:
        """Accepted rows with the columns of the store, and `KEY`."""
        contract, loaded = self._contract, literal(self._loaded_at.isoformat(sep=" "))
        select = [f"v_{entity} as entity_id" if entity else "null::varchar as entity_id"]
        happened = f"v_{contract.happened}" if contract.happened else "null"
        recorded = f"coalesce(v_recorded_at, {happened}, timestamp {loaded})"
        stored = _ORDERS_STORED if contract.name == "orders" else {}
        for column in store_columns(contract):
            value = recorded if column.name == "recorded_at" else stored.get(column.name, f"v_{column.name}")
            select.append(f"{value} as {quoted(column.name)}")
        moment = recorded if contract.happened == "recorded_at" else f"{happened}::timestamp"
        rows = self._cursor.sql(
            f"select {', '.join(select)}, {moment} as local_at, {KEY}, {ROW} from judged"
            " where aside is null and broken = 0"
        ).to_arrow_table()
        # The engine keeps the order of rows, as a rule; to look is cheaper than to sort them again.
        if (np.diff(places := rows.column(ROW).to_numpy()) < 0).any():
            rows = rows.take(np.argsort(places))
        rows = rows.set_column(rows.column_names.index("local_at"), "local_at", self._local(rows.column("local_at")))
        positions, key = rows.column(ROW), rows.column(KEY)
        if SOURCE_LINE in rows.column_names:
            lines = self._rows.column(LINE).take(positions).cast(pa.float64())
            rows = rows.set_column(rows.column_names.index(SOURCE_LINE), SOURCE_LINE, lines)
        rows = rows.drop_columns([KEY, ROW])
        for name in open_columns:
            texts = self._rows.column(name).take(positions)
            rows = rows.append_column(name, pc.if_else(pc.equal(texts, ""), None, texts))
        return rows.append_column(KEY, key)

    def _local(self, moments: pa.ChunkedArray) -> pa.Array:
        """The wall times of the business zone at those instants."""
        unknown = np.asarray(moments.is_null())
        walls = self._business_zone.to_wall(moments.cast(pa.int64()).fill_null(0).to_numpy())
        return pa.array(walls, pa.timestamp("us"), mask=unknown)

    def door(self) -> pa.Table:
        """The event ids of accepted rows, with `KEY` and line."""
        if "event_id" not in self._places:
            return pa.table({"event_id": pa.array([], pa.string())})
        found = self._cursor.sql(
            f"select v_event_id as event_id, {KEY}, {ROW} from judged"
            " where aside is null and broken = 0 and v_event_id is not null"
        ).to_arrow_table()
        lines = self._rows.column(LINE).take(found.column(ROW))
        return found.drop_columns([ROW]).append_column("line", lines)

    def rejected(self) -> pa.Table:
        """Rows that break a rule: the line, the reasons, and the columns as in the file."""
        if not self._broken:
            return self._rows.slice(0, 0).append_column("reason", pa.array([], pa.string()))
        said = [
            f"case when broken & {1 << i} <> 0 then "
            + literal(f"{self._policy.columns.get(rule.column, rule.column)}: expected {rule.expected}")
            + " end"
            for i, rule in enumerate(self._rules)
            if self._broken >> i & 1
        ]
        found = self._cursor.sql(
            f"select {ROW}, concat_ws('; ', {', '.join(said)}) as reason from judged where broken <> 0 order by {ROW}"
        ).to_arrow_table()
        return self._rows.take(found.column(ROW)).append_column("reason", found.column("reason"))


def _fill(texts: pa.ChunkedArray) -> Literal["all", "some", "none"]:
    """Whether all of the texts say something, some, or none."""
    lengths = pc.min_max(pc.binary_length(texts)).as_py()
    if not lengths["max"]:
        return "none"
    return "all" if lengths["min"] and not texts.null_count else "some"


def is_clean(texts: pa.ChunkedArray) -> bool:
    """Whether short and of visible ASCII without blanks, so that no rule about letters has to be tried."""
    longest = pc.max(pc.binary_length(texts)).as_py() or 0
    if longest > MAX_ID:
        return False
    for chunk in texts.chunks:
        data = chunk.buffers()[2]
        octets = np.frombuffer(data, np.uint8) if data else np.empty(0, np.uint8)
        if len(octets) and (octets.min() <= ord(" ") or octets.max() > ord("~")):
            return False
    return True


def plain_times(texts: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Microseconds of wall times all written alike, as 2011-06-01 08:26:00, NULL where empty; None where any is not.

    What most files hold, read many times faster than by the expressions that read every form.
    """
    texts = pc.if_else(pc.equal(texts, ""), None, texts)
    lengths = pc.min_max(pc.binary_length(texts)).as_py()
    if lengths["min"] != lengths["max"] or lengths["min"] not in _PLAIN_LENGTHS:
        return None
    try:
        return texts.cast(pa.timestamp("us")).cast(pa.int64())
    except pa.ArrowInvalid:
        return None


def _money_of_orders(policy: TableSettings) -> list[str]:
    """What was paid on the line, and whether it is a return."""
    negative = "(coalesce(v_quantity, 0) < 0 or coalesce(v_amount, 0) < 0)"
    known = {
        "kind": "false",
        "sign": negative,
        "order_prefix": f"({negative} or coalesce(starts_with(v_order_id, {literal(policy.return_prefix)}), false))",
    }[policy.returns]
    told = f"coalesce(lower(v_kind) in {words(casting.RETURN_WORDS)}, false)"
    # Wide enough that the engine does not multiply in 64 bits, where it may overflow.
    product = "try_cast(v_quantity as decimal(19,6)) * v_unit_price::decimal(19,4)"
    return [
        f"coalesce(v_amount, try_cast({product} as decimal(18,4))) as paid",
        f"({told} or {known}) as is_return",
    ]


def _shown(value: str, masked: bool) -> str:
    """A value as an error may show it: personal ones only by their length and first letter."""
    if masked:
        return f'"{value[:1]}…" ({len(value)} characters)'
    return f'"{value[:40]}…"' if len(value) > 40 else f'"{value}"'
