"""Experiments: searching better settings, and trying settings by hand, without changing what serves."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol

from pipeline import teaching
from pipeline.opening import Loaded, load
from training import records
from training.recipes import tree_settings
from training.recommender_tuning import RecommenderSearch
from training.studies import Setting, Space, Study, Tried
from training.tracking import Record, Tracker, prepare
from training.tuning import Search
from training.usefulness import lines, usefulness
from warehouse.errors import NotReadyError, UsageError
from warehouse.progress import Progress
from warehouse.workspace import Workspace

STUDIES = "tuning.db"
EXPERIMENT = "tuning"
PARENT = "mlflow.parentRunId"


class Searching(Protocol):
    """What a search of settings is asked for, whether of trees or of recommenders."""

    @property
    def name(self) -> str: ...
    @property
    def space(self) -> Space: ...
    @property
    def defaults(self) -> list[dict[str, Setting]]: ...
    @property
    def dates(self) -> tuple[date, ...]: ...
    @property
    def judge_day(self) -> date: ...
    def value(self, settings: Mapping[str, Setting]) -> tuple[float, Mapping[str, Any]]: ...
    def judged(self, settings: Mapping[str, Setting], default: Mapping[str, Setting]) -> dict[str, Any]: ...
    def to_write(self, settings: Mapping[str, Setting]) -> list[str]: ...


@dataclass(frozen=True)
class Tuned:
    """What a search has found so far; `judged` is None where nothing beat the defaults on the tuning dates."""

    study: str
    target: str
    dates: tuple[date, ...]
    judge: date
    trials: int
    default: Tried
    best: Tried
    judged: Mapping[str, Any] | None
    looks: int
    to_write: list[str]
    run: str | None

    @property
    def better(self) -> bool:
        """Whether some trial beat the defaults."""
        return self.best.settings != self.default.settings

    def as_dict(self) -> dict[str, Any]:
        return {
            "study": self.study,
            "target": self.target,
            "trials": self.trials,
            "tuning_dates": list(self.dates),
            "judge": self.judge,
            "default": {"settings": self.default.settings, "value": self.default.value, **self.default.found},
            "best": {"settings": self.best.settings, "value": self.best.value, **self.best.found},
            "gained_on_tuning_dates": self.best.value - self.default.value,
            "judged": self.judged,
            "looks_at_the_judge": self.looks,
            "settings": self.to_write if self.better else [],
            "mlflow_run": self.run,
        }

    def lines(self) -> list[str]:
        dates = ", ".join(str(day) for day in self.dates)
        told = [f"{self.target}: {self.trials} trials on {dates} (study {self.study}; once more continues it)"]
        if not self.better or self.judged is None:
            return [*told, f"nothing beat the defaults ({self.default.value:.4f}): leave the settings as they are"]
        told += [
            f"on the tuning dates {self.best.value:.4f} instead of {self.default.value:.4f} "
            f"({self.best.value - self.default.value:+.4f}; the best of many always looks better than it is)",
            f"on {self.judged['as_of']}, which no trial saw, {self.judged['n']:,} customers, tuned − defaults:",
            *(
                f"  {metric}\t{d['value']:+.4f}\t95 % interval {d['low']:+.4f} to {d['high']:+.4f}"
                for metric, d in self.judged["differences"].items()
            ),
        ]
        if self.looks > 1:
            told.append(f"that date has now been asked {self.looks} times: each time it says a little less")
        sure = any(d["low"] > 0 for d in self.judged["differences"].values())
        verdict = "surely better there" if sure else "not surely better there"
        return [*told, f"{verdict}; to use it put into reprise.toml:", *self.to_write]


def tune(
    workspace: Workspace,
    target: str,
    horizon: int | None,
    trials: int,
    as_of: date | None,
    loaded_at: datetime,
    progress: Progress,
) -> Tuned:
    """Searches `trials` more settings of a target, or of the recommenders, and judges the best once on a date that no
    trial saw. Everything finished is kept in the workspace: a second call continues. Changes no settings.
    """
    with workspace.lock("run"):
        loaded, _ = load(workspace, as_of, loaded_at, progress)
        search = _search(loaded, target, horizon, progress)
        seed = loaded.trainer.settings.training.seed
        study = Study(workspace.root / STUDIES, search.name, search.space, search.defaults, seed)
        with prepare(workspace) as tracker:
            return _searched(search, study, target, trials, tracker, progress)


def _search(loaded: Loaded, name: str, horizon: int | None, progress: Progress) -> Searching:
    if name == teaching.RECOMMEND:
        return RecommenderSearch(loaded.trainer.learning, teaching.asked(loaded), progress)
    return _search_of_trees(loaded, name, horizon)


def _search_of_trees(loaded: Loaded, name: str, horizon: int | None) -> Search:
    trainer, as_of = loaded.trainer, loaded.as_of
    target = trainer.target(name, as_of)
    days = horizon or target.horizons[0]
    complement = trainer.complement(target, days, as_of)
    if complement is not None:
        raise UsageError(
            f"{name} at {days} days is one minus {complement.name}: it has no trees of its own.",
            hint=f"Tune {complement.name}.",
        )
    planned = trainer.plan(target, days, as_of)
    first, _ = trainer.reach(target, as_of)
    snapshots = trainer.snapshots.as_known(as_of)
    return Search(snapshots, target, days, planned, first, trainer.settings.training, trainer.recipe_for(target))


@dataclass(frozen=True)
class Families:
    """What each family of features is worth to a target."""

    payload: dict[str, Any]

    def lines(self) -> list[str]:
        return lines(self.payload)


def families(
    workspace: Workspace,
    target: str,
    horizon: int | None,
    as_of: date | None,
    loaded_at: datetime,
    progress: Progress,
) -> Families:
    """What a target's ranking loses without each family of features, on past dates before the judged one; logged."""
    with workspace.lock("run"):
        loaded, _ = load(workspace, as_of, loaded_at, progress)
        search = _search_of_trees(loaded, target, horizon)
        found = usefulness(search, progress)
        payload = {"target": target, "horizon_days": search.horizon, **found.to_json()}
        metrics = {f"loss/{family.name}": family.loss for family in found.families}
        told = json.dumps(payload, indent=1)
        with prepare(workspace) as tracker:
            params = {"target": target, "dates": ", ".join(found.dates), "useless": ", ".join(found.useless)}
            record = Record(
                "usefulness", search.name, params, {"value": found.whole, **metrics}, {"kind": "usefulness"},
                {"usefulness.json": told},
            )  # fmt: skip
            payload["mlflow_run"] = tracker.log(record).result().run_id
    return Families(payload)


