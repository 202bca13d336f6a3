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
INPUTS = "inputs.json"


def log(tracker: Tracker, trained: Trained, directory: Callable[[Made], Path]) -> dict[str, Future[Logged]]:
    """Queues the records of one training: the candidate with all that was found, and what serves in its stead.

    `directory` gives the folder of a model's files. Returns what was queued by version.
    """
    sent = {trained.model.version: tracker.log(_record(trained, directory(trained.candidate)))}
    other = trained.serves
    if other is not None and other.model.version != trained.model.version:
        record = Record(
            EXPERIMENT,
            other.model.version,
            {"kind": other.model.kind, "recipe": other.recipe.name, "why": trained.why[:500]},
            {},
            {"version": other.model.version},
            model_name=f"{trained.target.name}_{trained.horizon}d",
            model_files=directory(other),
            alias="champion",
        )
        sent[other.model.version] = tracker.log(record)
    return sent


def _record(trained: Trained, files: Path) -> Record:
    version, name = trained.model.version, f"{trained.target.name}_{trained.horizon}d"
    serves = trained.serves is not None and trained.serves.model.version == version
    alias: Alias = "champion" if serves else "challenger"
    card = cards.card(trained)
    return Record(
        EXPERIMENT,
        version,
        _params(trained),
        _metrics(trained),
        {"version": version, "target": trained.target.name, "promoted": str(trained.promoted).lower()},
        {
            "card.md": cards.markdown(trained),
            "card.json": json.dumps(card, ensure_ascii=False, indent=1),
            INPUTS: json.dumps(trained.inputs, ensure_ascii=False, indent=1, sort_keys=True),
            "deciles.json": json.dumps(card["judged"]["deciles"], indent=1),
            "gains.json": json.dumps(card["gains"]),
            "drivers.json": json.dumps(card["drivers"], ensure_ascii=False, indent=1),
            "calibration.plotly.json": json.dumps(cards.calibration_figure(trained)),
        },
        name,
        files,
        alias,
    )


def _params(trained: Trained) -> dict[str, str]:
    planned = trained.judged.protocol.to_json()
    recipe = trained.candidate.recipe.to_json()
    params = {
        "target": trained.target.name,
        "as_of": trained.as_of.isoformat(),
        "kind": trained.model.kind,
        "population": trained.model.population,
        "data_fingerprint": str(trained.inputs["data_fingerprint"]),
        "rounds": str(trained.judged.rounds),
        "named_rule": trained.judged.named_rule,
        "features": str(len(trained.model.columns)),
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
