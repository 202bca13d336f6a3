"""The cheapest mix: how many more customers to keep, wake and bring back in which period, so that the target is met.

A linear programme. Each more customer costs what keeping, waking or returning one costs, is active in that period, and
from then on stays, leaves and comes back as the active do; no rate may pass the best ever seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import linprog

from insights.chain import AWAKENING, NEW_RETENTION, RATES, RETENTION, RETURN, Floats, State
from insights.outlook import History

LEVERS = RATES
"""More of the old kept, of the new kept, woken, brought back: in the order of the rates that they raise."""


@dataclass(frozen=True)
class Costs:
    """What one more customer costs who is kept, kept as new, woken, or brought back; in any one unit."""

    keep: float = 1.0
    keep_new: float = 1.0
    wake: float = 2.0
    bring_back: float = 4.0

    @property
    def each(self) -> tuple[float, float, float, float]:
        return (self.keep, self.keep_new, self.wake, self.bring_back)


@dataclass(frozen=True)
class Mix:
    """The cheapest mix. `users`: more customers by period ahead and lever; `rates`: the rates that come of it.

    Where the best ever seen is not enough it is not `feasible`, and the mix is the one that comes nearest.
    """

    feasible: bool
    needless: bool
    """The target is met by itself, on average."""
    cost: float
    users: Mapping[str, Mapping[str, float]]
    rates: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class _Line:
    """Numbers that depend on the levers in a straight line: at nothing, and per unit of each lever."""

    at: float
    per: Floats

    def __add__(self, other: _Line) -> _Line:
        return _Line(self.at + other.at, self.per + other.per)

    def __sub__(self, other: _Line) -> _Line:
        return _Line(self.at - other.at, self.per - other.per)

    def times(self, factor: float) -> _Line:
        return _Line(self.at * factor, self.per * factor)

    def value(self, levers: Floats) -> float:
        return self.at + float(self.per @ levers)


def cheapest(start: State, history: History, best: Floats, counted: Any, wanted: float, costs: Costs) -> Mix:
    """The mix by which the active rates of the counted periods ahead sum up to `wanted`."""
    n = 4 * len(history.ahead)
    total, limits = _unrolled(start, history, best, counted)
    rows, bounds = np.array([line.per for line in limits]), np.array([-line.at for line in limits])
    gap = wanted - total.at
    prices = np.tile(np.array(costs.each), len(history.ahead))
    most = linprog(-total.per, A_ub=rows, b_ub=bounds, bounds=(0, None), method="highs")
    feasible = bool(total.value(most.x) >= wanted - 1e-12)
    levers = np.zeros(n) if gap <= 0 else most.x
    if gap > 0 and feasible:
        found = linprog(
            prices,
            A_ub=np.vstack([rows, -total.per]),
            b_ub=np.append(bounds, -gap + 1e-12),
            bounds=(0, None),
            method="highs",
        )
        levers = found.x if found.success else most.x
    return _mix(start, history, levers, feasible, gap <= 0, float(prices @ levers))


def _unrolled(start: State, history: History, best: Floats, counted: Any) -> tuple[_Line, list[_Line]]:
    """The sum of the counted active rates as a line of the levers, and what must not be above 0: a lever beyond the
    best rate ever seen."""
    n = 4 * len(history.ahead)
    total, limits = _fixed(0.0, n), []
    for k, (bases, _, active, ever_seen) in enumerate(_walk(start, history, n)):
        for lever in range(4):
            room = max(0.0, float(best[lever] - history.centres[k, lever]))
            limits.append(_unit(4 * k + lever, n) - bases[lever].times(room))
        if counted[k]:
            total = total + active.times(1 / ever_seen)
    return total, limits


def _walk(start: State, history: History, n: int) -> Any:
    """Period by period: the bases of the rates, who does it, the active, and how many were ever seen."""
    new, active, lapsed = (_fixed(float(each[0]), n) for each in (start.new, start.active, start.lapsed))
    dormant = [_fixed(float(each), n) for each in start.dormant[0]]
    ever_seen = float(start.ever_seen[0])
    for k in range(len(history.ahead)):
        rates = history.centres[k]
        silent = sum(dormant, _fixed(0.0, n))
        bases = (active, new, silent, lapsed)
        did = [bases[j].times(float(rates[j])) + _unit(4 * k + j, n) for j in range(4)]
        # Whom more are woken of is not known by stage; they are taken from each in proportion to who is there now.
        shares = [stage.at / silent.at if silent.at else 0.0 for stage in dormant]
        woken = [
            stage.times(float(rates[AWAKENING])) + _unit(4 * k + AWAKENING, n).times(share)
            for stage, share in zip(dormant, shares, strict=True)
        ]
        left = (active - did[RETENTION]) + (new - did[NEW_RETENTION])
        staying = [left, *(stage - gone for stage, gone in zip(dormant, woken, strict=True))]
        lapsed = (lapsed - did[RETURN]) + staying[-1]
        dormant = staying[:-1]
        active = sum(did, _fixed(0.0, n))
        new = _fixed(float(history.new_means[k]), n)
        ever_seen += float(history.new_means[k])
        yield bases, did, active + new, ever_seen


def _fixed(value: float, n: int) -> _Line:
    return _Line(value, np.zeros(n))


def _unit(place: int, n: int) -> _Line:
    per = np.zeros(n)
    per[place] = 1.0
    return _Line(0.0, per)


def _mix(start: State, history: History, levers: Floats, feasible: bool, needless: bool, cost: float) -> Mix:
    users, rates = {}, {}
    for k, (bases, did, _, _) in enumerate(_walk(start, history, levers.size)):
        name = history.ahead[k]
        users[name] = {lever: float(levers[4 * k + j]) for j, lever in enumerate(LEVERS)}
        of = [each.value(levers) for each in bases]
        rates[name] = {lever: did[j].value(levers) / of[j] if of[j] > 1e-9 else 0.0 for j, lever in enumerate(LEVERS)}
    return Mix(feasible, needless, cost, users, rates)
