"""Customers like a customer, of a release, and what they have in common."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from models.recommenders.reasons import sentence
from serving import answers
from serving.release import Release
from serving.takers import flagged, must_have_sales, refused


def similar_users(release: Release, user_id: str, n: int) -> dict[str, Any]:
    """At most `n` customers who buy like one, most alike first.

    Who refused profiling is neither compared nor named: `withheld_no_profiling` says how many were left out of the
    comparison. `known` is False of a customer without purchases, and of one who refused; nobody is named then.
    `NotReadyError` where the release has no recommender.
    """
    must_have_sales(release)
    peers, hidden = release.takers.peers, refused(release)
    held = peers.held
    left_out = flagged(held, hidden)
    row = -1 if user_id in hidden else int(held.user_rows(pa.array([user_id], pa.string()))[0])
    found = peers.of(row, n, ~left_out)
    ids = held.user_ids.take(pa.array(found.user_rows)).to_pylist()
    shared = held.item_ids.take(pa.array(found.shared)).to_pylist()
    names, language = release.item_names, release.settings.language
    return {
        **answers.origin(release),
        "user_id": user_id,
        "known": row >= 0,
        "withheld_no_profiling": int(np.count_nonzero(left_out)),
        "users": [
            {
                "rank": rank,
                "user_id": str(user),
                "likeness": float(likeness),
                "reason": sentence("both_buy", names.get(item, item), language=language),
            }
            for rank, (user, likeness, item) in enumerate(zip(ids, found.likeness, shared, strict=True), start=1)
        ],
    }
