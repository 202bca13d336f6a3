"""The items that a customer's factors say most for, found without asking for every item: the longest first."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from models.recommenders.history import Floats, Rows
from models.recommenders.ranking import DIGIT, fitting, floors

_FIRST, _FIRST_EACH = 1_024, 16
_SINGLE = 2.0**-23
"""Twice what single precision takes from a number, as a share of it."""


class LongestFirst:
    """Items by falling length of their factors (items, factors).

    What a customer's factors say for an item, the product of both, is at most the product of their lengths (Cauchy and
    Schwarz). So once a customer's k-th best is known among the longest, whatever is too short to reach it is not looked
    at (Teflioudi, Gemulla and Mykytiuk, "LEMP", SIGMOD 2015). Products are of single precision; by how much they can be
    wrong is allowed for.
    """

    def __init__(self, factors: Floats) -> None:
        lengths = np.linalg.norm(factors, axis=1)
        self._order = np.argsort(-lengths, kind="stable")
        self._falling = -lengths[self._order]
        self._place = np.argsort(self._order)
        self._single = factors[self._order].astype(np.float32)

    def candidates(
        self, customers: Floats, k: int, allowed: npt.NDArray[np.bool_] | None = None, blocked: Any = None
    ) -> tuple[Rows, Rows]:
        """Pairs of a row of `customers` (n, factors) and an item row: all that can be among the k best, and some more.

        Products count to six digits, and only above 0 (`ranking.counted`). `allowed` (items,) says what is a candidate
        at all; the entries of the csr_matrix `blocked` (n, items) may be among the pairs, but push nothing else out.
        """
        may = None
        if allowed is not None:
            fitting(allowed, len(self._order))
            may = allowed[self._order]
        lengths, single = np.linalg.norm(customers, axis=1), customers.astype(np.float32)
        wrong = (2 + customers.shape[1]) * _SINGLE * lengths * -self._falling[:1].sum()
        start, stop = 0, min(len(self._order), max(_FIRST, _FIRST_EACH * k))
        products = self._products(single, start, stop, may)
        if blocked is not None:
            rows, items = blocked.nonzero()
            early = self._place[items] < stop
            products[rows[early], self._place[items[early]]] = -np.inf
        least = np.maximum(floors(products, k) - wrong - DIGIT, 0.4 * DIGIT)
        with np.errstate(divide="ignore"):
            needed = np.searchsorted(self._falling, -least / lengths, side="right")
        some, parts = np.arange(len(customers)), []
        while True:
            row, column = np.nonzero(products >= (least - wrong)[some, None].astype(np.float32))
            parts.append((some[row], start + column))
            start, stop = stop, min(2 * stop, len(self._order))
            some = np.flatnonzero(needed > start)
            if not some.size:
                break
            products = self._products(single[some], start, stop, may)
        rows, places = (np.concatenate(column) for column in zip(*parts, strict=True))
        return rows, self._order[places]

    def _products(self, customers: Any, start: int, stop: int, may: npt.NDArray[np.bool_] | None) -> Any:
        products = customers @ self._single[start:stop].T
        if may is not None:
            products[:, ~may[start:stop]] = -np.inf
        return products
