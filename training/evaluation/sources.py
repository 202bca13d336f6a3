"""How often what is suggested is bought, by where the suggestion comes from."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from models.recommenders import ladder
from models.recommenders.ladder import Entries
from models.recommenders.ranking import Ranked
from models.recommenders.recommender import Recommender
from training.evaluation.recommendation import TestItems

NOBODY = "nobody known"


def by_source(
    model: Recommender, test: TestItems, lists: Ranked, purchases: pa.Table, k: int = 10
) -> list[dict[str, Any]]:
    """One row for each `source` there is: of `shown` suggestions `bought` were bought in the window, `rate` of them.

    `lists` are the model's own for the customers of `test`, at least `k` long; the ladder below them fills what is
    short. The last row, `source` "nobody known", is what buyers of the window without an earlier sale are offered; of
    `purchases` (user_id, item_id) theirs are read.
    """
    own = Ranked(lists.items[:, :k], lists.strength[:, :k], np.minimum(lists.counts, k))
    entries = ladder.below(model, own, test.user_rows, k)
    bought = np.isin(entries.asked * model.interactions.shape[1] + entries.item, test.keys)
    source = ladder.sources(model, test.user_rows, entries)
    rows = [_row(name, bought[source == name]) for name in ("personal", "similar", "popular") if (source == name).any()]
    strangers = _of_strangers(model, purchases, k)
    return [*rows, *([_row(NOBODY, strangers)] if strangers.size else [])]


def _of_strangers(model: Recommender, purchases: pa.Table, k: int) -> npt.NDArray[np.bool_]:
    """Whether each suggestion to each buyer who was not known was bought."""
    held = model.interactions
    listed: Entries = ladder.climb(model, np.array([-1]), k)
    known = held.user_rows(purchases.column("user_id")) >= 0
    pairs = purchases.filter(pa.array(~known)).select(["user_id", "item_id"])
    pairs = pairs.group_by(["user_id", "item_id"]).aggregate([])
    people = pc.count_distinct(pairs.column("user_id")).as_py()
    hits = int(np.isin(held.item_rows(pairs.column("item_id")), listed.item).sum())
    return np.arange(people * len(listed.item)) < hits


def _row(source: str, bought: npt.NDArray[np.bool_]) -> dict[str, Any]:
    return {"source": source, "shown": bought.size, "bought": int(bought.sum()), "rate": float(bought.mean())}
