"""One (target, horizon) trained by the protocol: judged, gated, refitted on all closed cutoffs, calibrated anew."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from features.catalogue import by_name
from models.boosting import parse
from models.calibration import Calibration
from models.propensity import PropensityModel
from training import gates
from training.candidates import Fitted, Matrix, fit_rule
from training.evaluation.propensity import auc
from training.examples import EXAMPLE_FILE, MADE_UP, Value, usual
from training.gates import LeakCheck, Verdict
from training.judging import CHAMPION, TREES, Judged, cross_fitted, judge
from training.levels import Level, forecast
from training.protocol import Protocol
from training.recipes import Recipe, rule_recipe
from training.snapshots import Pool, Snapshots
from training.targets import Target
from warehouse.files import write_text
from warehouse.settings import TrainingSettings

Role = Literal["challenger", "rule", "refreshed"]
SHUFFLED_ROUNDS = 50
FEW_FOR_LEAKS = 5_000
"""Customers on whom single features are tried: one that knows the outcome shows on far fewer."""
RECIPE_FILE = "recipe.json"
INPUTS_FILE = "inputs.json"


@dataclass(frozen=True)
class Made:
    """A refitted model, the recipe it was made by, and a made-up row of what it reads."""

    model: PropensityModel
    recipe: Recipe
    example: Mapping[str, Value]

    def write(self, folder: Path, inputs: Mapping[str, Any]) -> None:
        """The files of a version: the model, its recipe, what it was made from, and an example of a row."""
        self.model.save(folder)
        write_text(folder / RECIPE_FILE, _json(self.recipe.to_json()))
        write_text(folder / INPUTS_FILE, _json(inputs))
        write_text(folder / EXAMPLE_FILE, _json({"made_up": MADE_UP, "row": self.example}))


@dataclass(frozen=True)
class Trained:
    """What one training gave.

    `candidate` is what the recipe made: trees, or the named rule where the history is too short. `serves` is the model
    that is to serve from now on: the candidate, or the model it did not replace, made anew on the newest data; None
    where the present champion stays as it is. `why` says it in one sentence.
    """

    target: Target
    horizon: int
    as_of: date
    judged: Judged
    candidate: Made
    serves: Made | None
    promoted: bool
    why: str
    leaks: LeakCheck
    inputs: Mapping[str, Any]
    level: Level

    @property
    def model(self) -> PropensityModel:
        return self.candidate.model


def train_target(
    snapshots: Snapshots,
    target: Target,
    horizon: int,
    planned: Protocol,
    settings: TrainingSettings,
    recipe: Recipe,
    as_of: date,
    champion: Recipe | None = None,
    unchanged: LeakCheck | None = None,
) -> Trained:
    """Trains one target at one horizon; the same data, settings and seed give the same bytes.

    `champion` is the recipe of the model that serves now, None where none does. `unchanged` is the answer of the time
    trial, which is the same for every target of a cutoff. Raises `NotReadyError` where nobody can be judged.
    """
    judged = judge(snapshots, target, horizon, planned, settings, recipe, champion)
    inputs = _inputs(snapshots, target, horizon, planned, settings, recipe, champion, as_of)
    level = forecast(
        snapshots, target, horizon, judged.protocol.closed, as_of, settings.min_positives, settings.level == "forecast"
    )
    refit = _Refit(snapshots, target, horizon, judged, as_of, inputs, level)
    named = champion if champion is not None and champion.rule is not None else rule_recipe(judged.named_rule)
    if judged.rounds is None:
        made = refit.rule(rule_recipe(judged.named_rule))
        serves = None if champion is not None and champion.trees is not None else made
        return Trained(
            target,
            horizon,
            as_of,
            judged,
            made,
            serves,
            False,
            _too_short(judged, settings),
            LeakCheck(),
            inputs,
            level,
        )
    made = refit.trees(recipe, judged.rounds)
    leaks = leak_check(judged, settings.seed) + (unchanged or LeakCheck())
    verdict = _verdict(judged, recipe, champion, leaks)
    if verdict.promote:
        serves = made
    elif champion is None or champion.rule is not None:
        serves = refit.rule(named)
    else:
        serves = _refreshed(refit, judged, recipe, champion)
    return Trained(target, horizon, as_of, judged, made, serves, verdict.promote, verdict.why, leaks, inputs, level)


def _refreshed(refit: _Refit, judged: Judged, recipe: Recipe, champion: Recipe) -> Made | None:
    """The champion's recipe on the newest data; None where it is the very recipe that was refused."""
    if champion.same_as(recipe) or CHAMPION not in judged.contenders:
        return None
    rounds = judged.contenders[CHAMPION].rounds
    return refit.trees(champion, rounds) if rounds is not None else None


