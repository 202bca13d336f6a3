"""Questions to a release and their answers as plain values: the same through BentoML, the bare app and the tests."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from serving import baskets, customers, fallbacks, profiles
from serving.due import DUE, with_due
from serving.release import Release
from serving.schemas import DUE_ITEMS
from serving.standing import STANDING, with_standing
from serving.wire import finite


def user_scores(release: Release, user_id: str) -> dict[str, Any]:
    """The scores of one user; base rates and `known: false` for one the release does not know."""
    scores = release.scores.of(user_id)
    return {
        **origin(release),
        "user_id": user_id,
        "known": scores is not None,
        "scores": fallbacks.unknown_scores(release) if scores is None else sorted(scores, key=_by_target),
    }


def _by_target(score: dict[str, Any]) -> tuple[str, int]:
    return score["target"], score["horizon_days"]


def user_suggestions(
    release: Release, user_id: str, k: int, exclude: Collection[str], context_items: Sequence[str] = ()
) -> dict[str, Any]:
    """At most k suggestions; fewer where there are no more items, none with the reason.

    `context_items` are what was just bought: not offered again, and what completes it comes in turn with the rest.
    """
    if context_items:
        items = baskets.items_after(release, user_id, context_items, k, exclude)
    else:
        items = fallbacks.suggestions(release, user_id, k, exclude)
    return {
        **origin(release),
        "user_id": user_id,
        "known": release.scores.row(user_id) is not None,
        "model_version": release.recommender,
        "horizon_days": release.settings.recommend.horizon,
        "items": [{**item, "strength": finite(item["strength"])} for item in items],
        "reason": None if items else fallbacks.no_suggestions_reason(release),
        "exclude_ignored": sum(i not in release.items or i in release.not_for_sale for i in set(exclude)),
    }


def basket_suggestions(
    release: Release, context_items: Sequence[str], k: int, exclude: Collection[str]
) -> dict[str, Any]:
    """At most k items that complete a basket, whosever it is; what is popular where nothing is known of it."""
    items = baskets.basket_items(release, context_items, k, exclude)
    return {
        **origin(release),
        "context_items": list(context_items),
        "model_version": release.recommender,
        "items": [{**item, "strength": finite(item["strength"])} for item in items],
        "reason": None if items else fallbacks.no_suggestions_reason(release),
    }


def user_due(release: Release, user_id: str) -> dict[str, Any]:
    """When the items that one user buys again and again are due, the first due first."""
    rows = sorted(release.due.of(user_id), key=lambda row: (row["due_date"], row["item_id"]))
    ahead = [row["due_date"] for row in rows if row["due_date"] >= release.as_of]
    return {
        **origin(release),
        "user_id": user_id,
        "known": release.scores.row(user_id) is not None,
        "next_due_date": ahead[0].isoformat() if ahead else None,
        "due_item_count": sum(row["status"] == "due" for row in rows),
        "most_overdue_gaps": max((row["overdue_gaps"] for row in rows), default=None),
        "items": [_due_item(row) for row in rows],
    }


def user_profile(release: Release, user_id: str) -> dict[str, Any]:
    """What is known of one user: groups, last acts, preferences, value, what is due, scores; empty if unknown.

    Of who refused profiling by the release's date nothing that is inferred, scores among it.
    """
    scores = release.scores.of(user_id)
    rows = [] if scores is None else profiles.profile(*_customer(release, user_id)).to_pylist()
    told = {name: _plain(value) for name, value in rows[0].items()} if rows else {}
    uses = [] if scores is None else release.last_uses.of(user_id)
    due = [] if scores is None else release.due.of(user_id)
    return {
        **origin(release),
        "user_id": user_id,
        "known": scores is not None,
        "profile": {name: value for name, value in told.items() if name not in ("user_id", "as_of")},
        "last_uses": [{"feature": use["feature"], "last_used_on": use["last_used_on"].isoformat()} for use in uses],
        "due": [_due_item(row) for row in sorted(due, key=lambda row: (row["due_date"], row["item_id"]))],
        "scores": [] if scores is None or told.get(profiles.REFUSED) else sorted(scores, key=_by_target),
    }


def _customer(release: Release, user_id: str) -> tuple[pa.Table, date, pa.Table | None]:
    """The row of one user, with what is due and where they stand, and their attributes."""
    row = release.features_of(user_id)
    if DUE in release.tables:
        due = pa.Table.from_pylist(release.due.of(user_id), schema=DUE_ITEMS)
        row = with_due(row, due, release.as_of, profiles.wanted())
    mine = {
        name: pa.Table.from_pylist(rows.of(user_id), schema=STANDING[name]) for name, rows in release.standing.items()
    }
    row = with_standing(row, mine, profiles.wanted())
    users = release.tables.get("users")
    if users is None:
        return row, release.as_of, None
    known = users.filter(pc.equal(users["entity_id"], user_id))
    return row, release.as_of, customers.attributes(release, known)


def _plain(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    return finite(value) if isinstance(value, float) else value


def _due_item(row: dict[str, Any]) -> dict[str, Any]:
    told = {name: value.isoformat() if isinstance(value, date) else value for name, value in row.items()}
    del told["entity_id"]
    return told


def similar_items(release: Release, item_id: str, k: int) -> dict[str, Any]:
    """At most k items like this one that may be offered."""
    rows = release.similar_items.of(item_id)
    offered = [row for row in rows if row["similar_item_id"] not in release.not_for_sale][:k]
    items = [
        {"rank": rank, "item_id": row["similar_item_id"], "strength": finite(row["strength"])}
        for rank, row in enumerate(offered, start=1)
    ]
    return {
        **origin(release),
        "item_id": item_id,
        "known": bool(rows),
        "model_version": release.recommender,
        "items": items,
        "reason": None if items else fallbacks.no_similar_reason(release, known=bool(rows)),
    }


def release_info(release: Release) -> dict[str, Any]:
    """What is served: models, how many users, and what is absent with what it needs."""
    models = [
        {
            "target": key[0],
            "horizon_days": key[1],
            "kind": model.kind,
            "model_version": model.version,
            "population": model.population,
            "base_rate": float(model.base_rate),
        }
        for key, model in sorted(release.models.items())
    ]
    return {
        **origin(release),
        "users": len(release.scores),
        "models": models,
        "recommender": release.recommender,
        "sources": release.cards.get("recommend", {}).get("sources", []),
        "time_zone": release.settings.time_zone,
        "currency": release.settings.currency,
        "previous": release.previous,
        "accepted_drift": list(release.accepted_drift),
        "notes": list(release.notes),
        "absent": [{name: str(each.get(name, "")) for name in ("what", "why", "needs")} for each in release.absent],
    }


def origin(release: Release, as_of: date | None = None) -> dict[str, str]:
    """What every answer says: as of when, and from which release."""
    return {"as_of": (as_of or release.as_of).isoformat(), "release": release.id}
