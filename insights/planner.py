"""The target planner: an average active rate over some periods, some of them gone: what the rest must bring, whether it
will come by itself, what would have to change, whether that was ever seen, can last, and is cheapest how.

It reads the periods of `growth` (their groups, bases and rates) and simulates the chain of the lifecycle from the last
complete one on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from insights.chain import RATES, Floats, State, expected, retention_to_hold, settled_share
from insights.cheapest import Costs, Mix, cheapest
from insights.outlook import History, Outlook, outlook
from insights.spans import span
from warehouse.errors import NotReadyError, UsageError

DRAWS = 4000
SMALLEST_BASE = 30
"""A rate over fewer customers is no record: it may be 1 by chance."""
ALL = "together"


@dataclass(frozen=True)
class Target:
    """An average active rate over the periods from `first` to `last`, by their names."""

    rate: float
    first: str
    last: str


@dataclass(frozen=True)
class Lever:
    """What one rate would have to be in all remaining periods for the target to be met on average, the others staying;
    None where not even 1 is enough. `best` is the best ever seen, `seen` whether what is needed was."""

    now: float
    needed: float | None
    best: float

    @property
    def seen(self) -> bool:
        return self.needed is not None and self.needed <= self.best


@dataclass(frozen=True)
class Plan:
    """The answer of the planner. Rates are in [0, 1]; arrays by period follow `remaining`."""

    target: Target
    lapsed_after: int
    known: Mapping[str, float]
    remaining: tuple[str, ...]
    required: float | None
    """What the remaining periods must average; None where none remains."""
    history: History
    outlook: Outlook
    rates: Mapping[str, float]
    """The rates the forecast goes by, averaged over the remaining periods."""
    bounds: tuple[float, float]
    """The average over all periods of the target with every rate at its worst and at its best ever seen."""
    best: Mapping[str, float]
    levers: Mapping[str, Lever]
    together: Mapping[str, float] | None
    """The four rates when all are raised by the same odds; None where nothing is enough."""
    settles: float | None
    """Where the active rate tends at the rates of the forecast, nobody new coming."""
    settles_together: float | None
    retention_to_hold: float | None
    mix: Mix | None
    thin: tuple[str, ...]
    """Rates that so few customers stand behind that they may be chance."""

    @property
    def reached(self) -> float:
        """The mean of the forecast over all periods of the target."""
        return float(self.outlook.average.mean())

    @property
    def probability(self) -> float:
        """The share of the draws that meet the target by themselves."""
        return float((self.outlook.average >= self.target.rate).mean())

    @property
    def ever_possible(self) -> bool:
        """Whether the best ever seen would be enough."""
        return self.bounds[1] >= self.target.rate


def plan(
    periods: Sequence[Mapping[str, Any]],
    target: Target,
    lapsed_after: int,
    *,
    history: Literal["half_year", "same_season"] = "half_year",
    year: int = 12,
    new: float | None = None,
    costs: Costs = Costs(),  # noqa: B008 - frozen
    draws: int = DRAWS,
    seed: int = 7,
) -> Plan:
    """The plan from the periods of `growth`, oldest first; a year has `year` of them (12 months, or 52 weeks).

    `new` customers come every period where given, else as many as in the history. `UsageError` for a target that makes
    no sense, `NotReadyError` where too little has been seen.
    """
    complete = [each for each in periods if each["complete"]]
    if len(complete) < 3:
        raise NotReadyError(
            f"{len(complete)} complete periods are too few to plan by.", hint="Three are needed; six are better."
        )
    names = _names(complete, periods, target)
    known = {each["period"]: rate(each) for each in complete if each["period"] in names}
    ahead = _ahead(complete, periods, names)
    chosen = History.of(complete, history, ahead, year, new)
    start = state_of(complete, lapsed_after)
    counted = np.array([name in names for name in ahead])
    seen = outlook(start, chosen, known.values(), counted, draws, seed)
    steps = _Steps(start, chosen, sum(known.values()), counted, len(names))
    best, worst = _extreme(complete, max), _extreme(complete, min)
    remaining = tuple(name for name in ahead if name in names)
    together = steps.shifted_to(target.rate) if remaining else None
    rates = chosen.centres.mean(axis=0) if remaining else chosen.pooled
    return Plan(
        target=target,
        lapsed_after=lapsed_after,
        known=known,
        remaining=remaining,
        required=(target.rate * len(names) - sum(known.values())) / len(remaining) if remaining else None,
        history=chosen,
        outlook=seen,
        rates=_named(rates),
        bounds=(steps.average(worst, chosen.fewest), steps.average(best, chosen.most)),
        best=_named(best),
        levers=_levers(steps, rates, best, target.rate) if remaining else {},
        together=None if together is None else _named(together.mean(axis=0)),
        settles=settled_share(rates, lapsed_after),
        settles_together=None if together is None else settled_share(together.mean(axis=0), lapsed_after),
        retention_to_hold=retention_to_hold(target.rate, rates, lapsed_after),
        mix=cheapest(start, chosen, best, counted, target.rate * len(names) - sum(known.values()), costs)
        if remaining
        else None,
        thin=tuple(name for k, name in enumerate(RATES) if chosen.bases[:, k].mean() < SMALLEST_BASE),
    )


def rate(period: Mapping[str, Any]) -> float:
    """The active rate of a period: its active users among all ever seen."""
    return float(period["active_users"] / period["ever_seen"]) if period["ever_seen"] else 0.0


def state_of(complete: Sequence[Mapping[str, Any]], lapsed_after: int) -> State:
    """The chain's state at the end of the last complete period.

    How long the dormant have been silent is not in the counts. Those silent for one period are the ones who left in it;
    the others are shared out as those who left before, less those woken since, which is exact up to L = 3.
    """
    last = complete[-1]
    groups = last["groups"]
    active = sum(groups[name] for name in ("last_new", "active", "awakened", "returned"))
    weights = []
    stayed = 1.0
    for each in list(reversed(complete))[: lapsed_after - 1]:
        weights.append(stayed * _left(each))
        stayed *= 1 - (each["rates"]["awakening"] or 0.0)
    weights += [0.0] * (lapsed_after - 1 - len(weights))
    stages = np.zeros(lapsed_after - 1)
    if lapsed_after > 1:
        stages[0] = min(weights[0], groups["dormant"])
        older, rest = np.array(weights[1:]), groups["dormant"] - stages[0]
        if older.sum() > 0:
            stages[1:] = rest * older / older.sum()
        else:
            stages[-1] += rest
    new, active_users, lapsed = (np.array([float(each)]) for each in (groups["new"], active, groups["lapsed"]))
    return State(new, active_users, stages[None, :], lapsed)


def _left(period: Mapping[str, Any]) -> float:
    """Who was active in the period before and is not in this one."""
    bases, rates = period["bases"], period["rates"]
    return float(
        sum(bases[name] * (1 - (rates[name] or 0.0)) for name in ("retention", "new_retention") if bases[name])
    )


class _Steps:
    """The average of mean size over the periods of the target, for any rates in the periods ahead."""

    def __init__(self, start: State, history: History, known: float, counted: Any, periods: int) -> None:
        self.start, self.history, self.known, self.counted, self.periods = start, history, known, counted, periods

    def average(self, rates: Floats, new: float | None = None) -> float:
        """With these rates: one row for all periods ahead, or one each."""
        state, total = self.start, self.known
        for k, counts in enumerate(self.counted):
            coming = self.history.new_means[k] if new is None else new
            state = expected(state, rates[k] if rates.ndim == 2 else rates, coming)
            total += float(state.active_rate[0]) if counts else 0.0
        return total / self.periods

    def shifted_to(self, wanted: float) -> Floats | None:
        """The rates of the periods ahead, all odds multiplied by one number, that give the wanted average."""

        def at(shift: float) -> Floats:
            return shifted(self.history.centres, shift)

        found = _root(lambda shift: self.average(at(shift)) - wanted, -12.0, 12.0)
        return None if found is None else at(found)


def shifted(rates: Floats, shift: float | Floats) -> Floats:
    """Rates moved by so much in log-odds; 0 and 1 stay."""
    odds = np.exp(shift)
    moved: Floats = rates * odds / (1 - rates + rates * odds)
    return moved


def _levers(steps: _Steps, rates: Floats, best: Floats, wanted: float) -> dict[str, Lever]:
    """For each rate what it alone would have to be in every period ahead."""
    found = {}
    for k, name in enumerate(RATES):

        def off(value: float, k: int = k) -> float:
            tried = steps.history.centres.copy()
            tried[:, k] = value
            return steps.average(tried) - wanted

        found[name] = Lever(float(rates[k]), _root(off, 0.0, 1.0), float(best[k]))
    return found


def _root(off: Any, low: float, high: float) -> float | None:
    """Where a growing function is 0; the low end where it is above already, None where it never gets there."""
    if off(high) < 0:
        return None
    if off(low) >= 0:
        return low
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if off(middle) >= 0 else (middle, high)
    return high


def _extreme(complete: Sequence[Mapping[str, Any]], which: Any) -> Floats:
    """The best or worst of each rate ever seen over a base that is no accident; 0 of a rate never seen."""
    found = []
    for name in RATES:
        seen = [
            each["rates"][name]
            for each in complete
            if each["rates"][name] is not None and each["bases"][name] >= SMALLEST_BASE
        ] or [each["rates"][name] for each in complete if each["rates"][name] is not None]
        found.append(float(which(seen, default=0.0)))
    return np.array(found)


def _named(rates: Floats) -> dict[str, float]:
    return {name: float(value) for name, value in zip(RATES, rates, strict=True)}


def _names(complete: Sequence[Mapping[str, Any]], periods: Sequence[Mapping[str, Any]], target: Target) -> list[str]:
    """The names of the periods of the target, in order."""
    if not 0 < target.rate <= 1:
        raise UsageError(f"A rate of {target.rate} cannot be.", hint="Give a share such as 0.35 or 35%.")
    found = span(target.first, target.last)
    if not found or found[-1] <= complete[-1]["period"]:
        there = complete[-1]["period"]
        raise UsageError(
            f"Nothing of {target.first} to {target.last} lies ahead: {there} is complete.",
            hint=f"Name periods that end after {there}.",
        )
    if found[0] < periods[0]["period"]:
        raise UsageError(f"{found[0]} was never seen.", hint=f"The first period is {periods[0]['period']}.")
    return found


def _ahead(complete: Sequence[Mapping[str, Any]], periods: Sequence[Mapping[str, Any]], names: list[str]) -> list[str]:
    """The periods after the last complete one, up to the end of the target; the running one is among them."""
    return span(complete[-1]["period"], names[-1])[1:]
