"""Position bias: how often a place is looked at, apart from what stands there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from insights.shown import Floats, Rows, Shown, draws_by_user

MOST_PLACES = 50
LEAST_CLICKS = 30
"""Clicks on what was shown to the same user at two places, below which nothing is said."""
_ROUNDS = 500


@dataclass(frozen=True)
class Examination:
    """Per place (from 1) how often it is looked at beside the first that is known, with the interval by user.

    NaN where nothing ties a place to the others. `pairs` and `clicks` say by how much it is known.
    """

    share: Floats
    low: Floats
    high: Floats
    pairs: int
    clicks: float

    @property
    def known(self) -> bool:
        return self.clicks >= LEAST_CLICKS and bool(np.isfinite(self.share).sum() >= 2)

    def at(self, places: Rows) -> Floats:
        """The share of each place; NaN where it is not known (or is 0)."""
        inside = (places >= 1) & (places <= len(self.share))
        found = np.full(len(places), np.nan)
        found[inside] = self.share[places[inside] - 1]
        return np.where(found > 0, found, np.nan)

    def payload(self) -> dict[str, Any]:
        places = [
            {"position": place + 1, "examined": self.share[place], "low": self.low[place], "high": self.high[place]}
            for place in np.flatnonzero(np.isfinite(self.share))
        ]
        return {"known": self.known, "pairs": self.pairs, "clicks": self.clicks, "positions": places}


def examination(shown: Shown) -> Examination:
    """From what was shown to the same user at different places.

    Position-based model (Richardson et al. 2007; Chuklin et al. 2015): a click is a look at the place times the wish
    for the item, P(click) = θ_place × γ_user,item. Where the same pair stood at two places γ cancels ("intervention
    harvesting", Agarwal et al., WSDM 2019): with W_kl the mean clicks at k of the pairs shown at both k and l, E W_kl /
    E W_lk = θ_k / θ_l. All pairs of places together are a Bradley–Terry model, solved by Hunter's rounds (2004). It
    assumes that the wish of a user for an item is the same whenever it is shown.
    """
    places = int(min(shown.position.max(initial=0), MOST_PLACES))
    user, cells, pairs = _met(shown, places)
    wins = _square(np.asarray(cells.sum(axis=0)).ravel(), places)
    share = strengths(wins)
    drawn = np.array([strengths(_square(each, places)) for each in draws_by_user(user, cells)])
    low, high = np.full(places, np.nan), np.full(places, np.nan)
    told = np.isfinite(share) & (np.isfinite(drawn).mean(axis=0) > 0.9 if len(drawn) else False)
    if told.any():
        low[told], high[told] = np.nanquantile(drawn[:, told], [0.025, 0.975], axis=0)
    return Examination(share, low, high, pairs, float(wins.sum()))


def strengths(wins: Floats) -> Floats:
    """Bradley–Terry: θ with Σ_l W_kl = Σ_l (W_kl + W_lk) θ_k / (θ_k + θ_l), the first place that meets another 1; NaN
    for places that nothing ties to it."""
    met = wins + wins.T
    n = len(wins)
    theta = np.full(n, np.nan)
    if not met.any():
        return theta
    _, part = connected_components(csr_matrix(met), directed=False)
    first = int(np.flatnonzero(met.sum(axis=1))[0])
    inside = np.flatnonzero(part == part[first])
    won, between = wins[np.ix_(inside, inside)].sum(axis=1), met[np.ix_(inside, inside)]
    found = np.ones(len(inside))
    for _ in range(_ROUNDS):
        sums = found[:, None] + found[None, :]
        below = (between / np.where(sums > 0, sums, 1)).sum(axis=1)
        fresh = won / np.where(below > 0, below, 1)
        fresh /= max(fresh.max(), np.finfo(float).tiny)
        if np.abs(fresh - found).max() < 1e-10:
            break
        found = fresh
    theta[inside] = found / found[0] if found[0] > 0 else np.nan
    return theta


def _met(shown: Shown, places: int) -> tuple[Rows, Any, int]:
    """For each two places of a pair of user and item its mean clicks at either: whose they are, as rows of a csr_matrix
    (meetings, places × places); and how many pairs there are."""
    used = (shown.position >= 1) & (shown.position <= places)
    key = shown.pair[used] * (places + 1) + shown.position[used]
    cell, first, of = np.unique(key, return_index=True, return_inverse=True)
    mean = np.bincount(of, shown.clicked[used]) / np.bincount(of) if len(cell) else np.zeros(0)
    pair, place, user = cell // (places + 1), cell % (places + 1) - 1, shown.user[used][first]
    one, other = _two_of_each(pair)
    meeting = np.arange(len(one))
    row, column = (
        np.concatenate([meeting, meeting]),
        np.concatenate([place[one] * places + place[other], place[other] * places + place[one]]),
    )
    values = np.concatenate([mean[one], mean[other]])
    cells = csr_matrix((values, (row, column)), shape=(len(one), places * places))
    return user[one], cells, len(np.unique(pair[one]))


def _two_of_each(pair: Rows) -> tuple[Rows, Rows]:
    """Of sorted values every two places that hold the same one."""
    found: list[npt.NDArray[np.intp]] = []
    apart = 1
    while (same := np.flatnonzero(pair[apart:] == pair[:-apart]) if apart < len(pair) else np.empty(0, np.intp)).size:
        found.append(np.stack([same, same + apart]))
        apart += 1
    one, other = np.concatenate(found, axis=1) if found else np.empty((2, 0), np.intp)
    return one.astype(np.int64), other.astype(np.int64)


def _square(values: Floats, places: int) -> Floats:
    return values.reshape(places, places)
