"""What customers will spend: the model that was chosen, written down, fitted anew for each release and read for all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.source import Source
from models.value import COLUMNS, BuyTillYouDie, Histories, buyers, nearest, shortest, simulated
from models.value_trees import ValueTrees
from pipeline.kept import read_kept
from pipeline.opening import Loaded
from pipeline.suggestions import refused_profiling
from serving.schemas import VALUE as SCHEMA
from training import value_runs
from training.targets import DEFAULT_HORIZONS, REPURCHASE
from training.tracking import Tracker
from training.value import LIFETIMES, SO_FAR, TREES, choose_value, spending_so_far
from warehouse.errors import DataProblemError, NotReadyError
from warehouse.files import write_text
from warehouse.progress import Progress, silent
from warehouse.settings import Settings
from warehouse.streamed import Streamed
from warehouse.workspace import Workspace

VALUE = "value"
NONE = {"what": VALUE, "why": "nobody has ordered and paid", "needs": "orders with amounts"}
MOST_FITTED = 100_000
"""The lifetimes are fitted to so many customers, chosen at random; all are told of."""
MOST_SIMULATED, DRAWS = 2_000, 200
SPENT = ("historic_clv", "average_order_value")
"""The columns that tell what was spent; all others are predicted."""
_EPOCH = date(1970, 1, 1)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Valued:
    """The table `value` of a release, and the card of what made it."""

    table: pa.Table
    card: Mapping[str, Any]


def choose(loaded: Loaded, tracker: Tracker, progress: Progress = silent) -> dict[str, Any] | None:
    """Judges the value models on the latest closed window and writes down which one serves; None without orders."""
    if "orders" not in loaded.store.tables:
        return None
    progress("value of customers", 0)
    trainer, settings = loaded.trainer, loaded.workspace.settings
    horizon, training = horizon_of(settings), settings.training
    try:
        first_day, until = trainer.reach_of("orders", loaded.as_of)
        recipe = trainer.recipe()
        found = choose_value(loaded.snapshots, horizon, loaded.as_of, until, first_day, training, recipe)
    except (DataProblemError, NotReadyError) as error:
        write_text(_path(loaded.workspace), json.dumps({"name": None, "why": error.message}) + "\n")
        return {"model": VALUE, "serves": None, "why": error.message, "judged": {}}
    told = value_runs.card(found)
    kept = {"name": found.name, "card": told, "trees": found.trees.to_json() if found.trees else None}
    write_text(_path(loaded.workspace), json.dumps(kept, ensure_ascii=False, indent=1) + "\n")
    value_runs.log(tracker, found, loaded.store.fingerprint())
    return {"model": VALUE, "serves": found.name, "why": found.why, "judged": told["judged"]}


def horizon_of(settings: Settings) -> int:
    """Days ahead of what customers will spend: where nothing is said those of repurchase, so that the features of its
    cutoffs are built once."""
    told = settings.targets.get(REPURCHASE)
    return settings.value.horizon or max((told.horizons if told else None) or DEFAULT_HORIZONS)


def chosen(workspace: Workspace) -> dict[str, Any] | None:
    """What `choose` wrote down last; None where nothing has been chosen yet."""
    return read_kept(_path(workspace), "reprise train value")


def version(workspace: Workspace) -> list[str]:
    """The name of what serves, for names of releases."""
    found = chosen(workspace)
    return [f"{VALUE} {found['name']} {found['card']['as_of']}"] if found and found["name"] else []


def _path(workspace: Workspace) -> Path:
    return workspace.models / "value.json"


def valued(
    workspace: Workspace, source: Source, features: Streamed, as_of: date, progress: Progress = silent
) -> Valued | None:
    """The value of everybody who ordered before `as_of`, by the model that was chosen; the lifetimes, and so the next
    order and the intervals, are fitted to the histories of that day. None where nobody ordered and paid."""
    if not set(COLUMNS) <= set(features.schema.names):
        return None
    told = chosen(workspace) or {}
    name, horizon = told.get("name") or LIFETIMES, horizon_of(workspace.settings)
    trees = ValueTrees.from_json(told["trees"]) if told.get("trees") and name == TREES else None
    plain = features.held(["entity_id", *COLUMNS])
    plain = plain.filter(pa.array(buyers(plain)))
    if not plain.num_rows:
        return None
    progress("value of customers", 0)
    known = Histories.of(plain)
    if not (known.mean_amount > 0).any():
        return None
    model = BuyTillYouDie.fit(known.take(some(len(known), MOST_FITTED)))
    expected = _expected(name, trees, model, known, features, horizon)
    table = _table(plain["entity_id"], model, known, expected, horizon, as_of)
    card = {
        **(told.get("card") or {"model": name, "horizon_days": horizon, "why": "Nothing was judged yet."}),
        "served_as_of": as_of.isoformat(),
        "customers": len(known),
        "total": _total(model, known, expected, horizon),
        "regular_buyers": float(model.regular_probability(known).sum()),
        "fit": model.to_json(),
        "notes": list(model.notes),
    }
    return Valued(_withheld(table, refused_profiling(source, as_of)), card)


def some(n: int, most: int) -> NDArray[np.intp]:
    """At most so many of n rows, at random but always the same ones."""
    if n <= most:
        return np.arange(n)
    return np.sort(np.random.default_rng(7).choice(n, most, replace=False))


def _expected(
    name: str, trees: ValueTrees | None, model: BuyTillYouDie, known: Histories, features: Streamed, horizon: int
) -> Floats:
    """Money expected of each buyer, by the model that serves."""
    if trees is None:
        return spending_so_far(known, horizon) if name == SO_FAR else model.value(float(horizon), known)
    there = [column for column in trees.schema.names if column in features.schema.names]
    wanted = list(dict.fromkeys(["order_day_count_lifetime", *there]))
    parts = []
    for chunk in features.chunks(wanted):
        some = chunk.filter(pa.array(buyers(chunk)))
        parts.append(trees.predict(some) if some.num_rows else np.zeros(0))
    return np.concatenate(parts)


def _table(
    ids: pa.ChunkedArray, model: BuyTillYouDie, known: Histories, expected: Floats, horizon: int, as_of: date
) -> pa.Table:
    following = model.next_order(known)
    today = (as_of - _EPOCH).days

    def day(ahead: Floats) -> pa.Array:
        there = np.isfinite(ahead)
        return pa.array((today + np.where(there, ahead, 0)).astype(np.int32), mask=~there).cast(pa.date32())

    return pa.table(
        {
            "entity_id": ids.cast(pa.string()),
            "predicted_clv": expected,
            "expected_order_day_count": model.expected_purchases(float(horizon), known),
            "predicted_order_value": model.expected_amount(known),
            "regularity": model.regular_probability(known),
            "expected_date_of_next_order": day(following.expected),
            "next_order_earliest": day(following.earliest),
            "next_order_latest": day(following.latest),
            "historic_clv": known.mean_amount * (known.x + 1),
            "average_order_value": known.mean_amount,
        }
    ).cast(SCHEMA)


def _withheld(table: pa.Table, refused: frozenset[str]) -> pa.Table:
    """The table with nothing predicted of who refused profiling."""
    if not refused:
        return table
    theirs = pa.compute.is_in(table["entity_id"], value_set=pa.array(sorted(refused), pa.string()))
    for place, name in enumerate(table.column_names):
        if name not in ("entity_id", *SPENT):
            table = table.set_column(place, table.schema.field(name), pa.compute.if_else(theirs, None, table[name]))
    return table


def _total(model: BuyTillYouDie, known: Histories, expected: Floats, horizon: int) -> dict[str, float]:
    """Money expected of all, with the 90 % interval of the fit: how far draws of the parameters move the sum, and what
    chance adds. Whether the model is right at all is what its judged total says."""
    sample = known.take(some(len(known), MOST_SIMULATED))
    drawn = simulated(model, float(horizon), sample, DRAWS, 7)[1]
    mean = drawn.mean(axis=0)
    chance = drawn.var(axis=1, ddof=1).mean()
    # A mean over a sample moves more by chance than one over all; only that of all is wanted.
    spread = np.sqrt(max(mean.var(ddof=1) - chance / len(sample), 0.0) + chance / len(known)) / max(mean.mean(), 1e-12)
    total = float(expected.sum())
    return {"expected": total, "low": total * max(0.0, 1 - 1.645 * spread), "high": total * (1 + 1.645 * spread)}


@dataclass(frozen=True)
class Intervals:
    """Of each customer the 90 % interval of the money to come; and the fewest and most order days, with the share that
    these hold, as near to 90 % as whole numbers come."""

    low: Floats
    high: Floats
    fewest: Floats
    most: Floats
    held: Floats


def intervals(model: BuyTillYouDie, known: Histories, expected: Floats, horizon: int) -> Intervals:
    """What may come of each customer, by draws; where another model serves, money is drawn around its mean."""
    purchases, money = simulated(model, float(horizon), known, 400, 7)
    scale = expected / np.maximum(model.value(float(horizon), known), 1e-12)
    low, high = shortest(money)
    return Intervals(low * scale, high * scale, *nearest(purchases))