def _verdict(judged: Judged, recipe: Recipe, champion: Recipe | None, leaks: LeakCheck) -> Verdict:
    """The gate against the champion's recipe, or against the named rule where nothing serves yet."""
    shape = judged.intervals[TREES]["shape_error"].value
    if champion is not None and champion.same_as(recipe):
        return _same_recipe(shape, leaks)
    other = CHAMPION if CHAMPION in judged.contenders else judged.named_rule
    told = _told(other, judged, champion)
    compared = judged.differences[other]
    return gates.judge("LightGBM", told, compared["average_precision"], compared["auc"], shape, leaks)


def _told(other: str, judged: Judged, champion: Recipe | None) -> str:
    if champion is not None and champion.trees is not None:
        return f'the champion (recipe "{champion.name}")'
    rule = champion.rule if champion is not None and other == CHAMPION else judged.named_rule
    return f'the rule "{rule}"'


def _same_recipe(shape: float, leaks: LeakCheck) -> Verdict:
    """The champion's own recipe on newer data replaces it unless something is wrong with it: there is no difference."""
    if not leaks.clean:
        return Verdict(False, f"The champion stays as it is: {leaks.problems[0]}")
    if not shape <= gates.LARGEST_SHAPE_ERROR:
        return Verdict(
            False, f"The champion stays as it is: on newer data the shape error of its recipe is {shape:.3f}, above "
            f"{gates.LARGEST_SHAPE_ERROR:.2f}."
        )  # fmt: skip
    return Verdict(True, "The champion's own recipe, refitted on newer data.")


def _too_short(judged: Judged, settings: TrainingSettings) -> str:
    few = next((s for s in judged.skipped if s.as_of == judged.protocol.judge), None)
    reason = (
        f"of {few.n} customers on {few.as_of} {few.positives} are positive, and {settings.min_positives} of both kinds "
        "are needed"
        if few
        else "there is too little history before the judged day to train on"
    )
    return f'The rule "{judged.named_rule}" serves, and no LightGBM was trained: {reason}.'


@dataclass(frozen=True)
class _Refit:
    """Makes the model that is kept from a recipe that was judged."""

    snapshots: Snapshots
    target: Target
    horizon: int
    judged: Judged
    as_of: date
    inputs: Mapping[str, Any]
    level: Level

    def trees(self, recipe: Recipe, rounds: int) -> Made:
        """Trees of the chosen number on all closed cutoffs, calibrated on predictions cross-fitted by customer."""
        rows = self._rows(recipe.max_rows)
        fitted, calibration = cross_fitted(Matrix(rows, recipe, self.horizon), rounds)
        return self._made(recipe, fitted, calibration, rows)

    def rule(self, recipe: Recipe) -> Made:
        """A rule with its map fitted on all closed cutoffs."""
        assert recipe.rule is not None
        rows = self._rows(recipe.max_rows)
        fitted = fit_rule(recipe.rule, rows, self.horizon, recipe)
        return self._made(recipe, fitted, Calibration(), rows)

    def _rows(self, most_rows: int) -> Pool:
        return self.snapshots.pool(self.target, self.horizon, self.judged.protocol.closed, most_rows)

    def _made(self, recipe: Recipe, fitted: Fitted, calibration: Calibration, rows: Pool) -> Made:
        key = hashlib.sha256(_json({**self.inputs, "made": recipe.to_json()}).encode()).hexdigest()[:6]
        version = f"{self.target.name}-{self.horizon}d-{self.as_of:%Y%m%d}-{key}"
        population = self.target.population(self.horizon)
        if self.level.applied:
            calibration = replace(calibration, shift=calibration.shift + self.level.shift)
        base_rate = float(rows.y.mean())
        model = fitted.model(self.target.name, self.horizon, version, population, base_rate, calibration)
        return Made(model, recipe, usual(rows.table, model.columns))


