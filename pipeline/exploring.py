"""Places of suggestions given by chance among the next candidates, so that it can be learnt what others would bring."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from serving.fallbacks import suggestion_ids
from warehouse.recommender_settings import ExploreSettings

COLUMN = "propensity"


def drawn(found: pa.Table, release: str, asked: ExploreSettings, k: int) -> pa.Table:
    """Lists of at most k from lists `asked.deeper` longer: the last `places` places of each given to as many of its
    `among` next candidates, each as likely, in their order; with the column `propensity`.

    It is the chance with which an item of those candidates comes into that list, 1 for what always does. Drawn are the
    candidates whose `suggestion_id` is smallest: a hash, so any of them is as likely in the next release, a list does
    not hang on who else has one, and whoever has the release's name can draw again.
    """
    user = np.asarray(pc.dictionary_encode(found["user_id"]).combine_chunks().indices, dtype=np.int64)
    rank = np.asarray(found["rank"].combine_chunks(), dtype=np.int64)
    ids = suggestion_ids(release, found["user_id"], found["item_id"])
    candidate = np.flatnonzero((rank > k - asked.places) & (rank <= k - asked.places + asked.among))
    lot = np.asarray(pc.rank(ids.take(pa.array(candidate)), tiebreaker="first").to_numpy(), dtype=np.int64)
    order = candidate[np.lexsort((lot, user[candidate]))]
    place = np.arange(len(order)) - np.searchsorted(user[order], user[order])
    there = np.bincount(user[order], minlength=user.max(initial=-1) + 1)
    chance = np.ones(len(found))
    chance[order] = np.minimum(asked.places / there[user[order]], 1.0)
    kept = np.sort(np.concatenate([np.flatnonzero(rank <= k - asked.places), order[place < asked.places]]))
    now = np.arange(len(kept)) - np.searchsorted(user[kept], user[kept]) + 1
    lists = found.take(pa.array(kept)).append_column(COLUMN, pa.array(chance[kept]))
    return lists.set_column(1, found.schema.field("rank"), pa.array(now, pa.int32()))
