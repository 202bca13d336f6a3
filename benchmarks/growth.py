"""The growth ledger with all its sections from order lines: seconds and peak memory.

    python -m benchmarks.growth --lines 1000000 --lines-per-user 20

By months, by weeks, and by months with the two sides of a rule, each in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Literal

from benchmarks.features import Buckets
from benchmarks.order_lines import AS_OF, make
from features import rules
from features.source import StoreSource
from insights.growth import growth

VARIANTS: dict[str, tuple[Literal["month", "week"], str | None]] = {
    "month": ("month", None),
    "week": ("week", None),
    "month, split": ("month", "order_count_90d >= 2"),
}


def measured(folder: Path, name: str) -> dict[str, float]:
    """Runs one variant in this process."""
    grain, rule = VARIANTS[name]
    store: Any = Buckets(folder)
    started = time.perf_counter()
    split = rules.parse(rule) if rule else None
    found = growth(StoreSource(store), AS_OF, grain, split=split)
    seconds = time.perf_counter() - started
    return {
        "periods": len(found.counts),
        "users": found.counts[-1].ever_seen,
        "seconds": round(seconds, 1),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--lines-per-user", type=int, default=20)
    parser.add_argument("--one", nargs=2, metavar=("FOLDER", "VARIANT"), help="run one in this process")
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measured(Path(given.one[0]), given.one[1])))
        return
    with tempfile.TemporaryDirectory(prefix="growth-") as folder:
        make(Path(folder), given.lines, lines_per_user=given.lines_per_user)
        for name in VARIANTS:
            command = [sys.executable, "-m", "benchmarks.growth", "--one", folder, name]
            told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            print(f"{name}: {told}", flush=True)


if __name__ == "__main__":
    main()
