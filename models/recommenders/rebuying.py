"""Which items are bought again (consumable) and which a customer needs once (durable), as the past tells."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.recommenders.catalogue import Kind
from models.recommenders.cutting import cut_before
from models.recommenders.history import Floats
from models.recommenders.interactions import Interactions

_WINDOWS = 6
_PRIOR = 2.0
"""Expected purchases that what is known of the category, or of all items, is worth."""
_ONCE = 0.5
"""Where having makes no difference the lift is about 1, and by chance below it."""


def lift_of_having(held: Interactions, category: Kind, horizon_days: int) -> Floats:
    """(items,): how many times likelier whoever has an item buys it within the horizon than whoever has it not.

    Over the past windows of `horizon_days` O purchases were made by customers who had the item before the window, and
    E would have been had they bought as often as the customers who had not (indirect standardisation). An item's lift
    is (O + 2 c) / (E + 2), drawn to c, that of its category, which is drawn the same way to that of all items: the
    mean of a gamma posterior of a Poisson rate. Items without a category are drawn to all. 1 where nothing is known.
    """
    observed, expected = np.zeros(held.shape[1]), np.zeros(held.shape[1])
    end = held.as_of_day
    for _ in range(_WINDOWS):
        cut = end - horizon_days
        full = np.full(held.shape[0], cut)
        past, (users, items) = cut_before(held, full, full + horizon_days, cut)
        if not past.shape[0]:
            break
        place = held.item_rows(past.item_ids)
        had = past.entries(users, items) >= 0
        owners = past.buyers.astype(np.float64)
        others = np.maximum(past.shape[0] - owners, 1)
        new = np.bincount(items[~had], minlength=past.shape[1])
        observed[place] += np.bincount(items[had], minlength=past.shape[1])
        expected[place] += owners * new / others
        end = cut
    overall = _drawn(observed.sum(), expected.sum(), 1.0)
    group = np.where(category.of < 0, len(category.names), category.of)
    of_groups = [np.bincount(group, values, minlength=len(category.names) + 1) for values in (observed, expected)]
    of_group = _drawn(of_groups[0], of_groups[1], overall)
    of_group[-1] = overall
    return np.asarray(_drawn(observed, expected, of_group[group]), dtype=np.float64)


def durable(held: Interactions, category: Kind, horizon_days: int) -> npt.NDArray[np.bool_]:
    """(items,): whoever has it is less than half as likely to buy it as whoever has it not."""
    return lift_of_having(held, category, horizon_days) < _ONCE


def _drawn(observed: npt.ArrayLike, expected: npt.ArrayLike, to: npt.ArrayLike) -> Floats:
    drawn = (np.asarray(observed) + _PRIOR * np.asarray(to)) / (np.asarray(expected) + _PRIOR)
    return np.asarray(drawn, dtype=np.float64)