def _searched(search: Searching, study: Study, target: str, trials: int, tracker: Tracker, progress: Progress) -> Tuned:
    log = _Log(tracker, study, search, target)
    for done in range(max(trials, len(search.defaults) - len(study.tried))):
        progress(f"trials of {study.name}", done, trials)
        log.trial(study.step(search.value))
    progress(f"trials of {study.name}", trials, trials)
    best, default = study.best, study.default
    judged = None
    if best.settings != default.settings:
        judged = study.judged.get(str(best.number))
        if judged is None:
            judged = search.judged(best.settings, default.settings)
            study.note_judged(best, judged)
    tuned = Tuned(
        study.name, target, search.dates, search.judge_day, len(study.tried), default, best, judged,
        len(study.judged), search.to_write(best.settings), log.run,
    )  # fmt: skip
    log.end(tuned)
    return tuned


class _Log:
    """The study as a run on the tracking server, and its trials nested in it."""

    def __init__(self, tracker: Tracker, study: Study, search: Searching, target: str) -> None:
        self._tracker, self._study = tracker, study
        params = {
            "target": target,
            "study": study.name,
            "tuning_dates": ", ".join(str(day) for day in search.dates),
            "judge": str(search.judge_day),
        }
        self._record = Record(
            EXPERIMENT, study.name, params, {}, {"target": target, "kind": "study"}, run_id=study.run, running=True
        )
        self._asked = tracker.log(self._record)

    @property
    def run(self) -> str:
        found = self._asked.result().run_id
        assert found is not None, "a run that is left open never waits"
        if found != self._study.run:
            self._study.run = found
        return found

    def trial(self, tried: Tried) -> None:
        """One trial under the study's run."""
        metrics = {"value": tried.value}
        for each in tried.found.get("dates", []):
            metrics |= {
                f"{name}/{each['as_of']}".replace("@", "_at_"): v for name, v in each.items() if name != "as_of"
            }
        self._tracker.log(
            Record(
                EXPERIMENT,
                f"{self._study.name}-{tried.number}",
                {name: str(value) for name, value in tried.settings.items()},
                metrics,
                {PARENT: self.run, "kind": "trial", "target": self._record.tags["target"]},
            )
        )

    def end(self, tuned: Tuned) -> None:
        """What was found, onto the study's run."""
        metrics = {"trials": tuned.trials, "best": tuned.best.value, "default": tuned.default.value}
        for name, d in (tuned.judged or {}).get("differences", {}).items():
            plain = name.replace("@", "_at_")
            metrics |= {
                f"judged/{plain}": d["value"],
                f"judged/{plain}.low": d["low"],
                f"judged/{plain}.high": d["high"],
            }
        told = json.dumps(tuned.as_dict(), ensure_ascii=False, indent=1, default=str)
        self._tracker.log(Record(EXPERIMENT, self._study.name, {}, metrics, {}, {"study.json": told}, run_id=self.run))


