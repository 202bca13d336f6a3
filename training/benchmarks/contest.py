"""All models on the same files: settings and winner chosen on what is held out, then all judged on the test."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from models import recommenders
from models.recommenders.interactions import Interactions
from training.benchmarks.measures import REFERENCE, Vectors, against, choosing_value, row_of, test_items, vectors_of
from training.benchmarks.occurrences import held_out, interactions_of, joined
from training.benchmarks.pairs import Files, described
from training.benchmarks.processes import Limits, Outcome, Run, bench, free_bytes
from training.benchmarks.searching import worth_trying
from training.benchmarks.spaces import has_settings
from training.benchmarks.work import Job
from training.evaluation.recommendation import TestItems
from warehouse.errors import DataProblemError, NotReadyError
from warehouse.progress import Progress, silent

SPARE_SECONDS = 60.0
"""Left for what is done between the models: judging, drawing intervals, writing."""
REFIT = 1.3
"""A refit on all of train and valid takes so many times what the fit on train took, at most."""
Bench = Callable[[Interactions, TestItems], AbstractContextManager[Run]]


@dataclass(frozen=True)
class Asked:
    """How the contest is held. `seconds` is for all of it; `bytes` is what the process of one model may hold."""

    models: tuple[str, ...]
    ks: tuple[int, ...] = (10, 20)
    may_repeat: bool = True
    trials: int = 0
    seed: int = 7
    seconds: float = 2400.0
    bytes: int = 16 * 1000**3
    draws: int = 1000


_BEGINS_WITH = {
    "two_stage": {
        "horizon": 0, "objective": "binary", "rows": 1_000_000, "trees": 400, "leaves": 16, "learning_rate": 0.04,
    }
}  # fmt: skip
"""Settings other than the defaults: what is asked for is the next basket, so that is what it learns from, first in the
way that takes a third of the time and did as well; and by more rows and trees than a shop would want each week."""
_LIKELY = ("graph_filter", "tifu_knn", "two_stage")
"""What is likely to win, and has much to choose or to learn, comes first; the last fits the others as was chosen."""
_TO_SEARCH, _TO_FIT = 0.2, 0.4
"""The shares of what is left that such a model may take, so that the others do not starve it, nor it them."""


@dataclass
class _Standing:
    """What is known of one model."""

    name: str
    settings: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    valid: float | None = None
    trials: int = 0
    why: str | None = None
    row: dict[str, Any] = field(default_factory=dict)
    vectors: Vectors = field(default_factory=dict)


class _Clock:
    """The time that is left for all."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds

    @property
    def left(self) -> float:
        return self._until - time.monotonic()


def contest(files: Files, asked: Asked, progress: Progress = silent, bench: Bench = bench) -> dict[str, Any]:
    """The table of all models on the test, the winner, what was skipped and why; plain values, ready for JSON.

    Settings (`trials` of them for each model that has some) and the winner are chosen by the mean over k of Recall@k
    on `files.valid`, or on what is held out of train where there is none. Every model is then refitted on train and
    valid, and judged on the test, which is not looked at before.
    """
    clock = _Clock(asked.seconds - SPARE_SECONDS if asked.seconds > 2 * SPARE_SECONDS else asked.seconds / 2)
    standings = [_Standing(name, dict(_BEGINS_WITH.get(name, {}))) for name in dict.fromkeys(asked.models)]
    how, everything = _choose(files, asked, standings, clock, progress, bench)
    winner = _winner(standings)
    interactions = interactions_of(everything)
    test = test_items(interactions, files.test)
    with bench(interactions, test) as run:
        racing = _racing(standings, interactions, asked)
        racing.sort(key=lambda each: (each.name != winner[0], each.seconds))  # what was chosen must not want for time
        for place, standing in enumerate(racing):
            progress(f"{standing.name}: refit and judge", place, len(racing))
            ahead = sum(each.seconds for each in racing[place + 1 :]) * REFIT if place else 0.0
            _judge(standing, run, clock.left - ahead, asked, interactions, test)
    return _told(files, asked, standings, winner, how, test)


def _choose(
    files: Files, asked: Asked, standings: list[_Standing], clock: _Clock, progress: Progress, bench: Bench
) -> tuple[str, Any]:
    """Gives every model its value on what is held out, and its settings; how it is held out, and all rows to fit."""
    if files.valid is None:
        left, valid, how = held_out(files.train, asked.seed)
        everything = files.train
    else:
        left, valid, how = files.train, files.valid, "the file given"
        everything = joined(files.train, files.valid)
    if not left.num_rows:
        raise DataProblemError("Nothing of the training file is left once a part is held out to choose by.",
                               hint="It needs at least two rows; or give --valid.")  # fmt: skip
    interactions = interactions_of(left)
    test = test_items(interactions, valid)
    with bench(interactions, test) as run:
        racing = _racing(standings, interactions, asked)
        for place, standing in enumerate(racing):
            progress(f"{standing.name}: fit and choose", place, len(racing))
            if standing.name == "two_stage":
                chosen = {each.name: each.settings for each in racing[:place] if each.settings and each.why is None}
                standing.settings["fits"] = json.dumps(chosen, sort_keys=True) if chosen else ""
            if worth_trying(recommenders.create(standing.name), interactions):
                limits = _share(clock, standings, racing[place:], asked, _TO_SEARCH)
                _tune(standing, run(_job(standing, asked, search=True), limits))
            limits = _share(clock, standings, racing[place:], asked, _TO_FIT)
            _validate(standing, run(_job(standing, asked), limits), interactions, test, asked)
        racing = [each for each in racing if each.why is None and asked.trials and has_settings(each.name)]
        for place, standing in enumerate(racing):
            progress(f"{standing.name}: {asked.trials} trials", place, len(racing))
            limits = _share(clock, standings, racing[place:], asked)
            _tune(standing, run(_job(standing, asked, asked.trials), limits))
    return how, everything


