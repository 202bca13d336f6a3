"""Randomised campaigns of known effect, and newsletters of none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from warehouse.shop.people import Habits, People
from warehouse.shop.purchases import Trips
from warehouse.shop.text import chosen, times
from warehouse.shop.world import Campaign, Flags, Floats, Ints, World

_LONG_AGO = -(10**6)


@dataclass(frozen=True)
class Touches:
    """People of one campaign, contacted or held back, a row each.

    `added_probability` is the chance that contact adds an order within the window; `anyway` whether the person
    buys in the window without it. The true effect on the share of buyers is the mean of
    added_probability × (1 − anyway).
    """

    campaign: int
    user: Ints
    treated: Flags
    added_probability: Floats
    anyway: Flags
    added: Flags


def run_campaigns(
    world: World, people: People, habits: Habits, trips: Trips, rng: np.random.Generator
) -> tuple[Trips, list[Touches]]:
    """Contacts the eligible of each campaign by lot and adds the orders this brings."""
    touched = []
    for k, campaign in enumerate(world.campaigns):
        touches = _touch(k, campaign, people, trips, rng)
        trips = trips.plus(_added_trips(campaign, habits, touches, world, rng))
        touched.append(touches)
    return trips, touched


def _touch(k: int, campaign: Campaign, people: People, trips: Trips, rng: np.random.Generator) -> Touches:
    known = ~trips.guest
    last = np.full(len(people), _LONG_AGO)
    before = known & (trips.day < campaign.day)
    np.maximum.at(last, trips.user[before], trips.day[before])
    silent = campaign.day - last
    shortest, longest = campaign.lapsed_days
    eligible = (silent >= shortest) & (silent <= longest) & people.consent[:, 0] & ~people.blocked
    user = np.flatnonzero(eligible)
    within = known & (trips.day >= campaign.day) & (trips.day < campaign.day + campaign.window_days)
    buys = np.zeros(len(people), bool)
    buys[trips.user[within]] = True
    treated = rng.random(len(user)) < campaign.treated_share
    # Who has left for good can be won back, but less easily.
    gone = people.left[user] < campaign.day
    chance = np.array(campaign.added_probability)[people.kind[user]] * np.where(gone, 0.5, 1.0)
    return Touches(k, user, treated, chance, buys[user], treated & (rng.random(len(user)) < chance))


def _added_trips(campaign: Campaign, habits: Habits, touches: Touches, world: World, rng: np.random.Generator) -> Trips:
    user = touches.user[touches.added]
    day = campaign.day + np.minimum(rng.exponential(4, len(user)).astype(np.int64), campaign.window_days - 1)
    habit = np.searchsorted(habits.user, user)
    return Trips(user, np.minimum(day, world.days - 1), habits.category[habit], habit, np.zeros(len(user), bool))


def contacts_table(
    world: World, people: People, touched: list[Touches], ids: pa.Array, rng: np.random.Generator
) -> pa.Table:
    """One row per person of a campaign, either arm, and per newsletter sent to members of the plus plan."""
    parts = [
        _contact_rows(
            world,
            ids,
            world.campaigns[t.campaign].campaign_id,
            t.user,
            t.treated,
            world.campaigns[t.campaign].day,
            "sms",
            "coupon_20_percent",
        )
        for t in touched
    ]
    for k, day in enumerate(world.newsletters.tolist()):
        listed = (people.registered < day) & people.consent[:, 1] & ~people.blocked
        user = np.flatnonzero(listed & (rng.random(len(people)) < np.where(people.plus_from < day, 0.8, 0.05)))
        name = f"NEWSLETTER-{k + 1:02d}"
        parts.append(_contact_rows(world, ids, name, user, np.ones(len(user), bool), day, "email", "newsletter"))
    return pa.concat_tables(parts)


def _contact_rows(
    world: World, ids: pa.Array, campaign: str, user: Ints, treated: Flags, day: int, channel: str, offer: str
) -> pa.Table:
    everyone = np.zeros(len(user), np.int64)
    return pa.table(
        {
            "user_id": chosen(ids, user),
            "campaign_id": chosen([campaign], everyone),
            "arm": chosen(["control", "treatment"], treated.astype(np.int64)),
            "touched_at": times(world.start, np.full(len(user), day * 86400)),
            "channel": chosen([channel], everyone),
            "offer": chosen([offer], everyone),
        }
    )


def campaign_truth(world: World, touched: list[Touches], ids: pa.Array) -> pa.Table:
    """One row per person of a randomised campaign: what contact would add, and what happened."""
    return pa.concat_tables(
        pa.table(
            {
                "user_id": chosen(ids, t.user),
                "campaign_id": chosen([world.campaigns[t.campaign].campaign_id], np.zeros(len(t.user), np.int64)),
                "treated": t.treated,
                "added_probability": t.added_probability,
                "buys_anyway": t.anyway,
                "true_effect": t.added_probability * ~t.anyway,
                "added_order": t.added,
            }
        )
        for t in touched
    )
