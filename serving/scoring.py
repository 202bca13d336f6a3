"""From features to probabilities, purely: the nightly batch and HTTP call the same functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from features import rules
from features.building import build_features
from features.catalogue import families_of
from features.source import Source
from serving.complements import Complement, Key, Model, base_models
from serving.raw_lines import Line, read_lines
from serving.release import Release
from serving.schemas import SCORES
from warehouse.engine import connect
from warehouse.streamed import Streamed

Reference: TypeAlias = Mapping[Key, npt.NDArray[np.float64]]
"""For each target and horizon the sorted probabilities of its population, against which percentiles are read."""

TIE = 1e-9
"""Probabilities closer than this are equal to a percentile, so that the last bit of a sum moves nobody."""

NO_ORDER = "no order yet"
NO_ACT = "no act yet"
OUTSIDE = "outside the population"
_ORDER = [("user_id", "ascending"), ("target", "ascending"), ("horizon_days", "ascending")]
_ORDERS = "order_count_lifetime"
_ACTS = "days_since_last_act"


def score(
    models: Mapping[Key, Model],
    features: pa.Table,
    *,
    as_of: date,
    release: str,
    reference: Reference | None = None,
) -> pa.Table:
    """Long scores (`schemas.SCORES`) of every row of `features`, sorted by user, target and horizon.

    Outside a target's population the probability is null and `state` says why. Percentiles are read against
    `reference`, or, without one, against these very users.
    """
    asked = _asked(models, features)
    return _long(asked, _among(models, [asked]) if reference is None else reference, as_of, release)


def score_streamed(models: Mapping[Key, Model], features: Streamed, *, as_of: date, release: str) -> Streamed:
    """What `score` gives without a reference, for features that are not held: of each user only the answers are."""
    named = {name for model in models.values() for name in named_by(model)}
    wanted = [name for name in features.schema.names if name in {*named, "entity_id", _ORDERS, _ACTS}]
    parts = [_asked(models, chunk) for chunk in features.chunks(wanted)]
    among = _among(models, parts)
    return Streamed(SCORES, lambda columns: (_long(part, among, as_of, release) for part in parts))


def named_by(model: Model) -> set[str]:
    """The features that a model and the rule of its population read."""
    return {*model.columns, *rules.fields_of(rules.parse(model.population))}


@dataclass(frozen=True)
class _Asked:
    """What the models say of some users, before it is known how that compares with everybody else."""

    users: pa.Array
    answers: Mapping[Key, _Answer]


@dataclass(frozen=True)
class _Answer:
    """Of one target, aligned with the users: `state` is null inside the population, probabilities count there only."""

    model_version: str
    probability: npt.NDArray[np.float64]
    inside: npt.NDArray[np.bool_]
    state: pa.DictionaryArray


def _asked(models: Mapping[Key, Model], features: pa.Table) -> _Asked:
    raw = {key: model.predict(features) for key, model in base_models(models).items()}
    inside = populations(models, features)
    answers = {}
    for key, model in models.items():
        predicted = 1.0 - raw[(model.of.target, key[1])] if isinstance(model, Complement) else raw[key]
        states = pa.array(_states(key[0], features), pa.string(), mask=inside[key]).dictionary_encode()
        answers[key] = _Answer(model.version, predicted, inside[key], states)
    return _Asked(features["entity_id"].combine_chunks().cast(pa.string()), answers)


def _among(models: Mapping[Key, Model], parts: Sequence[_Asked]) -> Reference:
    """The sorted probabilities of each target's population among all these users."""
    known = {key: [part.answers[key].probability[part.answers[key].inside] for part in parts] for key in models}
    return {key: np.sort(np.concatenate([np.empty(0), *each])) for key, each in known.items()}


