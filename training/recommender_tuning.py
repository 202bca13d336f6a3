"""Better settings for the recommenders that have some, searched on past windows and judged on one they did not see."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from features.outcomes import purchases
from features.shown import learnt_from
from features.source import Source
from models.recommenders.interactions import Interactions
from training.evaluation.recommendation import bootstrap_means, interval
from training.recommendation import BENCHMARK, FEWEST_JUDGED, Judged, judge_all
from training.recommender_runs import Inputs
from training.studies import Choice, Numbers, Setting, Space
from training.tuning import including, tuning_dates
from warehouse.errors import NotReadyError
from warehouse.progress import Progress, silent

MEASURES = ("recall@10", "ndcg@10")
DEFAULTS: Mapping[str, Mapping[str, Setting]] = {
    "als": {"factors": 64, "regularization": 10.0, "alpha": 10.0, "iterations": 8},
    "bm25": {"neighbours": 20, "k1": 1.2, "b": 0.2},
}
SPACE: Space = {
    "als.factors": Numbers(16, 128, log=True, whole=True),
    "als.regularization": Numbers(0.1, 100, log=True),
    "als.alpha": Numbers(1, 100, log=True),
    "als.iterations": Numbers(3, 20, log=True, whole=True),
    "bm25.neighbours": Numbers(5, 200, log=True, whole=True),
    "bm25.k1": Numbers(0.1, 10, log=True),
    "bm25.b": Numbers(0, 1),
}


class RecommenderSearch:
    """What trials of recommenders are measured by: the mean of Recall@10 and NDCG@10 over past windows.

    `asked` are the inputs of a choice of today, whose judged window the trials do not see.
    """

    def __init__(self, source: Source, asked: Inputs, progress: Progress = silent) -> None:
        self.asked = asked
        self._source = source
        self.judge_day = min(asked.as_of, asked.observed_until) - timedelta(days=asked.horizon)
        self._windows: dict[date, tuple[Interactions, pa.Table]] = {}
        for day in tuning_dates(self.judge_day, asked.first_day, asked.horizon):
            progress(f"sales before {day}", 0)
            held = self._window(day)
            if held[0].shape[1] and held[1].num_rows >= FEWEST_JUDGED:
                self._windows[day] = held
        self._models = tuple(name for name in DEFAULTS if name in asked.models)
        if not self._windows or not self._models:
            raise NotReadyError(
                f"Nothing can be tuned for suggestions before {self.judge_day}.",
                hint="It needs sales that name items over three times [recommend] horizon, and als or bm25 among "
                "[recommend] models.",
            )

    @property
    def dates(self) -> tuple[date, ...]:
        """The first days of the tuning windows, earliest first."""
        return tuple(sorted(self._windows))

    @property
    def defaults(self) -> list[dict[str, Setting]]:
        """Each recommender as the settings make it now."""
        points: list[dict[str, Setting]] = []
        for name in self._models:
            held = {**DEFAULTS[name], **self.asked.fits.get(name, {})}
            points.append({"model": name, **{f"{name}.{key}": value for key, value in held.items()}})
        return points

    @property
    def space(self) -> Space:
        """Which recommender, and its settings."""
        held = {name: value for point in self.defaults for name, value in point.items() if name != "model"}
        searched = {name: SPACE[name] for name in held}
        return {"model": Choice(self._models), **including(searched, held)}

    @property
    def name(self) -> str:
        """The study's name: a hash of all that its values depend on."""
        depends = self.asked.to_json() | {"dates": [str(day) for day in (*self.dates, self.judge_day)]}
        depends |= {"space": {name: repr(dimension) for name, dimension in self.space.items()}}
        return f"recommend-{hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()[:8]}"

    def value(self, settings: Mapping[str, Setting]) -> tuple[float, dict[str, Any]]:
        """The mean over windows of (Recall@10 + NDCG@10) / 2; and what it is of."""
        found = []
        for day in self.dates:
            (judged,) = self._judged(self._windows[day], {str(settings["model"]): settings})
            found.append({"as_of": day.isoformat(), **{m: judged.row[m] for m in MEASURES}})
        return float(np.mean([each[m] or 0.0 for each in found for m in MEASURES])), {"dates": found}

    def judged(self, settings: Mapping[str, Setting], default: Mapping[str, Setting]) -> dict[str, Any]:
        """The settings beside the best defaults, and beside GP-TopFreq, on the window that the search has not seen."""
        window = self._window(self.judge_day)
        (tuned,) = self._judged(window, {str(settings["model"]): settings})
        (before,) = self._judged(window, {str(default["model"]): default})
        (benchmark,) = self._judged(window, {BENCHMARK: {}})
        return {
            "as_of": self.judge_day.isoformat(),
            "n": tuned.row["n"],
            "differences": self._differences(tuned, before),
            f"minus_{BENCHMARK}": self._differences(tuned, benchmark),
        }

    def to_write(self, settings: Mapping[str, Setting]) -> list[str]:
        """The lines that make these settings those of the recommender."""
        name = str(settings["model"])
        said = (f"{k.split('.')[1]} = {json.dumps(v)}" for k, v in settings.items() if "." in k)
        return [f"[recommend.{name}]", *said]

    def _window(self, day: date) -> tuple[Interactions, pa.Table]:
        held = learnt_from(self._source, day, 0, **self.asked.acts)
        sold = purchases(self._source, day, self.asked.horizon, self.asked.as_of)
        return (
            Interactions.from_table(held.filter(held["item_id"].is_valid()), day),
            sold.filter(sold["item_id"].is_valid()),
        )

    def _judged(
        self, window: tuple[Interactions, pa.Table], wanted: Mapping[str, Mapping[str, Setting]]
    ) -> list[Judged]:
        fits = {
            name: {k.split(".")[1]: float(v) if isinstance(v, float) else v for k, v in said.items() if "." in k}
            for name, said in wanted.items()
        }
        # The intervals of single recommenders are not asked for; pairs are drawn below.
        return judge_all(*window, list(wanted), (10,), 1, self.asked.seed, fits)  # type: ignore[arg-type]

    def _differences(self, tuned: Judged, other: Judged) -> dict[str, Any]:
        vectors = [tuned.vectors[m] - other.vectors[m] for m in MEASURES]
        drawn = bootstrap_means(vectors, self.asked.bootstrap_draws, self.asked.seed)
        found = {}
        for at, measure in enumerate(MEASURES):
            low, high = interval(drawn[:, at])
            found[measure] = {"value": float(np.nanmean(vectors[at])), "low": low, "high": high}
        return found
