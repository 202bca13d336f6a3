"""Build → Parquet of 70 features from order lines: ours beside a scan, a careful pandas and a streaming polars.

    python -m benchmarks.features --lines 1000000 5000000

Each variant runs in a process of its own, two threads each; seconds without imports, peak memory with them. All read
the same Parquet buckets, write the same columns, and their outputs are compared value by value. pandas comes twice:
grouped by the ids, and by whole numbers that were made of them first.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

os.environ.setdefault("POLARS_MAX_THREADS", "2")
sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
import pandas as pd  # noqa: F401  pyarrow imports it with the first array of Python values: imports are not timed
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.order_lines import AS_OF, BUCKETS, READ, files, make
from features.building import write_features
from features.source import StoreSource
from warehouse.engine import connect

FAMILIES = ("recency", "frequency", "regularity", "money", "items", "trend")
Variant = Callable[[Path, Path], None]


@dataclass(frozen=True)
class Buckets:
    """The part of a store that features read, over the benchmark's files."""

    folder: Path
    buckets: int = BUCKETS
    tables: frozenset[str] = frozenset({"orders"})

    @property
    def workspace(self) -> Any:
        settings = SimpleNamespace(
            time_zone="UTC",
            memory_limit="1GB",
            activity=SimpleNamespace(acts="sales"),
            tables={},
            lifecycle=SimpleNamespace(lapsed_after_periods=2),
        )
        return SimpleNamespace(root=self.folder, store=self.folder, settings=settings)

    def files(self, table: str, k: int) -> list[Path]:
        return [self.folder / f"bucket-{k:04d}.parquet"]


def ours(folder: Path, out: Path) -> None:
    write_features(StoreSource(Buckets(folder)), AS_OF, out, families=FAMILIES)  # type: ignore[arg-type]


def scan(folder: Path, out: Path) -> None:
    """Only reads the columns that the others need."""
    with connect([folder]) as connection:
        listed = ", ".join(f"'{path}'" for path in files(folder))
        columns = ", ".join(f"count({name}), min({name})" for name in READ)
        connection.execute(f"select {columns} from read_parquet([{listed}])").fetchall()


OF_ITS_OWN = {"scan only": scan, "ours": ours}
OTHERS = {
    "pandas": ("benchmarks.with_pandas", "by_id"),
    "pandas-numbered": ("benchmarks.with_pandas", "by_number"),
    "polars": ("benchmarks.with_polars", "build"),
}
NAMES = (*OF_ITS_OWN, *OTHERS)


def variant(name: str) -> Variant:
    """What is timed under a name."""
    if name in OF_ITS_OWN:
        return OF_ITS_OWN[name]
    module, function = OTHERS[name]
    build: Variant = getattr(importlib.import_module(module), function)
    return build


def compare(left: Path, right: Path) -> tuple[int, float]:
    """Columns compared and the largest difference, relative to max(1, |a|); NULL, NaN and 0/0 are one."""
    a, b = (pq.read_table(path).sort_by("entity_id") for path in (left, right))
    a = a.filter(pc.is_valid(a["days_since_last_order"])).combine_chunks()
    if a["entity_id"].combine_chunks() != b["entity_id"].cast("string").combine_chunks():
        raise SystemExit(f"{left.name} and {right.name} hold different customers")
    worst = 0.0
    for name in a.column_names[1:]:
        x, y = (t[name].cast("float64").to_numpy() for t in (a, b))
        if (np.isnan(x) != np.isnan(y)).any():
            raise SystemExit(f"{name}: unknown in one of {left.name} and {right.name} only")
        worst = max(worst, float(np.nanmax(np.abs(x - y) / np.maximum(1, np.abs(x)), initial=0)))
    return len(a.column_names) - 1, worst


def run(lines: int, repeats: int) -> None:
    with tempfile.TemporaryDirectory(prefix="reprise-benchmark-") as scratch:
        folder = Path(scratch)
        subprocess.run([sys.executable, __file__, "--make", str(folder), "--lines", str(lines)], check=True)
        print(f"{lines:,} order lines, {os.cpu_count()} cores, best of {repeats}")
        best: dict[str, dict[str, float]] = {}
        for _ in range(repeats):
            for name in NAMES:
                command = [sys.executable, __file__, "--variant", name, str(folder)]
                found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
                if name not in best or found["seconds"] < best[name]["seconds"]:
                    best[name] = found
        for name, found in best.items():
            print(f"  {name:<16} {found['seconds']:7.2f} s  {found['cpu']:7.2f} s of cpu  {found['megabytes']:6.0f} MB")
        for other in OTHERS:
            columns, worst = compare(folder / "ours.out", folder / f"{other}.out")
            print(f"  ours against {other}: {columns} columns, largest relative difference {worst:.1e}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--lines", type=int, nargs="+", default=[1_000_000, 5_000_000])
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--make", type=Path)
    parser.add_argument("--variant", nargs=2)
    given = parser.parse_args()
    if given.make:
        make(given.make, given.lines[0])
    elif given.variant:
        name, folder = given.variant
        build = variant(name)  # imports are not part of the time
        started, spent = time.perf_counter(), time.process_time()
        build(Path(folder), Path(folder) / f"{name}.out")
        seconds, cpu = time.perf_counter() - started, time.process_time() - spent
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"seconds": seconds, "cpu": cpu, "megabytes": peak}))
    else:
        for lines in given.lines:
            run(lines, given.repeats)


if __name__ == "__main__":
    main()
