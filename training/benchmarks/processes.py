"""A job in a process of its own, with so much time and memory and no more."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models.recommenders.interactions import Interactions
from models.recommenders.ranking import Ranked
from training.benchmarks.work import LISTS, RESULT, TRIED, Job, read_lists, write_data, write_job
from training.evaluation.recommendation import TestItems

_LOOK_EVERY = 0.1


@dataclass(frozen=True)
class Limits:
    """The seconds and the bytes that a job may take."""

    seconds: float
    bytes: int


@dataclass(frozen=True)
class Outcome:
    """What came of a job: its lists, its trials, or why there is nothing."""

    lists: Ranked | None = None
    seconds: float = 0.0
    peak_bytes: int = 0
    tried: list[dict[str, Any]] = field(default_factory=list)
    why: str | None = None


Run = Callable[[Job, Limits], Outcome]


@contextmanager
def bench(interactions: Interactions, test: TestItems) -> Iterator[Run]:
    """Runs jobs on these purchases, each in a process of its own that holds nothing else."""
    with tempfile.TemporaryDirectory(prefix="reprise-benchmark-") as folder:
        write_data(Path(folder), interactions, test)
        yield lambda job, limits: _run(Path(folder), job, limits)


def _run(folder: Path, job: Job, limits: Limits) -> Outcome:
    for left in (RESULT, TRIED, LISTS):
        (folder / left).unlink(missing_ok=True)
    write_job(folder, job)
    began = time.monotonic()
    why = _worked(folder, limits)
    tried = _tried(folder)
    if why is not None:
        return Outcome(tried=tried, seconds=time.monotonic() - began, why=why)
    result = json.loads((folder / RESULT).read_text(encoding="utf-8"))
    lists = None if job.trials or job.search else read_lists(folder)
    return Outcome(lists, result["seconds"], result["peak_bytes"], tried)


def _worked(folder: Path, limits: Limits) -> str | None:
    """Waits for the job of the folder; why it came to nothing, or None."""
    roots = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    with (folder / "told.txt").open("w+b") as told:
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "training.benchmarks.work", str(folder)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, roots))},
            stdin=subprocess.PIPE,
            stdout=told,
            stderr=told,
        )
        try:
            over = _watched(process, limits)
        finally:
            process.kill()
            process.communicate()
        if over or process.returncode == 0:
            return over
        return _reason(process.returncode, told)


def _watched(process: subprocess.Popen[bytes], limits: Limits) -> str | None:
    until = time.monotonic() + limits.seconds
    while True:
        with suppress(subprocess.TimeoutExpired):
            process.wait(_LOOK_EVERY)
            return None
        if time.monotonic() > until:
            return f"needs more than {limits.seconds:,.0f} s, its share of the time"
        held = _resident(process.pid)
        if held > limits.bytes:
            return f"needs more than {limits.bytes / 1e6:,.0f} MB of memory: it held {held / 1e6:,.0f} MB"


def _reason(code: int, told: Any) -> str:
    if code == -9:
        return "was killed by the system, probably for want of memory"
    told.seek(0)
    lines = told.read().decode("utf-8", "replace").strip().splitlines()
    return f"failed: {lines[-1] if lines else f'its process ended with {code}'}"


def _resident(pid: int) -> int:
    """The bytes a process holds; 0 where the system does not tell."""
    with suppress(OSError, IndexError, ValueError):
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    return 0


def _tried(folder: Path) -> list[dict[str, Any]]:
    with suppress(FileNotFoundError):
        lines = (folder / TRIED).read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines if line.endswith("}")]
    return []


def free_bytes() -> int | None:
    """The memory that is free now; None where the system does not tell."""
    with suppress(OSError, IndexError, ValueError):
        text = Path("/proc/meminfo").read_text(encoding="ascii")
        return int(text.split("MemAvailable:")[1].split()[0]) * 1024
    return None
