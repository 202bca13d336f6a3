"""The fallback ladder: the model's own lists, then what buyers of the same items also bought, then what is popular."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.recommenders.deletion import linear
from models.recommenders.history import Floats, History, Rows
from models.recommenders.interactions import Interactions
from models.recommenders.popularity import Popularity
from models.recommenders.ranking import Ranked, marked, only, rank
from models.recommenders.recommender import Mask, Recommender

OWN, ALSO_BOUGHT, POPULAR = range(3)
"""The rungs."""


@dataclass(frozen=True)
class Entries:
    """Suggestions one under another: which of the asked ids, which item, its place, its strength, its rung."""

    asked: Rows
    item: Rows
    place: Rows
    strength: Floats
    rung: Rows


def climb(
    model: Recommender,
    rows: Rows,
    k: int,
    allowed: Mask | None = None,
    exclude: Sequence[npt.ArrayLike] | None = None,
) -> Entries:
    """At most `k` items for each user row (−1: nobody known), an item once, from the highest rung that has it."""
    return below(model, model.recommend(rows, k, allowed, exclude), rows, k, allowed, exclude)


def below(
    model: Recommender,
    own: Ranked,
    rows: Rows,
    k: int,
    allowed: Mask | None = None,
    exclude: Sequence[npt.ArrayLike] | None = None,
) -> Entries:
    """As `climb`, from the model's own lists of these user rows down."""
    return _first_of_each_item(_rungs(model, own, rows, k, allowed, exclude), model.interactions.shape[1], k)


def sources(model: Recommender, rows: Rows, entries: Entries) -> npt.NDArray[np.str_]:
    """Where each entry comes from: `personal` (bought before), `similar`, `popular`; `rows` are those asked for."""
    bought = model.interactions.entries(rows[entries.asked], entries.item) >= 0
    per_rung = np.array([model.sources, Recommender.sources, Popularity.sources])
    return np.asarray(np.where(bought, per_rung[entries.rung, 0], per_rung[entries.rung, 1]))


def _rungs(
    model: Recommender,
    own: Ranked,
    rows: Rows,
    k: int,
    allowed: Mask | None,
    exclude: Sequence[npt.ArrayLike] | None,
) -> list[tuple[Rows, Ranked]]:
    """Per rung: for which of the asked ids it was needed, and its lists."""
    short = np.nonzero(own.counts < k)[0]
    if not short.size:
        return [(np.arange(len(rows)), own)]
    left_out = None if exclude is None else [exclude[int(i)] for i in short]
    similar = _bought_together(model.interactions, rows[short], k, allowed, left_out)
    popular = Popularity().fit(model.interactions).recommend(rows[short], k, allowed, left_out)
    return [(np.arange(len(rows)), own), (short, similar), (short, popular)]


def _bought_together(held: Interactions, rows: Rows, k: int, allowed: Mask | None, exclude: Any) -> Ranked:
    strengths = (held.history(rows).taste() @ held.neighbours).tocsr()
    blocked = None if exclude is None else marked(exclude, held.shape[1])
    return rank(only(strengths, allowed), k, held.place, blocked)


def also_bought_drops(held: Interactions, history: History, rows: Rows, items: Rows, strength: Floats) -> Any:
    """As `Recommender.drops`, of what stands on the rung of what buyers of the same items also bought."""
    return linear(history.taste(), held.neighbours, rows, items)


def _first_of_each_item(rungs: list[tuple[Rows, Ranked]], items: int, k: int) -> Entries:
    """Reads the rungs from the top, leaves out what was there already, and stops at `k`."""
    parts = []
    for step, (of, lists) in enumerate(rungs):
        row, position = np.nonzero(lists.items >= 0)
        item = lists.items[row, position].astype(np.int64)
        parts.append((of[row], item, position, lists.strength[row, position], np.full(len(row), step)))
    columns: list[npt.NDArray[Any]] = [np.concatenate(column) for column in zip(*parts, strict=True)]
    asked, item, position, strength, rung = columns
    order = np.lexsort((position, rung, asked))
    _, first = np.unique((asked * items + item)[order], return_index=True)
    order = order[np.sort(first)]
    asked = asked[order]
    place = np.arange(len(asked)) - np.searchsorted(asked, asked)
    keep = place < k
    order = order[keep]
    return Entries(asked[keep], item[order], place[keep], strength[order], rung[order])