def leak_check(judged: Judged, seed: int) -> LeakCheck:
    """Shuffled labels may not be ranked, and no single feature may rank almost perfectly."""
    assert judged.rounds is not None
    assert judged.matrix is not None
    schema = judged.matrix.schema
    some = slice(0, None, max(1, judged.n // FEW_FOR_LEAKS))
    X = schema.encode(judged.sample.table.take(pa.array(np.arange(judged.n)[some])))
    found = gates.check_single_features(X, schema.names, judged.sample.y[some], schema.categorical)
    generator = np.random.default_rng(seed)
    matrix = copy(judged.matrix)
    matrix.y = generator.permutation(matrix.y)
    fitted = matrix.fit(min(judged.rounds, SHUFFLED_ROUNDS))
    shuffled = generator.permutation(judged.sample.y)
    ranked = auc(shuffled, Calibration().apply(fitted.raw(judged.sample.table)))
    positives = judged.sample.positives
    return found + gates.shuffled_labels_clean([ranked], positives, judged.sample.n - positives)


def drivers(model: PropensityModel) -> list[tuple[str, float]]:
    """(feature, share of the total gain), largest first."""
    if model.trees is None or model.schema is None:
        return []
    gains = np.asarray(parse(model.trees).feature_importance("gain"), dtype=np.float64)
    total = gains.sum() or 1.0
    found = [(name, float(gain / total)) for name, gain in zip(model.schema.names, gains, strict=True) if gain > 0]
    return sorted(found, key=lambda pair: (-pair[1], pair[0]))


def in_words(feature: str, language: Literal["en", "zh"] = "en", own: Mapping[str, Sequence[str]] | None = None) -> str:
    """A feature's meaning in one line; its name where neither the catalogue nor `own` (en, zh by name) knows it."""
    if own and feature in own:
        return own[feature][0 if language == "en" else 1]
    known = by_name().get(feature)
    return (known.zh if language == "zh" else known.en) if known else feature


def _inputs(
    snapshots: Snapshots,
    target: Target,
    horizon: int,
    planned: Protocol,
    settings: TrainingSettings,
    recipe: Recipe,
    champion: Recipe | None,
    as_of: date,
) -> dict[str, Any]:
    """Everything a training depends on, as plain values: with the same data it gives the same model again."""
    return {
        "format": 1,
        "data_fingerprint": snapshots.fingerprint,
        "as_of": as_of.isoformat(),
        "target": {
            "name": target.name,
            "population_rule": target.population_rule,
            "outcome": target.outcome,
            "horizons": list(target.horizons),
            "settings": target.settings.model_dump(mode="json"),
        },
        "horizon_days": horizon,
        "planned": planned.to_json(),
        "settings": settings.model_dump(mode="json", exclude={"tracking_uri", "retrain_every", "threads"}),
        "recipe": recipe.to_json(),
        "champion": champion.to_json() if champion is not None else None,
        **({"own_features": snapshots.source.own.words()} if snapshots.source.own.features else {}),
    }


def _json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, sort_keys=True, indent=1) + "\n"
