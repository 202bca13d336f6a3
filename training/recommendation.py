"""Which recommender serves: judged on closed windows after the cutoffs, chosen by gate, refitted on all sales."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.source import Source
from models import recommenders
from models.recommenders.als import ALS
from models.recommenders.interactions import Interactions
from models.recommenders.ranking import Ranked
from models.recommenders.recommender import Recommender
from training.evaluation.recommendation import (
    Floats,
    TestItems,
    bootstrap_means,
    coverage,
    interval,
    judge_lists,
    read_test_items,
)
from training.evaluation.sources import by_source

BENCHMARK = "gp_topfreq"
CONTAINED = "personal_frequency"  # its lists are those of the benchmark without their ends: it cannot win
FALLBACK = "popularity"
FEWEST_JUDGED = 50
MOST_JUDGED = 5_000
LARGEST_LOSS = 0.005

TableAt = Callable[[date], pa.Table]
Fits = Mapping[str, Mapping[str, float]]
Fit = Callable[[Recommender, Interactions], Recommender]


def fit_here(model: Recommender, interactions: Interactions) -> Recommender:
    """The recommender, fitted in this process."""
    return model.fit(interactions)


def fit_of(source: Source) -> Fit:
    """How recommenders are fitted by the engine of a source: Spark's own ML fits the factors of `als`."""
    session = source.spark
    if session is None:
        return fit_here
    from training.als_on_spark import fit_als

    return lambda model, held: fit_als(session, model, held) if isinstance(model, ALS) else fit_here(model, held)


@dataclass(frozen=True)
class Judged:
    """One recommender on one window: its measures with intervals, the per-customer vectors behind them, and how often
    what it suggests is bought by where it comes from (`by_source`)."""

    name: str
    row: dict[str, Any]
    vectors: dict[str, Floats]
    sources: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class TrainedRecommender:
    """What serves suggestions. `model` is None where there is nothing to suggest; `absent` then says what is needed.

    `metrics`: one row per window and recommender, as of `evaluate_recommenders`, with `as_of` and `role` ("choose" or
    "judge"). `why`: one sentence on the choice. `card`: plain words and dates for the model card.
    """

    model: Recommender | None
    name: str | None
    metrics: list[dict[str, Any]]
    why: str
    card: dict[str, Any]
    absent: dict[str, str] | None = field(default=None)


def evaluate_recommenders(
    interactions: Interactions,
    purchases: pa.Table,
    names: Sequence[str] | None = None,
    k: Sequence[int] = (10, 20),
    draws: int = 1000,
    seed: int = 7,
    fits: Fits | None = None,
    fit: Fit = fit_here,
) -> list[dict[str, Any]]:
    """One row per recommender (default: all): fitted on `interactions`, judged on `purchases` of the window after.

    Every measure of `judge_lists` has its mean under its name and its 95 % interval under `…_low` and `…_high`
    (customers drawn with replacement, draws shared by all recommenders). Also `coverage@k`, `n` (customers judged, at
    most 5,000), `n_repeat`, `n_explore` (those with such test items), `unknown_users` (buyers without an earlier sale).
    `fits` holds the settings of a recommender's fit by its name, where they are not the defaults.
    """
    return [judged.row for judged in judge_all(interactions, purchases, names, k, draws, seed, fits, fit)]


