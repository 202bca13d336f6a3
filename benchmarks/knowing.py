"""What it costs to know the customers of a big shop: every command in a process of its own, seconds and peak memory.

    python -m benchmarks.pipeline --steps "make the shop" load --users 1000000 … --folder BIG
    python -m benchmarks.knowing BIG

`BIG` is the folder of a benchmark of the pipeline, or any workspace; `--only` names some of the commands. They run in
`BIG/known`, a workspace over the same store (linked) whose settings have member levels besides.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from benchmarks.pipeline import memory_of_tree
from warehouse.settings import SETTINGS_FILE
from warehouse.store import Store
from warehouse.workspace import Workspace

_LOOK_EVERY = 0.1
COMMANDS = {
    "growth, months": "growth --grain month",
    "growth, weeks": "growth --grain week",
    "segments": "segments",
    "transitions": "segments transitions --from {earlier} --to {today}",
    "differences": 'segments differences "order_count_90d >= 2" --as-of {today}',
    "cycles, categories": "cycles",
    "cycles, items": "cycles --by item",
    "cycles, next": "cycles --next",
    "plan-target": "plan-target 30% --from {next_month} --to {next_month}",
    "profile": "profile --out {folder}/profile.parquet",
    "report": "report --out {folder}/report.html",
    "features": "features build --out {folder}/features-built.parquet",
    "levels": "levels",
    "stages": "stages",
    "clusters": "clusters",
    "funnel, aarrr": "funnel",
    "funnel, steps": "funnel event:view_item event:add_to_cart order --window-days 14",
    "paths": "paths",
    "conversion, items": "paths --convert item",
    "conversion, sellers": "paths --convert seller",
    "behaviours": "behaviours",
    "behaviours, leaving": "behaviours --leaving",
    "value, trained": "train value",
    "value": "value",
}
"""What is typed after `reprise`, with the dates of the store: the day after its last row, and 90 days before."""
_LEVELS = """
[levels]
preset = "shop"
once_a_day = ["search"]
[levels.events]
view_item = 0.1
add_to_cart = 1
search = 1
"""
"""Four of five events of the made-up shop earn points, far more than a shop would let them."""


@dataclass(frozen=True)
class Cost:
    """What one process cost, with all that it started."""

    seconds: float
    cpu_seconds: float
    megabytes: float
    code: int


def measured(command: list[str], log: Path) -> Cost:
    """Runs a command; what it says goes to `log`."""
    started, peak = time.perf_counter(), 0
    with log.open("wb") as out:
        running = subprocess.Popen(command, cwd=Path(__file__).parents[1], stdout=out, stderr=subprocess.STDOUT)
        while True:
            peak = max(peak, memory_of_tree(running.pid))
            ended, status, used = os.wait4(running.pid, os.WNOHANG)
            if ended:
                break
            time.sleep(_LOOK_EVERY)
    running.returncode = os.waitstatus_to_exitcode(status)
    peak = max(peak, used.ru_maxrss * 1024)
    return Cost(time.perf_counter() - started, used.ru_utime + used.ru_stime, peak / 1e6, running.returncode)


def typed(folder: Path, today: date, command: str) -> list[str]:
    """The arguments after `python`."""
    next_month = (today.replace(day=1) + timedelta(days=32)).strftime("%Y-%m")
    dates = {"today": today, "earlier": today - timedelta(days=90), "next_month": next_month}
    words = [word.format(folder=folder, **dates) for word in shlex.split(command)]
    return ["-m", "cli.main", "-w", str(folder), "--json", *words]


def beside(folder: Path) -> Path:
    """A workspace of its own over all that a folder holds, with levels in its settings where they had none."""
    made = folder / "known"
    made.mkdir(exist_ok=True)
    for held in folder.iterdir():
        if held.name not in (made.name, SETTINGS_FILE) and not (made / held.name).exists():
            (made / held.name).symlink_to(held, target_is_directory=held.is_dir())
    told = (folder / SETTINGS_FILE).read_text(encoding="utf-8")
    (made / SETTINGS_FILE).write_text(told if "[levels]" in told else told + _LEVELS, encoding="utf-8")
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="+", choices=list(COMMANDS), default=list(COMMANDS))
    given = parser.parse_args()
    folder = beside(Workspace.open(given.folder).root)
    today = Store(Workspace.open(folder)).default_as_of()
    print(f"{'command':<20}{'s':>9}{'s of cpu':>10}{'peak MB':>10}", flush=True)
    for name in given.only:
        log = folder / f"{name.replace(', ', '-').replace(' ', '-')}.log"
        cost = measured([sys.executable, *typed(folder, today, COMMANDS[name])], log)
        failed = f"  ended with {cost.code}: {log.name}" if cost.code else ""
        print(f"{name:<20}{cost.seconds:>9.1f}{cost.cpu_seconds:>10.1f}{cost.megabytes:>10,.0f}{failed}", flush=True)


if __name__ == "__main__":
    main()
