"""From rows of a file to the purchases a recommender learns from, and the part that is held out to choose by."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from models.recommenders.interactions import Interactions

HELD_OUT_SHARE = 0.1
_EPOCH = date(1970, 1, 1)
_LAST_BASKET = 10_957
"""The day (2000-01-01) on which every user's last basket is put where baskets have numbers and no dates."""


def held_out(train: pa.Table, seed: int) -> tuple[pa.Table, pa.Table, str]:
    """(what is left, what is held out, in words how): each user's last basket, else a tenth of the pairs.

    Baskets are told apart by basket_no, else by day; only users with at least two of them lose one. Where nobody has
    two, a seeded 10 % of the distinct pairs is drawn, whatever the order of the rows.
    """
    for by, said in (("basket_no", "the last basket of each user by basket_no"), ("day", "the last day of each user")):
        if by in train.column_names:
            last = _in_last_basket(_codes(train.column("user_id")), train.column(by).to_numpy())
            if last.any():
                return train.filter(pa.array(~last)), train.filter(pa.array(last)), said
    drawn = _drawn_pairs(train, seed)
    return train.filter(pa.array(~drawn)), train.filter(pa.array(drawn)), f"a random {HELD_OUT_SHARE:.0%} of the pairs"


def joined(train: pa.Table, valid: pa.Table) -> pa.Table:
    """Both; where only `train` has baskets or days, those of `valid` come after all of them."""
    for name in ("basket_no", "day"):
        if name in train.column_names and name not in valid.column_names:
            after = pc.max(train.column(name)).as_py() + 1
            valid = valid.append_column(name, pa.repeat(pa.scalar(after, train.schema.field(name).type), len(valid)))
    shared = [name for name in train.column_names if name in valid.column_names]
    return pa.concat_tables([train.select(shared), valid.select(shared)])


def interactions_of(rows: pa.Table) -> Interactions:
    """The purchases of these rows, one a user, item and day, as of the day after the last.

    Days are those of the rows. Where there are none, the baskets of a user are days counted back from the user's last
    one, so that one basket is as long ago for everybody; where there are no baskets either, all is one day.
    Quantity and amount are the sum of value, 1 a row where there is none.
    """
    value = rows.column("value") if "value" in rows.column_names else pa.repeat(1.0, len(rows))
    days = _days(rows)
    table = pa.table(
        {"user_id": rows.column("user_id"), "item_id": rows.column("item_id"), "day": days, "value": value}
    )
    per_day = table.group_by(["user_id", "item_id", "day"], use_threads=False).aggregate([("value", "sum")])
    sums = {name: per_day.column("value_sum") for name in ("quantity", "amount")}
    columns = {name: per_day.column(name) for name in ("user_id", "item_id", "day")}
    return Interactions.from_table(pa.table(columns | sums), _EPOCH + timedelta(days=int(days.max()) + 1))


def _days(rows: pa.Table) -> npt.NDArray[np.int32]:
    if "day" in rows.column_names:
        return np.asarray(rows.column("day").to_numpy(), dtype=np.int32)
    if "basket_no" not in rows.column_names:
        return np.full(len(rows), _LAST_BASKET, np.int32)
    users, baskets = _codes(rows.column("user_id")), rows.column("basket_no").to_numpy()
    return (_LAST_BASKET - _baskets_after(users, baskets)).astype(np.int32)


def _codes(texts: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    """A number for each text, alike for alike texts."""
    return np.asarray(texts.combine_chunks().dictionary_encode().indices.to_numpy(), dtype=np.int64)


def _baskets_after(users: npt.NDArray[np.int64], baskets: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Per row how many later baskets the same user has."""
    order = np.lexsort((baskets, users))
    users, baskets = users[order], baskets[order]
    starts_user = np.concatenate([[True], users[1:] != users[:-1]])
    starts_basket = starts_user | np.concatenate([[True], baskets[1:] != baskets[:-1]])
    place = np.cumsum(starts_basket)
    last = place[np.append(np.nonzero(starts_user)[0][1:] - 1, len(users) - 1)]
    after = np.empty(len(users), np.int64)
    after[order] = last[np.cumsum(starts_user) - 1] - place
    return after


def _in_last_basket(users: npt.NDArray[np.int64], baskets: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    after = _baskets_after(users, baskets)
    has_two: npt.NDArray[np.bool_] = np.zeros(users.max() + 1, bool)
    has_two[users[after > 0]] = True
    last: npt.NDArray[np.bool_] = (after == 0) & has_two[users]
    return last


def _drawn_pairs(rows: pa.Table, seed: int) -> npt.NDArray[np.bool_]:
    """Which rows are of the drawn pairs; all rows of a pair go together."""
    users, items = (_places(rows.column(name)) for name in ("user_id", "item_id"))
    pairs, pair = np.unique(users * (items.max() + 1) + items, return_inverse=True)
    drawn = np.zeros(len(pairs), bool)
    some = max(1, round(HELD_OUT_SHARE * len(pairs)))
    drawn[np.random.default_rng(seed).choice(len(pairs), some, replace=False)] = True
    return drawn[pair]


def _places(texts: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    """The place of each text among the sorted distinct ones."""
    distinct = texts.combine_chunks().unique()
    sorted_ones = distinct.take(pc.array_sort_indices(distinct))
    return np.asarray(pc.index_in(texts, value_set=sorted_ones).combine_chunks().to_numpy(), dtype=np.int64)
