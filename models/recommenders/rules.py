"""Rules of suggestions, compiled to item masks and what each customer is not shown, and lists made under them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from models.recommenders.arranging import Arrangement
from models.recommenders.catalogue import Catalogue
from models.recommenders.history import Floats, Rows, stretches
from models.recommenders.interactions import Interactions
from models.recommenders.ladder import POPULAR, Entries, climb
from models.recommenders.rebuying import durable
from models.recommenders.recommender import Mask, Recommender
from warehouse.suggestion_rules import RuleSettings

DEEPER = 5
"""A list of k is arranged from 5 k candidates; where caps leave it short, from ever more of them."""
_AGAIN = 8
_CELLS_AT_ONCE = 4_000_000
_PRICE_DIGITS = 6

Chance = Callable[[Rows, Rows], Floats]
"""P(the customer of a user row, −1 unknown, buys the item of an item row) of pairs; NaN where it is not known."""


@dataclass(frozen=True)
class Rules:
    """What `said` means for the items of `held`, of which those `for_sale` may be offered at all.

    Within `horizon_days` it is told from the past whether what was bought is bought again.
    """

    said: RuleSettings
    held: Interactions
    catalogue: Catalogue
    for_sale: Mask | None = None
    chance: Chance | None = None
    horizon_days: int = 30

    def alone(self) -> Iterator[tuple[str, Rules]]:
        """Each rule that is said, without the others."""
        for name in self.said.said():
            yield name, replace(self, said=self.said.alone(name))

    def without_caps(self) -> Rules:
        """The same but for what is said of how many."""
        return replace(self, said=self.said.model_copy(update={"per_category": None, "per_brand": None}))

    def unmet(self) -> Iterator[tuple[str, list[str]]]:
        """Of each rule the words that fit no item that was ever sold: misspelt, or too new."""
        known = {
            "categories": self.catalogue.category.names,
            "brands": self.catalogue.brand.names,
            "levels": self.catalogue.seller_level.names,
            "pin": self.held.item_ids.to_pylist(),
        }
        for name in self.said.said():
            if (there := known.get(name.split("_")[-1])) is not None:
                yield name, [word for word in getattr(self.said, name) if word not in there]

    @cached_property
    def allowed(self) -> Mask:
        """(items,): what may be offered to somebody. What a rule asks for is not known of an item: not offered."""
        said, known = self.said, self.catalogue
        allowed = np.ones(self.held.shape[1], bool) if self.for_sale is None else self.for_sale.copy()
        for kind, only, never in (
            (known.category, said.only_categories, said.never_categories),
            (known.brand, said.only_brands, said.never_brands),
        ):
            allowed &= ~kind.among(never)
            if only:
                allowed &= kind.among(only)
        if said.min_price is not None:
            allowed &= known.price >= said.min_price
        if said.max_price is not None:
            allowed &= known.price <= said.max_price
        return allowed

    def barred(self, user_rows: Rows) -> npt.NDArray[np.bool_]:
        """(n, items): what these customers are not shown; nothing for one without a history."""
        barred = np.zeros((len(user_rows), self.held.shape[1]), bool)
        owner, entries = _own_entries(self.held, user_rows)
        if self.said.not_bought_within_days is not None:
            ago = self.held.as_of_day - self.held.measures["last_day"][entries]
            late = ago <= self.said.not_bought_within_days
            barred[owner[late], self.held.indices[entries[late]]] = True
        once = self._once[self.held.indices[entries]]
        barred[owner[once], self.held.indices[entries[once]]] = True
        if self.said.within_price_band is not None:
            usual = self._usual_prices(len(user_rows), owner, entries)
            limit = np.round(usual * self.said.within_price_band, _PRICE_DIGITS)
            # What is not known to be cheap enough is not shown to those who have a limit.
            barred |= ~np.isnan(limit) & ~(self.catalogue.price <= limit)
        return barred

    @cached_property
    def _once(self) -> Mask:
        """(items,): what is not offered to whoever has it."""
        said, category = self.said, self.catalogue.category
        if said.repeats == "never":
            return np.ones(self.held.shape[1], bool)
        once = category.among(said.durable_categories)
        return once | durable(self.held, category, self.horizon_days) if said.repeats == "learnt" else once

    def _usual_prices(self, n: int, owner: Rows, entries: Rows) -> Floats:
        """(n, items): the median price per unit of what the customer bought of the item's category, else of all that
        the customer bought; NaN for a customer of whom nothing is known."""
        with np.errstate(invalid="ignore", divide="ignore"):
            paid = self.held.amount[entries] / self.held.quantity[entries]
        known = (self.held.quantity[entries] > 0) & (paid >= 0)
        owner, paid, category = owner[known], paid[known], self.catalogue.category
        group = category.of[self.held.indices[entries[known]]]
        overall = _medians(owner, paid, n)[:, None]
        groups = len(category.names) + 1  # the last is of items without a category, for whom all counts
        by_group = _medians(owner * groups + np.where(group < 0, groups - 1, group), paid, n * groups)
        by_group = by_group.reshape(n, groups)
        by_group[:, -1] = np.nan
        return np.asarray(np.where(np.isnan(by_group), overall, by_group)[:, category.of], dtype=np.float64)

    @cached_property
    def pins(self) -> Rows:
        """The item rows of pins; one that was never sold is none of the items a list can hold."""
        rows = self.held.item_rows(list(dict.fromkeys(self.said.pin)))
        return rows[rows >= 0]

    @cached_property
    def how(self) -> Arrangement:
        """How candidates become lists."""
        said, known = self.said, self.catalogue
        caps = [(known.category.of, said.per_category), (known.brand.of, said.per_brand)]
        factors = [
            kind.factors(boosts)
            for kind, boosts in (
                (known.category, said.boost_categories),
                (known.brand, said.boost_brands),
                (known.seller_level, said.boost_seller_levels),
            )
            if boosts
        ]
        earns = np.nan_to_num(known.margin, nan=np.nanmedian(known.margin)) if self._earns else None
        return Arrangement(
            np.prod(factors, axis=0) if factors else None,
            said.margin,
            earns,
            said.diversity,
            self._likeness,
            [(of, most) for of, most in caps if most is not None],
            self.pins,
        )

    @property
    def _earns(self) -> bool:
        return bool((~np.isnan(self.catalogue.margin)).any())

    def _likeness(self, item: Rows, others: Rows) -> Floats:
        """The larger of the cosine of buyers and the share of category and brand in which both agree."""
        width = self.held.shape[1]
        keys, values = self._neighbours
        wanted = item[:, None] * width + others
        place = np.minimum(np.searchsorted(keys, wanted), max(len(keys) - 1, 0))
        alike = np.where(keys[place] == wanted, values[place], 0.0) if keys.size else np.zeros(others.shape)
        kinds = self.catalogue.kinds()
        agree = sum((kind.of[others] == kind.of[item][:, None]) & (kind.of[others] >= 0) for kind in kinds)
        return np.asarray(np.maximum(alike, agree / max(len(kinds), 1)), dtype=np.float64)

    @cached_property
    def _neighbours(self) -> tuple[Rows, Floats]:
        """Keys (item row × items + item row), rising, and the cosine of their buyers."""
        matrix = self.held.neighbours.tocoo()
        keys = matrix.row.astype(np.int64) * self.held.shape[1] + matrix.col
        order = np.argsort(keys)
        return keys[order], matrix.data[order]

    @cached_property
    def reachable(self) -> int:
        """More than so many no list under the caps can hold."""
        longest = int(self.allowed.sum())
        for of, most in self.how.caps:
            held = np.bincount(of[self.allowed] + 1)
            longest = min(longest, int(held[:1].sum() + np.minimum(held[1:], most).sum()))
        return longest

    def arranged(self, rows: Rows, candidates: Entries, k: int, barred: npt.NDArray[np.bool_]) -> tuple[Rows, Rows]:
        """Candidates as (n, m) item rows, −1 where there is none, and as lists (n, k) of columns (`Arrangement`)."""
        items = _padded(candidates, len(rows))
        chance = self._chances(rows, items) if self.how.weighs else None
        pinned = self.allowed[self.pins] & ~barred[:, self.pins]
        return items, self.how.lists(items, chance, k, pinned)

    def _chances(self, rows: Rows, items: Rows) -> Floats | None:
        if self.chance is None:
            return None
        row, column = np.nonzero(items >= 0)
        found = np.full(items.shape, np.nan)
        found[row, column] = self.chance(rows[row], items[row, column])
        return found


def listed(model: Recommender, rows: Rows, k: int, rules: Rules) -> Entries:
    """At most `k` items for each user row under the rules, from the ladder of the model.

    A list is shorter only where nothing more is allowed, or within the caps.
    """
    found = [(some, _listed(model, rows[some], k, rules)) for some in some_at_once(rules.held, len(rows))]
    return _joined([replace(part, asked=some[part.asked]) for some, part in found])


def some_at_once(held: Interactions, n: int) -> list[Rows]:
    """The places 0 … n − 1 of customers in parts, each of which has few enough pairs with items to hold them all."""
    step = max(1, _CELLS_AT_ONCE // max(held.shape[1], 1))
    return [np.arange(start, min(start + step, n)) for start in range(0, n, step)]


def _listed(model: Recommender, rows: Rows, k: int, rules: Rules) -> Entries:
    barred = rules.barred(rows)
    exclude = [np.flatnonzero(each) for each in barred] if barred.any() else None
    parts, waiting, depth = [], np.arange(len(rows)), DEEPER * k
    while waiting.size:
        left_out = None if exclude is None else [exclude[int(row)] for row in waiting]
        found = climb(model, rows[waiting], depth, rules.allowed, left_out)
        items, lists = rules.arranged(rows[waiting], found, k, barred[waiting])
        lengths = (lists >= 0).sum(axis=1)
        more = (np.bincount(found.asked, minlength=len(waiting)) == depth) & (lengths < min(k, rules.reachable))
        part = _picked(found, items, np.where(more[:, None], -1, lists), rules)
        parts.append(replace(part, asked=waiting[part.asked]))
        waiting, depth = waiting[more], depth * _AGAIN
    return _joined(parts)


def _picked(candidates: Entries, items: Rows, lists: Rows, rules: Rules) -> Entries:
    """The entries of lists of columns; a pin that was no candidate stands on the rung of what is popular."""
    asked, place = np.nonzero(lists >= 0)
    column = lists[asked, place]
    width = items.shape[1]
    own = column < width
    pin = np.concatenate([rules.pins, [-1]])[np.where(own, -1, column - width)]
    start = np.searchsorted(candidates.asked, asked)
    at = np.where(own, start + column, 0)
    if not len(candidates.asked):
        strength, rung, item = rules.held.popularity[pin], np.full(len(pin), POPULAR), pin
    else:
        item = np.where(own, candidates.item[at], pin)
        strength = np.where(own, candidates.strength[at], rules.held.popularity[item])
        rung = np.where(own, candidates.rung[at], POPULAR)
    return Entries(asked, item, place, strength, rung)


def _joined(parts: list[Entries]) -> Entries:
    """Entries in the order of who asked, and of places."""
    asked, item, place, strength, rung = (
        np.concatenate([np.empty(0, kind), *(getattr(part, name) for part in parts)])
        for name, kind in (
            ("asked", np.int64), ("item", np.int64), ("place", np.int64), ("strength", np.float64), ("rung", np.int64),
        )
    )  # fmt: skip
    order = np.lexsort((place, asked))
    return Entries(asked[order], item[order], place[order], strength[order], rung[order])


def _padded(entries: Entries, n: int) -> Rows:
    items = np.full((n, entries.place.max(initial=-1) + 1), -1, np.int64)
    items[entries.asked, entries.place] = entries.item
    return items


def _own_entries(held: Interactions, user_rows: Rows) -> tuple[Rows, Rows]:
    """Of customers all entries: whose they are, and where they are."""
    known = np.flatnonzero(user_rows >= 0)
    starts = held.indptr[user_rows[known]]
    lengths = held.indptr[user_rows[known] + 1] - starts
    return np.repeat(known, lengths), stretches(starts, lengths)


def _medians(group: Rows, values: Floats, n: int) -> Floats:
    """The median of the values of each of n groups; NaN of an empty one."""
    order = np.lexsort((values, group))
    values = np.append(values[order], np.nan)
    starts = np.searchsorted(group[order], np.arange(n + 1))
    count = np.diff(starts)
    low, high = starts[:-1] + np.maximum(count - 1, 0) // 2, starts[:-1] + count // 2
    return np.where(count > 0, (values[low] + values[np.minimum(high, len(values) - 1)]) / 2, np.nan)
