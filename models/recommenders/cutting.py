"""The past within interactions: what was bought before a day of each customer, and what from then on."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from models.recommenders.history import Rows
from models.recommenders.interactions import Interactions


def cut_before(held: Interactions, cuts: Rows, ends: Rows, as_of_day: int) -> tuple[Interactions, tuple[Rows, Rows]]:
    """What each user bought before the day `cuts` of theirs, as of `as_of_day`; and the pairs bought from then until
    before the day `ends`, as user rows and item rows of the first. Whoever or whatever was not sold before is left out.

    Quantity and amount of a pair are shared out evenly over its days.
    """
    entry, owner = held.everybody().day_entries, held.everybody().rows
    before = held.days < cuts[owner][entry]
    days_kept = np.bincount(entry[before], minlength=len(held.indices))
    kept = days_kept > 0
    users, items = np.unique(owner[kept]), np.unique(held.indices[kept])
    share = (days_kept / np.maximum(np.diff(held.day_starts), 1))[kept]
    acts = held.acts
    past = Interactions(
        held.user_ids.take(pa.array(users)),
        held.item_ids.take(pa.array(items)),
        np.searchsorted(owner[kept], [*users, held.shape[0]]).astype(np.int64),
        np.searchsorted(items, held.indices[kept]).astype(np.int32),
        held.quantity[kept] * share,
        held.amount[kept] * share,
        np.concatenate([[0], np.cumsum(days_kept[kept])]).astype(np.int64),
        held.days[before],
        as_of_day,
        acts and acts.moved(_places(users, held.shape[0]), _places(items, held.shape[1]), acts.days < cuts[acts.users]),
    )
    later = np.unique(entry[~before & (held.days < ends[owner][entry])])
    later = later[np.isin(owner[later], users) & np.isin(held.indices[later], items)]
    pairs = (np.searchsorted(users, owner[later]), np.searchsorted(items, held.indices[later]))
    return past, (pairs[0].astype(np.int64), pairs[1].astype(np.int64))


def _places(kept: npt.NDArray[Any], count: int) -> Rows:
    """Of each row the place among those that are kept, −1 where it is not."""
    found = np.full(count, -1)
    found[kept] = np.arange(len(kept))
    return found


def last_days(held: Interactions, back: int) -> Rows:
    """Per user the day, counted from the last one (1), on which something was bought; the day of the first sale of
    all where there are fewer, so that nothing is left before it."""
    of_day = held.everybody().rows[held.everybody().day_entries]
    first = int(held.days.min()) if len(held.days) else held.as_of_day
    distinct = np.unique(of_day * (held.as_of_day - first + 1) + (held.days - first))
    users, days = distinct // (held.as_of_day - first + 1), distinct % (held.as_of_day - first + 1) + first
    ends = np.searchsorted(users, np.arange(held.shape[0]), side="right")
    starts = np.searchsorted(users, np.arange(held.shape[0]))
    return np.where(ends - back >= starts, days[np.maximum(ends - back, 0)], first) if len(days) else starts
