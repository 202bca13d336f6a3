"""Loads made-up order lines from CSV and prints time, peak memory and size on disk.

    python benchmarks/loading.py --lines 10000000

The lines are drawn, not taken from anywhere: 1 user for 10 lines, prices with two decimals, one line in a thousand a
duplicate of the one before. The file is written first, in a process of its own, so that its memory is not counted.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

sys.path.insert(0, str(Path(__file__).parents[1]))

from warehouse.settings import Settings, TableSettings
from warehouse.store import Store
from warehouse.workspace import Workspace

_CHUNK = 500_000


def write_lines(path: Path, lines: int, seed: int = 7) -> None:
    """Writes order lines in order of time."""
    random = np.random.default_rng(seed)
    users = max(1, lines // 10)
    start = np.datetime64("2023-01-01T00:00:00", "s").astype(np.int64)
    writer = None
    for first in range(0, lines, _CHUNK):
        n = min(_CHUNK, lines - first)
        order = np.arange(first, first + n) // 3
        order[random.random(n) < 0.001] -= 1
        quantity = random.integers(1, 6, n)
        cents = random.integers(100, 20_000, n)
        seconds = start + order * (3 * 365 * 86_400) // max(1, lines // 3)
        table = pa.table(
            {
                "user_id": pa.array(np.char.add("U", np.char.zfill(random.integers(0, users, n).astype(str), 8))),
                "ordered_at": pa.array(seconds, pa.timestamp("s")),
                "order_id": pa.array(order).cast(pa.string()),
                "item_id": pa.array(np.char.add("I", random.zipf(1.3, n).clip(max=20_000).astype(str))),
                "quantity": quantity,
                "unit_price": cents / 100,
                "amount": (cents * quantity) / 100,
                "channel": np.array(["app", "web", "store"])[random.integers(0, 3, n)],
            }
        )
        writer = writer or pacsv.CSVWriter(path, table.schema)
        writer.write_table(table)
        writer.write_table(table.slice(0, n // 1000))
    if writer is not None:
        writer.close()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--lines", type=int, default=2_000_000)
    options.add_argument("--buckets", type=int, default=16)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        path = root / "orders.csv"
        writer = multiprocessing.get_context("spawn").Process(target=write_lines, args=(path, given.lines))
        writer.start()
        writer.join()
        settings = Settings(tables={"orders": TableSettings(files=(path.name,))}, buckets=given.buckets)
        began, cpu = time.perf_counter(), time.process_time()
        store = Store(Workspace(root, settings))

        def show(label: str, done: float, total: float | None = None) -> None:
            print(f"\r{label} {done / (total or 1):.0%}  {time.perf_counter() - began:.0f} s", end="", file=sys.stderr)

        report = store.load_new(datetime(2026, 1, 1), show)
        seconds, work = time.perf_counter() - began, time.process_time() - cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        size = sum(p.stat().st_size for p in (root / "store").rglob("*.parquet")) / 1e6
        print(file=sys.stderr)
        print("\n".join(report.lines()))
        print(f"CSV {path.stat().st_size / 1e6:,.0f} MB, store {size:,.0f} MB")
        print(f"{seconds:.1f} s ({work:.1f} s of CPU), peak {peak:,.0f} MB resident")


if __name__ == "__main__":
    main()
