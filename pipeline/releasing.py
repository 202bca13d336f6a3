"""From champions to a release: everyone scored, suggestions, and what serving needs to answer the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.catalogue import FEATURES, fields
from features.last_uses import last_uses
from features.selling import selling
from features.source import StoreSource, versions
from pipeline import due, suggestions, valuing
from pipeline.clusters import clusters_table
from pipeline.cycles import observed
from pipeline.levelling import level_field, levels_table
from pipeline.stages import stage_field, stages_table
from serving import drift
from serving.complements import Complement, Key, Model
from serving.holder import key_from_environment
from serving.manifest import ReleaseError
from serving.on_spark import score_on_spark
from serving.publication import current_release, publish
from serving.release import Release, ReleaseContents, open_release, write_release
from serving.scoring import score_streamed
from training.cards import CARD_JSON
from training.levels import never_seen
from training.protocol import Protocol
from training.registry import Registry
from training.snapshots import Snapshots
from training.targets import BUILT_IN
from training.trainer import champions, complements
from warehouse.clock import instant
from warehouse.errors import DataProblemError, NotReadyError
from warehouse.files import sweep
from warehouse.progress import Progress
from warehouse.streamed import Streamed, from_file, read
from warehouse.workspace import Workspace

_VERSIONED: tuple[Literal["users", "items", "tags"], ...] = ("users", "items", "tags")


@dataclass(frozen=True)
class Published:
    """A release that serves, and what was learnt on the way; `notes` compare it with the one before."""

    release: Release
    features: int
    scored: Mapping[Key, int]
    suggested: int
    recommender: str | None
    notes: tuple[str, ...] = ()


def publish_release(
    workspace: Workspace,
    source: StoreSource,
    snapshots: Snapshots,
    as_of: date,
    name: str,
    absent: list[Mapping[str, str]],
    progress: Progress,
    accept_drift: str | None = None,
) -> Published:
    """Scores everyone as of a date with the champions, writes the release and makes it the one that serves.

    `DataProblemError` where it is unlike the release that serves (`serving.drift`), which then goes on serving, unless
    `accept_drift` gives a reason, which is kept in the release.
    """
    workspace.releases.mkdir(parents=True, exist_ok=True)
    sweep(workspace.releases)
    notes = _write(workspace, source, snapshots, as_of, name, absent, progress, accept_drift)
    # The service tries every release in a process of its own before it takes it up; here it has just been written.
    release = open_release(workspace.releases / name, key_from_environment(), canary=False)
    publish(workspace.releases, name)
    counts = {key: int(known.size) for key, known in release.scores.reference.items()}
    columns = len(pq.read_schema(release.directory / "features.parquet"))
    return Published(release, columns - 1, counts, len(release.suggestions), release.recommender, notes)


def _write(
    workspace: Workspace,
    source: StoreSource,
    snapshots: Snapshots,
    as_of: date,
    name: str,
    absent: list[Mapping[str, str]],
    progress: Progress,
    accept_drift: str | None,
) -> tuple[str, ...]:
    """Makes and writes all that the release holds, of which nothing stays in memory; what is worth knowing of it."""
    models = serving_models(workspace)
    if not models:
        raise NotReadyError("There is no model to score with.", hint="Run `reprise run`, or `reprise train` first.")
    users = read(snapshots.file(as_of), ["entity_id"])["entity_id"]
    features = from_file(snapshots.file(as_of))
    scores = _scored(source, snapshots, models, features.watched(progress, "scores", len(users)), as_of, name)
    suggested = suggestions.suggest_all(workspace, source, as_of, name, users, progress)
    due_items = due.due_items(source, as_of, observed(source, as_of), progress)
    uses = last_uses(source, as_of, progress)
    levels = levels_table(source, as_of, workspace.settings, progress)
    clusters = clusters_table(workspace, snapshots.file(as_of))
    sellers = selling(source, as_of, progress) if workspace.settings.entity == "user" else None
    value = valuing.valued(workspace, source, features, as_of, progress)
    known = cards(workspace, models)
    contents = ReleaseContents(
        release=name,
        as_of=as_of,
        settings=workspace.settings,
        models=models,
        features=features.watched(progress, "writing features", len(users)),
        scores=scores,
        suggestions=suggested.suggestions,
        similar_items=suggested.similar_items,
        popular=suggested.popular,
        recommender=suggested.recommender,
        tables={
            **tables_known(source, as_of),
            **own_tables(source, as_of),
            **({} if due_items is None else {"due_items": due_items}),
            **({} if uses is None else {"last_uses": uses}),
            **({} if value is None else {valuing.VALUE: value.table}),
            **({} if levels is None else {"levels": levels}),
            "stages": stages_table(snapshots.file(as_of), workspace.settings),
            **({} if clusters is None else {"clusters": clusters}),
            **({} if sellers is None else {"selling": sellers}),
        },
        own=source.own,
        populations={name: _in_order(t) for name, t in source.population_tables(as_of).items()},
        absent=[
            *absent,
            *([suggested.absent] if suggested.absent else []),
            *([due.NONE] if due_items is None and "orders" in source.tables else []),
            *([valuing.NONE] if value is None and "orders" in source.tables else []),
        ],
        fields=[
            *fields(f for f in FEATURES if f.is_segment and f.name in features.schema.names).values(),
            *level_field(workspace.settings),
            stage_field(workspace.settings, features.schema.names),
        ],
        cards={**known, **suggestions.card(workspace), **({valuing.VALUE: value.card} if value else {})},
        notes=_seasons(known, as_of),
        suggestion_rules=suggested.rules,
        previous=current_release(workspace.releases),
    )
    contents, notes = _compared(workspace, contents, accept_drift)
    write_release(workspace.releases / name, contents, key_from_environment())
    return notes


def _in_order(table: pa.Table) -> pa.Table:
    """The rows of a table in one order, whatever engine counted them."""
    return table.sort_by([(name, "ascending") for name in table.column_names])


def _scored(
    source: StoreSource,
    snapshots: Snapshots,
    models: Mapping[Key, Model],
    features: Streamed,
    as_of: date,
    name: str,
) -> pa.Table | Streamed:
    """Long scores of everyone, by the engine that counted them."""
    if source.spark is None:
        return score_streamed(models, features, as_of=as_of, release=name)
    return score_on_spark(source.spark, models, snapshots.file(as_of), as_of=as_of, release=name)


def _compared(
    workspace: Workspace, contents: ReleaseContents, accept_drift: str | None
) -> tuple[ReleaseContents, tuple[str, ...]]:
    """The contents with what of them was accepted though surprising, and what is worth knowing; or the refusal."""
    if contents.previous is None:
        return contents, tuple(contents.notes)
    try:
        old = open_release(workspace.releases / contents.previous, key_from_environment(), canary=False)
    except ReleaseError as error:
        return contents, (
            *contents.notes,
            f"not compared with {contents.previous}: {error.message}",
        )
    found = drift.compare(old, contents)
    if found.problems and not accept_drift:
        raise DataProblemError(
            f"The new release is unlike {old.id} and was not published; {old.id} goes on serving.",
            found.problems,
            hint='If it is right, publish it with `reprise run --accept-drift "reason"`.',
        )
    accepted = tuple(f"{accept_drift}: {problem}" for problem in found.problems)
    notes = (*contents.notes, *found.notes, *(f"accepted ({accept_drift}): {problem}" for problem in found.problems))
    return replace(contents, accepted_drift=accepted), notes


def serving_models(workspace: Workspace) -> dict[Key, Model]:
    """What scores now: the champions, and one minus them where that answers another target; targets as declared."""
    models: dict[Key, Model] = {}
    for champion in champions(workspace):
        models[champion.target, champion.horizon_days] = champion
        for told in complements(workspace, champion):
            other = Complement(told["target"], told["population"], told["base_rate"], champion)
            models[other.target, other.horizon_days] = other
    declared = list(dict.fromkeys((*BUILT_IN, *workspace.settings.targets)))
    place = {name: at for at, name in enumerate(declared)}
    return dict(sorted(models.items(), key=lambda each: (place.get(each[0][0], len(place)), *each[0])))


def tables_known(source: StoreSource, as_of: date) -> dict[str, pa.Table]:
    """What scoring raw lines over HTTP takes from the release: customers, items, tags and contacts as known."""
    found: dict[str, pa.Table] = {name: versions(source, name, as_of) for name in _VERSIONED if name in source.tables}
    if "contacts" in source.tables:
        cutoff = instant(as_of, source.time_zone)
        files = [source.store.bucket("contacts", k) for k in range(source.store.buckets)]
        seen = [("touched_at", "<", cutoff), ("recorded_at", "<", cutoff)]
        found["contacts"] = pq.ParquetDataset(files, filters=seen).read()
    return found


def own_tables(source: StoreSource, as_of: date) -> dict[str, pa.Table]:
    """The tables that features of the workspace's own read, with their rows known at that date; of labels without y:
    a release says nothing of what became of whom."""
    found: dict[str, pa.Table] = {}
    cutoff = instant(as_of, source.time_zone)
    for own in source.own.tables:
        if own.table == "users":
            continue
        files = [source.store.bucket(own.table, k) for k in range(source.store.buckets)]
        table, since = pq.ParquetDataset(files).read(), "as_of" if own.table == "labels" else "known_at"
        before = pc.less_equal if own.table == "labels" else pc.less
        if own.table not in source.static:
            seen = before(table[since], pa.scalar(cutoff, pa.timestamp("us")))
            table = table.filter(pc.fill_null(seen, own.table == "labels"))
        columns = ["entity_id", since, "recorded_at", "local_at", *(column.column for column in own.columns)]
        found[own.table] = table.select(columns)
    return found


def cards(workspace: Workspace, models: Mapping[Key, Model]) -> dict[str, Mapping[str, Any]]:
    """The model cards of the champions, by `target_30d`; a complement has that of the model it is one minus."""
    registry = Registry(workspace)
    return {f"{t}_{h}d": card for (t, h), m in models.items() if (card := champions_card(registry, m.version))}


def _seasons(known: Mapping[str, Mapping[str, Any]], as_of: date) -> list[str]:
    """A sentence for each horizon whose coming window holds a season from which its models have not learnt."""
    said: dict[str, list[str]] = {}
    for name, card in known.items():
        closed = Protocol.from_json(card["judged"]).closed
        if unseen := never_seen(closed, as_of, int(card["horizon_days"])):
            told = f"the next {card['horizon_days']} days hold {', '.join(unseen)}, from which nothing was learnt"
            said.setdefault(told, []).append(name)
    return [f"{', '.join(names)}: {told}; the level is less sure than usual." for told, names in said.items()]


def champions_card(registry: Registry, version: str) -> Mapping[str, Any] | None:
    """The card that was written when this version was made; None where its maker wrote none."""
    for target, horizon in registry.names():
        path = registry.folder(target, horizon) / version / CARD_JSON
        if path.is_file():
            found: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            return found
    return None
