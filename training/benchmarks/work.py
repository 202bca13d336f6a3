"""What is done for one model: fit it, make the lists, or try settings; in a process of its own.

Started as `python -m training.benchmarks.work FOLDER`, which holds the job and the arrays, and takes the result. Ends
with its input, so that it never outlives whoever started it.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from models import recommenders
from models.recommenders.interactions import Interactions
from models.recommenders.plain_arrays import read_arrays, write_arrays
from models.recommenders.popularity import Popularity
from models.recommenders.ranking import Ranked
from models.recommenders.recommender import Recommender
from training.benchmarks.measures import choosing_value, sampled
from training.benchmarks.searching import searched, worth_trying
from training.evaluation.recommendation import TestItems

if TYPE_CHECKING:
    from training.studies import Setting

JOB, RESULT, TRIED = "job.json", "result.json", "tried.jsonl"
DATA, WANTED, LISTS = "interactions.npz", "wanted.npz", "lists.npz"
USERS_TO_SEARCH_BY = 3000


@dataclass(frozen=True)
class Job:
    """One model on one set of purchases: for whom lists of `max(ks)` are wanted, and how many settings are tried, or
    whether those are that the model itself names."""

    model: str
    ks: tuple[int, ...]
    may_repeat: bool
    seed: int
    settings: Mapping[str, Setting] = field(default_factory=dict)
    trials: int = 0
    search: bool = False


@dataclass(frozen=True)
class Fitted:
    """The lists a model made, and the seconds of fitting and of making them."""

    lists: Ranked
    seconds: float


def fitted(job: Job, interactions: Interactions, user_rows: npt.NDArray[np.int64]) -> Fitted:
    """Fits the model and makes the list of each user row; row −1, a user nobody knows, gets the popular items."""
    began = time.perf_counter()
    lists = _lists(_fit(job, interactions), job, user_rows)
    return Fitted(lists, time.perf_counter() - began)


def _fit(job: Job, interactions: Interactions) -> Recommender:
    settings: Any = job.settings
    return recommenders.create(job.model, settings).fit(interactions)


def _lists(model: Recommender, job: Job, user_rows: npt.NDArray[np.int64]) -> Ranked:
    known = user_rows >= 0
    taken = None if job.may_repeat else _taken(model.interactions, user_rows[known])
    return _with_unknown(model.recommend(user_rows[known], max(job.ks), exclude=taken), known, model.interactions)


def found(job: Job, interactions: Interactions, test: TestItems) -> Iterator[dict[str, Any]]:
    """What a search among the settings that the model names has tried, one by one. `test` is what was held out to
    choose by; of many users some thousand are enough to tell settings apart."""
    some = sampled(test, interactions.shape[1], USERS_TO_SEARCH_BY, job.seed)

    def value(model: Recommender) -> float:
        return choosing_value(interactions, some, _lists(model, job, some.user_rows), job.ks)

    model = _fit(job, interactions)
    for reached, settings in searched(model, value, worth_trying(model, interactions)):
        yield {"value": reached, "settings": settings}


def tried(job: Job, interactions: Interactions, test: TestItems) -> Iterator[dict[str, Any]]:
    """The trials of a seeded search, one by one: the defaults first. `test` is what was held out to choose by."""
    # Optuna and what comes with it take a second to load, and most jobs need none of it.
    from training.benchmarks.spaces import defaults_of, space_of
    from training.studies import Study

    study = Study(Path(":memory:"), job.model, space_of(job.model), [defaults_of(job.model)], job.seed)
    for _ in range(job.trials):
        trial = study.step(lambda settings: _value(job, settings, interactions, test))
        yield {"value": trial.value, **trial.found}


def _value(
    job: Job, settings: Mapping[str, Setting], interactions: Interactions, test: TestItems
) -> tuple[float, dict[str, Any]]:
    said = {name.split(".")[1]: value for name, value in settings.items() if "." in name}
    one = Job(job.model, job.ks, job.may_repeat, job.seed, said)
    made = fitted(one, interactions, test.user_rows)
    return choosing_value(interactions, test, made.lists, job.ks), {"settings": said, "seconds": made.seconds}


def _taken(interactions: Interactions, user_rows: npt.NDArray[np.int64]) -> Sequence[npt.NDArray[np.int32]]:
    return [interactions.indices[interactions.indptr[row] : interactions.indptr[row + 1]] for row in user_rows]


def _with_unknown(found: Ranked, known: npt.NDArray[np.bool_], interactions: Interactions) -> Ranked:
    k = found.items.shape[1]
    popular = Popularity().fit(interactions).recommend([-1], k)
    lists = Ranked(
        np.repeat(popular.items, len(known), axis=0),
        np.repeat(popular.strength, len(known), axis=0),
        np.repeat(popular.counts, len(known)),
    )
    lists.items[known], lists.strength[known], lists.counts[known] = found.items, found.strength, found.counts
    return lists


def write_job(folder: Path, job: Job) -> None:
    """Writes what is asked."""
    (folder / JOB).write_text(json.dumps(asdict(job)), encoding="utf-8")


def write_data(folder: Path, interactions: Interactions, test: TestItems) -> None:
    """Writes the purchases, the users for whom lists are wanted, and what they took where it may be known."""
    write_arrays(folder / DATA, interactions.arrays())
    counts = {f"count_{part}": values for part, values in test.counts.items()}
    held = {"user_rows": test.user_rows, "keys": test.keys, "repeat": test.repeat} if test.keys.size else {}
    write_arrays(folder / WANTED, {"user_rows": test.user_rows, **counts, **held})


def read_lists(folder: Path) -> Ranked:
    """The lists of a job that ended well."""
    held = read_arrays(folder / LISTS)
    return Ranked(held["items"], held["strength"], held["counts"])


def _wanted(folder: Path) -> TestItems:
    held = read_arrays(folder / WANTED)
    counts = {name.removeprefix("count_"): values for name, values in held.items() if name.startswith("count_")}
    keys, repeat = held.get("keys", np.empty(0, np.int64)), held.get("repeat", np.empty(0, bool))
    return TestItems(held["user_rows"], keys, repeat, counts, 0)


def peak_bytes() -> int:
    """The most memory this process has held: resident, with the interpreter and its libraries."""
    try:
        # The kernel's own count for processes begins with what their parent held.
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        return int(status.split("VmHWM:")[1].split()[0]) * 1024
    except (OSError, IndexError):
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _end_with_input(end: Callable[[int], Any] = os._exit) -> None:
    def wait() -> None:
        # Not by sys.stdin: at the end of the interpreter its lock would still be held.
        while os.read(0, 1024):
            pass
        end(1)

    threading.Thread(target=wait, daemon=True).start()


def main(folder: Path) -> None:
    """Does the job of a folder."""
    said = json.loads((folder / JOB).read_text(encoding="utf-8"))
    job = Job(**{**said, "ks": tuple(said["ks"])})
    interactions, test = Interactions.from_arrays(read_arrays(folder / DATA)), _wanted(folder)
    if job.trials or job.search:
        with (folder / TRIED).open("a", encoding="utf-8") as out:
            for trial in found(job, interactions, test) if job.search else tried(job, interactions, test):
                print(json.dumps(trial), file=out, flush=True)
        seconds = 0.0
    else:
        made = fitted(job, interactions, test.user_rows)
        seconds = made.seconds
        write_arrays(
            folder / LISTS,
            {"items": made.lists.items, "strength": made.lists.strength, "counts": made.lists.counts},
        )
    (folder / RESULT).write_text(json.dumps({"seconds": seconds, "peak_bytes": peak_bytes()}), encoding="utf-8")


if __name__ == "__main__":
    _end_with_input()
    main(Path(sys.argv[1]))
