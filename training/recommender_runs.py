"""One choice of a recommender as it is logged, and made again from what was logged.

A fitted recommender holds who bought what, and nothing on a tracking server may name a customer. So the registered
model is the recipe with the digest of the arrays it gave; the arrays themselves live in the release.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from itertools import count
from typing import Any

import numpy as np

from features.outcomes import purchases
from features.shown import learnt_from
from features.source import Source
from models.recommenders.interactions import Interactions
from models.recommenders.recommender import Recommender
from training import act_counts
from training.recommendation import BENCHMARK, Fit, TrainedRecommender, fit_of, train_recommender
from training.records import CARD, INPUTS
from training.snapshots import some
from training.tracking import Record, Tracker
from warehouse.errors import NotReadyError
from warehouse.progress import Progress, silent

EXPERIMENT = MODEL_NAME = "recommend"
RECIPE = "recommender.json"
SHOWN = ("recall@10", "recall@20", "ndcg@10", "hit_rate@10", "repeat_recall@10", "explore_recall@10", "coverage@10")


@dataclass(frozen=True)
class Inputs:
    """Everything a choice depends on: with the same data it gives the same recommender again.

    Of more than `max_customers` customers a random part is what recommenders are judged on; 0: all of them.
    `left_out_days`: sales so soon after the item was shown are not learnt from. `acts`: the `kinds` of events that
    count beside sales, and `dwell` (`features.shown.learnt_from`). `levels`: what levels sellers have, where a rule
    asks for them.
    """

    data_fingerprint: str
    as_of: date
    first_day: date
    observed_until: date
    horizon: int
    models: tuple[str, ...]
    bootstrap_draws: int
    seed: int
    fits: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    max_customers: int = 0
    rules: Mapping[str, Any] = field(default_factory=dict)
    left_out_days: int = 0
    acts: Mapping[str, Any] = field(default_factory=dict)
    levels: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As plain values; rules, days left out, acts and levels only where there are any."""
        dates = {name: getattr(self, name).isoformat() for name in ("as_of", "first_day", "observed_until")}
        told = asdict(self) | dates | {"models": list(self.models)}
        return {
            name: value
            for name, value in told.items()
            if value or name not in ("rules", "left_out_days", "acts", "levels")
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Inputs:
        """What `to_json` gave."""
        dates = {name: date.fromisoformat(document[name]) for name in ("as_of", "first_day", "observed_until")}
        return cls(**{**document, **dates, "models": tuple(document["models"])})


def train(source: Source, asked: Inputs, progress: Progress = silent) -> TrainedRecommender:
    """Judges and chooses on the rows known at `as_of`, of some customers where they are many, and fits on all."""
    some_of_it = some(source, asked.max_customers) if asked.max_customers else source
    return train_recommender(
        lambda cutoff: learnt_from(some_of_it, cutoff, asked.left_out_days, **asked.acts),
        lambda cutoff: purchases(some_of_it, cutoff, asked.horizon, asked.as_of),
        asked.as_of,
        asked.observed_until,
        asked.first_day,
        asked.horizon,
        asked.models,
        asked.bootstrap_draws,
        asked.seed,
        asked.fits,
        _counted(fit_of(source), 2 * len({*asked.models, BENCHMARK}) + 1, progress),
        lambda cutoff: learnt_from(source, cutoff, asked.left_out_days, **asked.acts),
    )


def _counted(fit: Fit, total: int, progress: Progress) -> Fit:
    """The same, which says how many recommenders were fitted of those that will be."""
    done = count()

    def fitted(model: Recommender, held: Interactions) -> Recommender:
        progress(f"fitting {model.name}", next(done), total)
        return fit(model, held)

    return fitted


def digest(model: Recommender) -> str:
    """SHA-256 over the names, kinds, shapes and bytes of a fitted recommender's arrays."""
    found = hashlib.sha256()
    for name, array in sorted(model.arrays().items()):
        found.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


def log(tracker: Tracker, trained: TrainedRecommender, asked: Inputs) -> None:
    """Queues the record of a choice, registered as the champion; nothing where there is nothing to suggest."""
    if trained.model is None:
        return
    recipe = {"name": trained.name, "arrays_sha256": digest(trained.model), "inputs": asked.to_json()}
    tracker.log(
        Record(
            EXPERIMENT,
            f"{trained.name}-{asked.as_of:%Y%m%d}",
            _params(trained, asked),
            _metrics(trained),
            {"serves": str(trained.name)},
            {
                "card.md": markdown(trained),
                CARD: json.dumps(trained.card, ensure_ascii=False, indent=1),
                INPUTS: json.dumps(asked.to_json(), indent=1, sort_keys=True),
                "judged.json": json.dumps(trained.metrics, indent=1),
            },
            MODEL_NAME,
            alias="champion",
            model_texts={RECIPE: json.dumps(recipe, indent=1, sort_keys=True) + "\n"},
        )
    )


def _params(trained: TrainedRecommender, asked: Inputs) -> dict[str, str]:
    told = asked.to_json() | {"models": ", ".join(asked.models)}
    windows = {f"window.{role}": day for role, day in trained.card["windows"].items()}
    return {"serves": str(trained.name), "why": trained.why[:500], **{k: str(v) for k, v in (told | windows).items()}}


def _metrics(trained: TrainedRecommender) -> dict[str, float | None]:
    """Every measure of every recommender on both windows, by `judge/als/recall_at_10`, with `_low` and `_high`."""
    return {
        f"{row['role']}/{row['name']}/{name}".replace("@", "_at_"): value
        for row in trained.metrics
        for name, value in row.items()
        if isinstance(value, int | float)
    }


def markdown(trained: TrainedRecommender) -> str:
    """The card of a choice in plain words."""
    card = trained.card
    lines = [
        f"# Suggestions: {trained.name}",
        "",
        f"As of {card['as_of']}. {trained.why}",
        "",
        f"- Learnt from the sales of {card['users']:,} customers and {card['items']:,} items",
        *(f"- Window to {role}: {card['horizon_days']} days from {day}" for role, day in card["windows"].items()),
        "",
    ]
    for role in card["windows"]:
        if rows := [row for row in trained.metrics if row["role"] == role]:
            lines += [f"## On the window to {role}: {rows[0]['n']:,} customers", "", *_table(rows), ""]
    if sources := card.get("sources"):
        lines += ["## Of the first ten suggestions, bought in the judged window", "", *_sources(sources), ""]
    if costs := card.get("rules"):
        lines += ["## What the rules cost on the judged window", "", *_costs(costs), ""]
    if acts := card.get("acts"):
        lines += ["## What counts beside purchases", "", *(f"- {line}" for line in act_counts.lines(acts)), ""]
    if shown := card.get("shown"):
        lines += ["## What followed being shown", "", f"- {shown['text']}", ""]
    return "\n".join([*lines, "## To know", "", *(f"- {note}" for note in card["notes"])]) + "\n"


def _table(rows: list[dict[str, Any]]) -> list[str]:
    shown = [name for name in SHOWN if name in rows[0]]
    lines = ["| | " + " | ".join(shown) + " |", "|---|" + "---|" * len(shown)]
    return lines + [f"| {row['name']} | " + " | ".join(_cell(row, name) for name in shown) + " |" for row in rows]


def _sources(rows: list[dict[str, Any]]) -> list[str]:
    lines = ["| where it comes from | suggested | bought | share |", "|---|---|---|---|"]
    return lines + [f"| {r['source']} | {r['shown']:,} | {r['bought']:,} | {r['rate']:.4f} |" for r in rows]


def _costs(rows: list[dict[str, Any]]) -> list[str]:
    measures = [name.removesuffix("_cost") for name in rows[0] if name.endswith("_cost")]
    lines = ["| | " + " | ".join(f"{m} | its cost" for m in measures) + " |", "|---|" + "---|---|" * len(measures)]
    for row in rows:
        costs = [(row[m], *(row[f"{m}_{part}"] for part in ("cost", "low", "high"))) for m in measures]
        cells = [f"{value:.3f} | {cost:.4f} ({low:.4f} … {high:.4f})" for value, cost, low, high in costs]
        lines.append(f"| {row['rule']} | " + " | ".join(cells) + " |")
    return lines


def _cell(row: Mapping[str, Any], name: str) -> str:
    value, low, high = (row.get(key) for key in (name, f"{name}_low", f"{name}_high"))
    if value is None:
        return "–"
    return f"{value:.3f}" + (f" ({low:.3f} … {high:.3f})" if low is not None and high is not None else "")


def reproduce(tracker: Tracker, run_id: str, source: Source, fingerprint: str) -> bool:
    """Chooses and fits once more from what a run logged: whether the very same arrays come out. Keeps nothing.

    `NotReadyError` where the store no longer holds the data the run was made from.
    """
    asked = Inputs.from_json(json.loads(tracker.read(run_id, INPUTS)))
    if asked.data_fingerprint != fingerprint:
        raise NotReadyError(
            f"Run {run_id} was made from other data: {asked.data_fingerprint[:12]}…, and the store holds "
            f"{fingerprint[:12]}….",
            hint="Load exactly the files of that day into a workspace of their own.",
        )
    again = train(source, asked)
    logged = json.loads(tracker.read(run_id, f"model/data/{RECIPE}"))
    return again.model is not None and (again.name, digest(again.model)) == (logged["name"], logged["arrays_sha256"])
