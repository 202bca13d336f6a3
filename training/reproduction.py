"""Making a logged model again, from what its run says it was made from, and comparing the bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from models.propensity import MODEL_FILE, TREES_FILE
from training.gates import LeakCheck
from training.propensity import Made, train_target
from training.protocol import Protocol
from training.recipes import Recipe
from training.records import CARD, INPUTS
from training.snapshots import Snapshots
from training.targets import Target
from training.tracking import Tracker
from warehouse.errors import NotReadyError
from warehouse.settings import TargetSettings, TrainingSettings


@dataclass(frozen=True)
class Reproduced:
    """A model made again; `differing` names the files that are not, byte for byte, those of the run."""

    version: str
    differing: tuple[str, ...]

    @property
    def same(self) -> bool:
        return not self.differing


def reproduce(tracker: Tracker, run_id: str, snapshots: Snapshots) -> Reproduced:
    """Trains once more with the dates, settings, recipe and champion that a run logged; keeps nothing.

    `NotReadyError` where the store no longer holds the data the run was made from.
    """
    inputs = json.loads(tracker.read(run_id, INPUTS))
    if inputs["data_fingerprint"] != snapshots.fingerprint:
        raise NotReadyError(
            f"Run {run_id} was made from other data: {inputs['data_fingerprint'][:12]}…, and the store holds "
            f"{snapshots.fingerprint[:12]}….",
            hint="Load exactly the files of that day into a workspace of their own.",
        )
    card = json.loads(tracker.read(run_id, CARD))
    made = _again(inputs, card, snapshots)
    with TemporaryDirectory(prefix="reprise-again-") as folder:
        made.model.save(Path(folder))
        differing = [
            path.name
            for path in (Path(folder) / MODEL_FILE, Path(folder) / TREES_FILE)
            if path.exists() and path.read_text(encoding="utf-8") != tracker.read(run_id, f"model/data/{path.name}")
        ]
    return Reproduced(made.model.version, tuple(differing))


def _again(inputs: Mapping[str, Any], card: Mapping[str, Any], snapshots: Snapshots) -> Made:
    """The model of that card, made again: what the recipe gave, or what serves in its stead."""
    asked, settings = inputs["target"], TrainingSettings.model_validate(inputs["settings"])
    target = Target(
        asked["name"],
        asked["population_rule"],
        asked["outcome"],
        tuple(asked["horizons"]),
        TargetSettings.model_validate(asked["settings"]),
    )
    champion = inputs["champion"]
    trained = train_target(
        snapshots.as_known(date.fromisoformat(inputs["as_of"])),
        target,
        inputs["horizon_days"],
        Protocol.from_json(inputs["planned"]),
        settings,
        Recipe.from_json(inputs["recipe"], settings),
        date.fromisoformat(inputs["as_of"]),
        Recipe.from_json(champion, settings) if champion is not None else None,
        # The time trial needs the raw rows; what it found is taken from the card.
        LeakCheck(tuple(card["leak_check"]["problems"])),
    )
    made = (trained.candidate, trained.serves)
    return next((m for m in made if m is not None and m.model.version == card["version"]), trained.candidate)