def percentile(probabilities: npt.NDArray[np.float64], among: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Of 100, how many of the sorted `among` each probability is higher than, by more than a rounding error."""
    if not among.size:
        return np.full(probabilities.shape, np.nan)
    return 100.0 * np.searchsorted(among, probabilities - TIE, side="left") / among.size


def ranked(scores: pa.Table) -> pa.Table:
    """Long scores that have no percentiles yet with those read against these very users, sorted as `score` sorts."""
    percentiles = np.full(scores.num_rows, np.nan)
    inside = np.asarray(scores["probability"].is_valid().to_numpy())
    probabilities = scores["probability"].to_numpy()
    questions = scores.select(["target", "horizon_days"])
    for asked in questions.group_by(questions.column_names).aggregate([]).to_pylist():
        of_target = pc.equal(questions["target"], asked["target"]).to_numpy()
        rows = inside & of_target & pc.equal(questions["horizon_days"], asked["horizon_days"]).to_numpy()
        percentiles[rows] = percentile(probabilities[rows], np.sort(probabilities[rows]))
    place = SCORES.get_field_index("percentile")
    column = pa.array(percentiles, pa.float64(), mask=np.isnan(percentiles))
    return scores.set_column(place, SCORES.field(place), column).sort_by(_ORDER)


def populations(models: Mapping[Key, Model], features: pa.Table) -> dict[Key, npt.NDArray[np.bool_]]:
    """For each model and row whether its question may be asked of that user."""
    asked: dict[str, npt.NDArray[np.bool_]] = {}
    with connect() as connection:
        for text in {model.population for model in models.values()}:
            asked[text] = rules.evaluate(rules.parse(text), features, connection)
    return {key: asked[model.population] for key, model in models.items()}


def _long(asked: _Asked, reference: Reference, as_of: date, release: str) -> pa.Table:
    """Long scores of some users, sorted by user, target and horizon."""
    n = len(asked.users)
    tables = []
    for key, answer in asked.answers.items():
        percentiles = percentile(answer.probability, reference.get(key, np.empty(0)))
        columns = {
            "user_id": asked.users,
            "target": pa.repeat(pa.scalar(key[0]), n),
            "horizon_days": pa.repeat(pa.scalar(key[1], pa.int32()), n),
            "probability": pa.array(answer.probability, pa.float64(), mask=~answer.inside),
            "percentile": pa.array(percentiles, pa.float64(), mask=~answer.inside | np.isnan(percentiles)),
            "state": answer.state.cast(pa.string()),
            "as_of": pa.repeat(pa.scalar(as_of, pa.date32()), n),
            "model_version": pa.repeat(pa.scalar(answer.model_version), n),
            "release": pa.repeat(pa.scalar(release), n),
        }
        tables.append(pa.table([columns[name] for name in SCORES.names], schema=SCORES))
    return pa.concat_tables(tables).sort_by(_ORDER) if tables else SCORES.empty_table()


def _states(target: str, features: pa.Table) -> npt.NDArray[np.object_]:
    """Why each user would have no probability of that target, were they outside its population."""
    orders, acts = _column(features, _ORDERS), _column(features, _ACTS)
    never_ordered, never_acted = np.nan_to_num(orders) < 1, np.isnan(acts)
    states = {
        "repurchase": [(never_ordered, NO_ORDER)],
        "second_order": [(never_ordered, NO_ORDER), (orders > 1, "more than one order")],
        "churn": [(never_acted, NO_ACT), (~never_acted, "already inactive")],
        "win_back": [(never_acted, NO_ACT), (~never_acted, "still active")],
    }.get(target, [])
    conditions, texts = [condition for condition, _ in states], [text for _, text in states]
    told = np.select(conditions, texts, OUTSIDE) if states else np.full(features.num_rows, OUTSIDE)
    return told.astype(object)


def _column(features: pa.Table, name: str) -> npt.NDArray[np.float64]:
    if name not in features.column_names:
        return np.full(features.num_rows, np.nan)
    numbers: npt.NDArray[np.float64] = features[name].combine_chunks().cast(pa.float64()).to_numpy(zero_copy_only=False)
    return numbers


def score_source(release: Release, as_of: date, source: Source) -> pa.Table:
    """Long scores of everybody a source of rows has seen before `as_of`, percentiles read against the release."""
    named = {name for model in release.models.values() for name in named_by(model)}
    families = [*families_of({*named, _ORDERS, _ACTS}), *source.own.families]
    features = build_features(source, as_of, families=families)
    return score(release.models, features, as_of=as_of, release=release.id, reference=release.scores.reference)


def score_lines(
    release: Release,
    as_of: date,
    orders: Sequence[Line],
    events: Sequence[Line] = (),
    loaded_at: datetime | None = None,
) -> pa.Table:
    """Long scores of the people of some raw lines (at most 1,000): the same SQL, the same models as the nightly batch.

    `loaded_at` is the instant, naive UTC, after which no line may lie; now if absent.
    """
    at = loaded_at or datetime.now(UTC).replace(tzinfo=None)
    return score_source(release, as_of, read_lines(release, orders, events, at).source)


def warm_up(release: Release) -> None:
    """Scores the release's golden rows once, so that no request pays for the first time."""
    score(release.models, release.golden(), as_of=release.as_of, release=release.id, reference=release.scores.reference)
