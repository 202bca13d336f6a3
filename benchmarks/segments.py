"""Segments on made order lines, ten a customer: seconds, cpu and peak memory of each question, a process each.

python -m benchmarks.segments --lines 1000000
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
import pyarrow.parquet as pq

from benchmarks.features import Buckets
from benchmarks.order_lines import AS_OF
from features.building import build_features, write_features
from features.catalogue import available, by_name, families_of
from features.population import count_population
from features.source import StoreSource
from insights.differences import differences
from insights.segments import segments, wanted
from insights.transitions import transitions


class Columns:
    """The columns of a file, one at a time, as `reprise segments differences` reads them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.column_names = pq.read_schema(path).names

    def column(self, name: str):  # type: ignore[no-untyped-def]
        return pq.read_table(self.path, columns=[name]).column(name)


def source(folder: Path) -> StoreSource:
    return StoreSource(Buckets(folder))  # type: ignore[arg-type]


def population(folder: Path) -> None:
    count_population(source(folder), AS_OF, ["rfm"])


def table(folder: Path) -> None:
    rows = source(folder)
    names = wanted(available(rows.tables))
    found = count_population(rows, AS_OF, families_of(names))
    built = build_features(rows.with_population(found), AS_OF, families=families_of(names), names=names)
    segments(built, AS_OF, found["rfm_thresholds"].to_pylist()[0], date(2023, 12, 1))


def moves(folder: Path) -> None:
    transitions(source(folder), AS_OF - timedelta(days=90), AS_OF, date(2023, 12, 1))


def features(folder: Path) -> None:
    write_features(source(folder), AS_OF, folder / "features.out")


def special(folder: Path) -> None:
    columns = Columns(folder / "features.out")
    types = np.asarray(columns.column("rfm_type").to_numpy(), dtype=object)
    differences(columns, types == "important_keep", by_name(), {"rfm_type"})


QUESTIONS: dict[str, Callable[[Path], None]] = {
    "cuts of RFM": population,
    "segments": table,
    "transitions": moves,
    "all features": features,
    "differences": special,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--question", nargs=2)
    given = parser.parse_args()
    if given.question:
        name, folder = given.question
        started, spent = time.perf_counter(), time.process_time()
        QUESTIONS[name](Path(folder))
        seconds, cpu = time.perf_counter() - started, time.process_time() - spent
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"seconds": seconds, "cpu": cpu, "megabytes": peak}))
        return
    with tempfile.TemporaryDirectory(prefix="reprise-benchmark-") as scratch:
        made = (
            f"from benchmarks.order_lines import make; from pathlib import Path; make(Path({scratch!r}), {given.lines})"
        )
        subprocess.run([sys.executable, "-c", made], check=True)
        print(f"{given.lines:,} order lines, {given.lines // 10:,} customers")
        for name in QUESTIONS:
            command = [sys.executable, "-m", "benchmarks.segments", "--question", name, scratch]
            found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            print(f"  {name:<14} {found['seconds']:7.2f} s  {found['cpu']:7.2f} s of cpu  {found['megabytes']:6.0f} MB")


if __name__ == "__main__":
    main()
