"""Finished runs by their ids: comparing two of them, and making the model of one serve."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.propensity import PropensityModel
from pipeline import champions
from training import comparing
from training.cards import CARD_JSON
from training.judgements import Judgement
from training.propensity import INPUTS_FILE
from training.records import CARD, INPUTS
from training.registry import Registry
from training.tracking import Tracker, prepare
from warehouse.errors import RepriseError, UsageError
from warehouse.workspace import Workspace

_RUN = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Compared:
    """Two runs beside each other."""

    payload: dict[str, Any]

    def lines(self) -> list[str]:
        return comparing.lines(self.payload)


class _Runs:
    """Runs of a workspace; the tracking server is asked only where a run id is given, since its start takes seconds."""

    def __init__(self, workspace: Workspace, stack: ExitStack) -> None:
        self.workspace = workspace
        self.registry = Registry(workspace)
        self._stack = stack
        self._open: Tracker | None = None

    @property
    def tracker(self) -> Tracker:
        if self._open is None:
            self._open = self._stack.enter_context(prepare(self.workspace))
        return self._open

    def version_of(self, run: str) -> tuple[str, dict[str, Any]]:
        """The model version that a finished run made, and what the server tells of the run."""
        try:
            told = self.tracker.describe(run)
        except RepriseError as error:
            if "not found" not in error.message:
                raise
            raise UsageError(f"There is no run {run} at {self.tracker.uri}.", hint=_WHERE) from error
        if told["status"] != "FINISHED":
            raise UsageError(f"Run {run} is {told['status']}, not finished.", hint="Choose a finished run.")
        if "version" not in told["tags"]:
            what = told["tags"].get("kind") or told["experiment"]
            raise UsageError(f"Run {run} made no model: it is of {what}.", hint=_WHERE)
        return told["tags"]["version"], told

    def side(self, name: str) -> comparing.Side:
        """A run or model version as one side of a comparison."""
        version, is_run = name, _RUN.fullmatch(name) is not None
        if is_run:
            version, _ = self.version_of(name)
        place = self.registry.place(version)
        if place is None and not is_run:
            raise UsageError(f'There is no run or model version "{name}".', hint=_WHERE)
        if place is not None:
            folder = self.registry.directory(*place, version)
            read: Callable[[str], str] = lambda file: (folder / file).read_text(encoding="utf-8")  # noqa: E731
            card, inputs = json.loads(read(CARD_JSON)), json.loads(read(INPUTS_FILE))
        else:
            card, inputs = (json.loads(self.tracker.read(name, file)) for file in (CARD, INPUTS))
        path = self.registry.judged(version)
        return comparing.Side(name, card, inputs, Judgement.read(path) if path.exists() else None)


_WHERE = (
    "`reprise models list` shows the versions; the run ids of trainings are on the tracking server (`make mlflow`)."
)


def compare(workspace: Workspace, first: str, second: str) -> Compared:
    """The second run beside the first; each is named by its run id or its model version."""
    settings = workspace.settings.training
    with ExitStack() as stack:
        runs = _Runs(workspace, stack)
        sides = runs.side(first), runs.side(second)
    return Compared(comparing.compare(*sides, settings.bootstrap_draws, settings.seed))


def promote_run(workspace: Workspace, run: str, reason: str) -> dict[str, Any]:
    """Makes the model of a finished run the one that serves; it is fetched from the server where it is not here.

    The alias `champion` on the server moves with it.
    """
    with ExitStack() as stack:
        runs = _Runs(workspace, stack)
        version, told = runs.version_of(run)
        if runs.registry.place(version) is None:
            _fetch(runs, run, version)
        entry = champions.promote(workspace, version, reason, run)
        for name, number in told["versions"]:
            runs.tracker.alias(name, number, "champion")
    return entry


def _fetch(runs: _Runs, run: str, version: str) -> None:
    """The model of a run into the registry, as it was logged and after it has been read whole."""
    card = json.loads(runs.tracker.read(run, CARD))
    target, horizon = str(card["target"]), int(card["horizon_days"])

    def write(folder: Path) -> None:
        runs.tracker.fetch(run, "model/data", folder)
        model = PropensityModel.load(folder)
        if (model.target, model.horizon_days, model.version) != (target, horizon, version):
            raise RepriseError(f"Run {run} holds the model {model.version}, not {version}.", hint="Choose another run.")

    runs.registry.add(target, horizon, version, write)
