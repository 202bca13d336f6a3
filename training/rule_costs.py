"""What each rule of suggestions costs on the judged window: the rule alone, and all of them, against none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np

from features.outcomes import purchases
from features.seller_levels import with_seller_levels
from features.shown import learnt_from
from features.source import Source, versions
from models import recommenders
from models.recommenders.catalogue import Catalogue
from models.recommenders.history import Floats
from models.recommenders.interactions import Interactions
from models.recommenders.ladder import Entries, climb
from models.recommenders.purchase_probability import PurchaseProbability
from models.recommenders.ranking import Ranked
from models.recommenders.rules import Rules, listed
from models.recommenders.takers import Takers
from training.evaluation.recommendation import TestItems, bootstrap_means, interval, judge_lists, read_test_items
from training.recommendation import MOST_JUDGED, TrainedRecommender, fit_of, with_items
from training.recommender_runs import Inputs
from training.snapshots import some
from warehouse.level_settings import LevelSettings
from warehouse.suggestion_rules import RuleSettings

K = 10
MEASURES = (f"ndcg@{K}", f"recall@{K}")
ALL = "all rules"


def with_costs(source: Source, asked: Inputs, trained: TrainedRecommender) -> TrainedRecommender:
    """The choice with `rules` on its card: what each rule costs it on the judged window; as it is without rules.

    A row has the `rule` (or all of them), `n` customers, each measure under it, its `…_cost` (without any rule less
    under it, so that above 0 the rule loses hits) and the cost's paired 95 % interval under `…_low` and `…_high`.
    """
    said = RuleSettings.model_validate(dict(asked.rules))
    judged = any(row["role"] == "judge" for row in trained.metrics)
    if trained.name is None or not judged or not list(said.said()):
        return trained
    day = date.fromisoformat(trained.card["windows"]["judge"])
    part = some(source, asked.max_customers) if asked.max_customers else source
    held = Interactions.from_table(with_items(learnt_from(part, day, 0, **asked.acts)), day)
    bought = with_items(purchases(part, day, asked.horizon, asked.as_of))
    test = read_test_items(held, bought, MOST_JUDGED, asked.seed)
    model = fit_of(source)(recommenders.create(trained.name, asked.fits.get(trained.name)), held)
    items = versions(source, "items", day) if "items" in source.tables else None
    if said.boost_seller_levels:
        items = with_seller_levels(items, source, day, LevelSettings.model_validate(dict(asked.levels)).rules)
    rules = Rules(said, held, Catalogue.of(held, items), horizon_days=asked.horizon)
    if rules.how.weighs:
        probability = PurchaseProbability.fit(held, asked.horizon, asked.seed)
        rules = replace(rules, chance=Takers(held, probability).chance)
    every = dict(rules.alone()) | {ALL: rules}
    plain = _measures(held, test, climb(model, test.user_rows, K))
    ruled = {name: _measures(held, test, listed(model, test.user_rows, K, rule)) for name, rule in every.items()}
    rows = _rows(plain, ruled, asked.bootstrap_draws, asked.seed)
    return replace(trained, card=trained.card | {"rules": rows})


def lines(card: Mapping[str, Any]) -> list[str]:
    """One sentence for each row of a card's `rules`."""
    return [
        f"rule {row['rule']} on the judged window: "
        + ", ".join(f"{m} {row[m]:.4f}, costs {_cost(row, m)}" for m in MEASURES)
        for row in card.get("rules", ())
    ]


def _cost(row: Mapping[str, Any], measure: str) -> str:
    low, high = row[f"{measure}_low"], row[f"{measure}_high"]
    return f"{row[f'{measure}_cost']:.4f} ({low:.4f} … {high:.4f})"


def _measures(held: Interactions, test: TestItems, found: Entries) -> list[Floats]:
    lists = Ranked(
        np.full((len(test), K), -1, np.int32),
        np.zeros((len(test), K)),
        np.bincount(found.asked, minlength=len(test)).astype(np.int32),
    )
    lists.items[found.asked, found.place] = found.item
    lists.strength[found.asked, found.place] = found.strength
    judged = judge_lists(held, test, lists, K)
    return [judged[name] for name in MEASURES]


def _rows(plain: list[Floats], ruled: Mapping[str, list[Floats]], draws: int, seed: int) -> list[dict[str, Any]]:
    costs = [before - under for values in ruled.values() for before, under in zip(plain, values, strict=True)]
    drawn = bootstrap_means(costs, draws, seed)
    rows = []
    for place, (name, values) in enumerate(ruled.items()):
        row: dict[str, Any] = {"rule": name, "n": len(values[0])}
        for at, measure in enumerate(MEASURES):
            low, high = interval(drawn[:, place * len(MEASURES) + at])
            cost = float(costs[place * len(MEASURES) + at].mean())
            row |= {measure: float(values[at].mean()), f"{measure}_cost": cost}
            row |= {f"{measure}_low": low, f"{measure}_high": high}
        rows.append(row)
    return rows