@dataclass(frozen=True)
class Attempt:
    """Trainings that change nothing that serves: what each gave, and how to make it serve all the same."""

    as_of: date
    experiment: str
    rows: Sequence[Mapping[str, Any]]

    def as_dict(self) -> dict[str, Any]:
        return {"as_of": self.as_of, "experiment": self.experiment, "trained": self.rows}

    def lines(self) -> list[str]:
        told = [f"{row['model']}: {row['version']} ({_run(row)}). {row['why']}" for row in self.rows]
        promote = 'to make one serve: reprise models promote VERSION --reason "why"'
        return [*told, f"logged under {self.experiment}; what serves is as before; {promote}"]


def train(
    workspace: Workspace,
    target: str | None,
    said: Sequence[str],
    experiment: str | None,
    as_of: date | None,
    loaded_at: datetime,
    progress: Progress,
    tell: Callable[[str], None],
) -> Attempt:
    """Trains with settings typed as KEY=VALUE, logs under `experiment` (the usual one if absent), promotes nothing."""
    wishes = tree_settings(dict(_typed(each) for each in said))
    if target == teaching.RECOMMEND:
        raise UsageError(
            "Recommenders have no trees to set.", hint="Their settings are [recommend.als] and [recommend.bm25]."
        )
    name = experiment or records.EXPERIMENT
    with workspace.lock("run"):
        loaded, _ = load(workspace, as_of, loaded_at, progress)
        trainer = loaded.trainer
        if target is not None:
            trainer.target(target, loaded.as_of)
        with prepare(workspace) as tracker:
            report = trainer.train_all(loaded.as_of, tracker, only=target, wishes=wishes, experiment=name)
        for absent in report.absent if target is None else ():
            tell(str(absent))
    if not report.trained:
        told = "; ".join(str(each) for each in report.absent) or f"{target} is one minus another target"
        raise NotReadyError(f"Nothing was trained: {told}")
    rows = [
        {**teaching.row(each), "version": each.model.version, "mlflow_run": report.runs.get(each.model.version),
         "serves": None, "would_promote": each.promoted, "promoted": False}
        for each in report.trained
    ]  # fmt: skip
    return Attempt(loaded.as_of, name, rows)


def _run(row: Mapping[str, Any]) -> str:
    return f"run {row['mlflow_run']}" if row["mlflow_run"] else "its run waits for the tracking server"


def _typed(text: str) -> tuple[str, Any]:
    """KEY=VALUE; a value is a number where it can be read as one."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise UsageError(f'"{text}" is not KEY=VALUE.', hint="Such as --set num_leaves=31.")
    try:
        return key.strip(), json.loads(value)
    except ValueError:
        return key.strip(), value.strip()
