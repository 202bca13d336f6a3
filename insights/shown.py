"""What was shown and what came of it: click and purchase rates by place, source and model, resampled by user."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from insights.rates import Rate

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]
DRAWS, SEED = 200, 7
BY = ("position", "source", "model")


@dataclass(frozen=True)
class Shown:
    """Exposures, one value each: number of the user, number of the pair of user and item, place (0: not told), whether
    clicked, whether that item was bought within the window (NaN: the window is not over), and where it came from.
    `propensity`: with which chance it was in that list at all; None: always."""

    user: Rows
    pair: Rows
    position: Rows
    clicked: Floats
    bought: Floats
    source: npt.NDArray[np.str_]
    model: npt.NDArray[np.str_]
    propensity: Floats | None = None

    def __len__(self) -> int:
        return len(self.user)


@dataclass(frozen=True)
class Group:
    """The rates of the exposures with one value of `by`; the second intervals draw users, not exposures."""

    by: str
    value: str | int | None
    clicks: Rate
    purchases: Rate
    clicks_by_user: tuple[float, float] | None
    purchases_by_user: tuple[float, float] | None

    def payload(self) -> dict[str, Any]:
        return {
            "by": self.by,
            "value": self.value,
            "clicks": self.clicks.payload() | {"by_user": self.clicks_by_user},
            "purchases": self.purchases.payload() | {"by_user": self.purchases_by_user},
        }


def rates(shown: Shown) -> list[Group]:
    """Click and purchase rates of all exposures, and by place, source and model.

    Wilson's interval takes exposures as independent, which those of one user are not: the bootstrap by user is the one
    to go by where users see much. Purchases count where the window is over.
    """
    every = np.zeros(len(shown), np.int64)
    found = [_group("all", None, shown, every == 0)]
    for by in BY:
        values = getattr(shown, by)
        named = values if by != "position" else values[values > 0]
        found += [_group(by, value.item(), shown, values == value) for value in np.unique(named)]
    return found


def _group(by: str, value: Any, shown: Shown, inside: npt.NDArray[np.bool_]) -> Group:
    closed = inside & ~np.isnan(shown.bought)
    columns = np.stack(
        [inside, shown.clicked * inside, closed, np.where(closed, shown.bought, 0)], axis=1, dtype=np.float64
    )
    drawn = draws_by_user(shown.user[inside], csr_matrix(columns[inside]))
    return Group(
        by,
        value,
        Rate(int(columns[:, 1].sum()), int(inside.sum())),
        Rate(int(columns[:, 3].sum()), int(closed.sum())),
        interval(drawn[:, 1] / np.maximum(drawn[:, 0], 1)) if inside.any() else None,
        interval(drawn[:, 3] / np.maximum(drawn[:, 2], 1)) if closed.any() else None,
    )


def draws_by_user(user: Rows, values: Any, draws: int = DRAWS, seed: int = SEED) -> Floats:
    """(draws, columns): sums of the columns of a csr_matrix (rows, columns) where users are drawn with replacement,
    all rows of a user together."""
    names, of = np.unique(user, return_inverse=True)
    n = len(names)
    by_user = csr_matrix((np.ones(len(of)), (of, np.arange(len(of)))), shape=(n, len(of))) @ values
    return np.array([by_user.T @ times for times in _times(n, draws, seed)]).reshape(draws, values.shape[1])


def interval(drawn: Floats) -> tuple[float, float] | None:
    """What the middle 95 % of the draws lie in; None where one of them is no number."""
    if not np.isfinite(drawn).all() or not drawn.size:
        return None
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)


def _times(n: int, draws: int, seed: int) -> Iterator[Floats]:
    generator = np.random.default_rng(seed)
    for _ in range(draws):
        yield np.bincount(generator.integers(0, max(n, 1), n), minlength=n).astype(np.float64)
