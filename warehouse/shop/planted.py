"""Behaviours planted into the made-up shop: some go with staying, some come before leaving, some mean nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from warehouse.shop.people import People
from warehouse.shop.text import chosen, times
from warehouse.shop.world import Flags, Floats, Ints, World

FIRST_VISIT = 0.02
"""Early behaviours happen within so many days of the first trace: on the visit that left it."""
STAYS_DAYS = 90
"""Who keeps buying for so long after the first trace stays."""
WEEKS_BEFORE = 4
"""Behaviours before leaving happen in so many weeks before interest ends for good."""
KEY = {"starter_guide": (0.20, 0.55), "follow_seller": (0.15, 0.45)}
"""How likely somebody who leaves soon, and somebody who stays, does it early."""
EARLY_NOISE = {"theme": 0.3, "badge": 0.4}
"""How likely anybody does it early."""
BEFORE_LEAVING = {"notice_off": 0.6, "empty_wishlist": 0.5}
"""How likely somebody does it in the weeks before leaving; others do it as seldom as `EVER`."""
EVER = 0.15
"""How likely anybody does something, noise included, in a quarter of a year."""
LATE_NOISE = ("dark_mode", "rename")
_CHOICES = (*KEY, *EARLY_NOISE, *BEFORE_LEAVING, *LATE_NOISE)


def truth() -> dict[str, Any]:
    """What is planted, as plain values."""
    return {"goes_with_staying": [*KEY], "means_nothing_early": [*EARLY_NOISE],
            "comes_before_leaving": [*BEFORE_LEAVING], "means_nothing_late": [*LATE_NOISE]}  # fmt: skip


def planted_events(
    world: World, people: People, first: Floats, ids: pa.Array, schema: pa.Schema, rng: np.random.Generator
) -> pa.Table:
    """Events of planted features, in the columns of `schema`; `first`: the day of each person's first trace (∞: none).

    Their stream is their own, so that nothing else of the shop moves.
    """
    who, day, what = (np.concatenate(parts) for parts in zip(*_draws(world, people, first, rng), strict=True))
    kept = np.isfinite(day) & (day >= 0) & (day < world.days)
    seconds = (day[kept] * 86400).astype(np.int64)
    columns: dict[str, Any] = {
        "occurred_at": times(world.start, seconds),
        "event": pa.array(["app_feature"] * len(seconds)),
        "user_id": chosen(ids, who[kept]),
        "feature": chosen(_CHOICES, what[kept]),
        "recorded_at": times(world.start, seconds),
    }
    return pa.table({f.name: columns.get(f.name, pa.nulls(len(seconds), f.type)) for f in schema}, schema=schema)


def _draws(world: World, people: People, first: Floats, rng: np.random.Generator) -> list[tuple[Ints, Floats, Ints]]:
    """Who does what on which day."""
    count = len(people)
    everybody = np.arange(count)
    stays: Flags = people.left - first >= STAYS_DAYS
    drawn = []
    for name, (leaver, stayer) in (KEY | {name: (p, p) for name, p in EARLY_NOISE.items()}).items():
        does = rng.random(count) < np.where(stays, stayer, leaver)
        day = first + rng.random(count) * FIRST_VISIT
        drawn.append((everybody[does], day[does], np.full(int(does.sum()), _CHOICES.index(name))))
    quarters = max(world.days // 91, 1)
    for name in (*BEFORE_LEAVING, *LATE_NOISE):
        before = people.left - rng.random(count) * 7 * WEEKS_BEFORE
        does = (rng.random(count) < BEFORE_LEAVING.get(name, 0.0)) & (before > first)
        at_random = np.repeat(everybody, quarters)[rng.random(count * quarters) < EVER]
        moment = rng.random(len(at_random)) * world.days
        there = (moment > first[at_random]) & (moment < people.left[at_random])
        who = np.concatenate([everybody[does], at_random[there]])
        drawn.append((who, np.concatenate([before[does], moment[there]]), np.full(len(who), _CHOICES.index(name))))
    return drawn
