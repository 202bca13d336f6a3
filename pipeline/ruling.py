"""The rules of suggestions of a workspace: compiled for what is published, and what each of them took away."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa

from features.seller_levels import with_seller_levels
from features.source import Source
from models.recommenders.catalogue import Catalogue
from models.recommenders.recommender import Mask, Recommender
from models.recommenders.rule_effects import effects
from models.recommenders.rules import Rules
from models.recommenders.takers import Takers
from warehouse.errors import UsageError
from warehouse.level_settings import LevelSettings
from warehouse.settings import Settings
from warehouse.suggestion_rules import RuleSettings


def levels_asked(settings: Settings) -> LevelSettings | None:
    """The levels that sellers are boosted by; None where no rule asks for them, `UsageError` where it asks for what
    is not there."""
    said = settings.recommend.rules
    if said is None or not said.boost_seller_levels:
        return None
    if settings.levels is None:
        raise UsageError(
            "[recommend.rules] boost_seller_levels asks for levels, and this workspace declares none.",
            hint='Write [levels] with preset = "shop", "content" or "tool" in reprise.toml, or leave the rule out.',
        )
    steps = settings.levels.rules.steps
    if unknown := [level for level in said.boost_seller_levels if level not in steps]:
        raise UsageError(
            f'[recommend.rules] boost_seller_levels names "{unknown[0]}", which is no level.',
            hint=f"There are: {', '.join(steps)}.",
        )
    return settings.levels


def items_of(settings: Settings, source: Source, items: pa.Table | None, as_of: date) -> pa.Table | None:
    """The versions of items with what rules ask for beside their columns."""
    asked = levels_asked(settings)
    return with_seller_levels(items, source, as_of, asked.rules) if asked else items


def compiled(
    said: RuleSettings | None, takers: Takers, items: pa.Table | None, for_sale: Mask | None, horizon_days: int
) -> Rules | None:
    """The rules for the sales that `takers` hold and the versions of items known then, of `items_of`; None where
    nothing is said."""
    if said is None or not list(said.said()):
        return None
    return Rules(said, takers.held, Catalogue.of(takers.held, items), for_sale, takers.chance, horizon_days)


def taken(
    model: Recommender, rules: Rules, users: Iterable[str | None], k: int, pinned: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """Of each rule, as plain values: what it says, and how many of the suggestions without it it removed or moved.

    `users` are those who get suggestions; None is one whose history is not looked at. `unmet` are words of a rule
    that fit no item that was ever sold, but for those `pinned` all the same.
    """
    rows = rules.held.user_rows(pa.array(list(users), pa.string()))
    says = rules.said.model_dump(mode="json")
    unmet = {name: [word for word in words if word not in pinned] for name, words in rules.unmet()}
    return [
        {"rule": each.rule, "says": says[each.rule], "shown": each.shown, "removed": each.removed,
         "moved": each.moved, "unmet": unmet.get(each.rule, [])}
        for each in effects(model, np.asarray(rows), k, rules)
    ]  # fmt: skip


def told(
    model: Recommender, rules: Rules, users: Iterable[str | None], k: int, pinned: Sequence[str] = ()
) -> dict[str, list[Any]]:
    """What a release says of rules: `taken`, and `ruled_out`, the items that are for sale and may not be offered."""
    out = ~rules.allowed if rules.for_sale is None else rules.for_sale & ~rules.allowed
    return {
        "taken": taken(model, rules, users, k, pinned),
        "ruled_out": rules.held.item_ids.filter(pa.array(out)).to_pylist(),
    }


def lines(found: Iterable[Mapping[str, Any]]) -> list[str]:
    """One sentence for each row of `taken`."""
    return [
        f"rule {row['rule']}: of {row['shown']:,} suggestions without it {row['removed']:,} removed, "
        f"{row['moved']:,} moved" + (f"; never sold: {', '.join(row['unmet'])}" if row["unmet"] else "")
        for row in found
    ]
