"""Suggestions of a release: the recommender that was chosen, refitted on all sales so far, in words people read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from audiences.suppression import unprofiled
from features.shown import learnt_from
from features.source import Source, versions
from models import recommenders
from models.recommenders.interactions import Interactions
from models.recommenders.ladder import climb
from models.recommenders.purchase_probability import PurchaseProbability
from models.recommenders.reasons import sentences
from models.recommenders.recommender import Mask, Recommender
from models.recommenders.rules import Rules, listed
from models.recommenders.suggesting import REASON, suggest
from models.recommenders.takers import Takers
from pipeline import exploring, new_items, pinning, ruling
from pipeline.kept import read_kept
from serving.fallbacks import suggestion_ids
from serving.schemas import EXPLORED, POPULAR, SIMILAR_ITEMS, SUGGESTIONS
from serving.shelf import not_for_sale
from serving.wire import MAX_EXCLUDED, MAX_K
from training.act_counts import act_counts
from training.echo import echoed
from training.recommendation import TrainedRecommender, fit_of, with_items
from training.recommender_runs import Inputs, train
from training.rule_costs import with_costs
from warehouse.files import write_text
from warehouse.progress import Progress, silent
from warehouse.recommender_settings import RecommendSettings
from warehouse.streamed import Streamed
from warehouse.workspace import Workspace

SIMILAR_KEPT = 20
POPULAR_KEPT = MAX_EXCLUDED + MAX_K
"""So that whoever excludes as many items as one may is still offered as many as one may ask for."""
_USERS_AT_ONCE = 20_000


@dataclass(frozen=True)
class Suggested:
    """Everything about suggestions that a release holds; `absent` says what is missing where there are none, `rules`
    what each rule took away, and the items that none may offer."""

    suggestions: Streamed | None = None
    similar_items: pa.Table | None = None
    popular: pa.Table | None = None
    recommender: tuple[str, Mapping[str, npt.NDArray[Any]]] | None = None
    absent: Mapping[str, str] | None = None
    rules: Mapping[str, Sequence[Any]] = field(default_factory=dict)


def choose(workspace: Workspace, source: Source, asked: Inputs, progress: Progress = silent) -> TrainedRecommender:
    """Judges the recommenders on closed windows and writes down which one serves."""
    trained = with_costs(source, asked, train(source, asked, progress))
    echo = echoed(source, asked.as_of, workspace.settings.recommend)
    trained = replace(trained, card={**trained.card, "shown": echo.payload()}) if echo else trained
    acts = act_counts(source, asked.as_of, asked.acts.get("kinds", {}))
    trained = replace(trained, card={**trained.card, "acts": acts}) if acts else trained
    _remember(workspace, trained, asked.as_of)
    return trained


def nothing(workspace: Workspace, as_of: date) -> TrainedRecommender:
    """Where there are no orders there is nothing to suggest; that, too, is written down."""
    absent = {"what": "suggestions", "why": "there are no orders", "needs": "orders with an item_id"}
    trained = TrainedRecommender(None, None, [], "No suggestions: there are no orders.", {}, absent)
    _remember(workspace, trained, as_of)
    return trained


def _remember(workspace: Workspace, trained: TrainedRecommender, as_of: date) -> None:
    chosen = {
        "name": trained.name,
        "as_of": as_of.isoformat(),
        "why": trained.why,
        "card": trained.card,
        "metrics": trained.metrics,
        "absent": trained.absent,
    }
    write_text(_chosen_path(workspace), json.dumps(chosen, ensure_ascii=False, indent=1) + "\n")


def chosen(workspace: Workspace) -> dict[str, Any] | None:
    """What `choose` wrote down last; None where nothing has been chosen yet."""
    return read_kept(_chosen_path(workspace), "reprise train recommend")


def card(workspace: Workspace) -> dict[str, dict[str, Any]]:
    """The card of the recommender that serves under `recommend`; empty where none was chosen, or it has no card."""
    choice = chosen(workspace)
    return {"recommend": choice["card"]} if choice and choice.get("card") else {}


def _chosen_path(workspace: Workspace) -> Any:
    return workspace.models / "recommend.json"


def suggest_all(
    workspace: Workspace, source: Source, as_of: date, release: str, users: pa.ChunkedArray, progress: Progress
) -> Suggested:
    """Suggestions for all `users`, similar items and what is popular, by the recommender that was chosen.

    Those of users are made while they are read, some thousand users at a time, for together they are many rows of text.
    """
    choice = chosen(workspace)
    if choice is None or choice["name"] is None:
        absent = choice["absent"] if choice else None
        return Suggested(
            absent=absent or {"what": "suggestions", "why": "no recommender was chosen", "needs": "training"}
        )
    told = workspace.settings.recommend
    model = fitted(source, told, choice["name"], as_of)
    held = model.interactions
    probability = PurchaseProbability.fit(held, told.horizon)
    takers = Takers(held, probability)
    items = items_known(source, as_of)
    allowed = on_sale(held, items, as_of, source.time_zone)
    names, refused = _names(items), refused_profiling(source, as_of)
    version = f"{choice['name']}-{as_of:%Y%m%d}"
    new = new_items.unsold(held, items, told.rules, as_of, source.time_zone) if asks_for_new(told) else []
    pins = pinning.pinned_unsold(told.rules, new)
    cold = new_items.to_offer(held, items, told, [item for item in new if item not in pins])
    ruled_items = ruling.items_of(workspace.settings, source, items, as_of)
    rules = ruling.compiled(told.rules, takers, ruled_items, allowed, told.horizon)
    known = (None if user in refused else user for user in users.to_pylist())
    ruled = ruling.told(model, rules, known, told.k, pins) if rules else {}
    allowed = rules.allowed if rules else allowed

    depth = told.k + (told.explore.deeper if told.explore else 0)
    schema = EXPLORED if told.explore else SUGGESTIONS

    def chunks(columns: Sequence[str] | None) -> Iterator[pa.Table]:
        for start in range(0, len(users), _USERS_AT_ONCE):
            ids = users.slice(start, _USERS_AT_ONCE).to_pylist()
            found = suggest(model, ids, depth, allowed, strangers=[i in refused for i in ids], rules=rules)
            if pins and told.rules:
                found = pinning.placed(found, ids, told.rules.pin, pins, depth)
            if told.explore:
                found = exploring.drawn(found, release, told.explore, told.k)
            if cold:
                theirs = [None if i in refused else i for i in ids]
                found = new_items.placed(found, theirs, cold, told.new_items, told.k)
            chance = _chances(takers, found, refused)
            progress("suggestions", start, len(users))
            yield _published(found, chance, names, workspace.settings.language, as_of, version, release)

    return Suggested(
        Streamed(schema, chunks),
        _similar(model, held, allowed),
        _popular(model, allowed, rules, pins),
        (version, model.arrays() | (probability.arrays() if probability else {})),
        rules=ruled,
    )


def fitted(source: Source, settings: RecommendSettings, name: str, as_of: date) -> Recommender:
    """A recommender as it serves: with its settings, on the sales before `as_of` that are learnt from."""
    learnt = learnt_from(source, as_of, settings.left_out_days, **settings.acts)
    held = Interactions.from_table(with_items(learnt), as_of)
    return fit_of(source)(recommenders.create(name, settings.fits().get(name)), held)


def asks_for_new(told: RecommendSettings) -> bool:
    """Whether anything that nobody has bought may be in a list."""
    return bool(told.new_items or (told.rules and told.rules.pin))


def items_known(source: Source, as_of: date) -> pa.Table | None:
    """The versions of items known by then; None where there is no such table."""
    return versions(source, "items", as_of) if "items" in source.tables else None


def on_sale(held: Interactions, items: pa.Table | None, as_of: date, time_zone: str) -> Mask | None:
    """(items,): which items ever sold may be offered by then; None: all."""
    gone = not_for_sale(items, as_of, time_zone)
    return ~np.isin(np.array(held.item_ids.to_pylist(), dtype=object), list(gone)) if gone else None


def refused_profiling(source: Source, as_of: date) -> frozenset[str]:
    """Who had refused profiling by then: they are offered what is popular, and nothing is said to be due."""
    if "users" not in source.tables:
        return frozenset()
    people = versions(source, "users", as_of)
    return frozenset(people.column("entity_id").filter(pa.array(unprofiled(people))).to_pylist())


def _names(items: pa.Table | None) -> dict[str, str]:
    if items is None:
        return {}
    pairs = zip(items.column("item_id").to_pylist(), items.column("name").to_pylist(), strict=True)
    return {item: name for item, name in pairs if name}


def _chances(takers: Takers, found: pa.Table, refused: Set[str]) -> pa.Array:
    """P(the customer buys it) of every suggestion; null where it is not known, or refused to be."""
    users = [None if user in refused else user for user in found.column("user_id").to_pylist()]
    rows = takers.held.user_rows(pa.array(users, pa.string()))
    items = takers.held.item_rows(found.column("item_id"))
    chance, sold = np.full(len(items), np.nan), items >= 0  # of what nobody has bought yet nothing is known
    chance[sold] = takers.chance(rows[sold], items[sold])
    return pa.array(chance, mask=np.isnan(chance))


def _published(
    found: pa.Table,
    chance: pa.Array,
    names: Mapping[str, str],
    language: str,
    as_of: date,
    version: str,
    release: str,
) -> pa.Table:
    """Suggestions in the published schema: the reason as a sentence, each with its id."""
    n = found.num_rows
    columns = {
        "probability": chance,
        "reason": _sentences(found, names, language),
        "suggestion_id": suggestion_ids(release, found.column("user_id"), found.column("item_id")),
        "as_of": pa.repeat(pa.scalar(as_of, pa.date32()), n),
        "model_version": pa.repeat(version, n),
        "release": pa.repeat(release, n),
    }
    kept = {name: found.column(name) for name in ("user_id", "rank", "item_id", "strength", "source")}
    schema = SUGGESTIONS
    if exploring.COLUMN in found.column_names:
        columns[exploring.COLUMN], schema = found.column(exploring.COLUMN), EXPLORED
    return pa.table({**kept, **columns}).select(schema.names).cast(schema)


def _sentences(found: pa.Table, names: Mapping[str, str], language: str) -> pa.Array:
    """The reason of every row in words; equal reasons are put into words once."""
    told = found.select(REASON)
    key = pc.binary_join_element_wise(
        *(column.cast(pa.string()) for column in told.columns), "\x1f", null_handling="replace", null_replacement=""
    ).combine_chunks()
    codes = key.dictionary_encode().indices
    _, first = np.unique(codes.to_numpy(), return_index=True)
    return pa.array(sentences(told.take(pa.array(first)), language, names), pa.string()).take(codes)


def _similar(model: Any, held: Interactions, allowed: npt.NDArray[np.bool_] | None) -> pa.Table:
    """For every item the items most like it."""
    count = len(held.item_ids)
    ranked = model.similar_items(np.arange(count), SIMILAR_KEPT, allowed)
    rows, places = np.nonzero(ranked.items >= 0)
    return pa.table(
        {
            "item_id": held.item_ids.take(pa.array(rows)).cast(pa.string()),
            "rank": pa.array(places + 1, pa.int32()),
            "similar_item_id": held.item_ids.take(pa.array(ranked.items[rows, places])).cast(pa.string()),
            "strength": pa.array(ranked.strength[rows, places], pa.float64()),
        }
    ).cast(SIMILAR_ITEMS)


def _popular(model: Any, allowed: npt.NDArray[np.bool_] | None, rules: Rules | None, pins: Sequence[str]) -> pa.Table:
    """What a customer without a history is offered, best first; caps hold in what is then asked for, not in all.
    `pins` that nobody has bought are among the other pins, of strength 0."""
    popularity, nobody = recommenders.create("popularity").fit(model.interactions), np.array([-1])
    if rules:
        found = listed(popularity, nobody, POPULAR_KEPT, rules.without_caps())
    else:
        found = climb(popularity, nobody, POPULAR_KEPT, allowed)
    ids = model.interactions.item_ids.take(pa.array(found.item)).cast(pa.string())
    popular = pa.table({"item_id": ids, "strength": pa.array(found.strength, pa.float64())}).cast(POPULAR)
    if not pins or rules is None:
        return popular
    more = pa.table({"item_id": pa.array(pins), "strength": pa.array(np.zeros(len(pins)))}).cast(POPULAR)
    both, pinned = pa.concat_tables([popular, more]), pa.array(list(dict.fromkeys(rules.said.pin)), pa.string())
    place = pc.fill_null(pc.index_in(both["item_id"], value_set=pinned), len(pinned)).combine_chunks()
    return both.take(pa.array(np.argsort(np.asarray(place), kind="stable")))
