"""Items whose buyers are the same people: the cosine of common buyers."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix, diags

from models.recommenders.ranking import Ranked, rank

KEPT = 50
_CHUNK_ITEMS = 512


def co_purchase(pattern: Any, place: npt.NDArray[np.int64]) -> Any:
    """Per item at most 50 others, as a csr_matrix (items, items) of values in (0, 1] with an empty diagonal.

    `pattern` is the (users, items) csr_matrix of ones. Value: common buyers / √(buyers of one × buyers of the other).
    An item is a neighbour only from two common buyers on: one customer's basket says nothing about others.
    A few hundred items are done at a time, so memory stays bounded.
    """
    bought_by = pattern.T.tocsr()
    buyers = np.maximum(np.diff(bought_by.indptr), 1)
    parts = [
        _strongest(bought_by[start : start + _CHUNK_ITEMS] @ pattern, start, buyers, place)
        for start in range(0, bought_by.shape[0], _CHUNK_ITEMS)
    ]
    lists = Ranked.joined(parts, KEPT)
    return _matrix(lists, bought_by.shape[0])


def _strongest(common: Any, start: int, buyers: npt.NDArray[np.int64], place: npt.NDArray[np.int64]) -> Ranked:
    common = common.tocsr()
    rows = np.repeat(np.arange(common.shape[0]), np.diff(common.indptr))
    common.data[(common.data < 2) | (common.indices == rows + start)] = 0
    common.eliminate_zeros()
    scale = 1 / np.sqrt(buyers)
    cosine = (diags(scale[start : start + common.shape[0]]) @ common @ diags(scale)).tocsr()
    cosine.data = np.round(cosine.data, 9)
    return rank(cosine, KEPT, place)


def _matrix(lists: Ranked, items: int) -> Any:
    there = lists.items >= 0
    rows = np.nonzero(there)[0]
    return csr_matrix((lists.strength[there], (rows, lists.items[there])), shape=(items, items))
