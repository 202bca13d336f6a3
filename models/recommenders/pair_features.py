"""What is known of a customer and an item on the day of asking: the columns of the second stage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.recommenders import basket_features
from models.recommenders.basket_features import Baskets, ItemsInBaskets
from models.recommenders.history import Floats, History, Rows, distinct
from models.recommenders.interactions import Interactions
from models.recommenders.ranking import Ranked

OF_A_CANDIDATE = ("strength", "share_of_best", "place")
"""What the lists of each first-stage model say of an item: its strength, that as a share of the list's first, and its
place in the list, from 1; unknown where it is not listed."""
OF_THE_PAIR = (
    "order_days",
    "share_of_days",
    "days_since",
    "days_since_in_own_gaps",
    "gap",
    "gap_ratio",
    "days_within_30",
    "days_within_90",
    "in_last_days",
    "days_from_last_day",
    "amount_a_day",
)
OF_THE_ITEM = (
    "popularity",
    "popularity_change",
    "buyers",
    "repeat_share",
    "item_gap",
    "item_days_each",
    "item_amount",
    "item_age",
)
OF_THE_CUSTOMER = (
    "customer_days",
    "customer_items",
    "items_a_day",
    "customer_days_since",
    "customer_gap",
    "customer_overdue",
    "explores",
)
OF_BOTH = ("own_amount", "amount_against_own", "own_popularity", "popularity_against_own")

Matrix = npt.NDArray[np.float32]
_Days = tuple[Floats, Floats, Floats]


def names(candidates: Sequence[str]) -> list[str]:
    """The columns of `features`, in their order."""
    listed = [f"{model}_{what}" for model in candidates for what in OF_A_CANDIDATE]
    of = basket_features
    baskets = (*of.OF_THE_PAIR, *of.OF_THE_ITEM, *of.OF_THE_CUSTOMER)
    return [*listed, *OF_THE_PAIR, *OF_THE_ITEM, *OF_THE_CUSTOMER, *OF_BOTH, *baskets]


class Items:
    """What is known of each item from all sales before the cutoff; arrays of one float64 per item."""

    def __init__(self, held: Interactions) -> None:
        everybody = held.everybody()
        items = held.shape[1]
        of = held.indices
        n = np.maximum(held.buyers, 1)
        days = everybody.order_days
        self.buyers = held.buyers.astype(np.float64)
        self.popularity = held.popularity
        lately, before = (_bought(everybody, items, low, high) for low, high in ((0, 30), (30, 90)))
        self.change = np.log((lately + 1) / (before / 2 + 1))
        self.repeat_share = (np.bincount(of, days > 1, minlength=items) + 0.5) / (n + 5)
        first, last = everybody.each_ago[everybody.day_starts[:-1]], everybody.days_ago
        again = days > 1
        spans = np.bincount(of[again], (first - last)[again], minlength=items)
        steps = np.bincount(of[again], (days - 1)[again], minlength=items)
        self.gap = np.where(steps > 0, spans / np.maximum(steps, 1), np.nan)
        self.days_each = np.bincount(of, days, minlength=items) / n
        self.amount = np.bincount(of, held.amount / days, minlength=items) / n
        self.age = np.zeros(items)
        np.maximum.at(self.age, of, first)
        self.in_baskets = ItemsInBaskets(held)

    def columns(self, items: Rows) -> list[Floats]:
        """Those of `OF_THE_ITEM` for some items."""
        known = (
            self.popularity, self.change, self.buyers, self.repeat_share,
            self.gap, self.days_each, self.amount, self.age,
        )  # fmt: skip
        return [values[items] for values in known]


def _bought(everybody: History, items: int, low: int, high: int) -> Floats:
    """Per item on how many (customer, day) it was bought more than `low` and at most `high` days ago."""
    between = (everybody.each_ago > low) & (everybody.each_ago <= high)
    return np.bincount(everybody.pattern.indices[everybody.day_entries[between]], minlength=items).astype(np.float64)


def features(
    history: History, pairs: tuple[Rows, Rows], lists: Sequence[Ranked], known: Items, more: Sequence[Floats] = ()
) -> Matrix:
    """(pairs, columns of `names`), float32, NaN where unknown.

    `pairs` are rows of `history` and item rows, both (pairs,); where there are `lists`, those of each first-stage model
    for the customers of the history, they rise and each is there once. `more` columns follow those of `names`.
    """
    users, items = pairs
    days = _days_of_customers(history)
    own = Own.of(history, users, items)
    columns = [
        *(column for found in lists for column in _of_a_list(found, users, items, history.pattern.shape[1])),
        *_of_the_pair(history, days, own, known.gap[items]),
        *known.columns(items),
        *(values[users] for values in _of_the_customer(history, days)),
    ]
    for of_items in (known.amount, known.popularity):
        usual = _mean_of_own(history, of_items)[users]
        columns += [usual, np.log((of_items[items] + 1e-3) / (usual + 1e-3))]
    columns += [*_in_baskets(history, own, users, items, known.in_baskets), *more]
    X = np.empty((len(columns), len(users)), np.float32)  # by columns, as trees go through them
    for place, column in enumerate(columns):
        X[place] = column
    return X.T


@dataclass(frozen=True)
class Own:
    """Which of some pairs were bought, and their entries in the history."""

    asked: int
    pairs: Rows
    entries: Rows

    @classmethod
    def of(cls, history: History, users: Rows, items: Rows) -> Own:
        """Those of (row of the history, item row) pairs."""
        width = history.pattern.shape[1]
        held, wanted = history.rows * width + history.pattern.indices, users * width + items
        if not held.size:
            return cls(len(users), np.empty(0, np.int64), np.empty(0, np.int64))
        place = np.minimum(np.searchsorted(held, wanted), len(held) - 1)
        pairs = np.flatnonzero(held[place] == wanted)
        return cls(len(users), pairs, place[pairs])

    def spread(self, values: Floats, otherwise: float = np.nan) -> Floats:
        """Per pair the value of its entry; of what was not bought something else."""
        column = np.full(self.asked, otherwise)
        column[self.pairs] = values[self.entries]
        return column


def _in_baskets(history: History, own: Own, users: Rows, items: Rows, known: ItemsInBaskets) -> list[Floats]:
    baskets = Baskets.of(history)
    company = (baskets.last_ones() @ known.company).tocsr()
    return [
        *(own.spread(values) for values in baskets.columns()),
        np.asarray(company[users, items]).ravel(),
        *known.columns(items),
        *(values[users] for values in baskets.of_customers()),
    ]


def _of_a_list(found: Ranked, users: Rows, items: Rows, width: int) -> Iterator[Floats]:
    row, place = np.nonzero(found.items >= 0)
    listed, asked = row * width + found.items[row, place], users * width + items
    pair = np.minimum(np.searchsorted(asked, listed), max(len(asked) - 1, 0))
    wanted = np.flatnonzero(asked[pair] == listed) if len(asked) else np.empty(0, np.int64)
    row, place, pair = row[wanted], place[wanted], pair[wanted]
    strength = found.strength[row, place]
    for values in (strength, strength / np.maximum(found.strength[row, 0], 1e-12), place + 1):
        column = np.full(len(asked), np.nan)
        column[pair] = values
        yield column


def _of_the_pair(history: History, of_customers: _Days, own: Own, usual_gap: Floats) -> list[Floats]:
    days, ago, owner = history.order_days, history.days_ago, history.rows
    first = history.each_ago[history.day_starts[:-1]]
    total, last_day, gaps = of_customers
    step = (first - ago) / np.maximum(days - 1, 1)
    # Few gaps of one's own say little: the item's usual gap counts as one more.
    counted = np.where(days > 1, days - 1, 0)
    gap = np.where(
        np.isnan(usual_gap), own.spread(np.where(days > 1, step, np.nan)),
        (own.spread(step * counted) + usual_gap) / (own.spread(counted) + 1),
    )  # fmt: skip
    return [
        own.spread(days, 0.0),
        own.spread(days / total[owner], 0.0),
        own.spread(ago),
        own.spread(ago / gaps[owner]),
        gap,
        own.spread(ago) / np.maximum(gap, 1),
        own.spread(_days_within(history, 30), 0.0),
        own.spread(_days_within(history, 90), 0.0),
        own.spread((ago == last_day[owner]).astype(np.float64), 0.0),
        own.spread(ago - last_day[owner]),
        own.spread(history.spend),
    ]


def _days_within(history: History, days: int) -> Floats:
    return np.bincount(history.day_entries, history.each_ago <= days, minlength=len(history.order_days)).astype(
        np.float64
    )


def _days_of_customers(history: History) -> _Days:
    """Per customer: on how many days they bought, how long ago the last was, and the mean days between them."""
    n = history.pattern.shape[0]
    ago = history.each_ago.astype(np.int64)
    span = int(ago.max()) + 1 if len(ago) else 1
    visits = distinct(history.rows[history.day_entries] * span + ago)
    owner, day = visits // span, (visits % span).astype(np.float64)
    total = np.bincount(owner, minlength=n).astype(np.float64)
    last, first = np.full(n, np.inf), np.zeros(n)
    np.minimum.at(last, owner, day)
    np.maximum.at(first, owner, day)
    gaps = np.where(total > 1, (first - last) / np.maximum(total - 1, 1), np.maximum(first, 1))
    return np.maximum(total, 1), np.where(np.isfinite(last), last, np.nan), np.maximum(gaps, 1)


def _of_the_customer(history: History, of_customers: _Days) -> list[Floats]:
    n = history.pattern.shape[0]
    total, last, gaps = of_customers
    items = np.diff(history.pattern.indptr).astype(np.float64)
    bought = np.bincount(history.rows, history.order_days, minlength=n)
    return [total, items, bought / total, last, gaps, last / gaps, items / np.maximum(bought, 1)]


def _mean_of_own(history: History, of_items: Floats) -> Floats:
    """Per customer the mean over the items bought."""
    sums = np.bincount(history.rows, of_items[history.pattern.indices], minlength=history.pattern.shape[0])
    return np.asarray(sums / np.maximum(np.diff(history.pattern.indptr), 1), dtype=np.float64)
