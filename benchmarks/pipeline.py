"""A big shop through the real pipeline on this machine: seconds, rows a second and peak memory of every step.

    python -m benchmarks.pipeline --users 1000000 --lines 20000000 --events 50000000

The default is a twentieth of that. Each step runs in a process of its own over one workspace, so that its peak memory
is its own; processes that it starts are counted with it. The shop is made first, by `benchmarks/shop_rows.py`.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from warehouse.progress import Progress
from warehouse.sizing import buckets_for

LOADED_AT = datetime(2025, 11, 24)
HORIZON = 30
LABELLED = (30, 60, 90)
"""Labels are counted at cutoffs so many days before the last row."""
_LOOK_EVERY = 0.1
_QUICK = "\n[training]\nmax_cutoffs = 2\nrounds = 20\nbootstrap_draws = 100\nmin_positives = 10\nmax_customers = 1000\n"
"""For a look whether everything still runs."""
_SETTINGS = """\
currency = "CNY"
buckets = {buckets}
[tables.orders]
files = ["shop/orders.csv"]
[tables.events]
files = ["shop/events.parquet"]
[tables.users]
files = ["shop/users.csv"]
[tables.items]
files = ["shop/items.csv"]
[targets.repurchase]
horizons = [30]
"""


@dataclass(frozen=True)
class Measured:
    """What one step cost: rows it read (as its name says), seconds with imports, and the most memory at a time."""

    step: str
    rows: int
    seconds: float
    cpu_seconds: float
    megabytes: float

    @property
    def rows_a_second(self) -> float:
        return self.rows / self.seconds


def make_shop(folder: Path, size: Any, told: Progress) -> int:
    from benchmarks.shop_rows import make

    make(folder / "shop", size, progress=told)
    return int(size.lines + size.events)


def load(folder: Path, size: Any, told: Progress) -> int:
    """Rows of all files, checked and sorted into the store."""
    report = _store(folder).load_new(LOADED_AT, told)
    return int(sum(source.read for _, source in report.files))


def features(folder: Path, size: Any, told: Progress) -> int:
    """Order lines and events, counted to features of everybody."""
    from features.building import write_features
    from features.source import StoreSource

    store = _store(folder)
    write_features(StoreSource(store), store.default_as_of(), folder / "features.parquet", told)
    return _happenings(store)


def value(folder: Path, size: Any, told: Progress) -> int:
    """Customers: lifetimes are fitted to those who bought, and what each will spend and when is told."""
    from features.source import StoreSource
    from pipeline.valuing import valued
    from warehouse.streamed import from_file

    store = _store(folder)
    features = from_file(folder / "features.parquet")
    found = valued(store.workspace, StoreSource(store), features, store.default_as_of(), told)
    return int(found.table.num_rows) if found else 0


def labels(folder: Path, size: Any, told: Progress) -> int:
    """Order lines, looked through once for each of three cutoffs."""
    from features.outcomes import outcome_counts
    from features.source import StoreSource
    from warehouse.settings import TargetSettings

    store = _store(folder)
    for done, days in enumerate(LABELLED, 1):
        cutoff = store.default_as_of() - timedelta(days=days)
        outcome_counts(StoreSource(store), cutoff, HORIZON, "sale", TargetSettings())
        told("labels", done, len(LABELLED))
    return int(len(LABELLED) * store.manifest("orders").rows)


def train(folder: Path, size: Any, told: Progress) -> int:
    """Order lines and events; features of every cutoff of the protocol are built here, those of everybody too."""
    from training.trainer import Trainer

    store = _store(folder)
    report = Trainer(store.workspace, store, told).train_all(store.default_as_of(), only="repurchase")
    (made,) = report.trained
    judged = made.judged.intervals["lightgbm"]
    print(f"auc {judged['auc'].value:.3f}, level error {judged['level_error'].value:+.4f}; {made.why}", file=sys.stderr)
    return _happenings(store)


def recommend(folder: Path, size: Any, told: Progress) -> int:
    """Order lines; recommenders are judged on two closed windows, and the best is chosen."""
    from pipeline import suggestions, teaching

    loaded = _loaded(folder)
    found = suggestions.choose(loaded.workspace, loaded.source, teaching.asked(loaded))
    print(found.why, file=sys.stderr)
    return int(loaded.store.manifest("orders").rows)


def publish(folder: Path, size: Any, told: Progress) -> int:
    """Customers: all are scored and offered items, the release is written, opened and made to serve."""
    from pipeline.releasing import publish_release

    loaded = _loaded(folder)
    found = publish_release(
        loaded.workspace, loaded.source, loaded.snapshots, loaded.as_of, "20251123-benchmark", [], told
    )
    return len(found.release.scores)


STEPS: dict[str, Callable[[Path, Any, Progress], int]] = {
    "make the shop": make_shop,
    "load": load,
    "features": features,
    "value": value,
    "labels": labels,
    "train": train,
    "recommend": recommend,
    "publish": publish,
}


def _store(folder: Path) -> Any:
    from warehouse.store import Store
    from warehouse.workspace import Workspace

    return Store(Workspace.open(folder))


def _loaded(folder: Path) -> Any:
    from pipeline.opening import Loaded
    from training.trainer import Trainer

    store = _store(folder)
    day = store.default_as_of()
    first = store.manifest("orders").first_day
    assert first is not None
    return Loaded(Trainer(store.workspace, store), day, first, store.observed_until("orders"))


def _happenings(store: Any) -> int:
    return int(store.manifest("orders").rows + store.manifest("events").rows)


def memory_of_tree(process: int) -> int:
    """Bytes that a process and all that it started have in memory now, shared pages counted once for each."""
    total, waiting, page = 0, [process], os.sysconf("SC_PAGE_SIZE")
    while waiting:
        one = waiting.pop()
        try:
            total += int(Path(f"/proc/{one}/statm").read_text().split()[1]) * page
            for task in Path(f"/proc/{one}/task").iterdir():
                waiting += [int(child) for child in (task / "children").read_text().split()]
        except OSError:
            continue  # it has ended
    return total


def measured(step: str, folder: Path, size: dict[str, int], quiet: bool) -> Measured:
    """Runs a step in a process of its own; `SystemExit` where it fails."""
    answer = folder / "step.json"
    given = [f"--{name}={value}" for name, value in size.items()]
    command = [sys.executable, "-m", "benchmarks.pipeline", *given, "--step", step, "--folder", str(folder)]
    command += ["--quiet"] if quiet else []
    before, started = _cpu_of_children(), time.perf_counter()
    peak = 0
    with subprocess.Popen(command, cwd=Path(__file__).parents[1]) as running:
        while running.poll() is None:
            peak = max(peak, memory_of_tree(running.pid))
            time.sleep(_LOOK_EVERY)
    seconds = time.perf_counter() - started
    if running.returncode:
        raise SystemExit(f"The step {step} ended with {running.returncode}.")
    told = json.loads(answer.read_text())
    return Measured(step, told["rows"], seconds, _cpu_of_children() - before, max(peak, told["peak"]) / 1e6)


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run_step(step: str, folder: Path, size: Any, quiet: bool) -> None:
    """One step, here; rows and peak memory go to `step.json`."""
    last = 0.0

    def told(label: str, done: float, total: float | None = None) -> None:
        nonlocal last
        if not quiet and time.monotonic() - last > 5:
            last = time.monotonic()
            print(f"  {label} {done / total:.0%}" if total else f"  {label}", file=sys.stderr, flush=True)

    rows = STEPS[step](folder, size, told)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    (folder / "step.json").write_text(json.dumps({"rows": rows, "peak": peak}))


def run(size: dict[str, int], folder: Path, steps: list[str], quiet: bool, quick: bool = False) -> list[Measured]:
    """Every step in turn."""
    folder.mkdir(parents=True, exist_ok=True)
    buckets = buckets_for(max(size["lines"], size["events"]))  # as `reprise init` would say
    (folder / "reprise.toml").write_text(_SETTINGS.format(buckets=buckets) + (_QUICK if quick else ""))
    found = []
    for step in steps:
        found.append(measured(step, folder, size, quiet))
        if not quiet:
            print(line(found[-1]), file=sys.stderr, flush=True)
    return found


def line(one: Measured) -> str:
    return (
        f"{one.step:<14}{one.rows:>13,}{one.seconds:>10.1f}{one.cpu_seconds:>10.1f}{one.rows_a_second:>13,.0f}"
        f"{1e6 * one.seconds / one.rows:>10.2f}{one.megabytes:>10,.0f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--users", type=int, default=50_000)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--events", type=int, default=2_500_000)
    parser.add_argument("--json", action="store_true", help="the table as JSON")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    parser.add_argument("--quick", action="store_true", help="train on next to nothing")
    parser.add_argument("--steps", nargs="+", choices=list(STEPS), default=list(STEPS))
    parser.add_argument("--folder", type=Path, help="where to work; what is made there stays")
    parser.add_argument("--step", choices=list(STEPS), help=argparse.SUPPRESS)
    given = parser.parse_args()
    size = {"users": given.users, "lines": given.lines, "events": given.events}
    if given.step:
        from benchmarks.shop_rows import Size

        run_step(given.step, given.folder, Size(**size), given.quiet)
        return
    scratch = given.folder or Path(tempfile.mkdtemp(prefix="reprise-benchmark-"))
    try:
        found = run(size, scratch, given.steps, given.quiet, given.quick)
    finally:
        if given.folder is None:
            shutil.rmtree(scratch, ignore_errors=True)
    if given.json:
        print(json.dumps({"size": size, "cores": os.cpu_count(), "steps": [asdict(one) for one in found]}, indent=1))
        return
    print(
        f"{size['users']:,} customers, {size['lines']:,} order lines, {size['events']:,} events, {os.cpu_count()} cores"
    )
    print(f"{'step':<14}{'rows':>13}{'s':>10}{'s of cpu':>10}{'rows/s':>13}{'s/million':>10}{'peak MB':>10}")
    for one in found:
        print(line(one))


if __name__ == "__main__":
    main()
