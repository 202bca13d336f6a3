"""Small workspaces made of a few lines of text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from warehouse.checking import Checked, Checker
from warehouse.contracts import CONTRACTS
from warehouse.settings import Settings, TableSettings
from warehouse.workspace import Workspace

LOADED_AT = datetime(2026, 1, 1)


@pytest.fixture
def make_workspace(tmp_path: Path) -> Callable[..., Workspace]:
    """`make_workspace(orders="a,b\\n…", policies={"orders": {…}}, time_zone=…)`: one CSV file a table."""

    def make(
        policies: dict[str, dict[str, Any]] | None = None,
        buckets: int = 2,
        time_zone: str = "UTC",
        **tables: str | bytes,
    ) -> Workspace:
        settings = {}
        for table, content in tables.items():
            path = tmp_path / f"{table}.csv"
            path.write_bytes(content.encode() if isinstance(content, str) else content)
            settings[table] = TableSettings(**{"files": (path.name,), **(policies or {}).get(table, {})})
        return Workspace(tmp_path, Settings(tables=settings, buckets=buckets, time_zone=time_zone))

    return make


@pytest.fixture
def check() -> Iterator[Callable[..., Checked]]:
    """`check("orders", user_id=["u1"], …)`: judges columns of text, with the table's policies under `policy`."""
    opened: list[Checker] = []

    def judge(
        table: str,
        policy: dict[str, Any] | None = None,
        settings: dict[str, Any] | None = None,
        **columns: list[str | None],
    ) -> Checked:
        raw = pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})
        checker = Checker(
            CONTRACTS[table],
            TableSettings(files=("x.csv",), **(policy or {})),
            Settings(**(settings or {})),
            LOADED_AT,
            "x.csv",
        )
        opened.append(checker)
        return checker.check(raw)

    yield judge
    for checker in opened:
        checker.close()
