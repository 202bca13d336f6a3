"""Batches of text on their way from the file to the rules, shaped as the table's settings say, in their order.

Only what is declared is done. Rows set aside here are counted by their label; what spans lines (an order whose first
line says what holds for all) is carried from batch to batch.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from decimal import Decimal
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from warehouse import nesting
from warehouse.batches import LINE, Batch
from warehouse.casting import COMMA, GROUPED, NUMBER
from warehouse.contracts import CONTRACTS
from warehouse.errors import DataProblemError, Problem
from warehouse.settings import TableSettings

SUMMARY = "summary rows"
_MONEY = {c.name for contract in CONTRACTS.values() for c in contract.columns if c.kind in ("money", "quantity")}
_Places = npt.NDArray[np.int64]


def unwrapped(texts: pa.ChunkedArray, marks: Iterable[str]) -> pa.ChunkedArray:
    """The texts without what stands around them, mark after mark; a sign may stand before the mark."""
    for mark in marks:
        before, after = mark.split("…")
        pattern = f"(?s)^([+-]?){re.escape(before)}(.*){re.escape(after)}$"
        texts = pc.replace_substring_regex(texts, pattern, r"\1\2")
    return texts


def plain_name(name: str, settings: TableSettings) -> str:
    """A name of the header without what stands around it."""
    return str(unwrapped(pa.chunked_array([[name]]), settings.unwrap)[0].as_py()).strip()


def shaped(
    batches: Iterable[Batch], settings: TableSettings, file: str, promised: frozenset[str] = frozenset()
) -> Iterator[Batch]:
    """The batches of one file, shaped; columns of `promised` that a batch lacks are empty there."""
    shaper = Shaper(settings, file, promised)
    share = 0.0
    for batch in batches:
        share = batch.share
        yield shaper.shape(batch)
    if (rest := shaper.rest()) is not None:
        yield replace(rest, share=share)


class Shaper:
    """Shapes the batches of one file in their order; `rest` gives what was held back at the end."""

    def __init__(self, settings: TableSettings, file: str, promised: frozenset[str] = frozenset()) -> None:
        self._settings, self._file, self._promised_names = settings, file, promised
        self._held: pa.Table | None = None
        self._last: pa.Table | None = None
        self._line = 0
        self._told: frozenset[str] = frozenset()

    @cached_property
    def _nested(self) -> tuple[str, ...]:
        explode = self._settings.explode
        return (*self._settings.flatten, *([explode] if explode else []))

    def shape(self, batch: Batch) -> Batch:
        rows, aside, notes = batch.rows, dict(batch.aside), {}
        rows = self._unwrapped(rows)
        rows = self._without_summaries(rows, aside)
        before = rows.num_rows
        rows, orders = self._unnested(rows)
        if rows.num_rows != before:
            notes[f"rows more than records, by the entries of {self._settings.explode}"] = rows.num_rows - before
        self._refuse_unknown(rows)
        notes |= self._refunds(rows)
        rows = self._filled(rows)
        rows = self._with_values(rows)
        if self._settings.share_out:
            rows, orders = self._whole_orders(rows, orders)
        return replace(self._finished(rows, orders, aside), ragged=batch.ragged, share=batch.share, told=notes)

    def rest(self) -> Batch | None:
        """The order that was held back until its next lines could be seen."""
        held, self._held = self._held, None
        return self._finished(held, None, {}) if held is not None and held.num_rows else None

    def _finished(self, rows: pa.Table, orders: _Places | None, aside: dict[str, int]) -> Batch:
        rows = self._shared_out(rows, orders)
        return Batch(self._without_asides(rows, aside), aside=aside)

    def _unwrapped(self, rows: pa.Table) -> pa.Table:
        if not (self._settings.unwrap or self._settings.money_marks):
            return rows
        money = {self._settings.columns.get(name, name) for name in _MONEY} | {
            *self._settings.share_out,
            self._settings.refunded,
        }
        for place, name in enumerate(rows.column_names):
            if name != LINE:
                texts = unwrapped(rows.column(place), self._settings.unwrap)
                if name in money:
                    texts = unwrapped(texts, self._settings.money_marks)
                rows = rows.set_column(place, name, texts)
        return rows

    def _without_summaries(self, rows: pa.Table, aside: dict[str, int]) -> pa.Table:
        if not self._settings.summary_rows:
            return rows
        hit = _fits(rows.column(0), self._settings.summary_rows)
        return _kept(rows, hit, SUMMARY, aside)

    def _unnested(self, rows: pa.Table) -> tuple[pa.Table, _Places | None]:
        """Rows with flat columns, and the record of each row where records were exploded."""
        explode = self._settings.explode
        whole = frozenset([explode] if explode else [])
        for name in self._settings.flatten:
            if name in rows.column_names:
                fields = nesting.flattened(name, nesting.decoded(rows.column(name)), whole)
                rows = _with(rows.drop_columns([name]), fields)
        orders: _Places | None = None
        if explode is not None and explode in rows.column_names:
            orders, fields = nesting.exploded(explode, nesting.decoded(rows.column(explode)))
            rows = _with(rows.drop_columns([explode]).take(pa.array(orders)), fields)
        return self._promised(rows), orders

    def _promised(self, rows: pa.Table) -> pa.Table:
        """Fields that no record of this batch has, but the settings name: they are empty."""
        named = (name for _, name in self._settings.named())
        inside = (name for name in named if any(name.startswith(f"{nested}.") for nested in self._nested))
        for name in sorted(self._promised_names | set(inside)):
            if name not in rows.column_names:
                rows = rows.append_column(name, pa.nulls(rows.num_rows, pa.string()))
        return rows

    def _refuse_unknown(self, rows: pa.Table) -> None:
        """`DataProblemError` for a setting that names a column the file lacks."""
        names = frozenset(rows.column_names)
        if names == self._told:
            return
        self._told = names
        numbered = f"{self._settings.fill_down_by}.line"
        problems = [
            Problem(self._file, 1, None, f"columns {', '.join(sorted(names - {LINE}))}",
                    f"a column {name} for {setting}", f"Take it out of {setting} in reprise.toml, or mend the export.")
            for setting, name in dict.fromkeys(self._settings.named())
            if name not in names and name != numbered
        ]  # fmt: skip
        if problems:
            raise DataProblemError(f"{self._file} lacks columns that reprise.toml names.", problems)

    def _filled(self, rows: pa.Table) -> pa.Table:
        """Rows with what stands on the first line of several on all of them, and the lines numbered."""
        settings = self._settings
        if not (settings.fill_down or settings.fill_down_by):
            return rows
        if not rows.num_rows:
            return _set(rows, f"{settings.fill_down_by}.line", pa.array([], pa.string()))
        carried = 0 if self._last is None else 1
        if self._last is not None:
            rows = pa.concat_tables([self._last, rows], promote_options="default")
        by = settings.fill_down_by
        starts = _starts(rows.column(by), going_on=True) if by else _one_start(rows.num_rows)
        places = np.arange(rows.num_rows)
        for name in (*settings.fill_down, *([by] if by else [])):
            texts = rows.column(name)
            filled = np.asarray(pc.fill_null(pc.greater(pc.binary_length(texts), 0), False))
            last = np.maximum.accumulate(np.where(filled, places, -1))
            rows = _set(rows, name, texts.take(pa.array(np.where(last >= starts, last, places))))
        if settings.fill_down_by:
            number = places - starts + 1 + np.where(starts == 0, self._line - carried, 0)
            self._line = int(number[-1])
            rows = _set(rows, f"{settings.fill_down_by}.line", pa.array(number).cast(pa.string()))
        self._last = rows.slice(rows.num_rows - 1)
        if f"{settings.fill_down_by}.line" in self._last.column_names:
            self._last = self._last.drop_columns([f"{settings.fill_down_by}.line"])
        return rows.slice(carried)

    def _refunds(self, rows: pa.Table) -> dict[str, int]:
        """How many rows say that money was given back, though not when."""
        name = self._settings.refunded
        if name is None:
            return {}
        amounts = [self._number(text) for text in rows.column(name).to_pylist()]
        count = sum(amount is not None and amount != 0 for amount in amounts)
        return {f"rows with {name}: money given back nobody knows when, so they stay sales": count} if count else {}

    def _with_values(self, rows: pa.Table) -> pa.Table:
        for name, other in self._settings.if_empty.items():
            texts = rows.column(name)
            rows = _set(rows, name, pc.if_else(_empty(texts), rows.column(other), texts))
        for name, meant in self._settings.values.items():
            texts = pc.fill_null(rows.column(name), "")
            place = pc.index_in(texts, pa.array(list(meant), pa.string()))
            said = pa.array(list(meant.values()), pa.string()).take(pc.fill_null(place, 0).combine_chunks())
            rows = _set(rows, name, pc.if_else(pc.is_valid(place).combine_chunks(), said, texts.combine_chunks()))
        return rows

    def _whole_orders(self, rows: pa.Table, orders: _Places | None) -> tuple[pa.Table, _Places | None]:
        """Whole orders: lines of the last one may follow in the next batch, so it is held back until then."""
        if orders is not None:
            return rows, orders
        if self._held is not None:
            rows = pa.concat_tables([self._held, rows], promote_options="default")
        starts = self._order_starts(rows)
        cut = int(starts[-1]) if len(starts) else 0
        self._held = rows.slice(cut)
        return rows.slice(0, cut), None

    def _order_starts(self, rows: pa.Table) -> _Places:
        name = self._settings.columns.get("order_id", "order_id")
        if name not in rows.column_names:
            raise DataProblemError(
                f"{self._file} has no order_id, so nothing can be shared out over the lines of an order.",
                hint="Name its column, or take share_out out of reprise.toml.",
            )
        return _starts(rows.column(name)) if rows.num_rows else np.zeros(0, np.int64)

    def _shared_out(self, rows: pa.Table, orders: _Places | None) -> pa.Table:
        if not self._settings.share_out or not rows.num_rows:
            return rows
        starts = orders if orders is not None else self._order_starts(rows)
        prices, quantities = (self._numbers(rows, ours) for ours in ("unit_price", "quantity"))
        weights = [
            abs((p or Decimal(0)) * (q if q is not None else 1)) for p, q in zip(prices, quantities, strict=True)
        ]
        bounds = [0, *(np.flatnonzero(np.diff(starts)) + 1), rows.num_rows]
        for name in self._settings.share_out:
            texts = rows.column(name).to_pylist()
            for start, end in pairwise(bounds):
                total = self._number(texts[start])
                if total is not None:
                    texts[start:end] = map(str, shares(total, weights[start:end]))
            rows = _set(rows, name, pa.array(texts, pa.string()))
        return rows

    def _numbers(self, rows: pa.Table, ours: str) -> list[Decimal | None]:
        name = self._settings.columns.get(ours, ours)
        if name not in rows.column_names:
            return [None] * rows.num_rows
        return [self._number(text) for text in rows.column(name).to_pylist()]

    def _number(self, text: str | None) -> Decimal | None:
        """A text as a number, written as the settings say; None where it is none."""
        form = self._settings.numbers
        if not text:
            return None
        if form == "1,234.56" and re.fullmatch(GROUPED, text):
            text = text.replace(",", "")
        if form == "1.234,56":
            text = text.replace(".", "").replace(",", ".") if re.fullmatch(COMMA, text) else ""
        return Decimal(text) if re.fullmatch(NUMBER, text) else None

    def _without_asides(self, rows: pa.Table, aside: dict[str, int]) -> pa.Table:
        for label, policy in self._settings.set_aside.items():
            hit = _fits(rows.column(policy.column), policy.fits or policy.fits_not or "")
            rows = _kept(rows, hit if policy.fits is not None else pc.invert(hit), label, aside)
        return rows


def shares(total: Decimal, weights: list[Decimal]) -> list[Decimal]:
    """The total in parts by weight, to the cent or as fine as it is written; the parts sum up to it exactly.

    Without any weight the first part has it all.
    """
    unit = min(Decimal("0.01"), Decimal(1).scaleb(int(total.as_tuple().exponent)))
    whole, parts, gone, before = sum(weights), [], Decimal(0), Decimal(0)
    for weight in weights:
        gone += weight
        until = (total * gone / whole).quantize(unit) if whole else total
        parts.append(until - before)
        before = until
    return parts


def _starts(keys: pa.ChunkedArray, going_on: bool = False) -> _Places:
    """For each row the first row of its run of equal keys; without a key it stands alone, or with the row above."""
    texts = np.asarray(pc.fill_null(keys, "").to_pylist(), dtype=object)
    if going_on and len(texts):
        texts = texts[np.maximum.accumulate(np.where(texts != "", np.arange(len(texts)), 0))]
    fresh = np.ones(len(texts), dtype=bool)
    fresh[1:] = (texts[1:] != texts[:-1]) | (not going_on and texts[1:] == "")
    return np.maximum.accumulate(np.where(fresh, np.arange(len(texts)), 0))


def _one_start(rows: int) -> _Places:
    return np.zeros(rows, dtype=np.int64)


def _empty(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.fill_null(pc.equal(texts, ""), True)


def _fits(texts: pa.ChunkedArray, pattern: str) -> pa.ChunkedArray:
    return pc.match_substring_regex(pc.fill_null(texts, ""), pattern)


def _kept(rows: pa.Table, hit: pa.ChunkedArray, label: str, aside: dict[str, int]) -> pa.Table:
    count = pc.sum(hit).as_py() or 0
    if not count:
        return rows
    aside[label] = aside.get(label, 0) + count
    return rows.filter(pc.invert(hit))


def _set(rows: pa.Table, name: str, texts: pa.ChunkedArray | pa.Array) -> pa.Table:
    if name in rows.column_names:
        return rows.set_column(rows.column_names.index(name), name, texts)
    return rows.append_column(name, texts)


def _with(rows: pa.Table, columns: dict[str, nesting.Nested]) -> pa.Table:
    for name, values in columns.items():
        rows = _set(rows, name, pa.array([nesting.as_text(value) for value in values], pa.string()))
    return rows
