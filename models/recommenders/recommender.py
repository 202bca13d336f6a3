"""The one interface of all recommenders. A model is a file of this package that holds a subclass."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from inspect import signature
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from models.recommenders import deletion
from models.recommenders.history import Floats, History, Rows, fading
from models.recommenders.interactions import Interactions
from models.recommenders.plain_arrays import needed
from models.recommenders.ranking import Ranked, counted, marked, only, rank
from warehouse.errors import DataProblemError

Mask = npt.NDArray[np.bool_]

_CELLS_AT_ONCE = 4_000_000
_HALVINGS = 900
"""After more of them a double is 0, and the order of a list with it."""


class Recommender(ABC):
    """Suggests items to customers.

    A subclass says how strongly a history speaks for each item (`_strengths`), and extends `fit` where it learns more
    than the interactions; lists, masks, ties, unknown customers and chunks are handled here, alike for all. Whoever
    has bought an item may be offered it again: that is where most of the next month's purchases are.
    """

    name: ClassVar[str]
    sources: ClassVar[tuple[str, str]] = ("personal", "similar")
    """Where a suggestion comes from: of an item the customer bought before, and of any other."""
    rounded: ClassVar[bool] = False
    """Whether strengths are the end of a computation: they then count to six digits, and only above 0."""
    fades: ClassVar[bool] = False
    """Whether strengths are in proportion to taste, so that an absence is one factor on all of a customer's: they are
    then computed as of the customer's own last day, so that of nobody who was away for years they are rounded to
    nothing, and made less by that factor, `half_life_days`, afterwards, so that customers compare."""
    published: ClassVar[Sequence[Mapping[str, Any]]] = ()
    """Settings that did best in published tables: where a search begins, beside the defaults."""
    alternatives: ClassVar[Mapping[str, Sequence[Any]]] = {}
    """Per setting what is worth trying where there is something to choose by."""
    interactions: Interactions

    @classmethod
    def needs(cls, users: int, items: int, nnz: int) -> int:
        """About how many bytes fitting and scoring take at their peak, beside the table that was read.

        For so many users, items and pairs of both, under the default settings.
        """
        return 250 * nnz + 100 * (users + items) + 4 * 8 * _CELLS_AT_ONCE

    def settings(self) -> dict[str, Any]:
        """The settings of the model, by the names of its keyword arguments."""
        return {name: getattr(self, name) for name in signature(type(self)).parameters}

    def fit(self, interactions: Interactions) -> Self:
        """Learns from all sales before the cutoff of `interactions`."""
        self.interactions = interactions
        return self

    def varied(self, **settings: Any) -> Self:
        """The same with some other settings, fitted on the same sales; what does not hang on them may be shared."""
        return type(self)(**{**self.settings(), **settings}).fit(self.interactions)

    @abstractmethod
    def _strengths(self, history: History) -> Any:
        """(n, items): a csr_matrix whose entries may be suggested, or a fresh float64 array with −inf elsewhere."""

    def _of_pairs(self, history: History, rows: Rows, items: Rows) -> Floats:
        """The strengths of (row of the history, item row) pairs, −inf where the item may not be suggested."""
        return deletion.in_parts(self._strengths, history, rows, items)

    def _ranked(self, history: History, k: int, allowed: Mask | None, blocked: Any) -> Ranked:
        """The lists of a few customers; `blocked` is a csr_matrix (n, items) whose entries are left out, or None."""
        return rank(only(self._strengths(history), allowed), k, self.interactions.place, blocked, self.rounded)

    def _similarities(self, picked: Any) -> Any:
        """(n, items) likeness to the one item in each row of the csr_matrix `picked`; by default cosine of buyers."""
        return (picked @ self.interactions.neighbours).tocsr()

    def _parameters(self) -> dict[str, npt.NDArray[Any]]:
        """What the model holds beyond the interactions, as plain arrays."""
        return {}

    def _restore(self, parameters: Mapping[str, npt.NDArray[Any]]) -> None:
        """Takes back what `_parameters` gave."""
        if parameters:
            raise DataProblemError(f"The recommender {self.name} has no array {min(parameters)}.")

    def recommend(
        self,
        user_rows: npt.ArrayLike,
        k: int,
        allowed: Mask | None = None,
        exclude: Sequence[npt.ArrayLike] | None = None,
    ) -> Ranked:
        """The best `k` items for each user row; row −1 is a customer without a history.

        `allowed` (items,) says which items may be suggested at all, `exclude` holds per user the item rows to leave
        out. A list is shorter than `k` where nothing more is known, never padded.
        """
        return self.lists(self.interactions.history(user_rows), k, allowed, exclude)

    def fold_in(
        self,
        item_rows: Sequence[npt.ArrayLike],
        k: int,
        weights: Sequence[npt.ArrayLike] | None = None,
        allowed: Mask | None = None,
        exclude: Sequence[npt.ArrayLike] | None = None,
    ) -> Ranked:
        """The best `k` items for customers known only by the items they took (−1: unknown item, ignored).

        `weights` count order days, 1 by default. Nothing is learnt and nothing is kept.
        """
        return self.lists(self.interactions.session(item_rows, weights), k, allowed, exclude)

    def similar_items(self, item_rows: npt.ArrayLike, k: int, allowed: Mask | None = None) -> Ranked:
        """The `k` items most like each item row, never the item itself; row −1 (unknown) has none."""
        rows = np.asarray(item_rows, dtype=np.int64)
        itself = marked([[row] for row in rows], self.interactions.shape[1])
        return rank(only(self._similarities(itself), allowed), k, self.interactions.place, itself)

    def score_users(self, item_row: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """The other way round: user rows this item may be offered to and the strength, strongest first, ties by id."""
        users, items = self.interactions.shape
        if not 0 <= item_row < items:
            return np.empty(0, np.int64), np.empty(0)
        step = max(1, _CELLS_AT_ONCE // max(items, 1))
        columns = [self._column(np.arange(s, min(s + step, users)), item_row) for s in range(0, users, step)]
        strength = np.concatenate([np.empty(0), *columns])
        rows = np.nonzero(np.isfinite(strength))[0]
        order = np.lexsort((rows, -strength[rows]))
        return rows[order], strength[rows][order]

    def drops(self, history: History, rows: Rows, items: Rows, strength: Floats) -> Any:
        """By how much the strength of each suggestion falls were one item never bought; (n, items) csr_matrix.

        Suggestion s is item row `items[s]` for row `rows[s]` (rising) of the history, with `strength[s]`. A column is
        the item that is deleted; what is left is folded in anew, and what was learnt from everybody stays.
        Where a model has no formula for it, what was bought is taken to fall to nothing without its own purchases, and
        for all other suggestions three items of each customer are tried out (`deletion.shared`).
        """
        itself = deletion.of_itself(history, rows, items, strength)
        others = np.diff(itself.indptr) == 0
        likely = deletion.alike(self.interactions, history, rows, items).multiply(others[:, None]).tocsr()
        tried = deletion.shared(likely, rows, deletion.TRIED, self.interactions.place)
        return (itself + deletion.tried(self._of_pairs, tried, history, rows, items, strength)).tocsr()

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Everything the model is, as plain arrays without objects; `from_arrays` takes it back."""
        return {
            **self.interactions.arrays(),
            **{f"setting_{name}": _setting_array(value) for name, value in self.settings().items()},
            **{f"model_{name}": array for name, array in self._parameters().items()},
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Self:
        """The model that gave these arrays; `DataProblemError` where they do not fit together."""
        known = signature(cls).parameters
        model = cls(**{name: _setting(arrays, name, each.default) for name, each in known.items()})
        model.interactions = Interactions.from_arrays(arrays)
        model._restore({name[6:]: array for name, array in arrays.items() if name.startswith("model_")})
        return model

    def _column(self, user_rows: npt.NDArray[np.int64], item_row: int) -> npt.NDArray[np.float64]:
        history = self.interactions.history(user_rows)
        strengths = self._strengths(self._seen(history))
        if isinstance(strengths, np.ndarray):
            column = np.asarray(strengths[:, item_row], dtype=np.float64)
        else:
            column = np.full(len(user_rows), -np.inf)
            entries = strengths[:, [item_row]].tocoo()
            column[entries.row] = entries.data
        return np.asarray(counted(column) if self.rounded else column, dtype=np.float64) * self._faded(history)

    def _seen(self, history: History) -> History:
        """A history as strengths are computed from it: as of each customer's own last day where these fade."""
        return history.within(0) if self.fades else history

    def _faded(self, history: History) -> Floats:
        """Per customer what is left of the strengths of `_seen`."""
        half_life: float = getattr(self, "half_life_days", 0.0) if self.fades else 0.0
        return fading(np.minimum(history.away, _HALVINGS * half_life), half_life)

    def lists(
        self,
        history: History,
        k: int,
        allowed: Mask | None = None,
        exclude: Sequence[npt.ArrayLike] | None = None,
    ) -> Ranked:
        """As `recommend`, for customers of whom the history is at hand."""
        if k < 1:
            raise ValueError(f"k is {k}; a list holds at least one item")
        n, items = history.pattern.shape
        step = max(1, _CELLS_AT_ONCE // max(items, 1))
        parts = []
        for start in range(0, n, step):
            part = history.part(start, min(start + step, n))
            blocked = None if exclude is None else marked(exclude[start : start + step], items)
            ranked = self._ranked(self._seen(part), k, allowed, blocked)
            parts.append(replace(ranked, strength=ranked.strength * self._faded(part)[:, None]))
        return Ranked.joined(parts, k)


def _setting_array(value: Any) -> npt.NDArray[Any]:
    return np.frombuffer(value.encode(), np.uint8) if isinstance(value, str) else np.array([value])


def _setting(arrays: Mapping[str, npt.NDArray[Any]], name: str, default: Any) -> Any:
    """A setting as it was written; of the kind of its default."""
    held = needed(arrays, f"setting_{name}")
    if isinstance(default, str):
        return bytes(held).decode("utf-8", "replace")
    if held.shape != (1,) or not np.isfinite(held).all():
        raise DataProblemError(f"The recommender arrays are damaged: the setting {name} is no number.")
    return type(default)(held[0])