def _share(
    clock: _Clock, standings: Sequence[_Standing], waiting: Sequence[_Standing], asked: Asked, likely: float = 0.0
) -> Limits:
    """What the first that waits may take: as much as each of the others, once the refits to come are paid for; of one
    that is likely to win at least the share `likely` of the time."""
    left = clock.left - REFIT * sum(each.seconds for each in standings if each.why is None)
    share = max(1 / len(waiting) / (1 + REFIT), likely if waiting[0].name in _LIKELY else 0.0)
    return Limits(max(1.0, left * share), _most_bytes(asked))


def _most_bytes(asked: Asked) -> int:
    free = free_bytes()
    return asked.bytes if free is None else min(asked.bytes, free)


def _racing(standings: Sequence[_Standing], interactions: Interactions, asked: Asked) -> list[_Standing]:
    """Those that fit in memory: the likely winners first, then the smallest, which leave time to the others."""
    most = _most_bytes(asked)
    needs = {each.name: _needs(each, interactions) for each in standings if each.why is None}
    for each in standings:
        if each.why is None and needs[each.name] > most:
            each.why = f"needs about {needs[each.name] / 1e6:,.0f} MB of memory; there are {most / 1e6:,.0f} MB"
    places = {name: place for place, name in enumerate(_LIKELY)}
    left = [each for each in standings if each.why is None]
    return sorted(left, key=lambda each: (places.get(each.name, len(places)), needs[each.name]))


def _needs(standing: _Standing, interactions: Interactions) -> int:
    """The bytes a model says it needs at its peak."""
    return recommenders.create(standing.name, standing.settings).needs(*interactions.shape, len(interactions.indices))


def _job(standing: _Standing, asked: Asked, trials: int = 0, search: bool = False) -> Job:
    return Job(standing.name, asked.ks, asked.may_repeat, asked.seed, standing.settings, trials, search)


def _validate(standing: _Standing, outcome: Outcome, interactions: Interactions, test: TestItems, asked: Asked) -> None:
    standing.seconds = outcome.seconds
    if outcome.lists is None:
        standing.why = outcome.why
    else:
        standing.valid = choosing_value(interactions, test, outcome.lists, asked.ks)


def _tune(standing: _Standing, outcome: Outcome) -> None:
    """Takes the settings of the best trial; those that were not finished in time do not count."""
    standing.trials += len(outcome.tried)
    best = max(outcome.tried, key=lambda trial: trial["value"], default=None)
    if best is not None and best["value"] > (standing.valid or 0.0):
        standing.settings, standing.valid = best["settings"], best["value"]
        standing.seconds = best.get("seconds", 0.0)


def _winner(standings: Sequence[_Standing]) -> list[str]:
    """The names from the best on what is held out to the worst; of equals the one named first."""
    judged = [each for each in standings if each.why is None and each.valid is not None]
    if not judged:
        reasons = "; ".join(f"{each.name} {each.why}" for each in standings)
        raise NotReadyError(f"No model could be fitted: {reasons}.", hint="Give more --minutes or --memory.")
    return [each.name for each in sorted(judged, key=lambda each: -(each.valid or 0.0))]


def _judge(
    standing: _Standing, run: Run, seconds: float, asked: Asked, interactions: Interactions, test: TestItems
) -> None:
    outcome = run(_job(standing, asked), Limits(max(1.0, seconds), _most_bytes(asked)))
    if outcome.lists is None:
        standing.why = outcome.why
        return
    standing.vectors = vectors_of(interactions, test, outcome.lists, asked.ks)
    standing.row = row_of(interactions, test, outcome.lists, standing.vectors, asked.draws, asked.seed)
    standing.row |= {"seconds": round(outcome.seconds, 3), "peak_mb": round(outcome.peak_bytes / 1e6, 1)}


def _told(
    files: Files, asked: Asked, standings: Sequence[_Standing], ranked: Sequence[str], how: str, test: TestItems
) -> dict[str, Any]:
    judged = {each.name: each for each in standings if each.why is None}
    if not judged:
        reasons = "; ".join(f"{each.name} {each.why}" for each in standings)
        raise NotReadyError(f"No model could be refitted: {reasons}.", hint="Give more --minutes or --memory.")
    tables = {"train": files.train, "valid": files.valid, "test": files.test}
    given = {name: table for name, table in tables.items() if table is not None}
    return {
        "models": [_row(each, judged.get(REFERENCE), asked) for each in judged.values()],
        "winner": next(name for name in ranked if name in judged),
        "skipped": [{"name": each.name, "why": each.why} for each in standings if each.why is not None],
        "chosen_by": f"mean of Recall@{', '.join(map(str, asked.ks))} on {how}",
        "repeats": "allow" if asked.may_repeat else "exclude",
        "k": list(asked.ks),
        "seed": asked.seed,
        "test_users": len(test),
        "unknown_test_users": test.unknown_users,
        "test_pairs": int(test.counts["both"].sum()),
        "repeat_test_pairs": int(test.counts["repeat"].sum()),
        "unknown_test_pairs": int(test.counts["both"].sum()) - len(test.keys),
        "files": dict(zip(given, described(list(given.values())), strict=True)),
    }


def _row(standing: _Standing, reference: _Standing | None, asked: Asked) -> dict[str, Any]:
    row = {"name": standing.name, **standing.row, "valid": standing.valid, "settings": standing.settings}
    row |= {"trials": standing.trials} if asked.trials or standing.trials else {}
    if reference is not None and reference.name != standing.name:
        row[f"over_{REFERENCE}"] = against(standing.vectors, reference.vectors, asked.draws, asked.seed)
    return row
