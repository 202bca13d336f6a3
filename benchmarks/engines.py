"""The same features by both engines of one machine: when Spark begins to pay, and what it costs before.

    python -m benchmarks.engines --lines 200000 1000000

A cluster of two workers on this machine, in processes of their own. Seconds are of one run, so compare within it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.features import FAMILIES, Buckets
from benchmarks.order_lines import AS_OF, make
from features.building import build_features
from features.source import StoreSource
from warehouse.spark import session

ENGINE = "local-cluster[2,1,2048]"


def timed(told: str, work: Callable[[], Any]) -> Any:
    started = time.perf_counter()
    result = work()
    print(f"  {told:<28} {time.perf_counter() - started:7.1f} s", flush=True)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--lines", type=int, nargs="+", default=[200_000, 1_000_000])
    parser.add_argument("--engine", default=ENGINE)
    given = parser.parse_args()
    spark = timed("Spark starts", lambda: session(given.engine, "2GB"))
    for lines in given.lines:
        with tempfile.TemporaryDirectory(prefix="reprise-benchmark-") as scratch:
            make(Path(scratch), lines)
            store: Any = Buckets(Path(scratch))
            print(f"{lines:,} order lines")
            for told, source in (
                ("DuckDB", StoreSource(store)),
                ("Spark, first time", StoreSource(store, spark=spark)),
                ("Spark, again", StoreSource(store, spark=spark)),
            ):
                timed(told, partial(build_features, source, AS_OF, families=FAMILIES))


if __name__ == "__main__":
    main()
