"""What completes a basket, and what a customer is offered who has just bought it; of a release."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import chain, zip_longest
from typing import Any

import numpy as np
import pyarrow as pa

from models.recommenders.baskets import Completion
from models.recommenders.reasons import sentence
from serving.fallbacks import suggestion_id, suggestions
from serving.release import Release
from serving.ruled import Caps, speaks_of_customers

NOBODY = ""
"""In the place of a user's id where a basket is nobody's."""


def basket_items(release: Release, basket: Sequence[str], k: int, exclude: Collection[str]) -> list[dict[str, Any]]:
    """At most `k` items for a basket of item ids: what is bought on one visit with them, then what is popular."""
    return _ranked(release, _completions(release, NOBODY, basket, k, exclude), k)


def items_after(
    release: Release, user_id: str, basket: Sequence[str], k: int, exclude: Collection[str]
) -> list[dict[str, Any]]:
    """At most `k` items for a user who has just bought a basket: in turn what completes it and the user's own.

    Where rules speak of a customer's own history, only what is in the user's list anyway can complete the basket.
    """
    own = suggestions(release, user_id, k, {*exclude, *basket})
    together = [each for each in _completions(release, user_id, basket, k, exclude) if each["source"] != "popular"]
    if speaks_of_customers(release):
        listed = {row["item_id"] for row in release.suggestions.of(user_id)}
        together = [each for each in together if each["item_id"] in listed]
    turns = chain.from_iterable(zip_longest(together, own))
    return _ranked(release, [each for each in turns if each is not None], k)


def _completions(
    release: Release, user_id: str, basket: Sequence[str], k: int, exclude: Collection[str]
) -> list[dict[str, Any]]:
    if not release.recommender:
        return []
    baskets = release.baskets
    held = baskets.held
    may = np.ones(held.shape[1], bool)
    may[_known(held.item_rows(pa.array([*release.not_for_sale], pa.string())))] = False
    rows = held.item_rows(pa.array(list(basket), pa.string()))
    barred = held.item_rows(pa.array(list(exclude), pa.string()))
    return [_told(release, user_id, each) for each in baskets.complete(rows, k, may, barred)]


def _known(rows: Any) -> Any:
    return rows[rows >= 0]


def _told(release: Release, user_id: str, found: Completion) -> dict[str, Any]:
    held, language = release.baskets.held, release.settings.language
    item = str(held.item_ids[found.item])
    if found.anchor < 0:
        reason = sentence("popular", count=int(held.buyers[found.item]), language=language)
    else:
        anchor = str(held.item_ids[found.anchor])
        reason = sentence("same_visit", release.item_names.get(anchor, anchor), language=language)
    return {
        "item_id": item,
        "probability": None,
        "strength": found.strength,
        "source": "popular" if found.anchor < 0 else "similar",
        "reason": reason,
        "suggestion_id": suggestion_id(release.id, user_id, item),
    }


def _ranked(release: Release, found: Sequence[dict[str, Any]], k: int) -> list[dict[str, Any]]:
    """The first `k` within the caps, none twice, with their places."""
    caps = Caps(release)
    kept = (each for each in _once(found) if caps.take(each["item_id"]))
    return [{**each, "rank": rank} for rank, each in zip(range(1, k + 1), kept, strict=False)]


def _once(found: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    seen: set[str] = set()
    for each in found:
        if each["item_id"] not in seen:
            seen.add(each["item_id"])
            yield each