def train_recommender(
    interactions_at: TableAt,
    purchases_at: TableAt,
    as_of: date,
    observed_until: date,
    first_day: date,
    horizon: int = 30,
    names: Sequence[str] | None = None,
    draws: int = 1000,
    seed: int = 7,
    fits: Fits | None = None,
    fit: Fit = fit_here,
    everything: TableAt | None = None,
) -> TrainedRecommender:
    """Chooses a challenger on one closed window, judges it on the next, refits the winner on all sales.

    `interactions_at(cutoff)` and `purchases_at(cutoff)` give the tables of the sales before a cutoff, and of the pairs
    bought in the `horizon` days from it; where those are of some customers only, `everything(cutoff)` gives the sales
    of all, on which the winner is refitted. J is the latest cutoff with J + horizon ≤ min(as_of, observed_until); the
    challenger is the best of the others in Recall@10 at J − horizon; at J it replaces GP-TopFreq, which is judged
    whether it is among `names` or not, only where the paired
    95 % interval of the difference lies above 0 in Recall@10 or NDCG@10 and the other's lower end is above −0.005.
    Too few customers to judge: popularity serves. No sales of items at all: no model, and `absent` says so.
    `fit` fits a recommender.
    """
    judge = min(as_of, observed_until) - timedelta(days=horizon)
    windows = {"choose": judge - timedelta(days=horizon), "judge": judge}
    asked = None if names is None else list(dict.fromkeys([*names, BENCHMARK]))
    results = {
        role: _judged_at(interactions_at, purchases_at, cutoff, asked, draws, seed, fits, fit)
        for role, cutoff in windows.items()
        if cutoff > first_day
    }
    table = with_items((everything or interactions_at)(as_of))
    if not table.num_rows:
        return _nothing_to_suggest()
    name, why = _choice(results)
    model = fit(recommenders.create(name, (fits or {}).get(name)), Interactions.from_table(table, as_of))
    metrics = [
        {"as_of": windows[role].isoformat(), "role": role, **judged.row}
        for role, rows in results.items()
        for judged in rows
    ]
    return TrainedRecommender(model, name, metrics, why, _card(model, windows, results, as_of, horizon, why))


def _nothing_to_suggest() -> TrainedRecommender:
    absent = {
        "what": "suggestions",
        "why": "no sale before the cutoff names an item",
        "needs": "orders with an item_id",
    }
    return TrainedRecommender(None, None, [], f"No suggestions: {absent['why']}.", {}, absent)


def with_items(table: pa.Table) -> pa.Table:
    """The rows that name an item."""
    return table.filter(pc.is_valid(table.column("item_id")))


def _judged_at(
    interactions_at: TableAt,
    purchases_at: TableAt,
    cutoff: date,
    names: Sequence[str] | None,
    draws: int,
    seed: int,
    fits: Fits | None = None,
    fit: Fit = fit_here,
) -> list[Judged]:
    table, purchases = with_items(interactions_at(cutoff)), with_items(purchases_at(cutoff))
    interactions = Interactions.from_table(table, cutoff)
    if len(read_test_items(interactions, purchases)) < FEWEST_JUDGED:
        return []
    return judge_all(interactions, purchases, names, (10, 20), draws, seed, fits, fit)


def judge_all(
    interactions: Interactions,
    purchases: pa.Table,
    names: Sequence[str] | None,
    ks: Sequence[int],
    draws: int,
    seed: int,
    fits: Fits | None = None,
    fit: Fit = fit_here,
) -> list[Judged]:
    """As `evaluate_recommenders`, with the measures of each judged customer."""
    test = read_test_items(interactions, purchases, MOST_JUDGED, seed)
    lists: dict[str, Ranked] = {}
    sources: dict[str, list[dict[str, Any]]] = {}
    for name in names or recommenders.names():
        model = fit(recommenders.create(name, (fits or {}).get(name)), interactions)
        lists[name] = model.recommend(test.user_rows, max(ks))
        sources[name] = by_source(model, test, lists[name], purchases)
    vectors = {name: _measures(interactions, test, shown, ks) for name, shown in lists.items()}
    drawn = bootstrap_means([values for held in vectors.values() for values in held.values()], draws, seed)
    per_model = np.split(drawn, len(lists), axis=1)
    return [
        Judged(
            name,
            _row(name, test, vectors[name], draws_of_it) | _coverages(interactions, lists[name], ks),
            vectors[name],
            sources[name],
        )
        for name, draws_of_it in zip(lists, per_model, strict=True)
    ]


def _measures(interactions: Interactions, test: TestItems, lists: Ranked, ks: Sequence[int]) -> dict[str, Floats]:
    return {name: values for k in ks for name, values in judge_lists(interactions, test, lists, k).items()}


