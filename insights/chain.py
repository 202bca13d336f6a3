"""The lifecycle as a chain: what the groups of the next period are, given the rates; where it settles.

A state holds the active by what becomes of them next (new; other active), the dormant by how many periods they have
been silent, and the lapsed. One step, with r, r₁, w, b the rates of retention, new retention, awakening and return:

    active' = r·active + r₁·new + w·dormant + b·lapsed          (and the new of that period beside them)
    dormant'₁ = (1 − r)·active + (1 − r₁)·new,   dormant'ₖ₊₁ = (1 − w)·dormantₖ
    lapsed' = (1 − b)·lapsed + (1 − w)·dormant of the last stage   (L − 1 stages; with L = 1 who leaves has lapsed)

Without new customers it settles where as many leave each stage as enter it. With L = 2 the active share is then
1 / (1 + (1 − r) + (1 − r)(1 − w) / b); `settled_share` gives it for any L.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
RATES = ("retention", "new_retention", "awakening", "return")
"""The four rates, in the order of every array of rates here."""
RETENTION, NEW_RETENTION, AWAKENING, RETURN = range(4)


@dataclass(frozen=True)
class State:
    """The customers of one period, for many draws side by side: each array has a row a draw."""

    new: Floats
    active: Floats
    """Active and not new: last_new, active, awakened and returned together."""
    dormant: Floats
    """A column for each period of silence, L − 1 of them."""
    lapsed: Floats

    @property
    def active_users(self) -> Floats:
        return self.new + self.active

    @property
    def ever_seen(self) -> Floats:
        found: Floats = self.active_users + self.dormant.sum(axis=1) + self.lapsed
        return found

    @property
    def active_rate(self) -> Floats:
        """The active among all ever seen."""
        zero = np.zeros_like(self.lapsed)
        found: Floats = np.divide(self.active_users, self.ever_seen, out=zero, where=self.ever_seen > 0)
        return found

    @property
    def bases(self) -> Floats:
        """The groups over which the four rates of the next period are taken: a row a draw."""
        return np.stack([self.active, self.new, self.dormant.sum(axis=1), self.lapsed], axis=1)

    def repeated(self, draws: int) -> State:
        """The first draw, so many times."""
        first = [each[:1] for each in (self.new, self.active, self.lapsed)]
        new, active, lapsed = (np.repeat(each, draws) for each in first)
        return State(new, active, np.repeat(self.dormant[:1], draws, axis=0), lapsed)


def expected(state: State, rates: Floats, new: Floats | float) -> State:
    """The state after one step of mean size; `rates` has the four rates in columns (or one row for all draws)."""
    rates = np.broadcast_to(rates, (state.lapsed.size, 4))
    woken = state.dormant * rates[:, [AWAKENING]]
    kept = state.active * rates[:, RETENTION], state.new * rates[:, NEW_RETENTION]
    return _after(state, kept, woken, state.lapsed * rates[:, RETURN], np.broadcast_to(new, state.lapsed.shape))


def drawn(state: State, rates: Floats, new: Floats, random: np.random.Generator) -> State:
    """The state after one step in whole customers: each does or does not with the probability of its group."""

    def some(of: Floats, rate: Floats) -> Floats:
        return random.binomial(np.rint(of).astype(np.int64), rate).astype(np.float64)

    kept = some(state.active, rates[:, RETENTION]), some(state.new, rates[:, NEW_RETENTION])
    woken = some(state.dormant, np.broadcast_to(rates[:, [AWAKENING]], state.dormant.shape))
    return _after(state, kept, woken, some(state.lapsed, rates[:, RETURN]), new)


def _after(state: State, kept: tuple[Floats, Floats], woken: Floats, back: Floats, new: Floats) -> State:
    left = state.active - kept[0] + state.new - kept[1]
    silent = np.column_stack([left, state.dormant - woken])
    active = kept[0] + kept[1] + woken.sum(axis=1) + back
    return State(np.asarray(new, dtype=np.float64), active, silent[:, :-1], state.lapsed - back + silent[:, -1])


def settled_share(rates: Sequence[float] | Floats, lapsed_after: int) -> float | None:
    """The share that is active once the chain has settled, nobody new coming; None where it never does: nobody returns
    and somebody leaves for good.

    It is also where the active rate tends when the same number of new customers comes every period, for they become few
    among all. While the number of new customers itself grows it stays above.
    """
    r, _, w, b = (float(rate) for rate in rates)
    stay = 1 - w
    silent = sum(stay**k for k in range(lapsed_after - 1))
    lost = (1 - r) * stay ** (lapsed_after - 1)
    if lost > 0 and b == 0:
        return None
    return 1 / (1 + (1 - r) * silent + (lost / b if lost > 0 else 0.0))


def retention_to_hold(share: float, rates: Sequence[float] | Floats, lapsed_after: int) -> float | None:
    """The retention at which the chain settles at that active share, the other rates as they are; None where even
    nobody's return lets it settle."""
    _, _, w, b = (float(rate) for rate in rates)
    if b == 0 or not 0 < share <= 1:
        return None
    silent = sum((1 - w) ** k for k in range(lapsed_after - 1)) + (1 - w) ** (lapsed_after - 1) / b
    return max(0.0, 1 - (1 / share - 1) / silent)
