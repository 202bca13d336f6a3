"""What one training leaves on the tracking server, in MLflow's terms."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

from training import cards
from training.propensity import Made, Trained
from training.tracking import Alias, Logged, Record, Tracker

EXPERIMENT = "propensity"
DIFFERENCE = "lightgbm-minus-"
INPUTS, CARD = "inputs.json", "card.json"


def log(
    tracker: Tracker, trained: Trained, directory: Callable[[Made], Path], experiment: str | None = None
) -> dict[str, Future[Logged]]:
    """Queues the records of one training: the candidate with all that was found, and what serves in its stead; in an
    `experiment`, which changes nothing that serves, the candidate alone.

    `directory` gives the folder of a model's files. Returns what was queued by version.
    """
    serves = trained.serves if experiment is None else None
    made = {each.model.version: each for each in (trained.candidate, serves) if each is not None}
    return {version: tracker.log(_record(trained, each, directory(each), experiment)) for version, each in made.items()}


def _record(trained: Trained, made: Made, files: Path, experiment: str | None = None) -> Record:
    """What is kept of one model of a training: the candidate, or what serves in its stead."""
    version, name = made.model.version, f"{trained.target.name}_{trained.horizon}d"
    serves = experiment is None and trained.serves is not None and trained.serves.model.version == version
    alias: Alias | None = "champion" if serves else "challenger" if experiment is None else None
    promoted = experiment is None and trained.promoted and version == trained.model.version
    card = json.loads((files / cards.CARD_JSON).read_text(encoding="utf-8"))
    return Record(
        experiment or EXPERIMENT,
        version,
        _params(trained, made),
        _metrics(trained),
        {"version": version, "target": trained.target.name, "promoted": str(promoted).lower()},
        {
            cards.CARD_FILE: (files / cards.CARD_FILE).read_text(encoding="utf-8"),
            CARD: json.dumps(card, ensure_ascii=False, indent=1),
            INPUTS: json.dumps(trained.inputs, ensure_ascii=False, indent=1, sort_keys=True),
            "deciles.json": json.dumps(card["judged"]["deciles"], indent=1),
            "gains.json": json.dumps(card["gains"]),
            "drivers.json": json.dumps(card["drivers"], ensure_ascii=False, indent=1),
            "calibration.plotly.json": json.dumps(cards.calibration_figure(trained, made)),
        },
        name,
        files,
        alias,
        data=str(trained.inputs["data_fingerprint"]),
    )


def _params(trained: Trained, made: Made) -> dict[str, str]:
    planned = trained.judged.protocol.to_json()
    recipe = made.recipe.to_json()
    params = {
        "target": trained.target.name,
        "as_of": trained.as_of.isoformat(),
        "kind": made.model.kind,
        "population": made.model.population,
        "data_fingerprint": str(trained.inputs["data_fingerprint"]),
        "rounds": str(trained.judged.rounds),
        "named_rule": trained.judged.named_rule,
        "features": str(len(made.model.columns)),
        "seed": str(trained.inputs["settings"]["seed"]),
        "why": trained.why[:500],
        **{key: str(value) for key, value in planned.items()},
        **{f"recipe.{key}": str(value) for key, value in (recipe["trees"] or {"rule": recipe["rule"]}).items()},
    }
    return {key: value[:6000] for key, value in params.items()}


def _metrics(trained: Trained) -> dict[str, float | None]:
    found: dict[str, float | None] = {"n": trained.judged.n, "base_rate": trained.judged.base_rate}
    for model, intervals in trained.judged.intervals.items():
        for metric, interval in intervals.items():
            found |= {
                f"{model}/{metric}": interval.value,
                f"{model}/{metric}.low": interval.low,
                f"{model}/{metric}.high": interval.high,
            }
    for other, compared in trained.judged.differences.items():
        for metric, interval in compared.items():
            found |= {
                f"{DIFFERENCE}{other}/{metric}": interval.value,
                f"{DIFFERENCE}{other}/{metric}.low": interval.low,
                f"{DIFFERENCE}{other}/{metric}.high": interval.high,
            }
    return found
