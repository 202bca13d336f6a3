"""Shaping: what holds for every file, however it is cut into blocks."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from warehouse.batches import LINE, Batch
from warehouse.nesting import exploded, fields_of
from warehouse.reading import joined_header, read_batches
from warehouse.settings import TableSettings
from warehouse.shaping import shaped, shares, unwrapped

cents = st.decimals(min_value=Decimal("-9999.99"), max_value=Decimal("9999.99"), places=2)
weights = st.lists(st.decimals(min_value=0, max_value=500, places=2), min_size=1, max_size=8)


@given(cents, weights)
def test_shares_add_up_to_the_total_exactly(total: Decimal, parts: list[Decimal]) -> None:
    found = shares(total, parts)
    assert sum(found) == total
    whole = sum(parts)
    for part, weight in zip(found, parts, strict=True):
        # Each is within a cent of its exact share.
        assert not whole or abs(part - total * weight / whole) <= Decimal("0.01")


ORDER = TableSettings(
    files=("x.csv",),
    fill_down=("email", "total"),
    fill_down_by="name",
    share_out=("total",),
    summary_rows="^Sum",
    columns={"order_id": "name", "unit_price": "price"},
)
lines = st.lists(
    st.tuples(st.sampled_from(["", "1", "2", "3", "Sum"]), st.sampled_from(["", "a", "b"]),
              st.sampled_from(["", "9", "10.01"]), st.sampled_from(["", "1", "2.5"])),
    max_size=12,
)  # fmt: skip


@given(lines, st.data())
def test_rows_are_the_same_however_the_file_is_cut(rows: list[tuple[str, ...]], data: Any) -> None:
    names = ("name", "email", "total", "price")
    table = pa.table({name: pa.array([row[i] for row in rows], pa.string()) for i, name in enumerate(names)})
    table = table.append_column(LINE, pa.array(range(2, len(rows) + 2), pa.int64()))
    cuts = sorted({0, len(rows), *data.draw(st.lists(st.integers(0, len(rows)), max_size=4))})
    pieces = [Batch(table.slice(a, b - a)) for a, b in pairwise(cuts)]

    def result(batches: list[Batch]) -> tuple[list[dict[str, Any]], dict[str, int]]:
        out = list(shaped(batches, ORDER, "x.csv"))
        aside: dict[str, int] = {}
        for batch in out:
            for label, count in batch.aside.items():
                aside[label] = aside.get(label, 0) + count
        return [row for batch in out for row in batch.rows.to_pylist()], aside

    found, aside = result(pieces)
    assert (found, aside) == result([Batch(table)])
    assert len(found) + sum(aside.values()) == len(rows)


def test_what_stands_on_the_first_line_goes_no_further_than_its_order() -> None:
    table = pa.table(
        {
            "name": ["1", "1", "2", "", "3"],
            "email": ["a", "", "", "", "c"],
            "total": ["9", "", "", "", "1"],
            "price": ["2", "1", "5", "5", "1"],
            LINE: [2, 3, 4, 5, 6],
        }
    )
    found = [row for batch in shaped([Batch(table)], ORDER, "x.csv") for row in batch.rows.to_pylist()]
    assert [(row["name"], row["email"], row["total"], row["name.line"]) for row in found] == [
        ("1", "a", "6.00", "1"),
        ("1", "a", "3.00", "2"),
        ("2", "", "", "1"),
        ("2", "", "", "2"),
        ("3", "c", "1.00", "1"),
    ]


@pytest.mark.parametrize(
    ("text", "marks", "meant"),
    [
        ('="007"', ['="…"'], "007"),
        ("-¥1,200.00", ["¥…"], "-1,200.00"),
        ("¥-12", ["¥…"], "-12"),
        ("9.9元", ["¥…", "…元"], "9.9"),
        ("9001\t", ["…\t"], "9001"),
        ("plain", ['="…"', "…\t"], "plain"),
        ("$5 (net)", ["$…"], "5 (net)"),
    ],
)
def test_what_stands_around_a_value(text: str, marks: list[str], meant: str) -> None:
    assert unwrapped(pa.chunked_array([[text]]), marks).to_pylist() == [meant]


def test_a_header_of_two_lines() -> None:
    assert joined_header([["Order", "", "Buyer", ""], ["id", "time", "id", "name"]]) == [
        "Order id",
        "time",
        "Buyer id",
        "name",
    ]
    assert joined_header([["Order", "Note"], ["id", ""]]) == ["id", "Note"]


def test_nested_values() -> None:
    params = [
        {"key": "page", "value": {"string_value": None, "int_value": 3}},
        {"key": "ok", "value": {"string_value": "x"}},
    ]
    assert fields_of("p", params, frozenset()) == {"p.page": 3, "p.ok": "x"}
    assert fields_of("a", {"b": {"c": 1}, "list": [1, 2]}, frozenset()) == {"a.b.c": 1, "a.list": [1, 2]}
    rows, columns = exploded("i", [[{"a": 1}, {"b": 2}], None, []])
    assert rows.tolist() == [0, 0, 1, 2]
    assert columns == {"i.position": ["1", "2", "1", "1"], "i.a": [1, None, None, None], "i.b": [None, 2, None, None]}


def test_blocks_of_a_file_cut_an_order(tmp_path: Path, write: Callable[[Path], int]) -> None:
    path = tmp_path / "x.csv"
    count = write(path)
    whole = [row for batch in read_batches(path, ORDER) for row in batch.rows.to_pylist()]
    small = [row for batch in read_batches(path, ORDER, block=64) for row in batch.rows.to_pylist()]
    assert small == whole
    assert len(whole) == count
    assert sum(Decimal(row["total"]) for row in whole) == 10 * 100


@pytest.fixture
def write() -> Callable[[Path], int]:
    def orders(path: Path) -> int:
        lines = [
            f"{n},{'u' if not line else ''},{'10.00' if not line else ''},1" for n in range(100) for line in range(7)
        ]
        path.write_text("name,email,total,price\n" + "\n".join(lines) + "\n", encoding="utf-8")
        return len(lines)

    return orders
