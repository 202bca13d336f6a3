"""A search for better settings that can be stopped and continued: an Optuna study kept in a file.

The n-th finished trial always asks the same of the same past, whether or not the study was closed in between: so a
study continued gives what one without a break would have given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import optuna
from optuna.trial import FrozenTrial, TrialState

from warehouse.errors import RepriseError

Setting = float | int | str
STARTUP_TRIALS = 8
"""So many trials are random before the sampler (TPE) follows what it has seen."""
_DIGITS = 3
_JUDGED, _RUN = "judged", "run"

optuna.logging.set_verbosity(optuna.logging.WARNING)


class Dimension(Protocol):
    """One setting that is searched."""

    def suggest(self, trial: optuna.Trial, name: str) -> Setting:
        """A value for this trial."""
        ...


@dataclass(frozen=True)
class Numbers:
    """Numbers between two bounds, both included; `whole` ones, on a `log` scale."""

    low: float
    high: float
    log: bool = False
    whole: bool = False

    def suggest(self, trial: optuna.Trial, name: str) -> Setting:
        """A value with three digits: more would only look exact."""
        if self.whole:
            return trial.suggest_int(name, int(self.low), int(self.high), log=self.log)
        found = trial.suggest_float(name, self.low, self.high, log=self.log)
        return min(self.high, max(self.low, float(f"{found:.{_DIGITS}g}")))


@dataclass(frozen=True)
class Choice:
    """One of some words."""

    values: tuple[str, ...]

    def suggest(self, trial: optuna.Trial, name: str) -> Setting:
        return str(trial.suggest_categorical(name, list(self.values)))


Space = Mapping[str, Dimension]
"""Dimensions by their names. One named `als.factors` is asked for where the dimension `model` gave "als"."""


@dataclass(frozen=True)
class Tried:
    """A finished trial: its settings as they were used, its value (higher is better), and what else was found."""

    number: int
    settings: Mapping[str, Setting]
    value: float
    found: Mapping[str, Any] = field(default_factory=dict)


Objective = Callable[[Mapping[str, Setting]], tuple[float, Mapping[str, Any]]]


class Study:
    """A study in a file. `name` tells what it depends on: other data or other dates are another study."""

    def __init__(
        self, path: Path, name: str, space: Space, defaults: Sequence[Mapping[str, Setting]], seed: int
    ) -> None:
        self.name = name
        self.defaults = [dict(each) for each in defaults]
        self._space = space
        self._seed = seed
        try:
            self._study = optuna.create_study(
                storage=f"sqlite:///{path}", study_name=name, direction="maximize", load_if_exists=True
            )
        except Exception as error:  # whatever the database's driver raises on a damaged or unreadable file
            raise RepriseError(
                f"{path} is no file of studies that can be read ({type(error).__name__}).",
                hint="Move it away to begin the search anew.",
            ) from error
        # What a killed search left half done is none of its results.
        for trial in self._study.get_trials(states=(TrialState.RUNNING,)):
            self._study.tell(trial.number, state=TrialState.FAIL)
        asked = [
            trial.system_attrs.get("fixed_params") for trial in self._study.get_trials(states=(TrialState.WAITING,))
        ]
        done = [trial.settings for trial in self.tried]
        for each in self.defaults:
            if each not in asked and each not in done:
                self._study.enqueue_trial(each)

    @property
    def tried(self) -> list[Tried]:
        """The finished trials in their order; the first ones have the defaults."""
        return [_tried(trial) for trial in self._study.get_trials(states=(TrialState.COMPLETE,))]

    @property
    def best(self) -> Tried:
        """The trial with the highest value, the earliest of several."""
        return max(self.tried, key=lambda trial: (trial.value, -trial.number))

    @property
    def default(self) -> Tried:
        """The best of the trials with the defaults."""
        return max((t for t in self.tried if t.settings in self.defaults), key=lambda t: (t.value, -t.number))

    def step(self, objective: Objective) -> Tried:
        """One trial more."""
        done = len(self.tried)
        self._study.sampler = optuna.samplers.TPESampler(seed=self._seed + done, n_startup_trials=STARTUP_TRIALS)
        trial = self._study.ask()
        settings: dict[str, Setting] = {}
        try:
            for name, dimension in self._space.items():
                if "." not in name or name.split(".")[0] == settings.get("model"):
                    settings[name] = dimension.suggest(trial, name)
            value, found = objective(settings)
        except BaseException:
            self._study.tell(trial, state=TrialState.FAIL)
            raise
        trial.set_user_attr("settings", settings)
        trial.set_user_attr("found", dict(found))
        self._study.tell(trial, value)
        return Tried(trial.number, settings, value, found)

    @property
    def run(self) -> str | None:
        """The run on the tracking server under which the trials are logged."""
        found = self._study.user_attrs.get(_RUN)
        return str(found) if found else None

    @run.setter
    def run(self, run_id: str) -> None:
        self._study.set_user_attr(_RUN, run_id)

    @property
    def judged(self) -> dict[str, Any]:
        """What the dates that the search does not see have said, by the number of the trial they were asked about."""
        return dict(self._study.user_attrs.get(_JUDGED, {}))

    def note_judged(self, trial: Tried, result: Mapping[str, Any]) -> None:
        """Keeps a judgement: the same trial is not judged twice, and how often was looked is known."""
        self._study.set_user_attr(_JUDGED, self.judged | {str(trial.number): dict(result)})


def _tried(trial: FrozenTrial) -> Tried:
    assert trial.value is not None
    return Tried(trial.number, trial.user_attrs["settings"], trial.value, trial.user_attrs["found"])
