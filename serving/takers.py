"""Whom something suits: an item, several, or all of a category, a brand or another attribute; of a release."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from audiences.suppression import unprofiled
from models.recommenders.cold_items import likest
from models.recommenders.interactions import Interactions
from models.recommenders.purchase_probability import PurchaseProbability
from models.recommenders.reasons import sentences
from models.recommenders.suggesting import reasons
from models.recommenders.takers import Chance, Takers
from serving import answers, customers, fallbacks
from serving.release import Release
from warehouse.errors import NotReadyError, UsageError

_LIKE = 5
"""What nobody has bought yet and has no category suits whoever any of so many items like it suit."""
TAKERS = pa.schema(
    [
        ("rank", pa.int32()),
        ("user_id", pa.string()),
        ("probability", pa.float64()),
        ("strength", pa.float64()),
        ("source", pa.string()),
        ("reason", pa.string()),
    ]
)
"""One row per customer, rank from 1, the likeliest first. `probability`: of buying any of what was asked for within
the horizon, calibrated, null where too few sales were there to learn it; `strength` is none, it orders those
of equal probability."""


@dataclass(frozen=True)
class Wanted:
    """What customers are looked for: one or more items, or the value of an attribute of items."""

    items: tuple[str, ...] = ()
    attribute: str | None = None
    value: str | None = None

    @property
    def label(self) -> str:
        """It in one text."""
        return str(self.value) if self.attribute else " + ".join(self.items)

    def payload(self) -> dict[str, Any]:
        """It as answers repeat it."""
        return {"items": list(self.items)} if not self.attribute else {self.attribute: self.value}


@dataclass(frozen=True)
class Found:
    """The customers (`TAKERS`) and what there is to say of them all.

    `known`: whether anybody has bought it yet. `instead`: what they were found by where nobody has.
    """

    table: pa.Table
    known: bool
    horizon_days: int | None
    withheld: int
    instead: Wanted | None = None


def takers(release: Release, wanted: Wanted, n: int, among: Collection[str] | None = None) -> Found:
    """At most `n` customers whom it suits, the likeliest first; `among` names those who may be in it.

    Who refused profiling is left out and counted. An item that nobody has bought yet suits those whom its category
    suits, without a probability of its own. `NotReadyError` where the release has no recommender, `UsageError` for an
    attribute that items do not have.
    """
    must_have_sales(release)
    asking, floors = _asking(release, wanted)
    row = _row(asking, wanted.label)
    if row >= 0:
        return _found(release, asking, row, floors, n, among)
    instead = _instead(release, wanted)
    if instead is None:
        return Found(TAKERS.empty_table(), False, None, 0)
    found = takers(release, instead, n, among)
    unknown = found.table.set_column(2, TAKERS.field("probability"), pa.nulls(found.table.num_rows, pa.float64()))
    return Found(unknown, False, None, found.withheld, instead)


def must_have_sales(release: Release) -> None:
    """`NotReadyError` where the release has no recommender, and so no sales."""
    if not release.recommender:
        raise NotReadyError(f"Nobody can be named: {fallbacks.no_suggestions_reason(release)}.",
                            hint="It needs orders with an item_id.")  # fmt: skip


def _found(
    release: Release, asking: Takers, row: int, floors: Sequence[Chance], n: int, among: Collection[str] | None
) -> Found:
    held = asking.held
    may = ~flagged(held, refused(release))
    asked = np.ones(held.shape[0], bool) if among is None else flagged(held, among)
    found = asking.of(row, n, may & asked, floors)
    items = np.full(len(found.user_rows), row)
    sources = np.where(held.entries(found.user_rows, items) >= 0, "personal", "similar")
    told = reasons(held, found.user_rows, items, asking.evidence(found, row))
    table = pa.table(
        [
            pa.array(np.arange(1, len(items) + 1), pa.int32()),
            held.user_ids.take(pa.array(found.user_rows)).cast(pa.string()),
            pa.array(found.probability, mask=np.isnan(found.probability)),
            pa.array(found.strength),
            pa.array(sources, pa.string()),
            pa.array(sentences(told, release.settings.language, release.item_names), pa.string()),
        ],
        schema=TAKERS,
    )
    horizon = asking.probability.horizon_days if asking.probability else None
    return Found(table, True, horizon, int((asked & ~may).sum()))


def answer(release: Release, wanted: Wanted, found: Found) -> dict[str, Any]:
    """What was found, as plain values."""
    return {
        **answers.origin(release),
        **wanted.payload(),
        "known": found.known,
        "found_by": found.instead.payload() if found.instead else None,
        "model_version": release.recommender,
        "horizon_days": found.horizon_days,
        "withheld_no_profiling": found.withheld,
        "users": found.table.to_pylist(),
    }


def _asking(release: Release, wanted: Wanted) -> tuple[Takers, list[Chance]]:
    """Who is asked, and the probabilities below which that of the whole cannot be.

    Groups take the place of items where more than one item is meant; their probability is learnt now.
    """
    published = release.takers
    if len(wanted.items) == 1:
        return published, []
    held = published.held.grouped(_labels(release, wanted, published.held.item_ids.cast(pa.string())))
    parts = [row for row in (_row(published, item) for item in wanted.items) if row >= 0]
    learnt = PurchaseProbability.fit(held, release.settings.recommend.horizon)
    return Takers(held, learnt), [_chance_of(published, row) for row in parts]


def _chance_of(published: Takers, item_row: int) -> Chance:
    return lambda rows: published.chance(rows, np.full(len(rows), item_row))


def _row(asking: Takers, label: str) -> int:
    """The item row of a label; −1 where nobody has bought it."""
    return int(asking.held.item_rows([label])[0]) if asking.held.shape[1] else -1


def _instead(release: Release, wanted: Wanted) -> Wanted | None:
    """Of an item of the catalogue that nobody has bought yet its category; where it has none, what is most like it."""
    items = release.items_known
    if len(wanted.items) != 1 or items is None:
        return None
    category = items["category"].filter(pc.equal(items["item_id"], wanted.items[0])).to_pylist()
    if category and category[0] is not None:
        return Wanted((), "category", category[0])
    like = likest(release.takers.held, items, wanted.items[0], _LIKE)
    return Wanted(tuple(like)) if like else None


def _labels(release: Release, wanted: Wanted, item_ids: pa.Array) -> pa.Array:
    """For each item its value of the attribute. Of several items, and of an attribute that is a list, one label is for
    all that are meant, and every other item is its own."""
    if not wanted.attribute:
        inside = pc.is_in(item_ids, value_set=pa.array(wanted.items, pa.string()))
        return pc.if_else(inside, wanted.label, item_ids)
    values = _values(release, wanted.attribute, item_ids)
    if not pa.types.is_list(values.type):
        return values.cast(pa.string())
    inside = pa.array([wanted.value in (each or ()) for each in values.to_pylist()], pa.bool_())
    return pc.if_else(inside, wanted.label, item_ids)


def _values(release: Release, attribute: str, item_ids: pa.Array) -> pa.Array:
    """The attribute of each item, null where it is not known."""
    items = release.items_known
    there = [] if items is None else [field.name for field in items.schema if _is_attribute(field)]
    if items is None or attribute not in there:
        raise UsageError(f'Items have no attribute "{attribute}".', hint=f"They have: {', '.join(there) or 'none'}.")
    place = pc.index_in(item_ids, items["item_id"].combine_chunks().cast(pa.string()))
    return items[attribute].combine_chunks().take(place)


def _is_attribute(field: pa.Field) -> bool:
    text = pa.types.is_string(field.type) or pa.types.is_large_string(field.type)
    return (text or pa.types.is_list(field.type)) and field.name not in ("item_id", "entity_id")


def refused(release: Release) -> frozenset[str]:
    """Who has refused profiling."""
    people = customers.attributes(release)
    if people is None:
        return frozenset()
    return frozenset(people["entity_id"].filter(pa.array(unprofiled(people))).to_pylist())


def flagged(held: Interactions, ids: Collection[str]) -> npt.NDArray[np.bool_]:
    """Which users are among the ids."""
    rows = held.user_rows(pa.array(list(ids), pa.string()))
    found = np.zeros(held.shape[0], bool)
    found[rows[rows >= 0]] = True
    return found
