"""What is answered where nothing is known: base rates for strangers, popular items for empty lists."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from typing import Any

import pyarrow as pa

from models.recommenders.reasons import sentence
from serving.release import Release
from serving.ruled import Caps, speaks_of_customers
from warehouse.engine import connect

UNKNOWN_USER = "unknown user"
NO_ITEMS = "no items in this workspace"
_BOUGHT_BY_MANY = {"en": "Bought by many", "zh": "很多人在买"}
NONE_LEFT = "all that could be suggested is excluded or not for sale"


def unknown_scores(release: Release) -> list[dict[str, Any]]:
    """For a user the release does not know: the base rate of each target's population."""
    return [
        {
            "target": key[0],
            "horizon_days": key[1],
            "probability": float(model.base_rate),
            "percentile": None,
            "state": UNKNOWN_USER,
            "model_version": model.version,
        }
        for key, model in sorted(release.models.items())
    ]


def suggestions(release: Release, user_id: str, k: int, exclude: Collection[str]) -> list[dict[str, Any]]:
    """At most k items: the user's own list, then popular ones; none twice, none excluded, none that is not for sale.

    Caps hold. Where rules speak of a customer's own history nothing popular follows the own list, of which they are not
    known to hold.
    """
    barred = set(exclude) | release.not_for_sale
    caps, personal = Caps(release), speaks_of_customers(release)
    chosen: list[dict[str, Any]] = []
    some_own = False
    for own, row in _ladder(release, user_id):
        if len(chosen) == k or (personal and some_own and not own):
            break
        if row["item_id"] not in barred and caps.take(row["item_id"]):
            barred.add(row["item_id"])
            chosen.append({"rank": len(chosen) + 1, **row})
            some_own |= own
    return chosen


def no_suggestions_reason(release: Release) -> str:
    """Why there are no suggestions at all, in the words of the release."""
    told = [each for each in release.absent if each.get("what") in ("suggestions", "recommender")]
    if told:
        return str(told[0]["why"])
    return NONE_LEFT if release.popular else NO_ITEMS


def suggestion_ids(release: str, users: pa.ChunkedArray, items: pa.ChunkedArray) -> pa.ChunkedArray:
    """`suggestion_id` of every user and item of a release, many at once."""
    with connect() as connection:
        connection.register("shown", pa.table({"user_id": users, "item_id": items}))
        text = "concat_ws(chr(31), $release, user_id, item_id)"
        sql = f"select substr(sha256({text}), 1, 16) as suggestion_id from shown"
        made: pa.Table = connection.sql(sql, params={"release": release}).to_arrow_table()
        return made.column("suggestion_id")


def suggestion_id(release: str, user_id: str, item_id: str) -> str:
    """The id of one suggestion: the same for the same release, user and item, and saying nothing about them."""
    return hashlib.sha256("\x1f".join((release, user_id, item_id)).encode()).hexdigest()[:16]


def _ladder(release: Release, user_id: str) -> Iterable[tuple[bool, dict[str, Any]]]:
    """The rows, and whether they are of the user's own list."""
    chance = release.settings.recommend.explore is not None
    for row in release.suggestions.of(user_id):
        told = {name: row[name] for name in ("item_id", "probability", "strength", "source", "reason")}
        more = {"propensity": row["propensity"]} if chance else {}
        yield True, {**told, "suggestion_id": suggestion_id(release.id, user_id, row["item_id"]), **more}
    rules, language = release.settings.recommend.rules, release.settings.language
    for item_id, strength in release.popular:
        pinned = strength == 0 and rules is not None and item_id in rules.pin  # nobody has bought it
        yield (
            False,
            {
                "item_id": item_id,
                "probability": None,
                "strength": strength,
                "source": "pinned" if pinned else "popular",
                "reason": sentence("pinned", language=language) if pinned else _BOUGHT_BY_MANY[language],
                "suggestion_id": suggestion_id(release.id, user_id, item_id),
            },
        )


def no_similar_reason(release: Release, known: bool) -> str:
    """Why there are no items like this one."""
    if not len(release.similar_items):
        return no_suggestions_reason(release)
    return "no similar item may be offered" if known else "unknown item, or too few bought it"