def _coverages(interactions: Interactions, lists: Ranked, ks: Sequence[int]) -> dict[str, float]:
    return {f"coverage@{k}": coverage(interactions, lists, k) for k in ks}


def _row(name: str, test: TestItems, vectors: dict[str, Floats], drawn: Floats) -> dict[str, Any]:
    """The plain row of one recommender; `drawn` holds the bootstrap means, a column per vector."""
    row: dict[str, Any] = {"name": name, "n": len(test)}
    row |= {f"n_{part}": int((test.counts[part] > 0).sum()) for part in ("repeat", "explore")}
    row["unknown_users"] = test.unknown_users
    for column, (measure, values) in enumerate(vectors.items()):
        low, high = interval(drawn[:, column])
        row |= {measure: _mean(values), f"{measure}_low": _number(low), f"{measure}_high": _number(high)}
    return row


def _mean(values: Floats) -> float | None:
    held = values[~np.isnan(values)]
    return float(held.mean()) if held.size else None


def _number(value: float) -> float | None:
    return None if np.isnan(value) else value


def _choice(results: dict[str, list[Judged]]) -> tuple[str, str]:
    """The name that serves, and the sentence why."""
    choose = {judged.name: judged for judged in results.get("choose", [])}
    judge = {judged.name: judged for judged in results.get("judge", [])}
    if not judge:
        return FALLBACK, (
            f"Popularity serves: fewer than {FEWEST_JUDGED} known customers bought in a closed window, "
            "too few to judge anything personal."
        )
    if not choose:
        return BENCHMARK, (
            "GP-TopFreq serves: there is one closed window only, and what is chosen on it may not be judged on it."
        )
    challengers = [judged for name, judged in choose.items() if name not in (BENCHMARK, CONTAINED)]
    if not challengers:
        return BENCHMARK, "GP-TopFreq serves: no other recommender was asked for."
    best = max(challengers, key=lambda judged: judged.row["recall@10"]).name
    return _gate(judge[best], judge[BENCHMARK])


def _gate(challenger: Judged, benchmark: Judged, draws: int = 1000, seed: int = 7) -> tuple[str, str]:
    """Paired intervals of challenger − GP-TopFreq by customer."""
    differences = {m: challenger.vectors[m] - benchmark.vectors[m] for m in ("recall@10", "ndcg@10")}
    drawn = bootstrap_means(list(differences.values()), draws, seed)
    (recall_low, recall_high), (ndcg_low, ndcg_high) = interval(drawn[:, 0]), interval(drawn[:, 1])
    wins = max(recall_low, ndcg_low) > 0 and min(recall_low, ndcg_low) > -LARGEST_LOSS
    figures = (
        f"paired 95 % interval of the difference: Recall@10 {recall_low:+.4f} to {recall_high:+.4f}, "
        f"NDCG@10 {ndcg_low:+.4f} to {ndcg_high:+.4f}"
    )
    if wins:
        return (
            challenger.name,
            f"{challenger.name} serves: better than GP-TopFreq on the judged window ({figures}).",
        )
    return (
        BENCHMARK,
        f"GP-TopFreq serves: {challenger.name}, the best of the others, does not surely beat it ({figures}).",
    )


def _card(
    model: Recommender,
    windows: dict[str, date],
    results: dict[str, list[Judged]],
    as_of: date,
    horizon: int,
    why: str,
) -> dict[str, Any]:
    users, items = model.interactions.shape
    return {
        "model": model.name,
        "as_of": as_of.isoformat(),
        "horizon_days": horizon,
        "users": users,
        "items": items,
        "windows": {role: windows[role].isoformat() for role in results},
        "why": why,
        "sources": next((each.sources for each in results.get("judge", []) if each.name == model.name), []),
        "notes": [
            "Judged on the whole catalogue; Recall@k counts all items the customer bought in the window.",
            "What was judged is the recipe; it was then refitted on all sales before as_of.",
            "Items bought before may be suggested again; popularity halves every 30 days.",
        ],
    }
