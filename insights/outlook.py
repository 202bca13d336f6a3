"""What the active rate will be if nothing is done: the chain simulated with the rates of a chosen stretch of the past.

A draw of the future takes, for each rate, its centre from a Beta over the customers it was counted on, moved by as much
as the mean of so few periods may be off; then in each period it moves all four together as one past period stood apart
from its centre (either way, so that the centre stays), and lets every customer do or not do it. Past distances hold
chance too, which the last step adds once more. How often such intervals held: docs/decisions.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from insights.chain import RATES, Floats, State, drawn
from insights.spans import span
from warehouse.errors import NotReadyError

HALF_YEAR = {12: 6, 52: 26}
"""Periods of half a year, by the periods of a whole one."""
_NOBODY = 1e4
_EDGE = 1e-4
"""Rates nearer than this to 0 or 1 have no log-odds worth the name."""


@dataclass(frozen=True)
class History:
    """The past by which the future is judged; `ahead` are the periods to come, rows of the arrays follow them.

    `centres`: the four rates expected; `hits` and `bases`: the customers they were counted on; `apart`: how past
    periods stood apart from such centres, in log-odds, a row each; `new_means`, `new_seen`: new customers expected,
    and as they were.
    """

    kind: Literal["half_year", "same_season"]
    periods: tuple[str, ...]
    ahead: tuple[str, ...]
    centres: Floats
    hits: Floats
    bases: Floats
    apart: Floats
    new_means: Floats
    new_seen: Floats
    fewest: float
    most: float
    new_given: bool

    @classmethod
    def of(
        cls,
        complete: Sequence[Mapping[str, Any]],
        kind: Literal["half_year", "same_season"],
        ahead: Sequence[str],
        year: int,
        new: float | None = None,
    ) -> History:
        """From the complete periods of `growth`. `NotReadyError` where the same periods of last year were not seen."""
        # The first period has no rates: nobody was there before it.
        rated = complete[1:]
        recent = rated[-HALF_YEAR[year] :]
        usual = [recent] * len(ahead)
        if kind == "same_season":
            usual = [[each] for each in _a_year_before(rated, ahead, year)]
        hits, bases = (np.array([_sums(some, what) for some in usual]) for what in ("hits", "bases"))
        done, not_done = _beta(hits, bases)
        centres = np.clip(done / (done + not_done), _EDGE, 1 - _EDGE)
        seen = [[float(each["groups"]["new"]) for each in some] for some in usual]
        means = np.array([np.mean(some) if new is None else new for some in seen])
        apart = _years_apart(rated, year) if kind == "same_season" else None
        every = [float(each["groups"]["new"]) for each in rated]
        return cls(
            kind,
            tuple(dict.fromkeys(each["period"] for some in usual for each in some)),
            tuple(ahead),
            centres,
            hits,
            bases,
            _scattered(recent) if apart is None else apart,
            means,
            np.array(seen),
            min(every) if new is None else new,
            max(every) if new is None else new,
            new is not None,
        )

    @property
    def pooled(self) -> Floats:
        """The rates of the whole stretch as one."""
        found: Floats = self.centres.mean(axis=0) if len(self.centres) else np.zeros(4)
        return found


@dataclass(frozen=True)
class Outlook:
    """The simulated future: a row a draw. `rates`: active rate of each period ahead; `average`: over the target."""

    rates: Floats
    average: Floats

    def interval(self, values: Floats) -> tuple[float, float, float]:
        """The middle of the draws and the ends between which 80 % of them lie."""
        low, middle, high = np.quantile(values, [0.1, 0.5, 0.9])
        return float(low), float(middle), float(high)


def outlook(start: State, history: History, known: Iterable[float], counted: Any, draws: int, seed: int) -> Outlook:
    """Simulates the periods ahead; `counted` says which of them the target averages, `known` holds those gone."""
    random = np.random.default_rng(seed)
    state = start.repeated(draws)
    past = list(known)
    centres = np.empty((draws, 4))
    rates = np.empty((draws, len(history.ahead)))
    for k in range(len(history.ahead)):
        centres = _centres(history, k, centres, draws, random)
        state = drawn(state, _moved(centres, history.apart, random), _new(history, k, draws, random), random)
        rates[:, k] = state.active_rate
    total = sum(past) + rates[:, counted].sum(axis=1)
    return Outlook(rates, total / max(1, len(past) + int(counted.sum())))


def _centres(history: History, k: int, before: Floats, draws: int, random: np.random.Generator) -> Floats:
    """The centres of one period ahead for every draw: those of the period before where they come of the same past."""
    if k and np.array_equal(history.bases[k], history.bases[k - 1]):
        return before
    sampled = np.clip(random.beta(*_beta(history.hits[k], history.bases[k]), size=(draws, 4)), _EDGE, 1 - _EDGE)
    return _moved(sampled, history.apart / np.sqrt(len(history.apart)), random)


def _beta(hits: Floats, bases: Floats) -> tuple[Floats, Floats]:
    """What is known of a rate (Jeffreys): of one over nobody that it is none, for nobody was seen to do it."""
    return hits + 0.5, bases - hits + np.where(bases > 0, 0.5, _NOBODY)


def _moved(rates: Floats, apart: Floats, random: np.random.Generator) -> Floats:
    """Rates of every draw, as far off as some row of distances in log-odds, up or down."""
    picked = random.integers(len(apart), size=len(rates))
    odds = np.exp(random.choice((-1.0, 1.0), size=(len(rates), 1)) * apart[picked])
    found: Floats = rates * odds / (1 - rates + rates * odds)
    return found


def _new(history: History, k: int, draws: int, random: np.random.Generator) -> Floats:
    """New customers of one period ahead: those of a past period at random, or about as many as were given."""
    if history.new_given:
        return random.poisson(history.new_means[k], draws).astype(np.float64)
    return random.poisson(random.choice(history.new_seen[k], size=draws)).astype(np.float64)


def _sums(periods: Sequence[Mapping[str, Any]], what: str) -> list[float]:
    """Over some periods the customers of each rate's base, or of those the ones who did it."""
    return [
        sum(each["bases"][name] * ((each["rates"][name] or 0.0) if what == "hits" else 1.0) for each in periods)
        for name in RATES
    ]


def _log_odds(rate: float) -> float:
    kept = min(max(rate, _EDGE), 1 - _EDGE)
    return float(np.log(kept / (1 - kept)))


def _scattered(recent: Sequence[Mapping[str, Any]]) -> Floats:
    """How periods stood apart from what all of them gave together, which lies nearer to them than the truth does."""
    hits, bases = np.array(_sums(recent, "hits")), np.array(_sums(recent, "bases"))
    centre = (hits + 0.5) / (bases + 1)
    rows = [
        [
            0.0 if each["rates"][name] is None else _log_odds(each["rates"][name]) - _log_odds(float(centre[k]))
            for k, name in enumerate(RATES)
        ]
        for each in recent
    ]
    found: Floats = np.array(rows) * np.sqrt(len(recent) / max(1, len(recent) - 1))
    return found


def _years_apart(rated: Sequence[Mapping[str, Any]], year: int) -> Floats | None:
    """How periods stood apart from the same ones a year before; None where no two years have one in common."""
    pairs = list(zip(rated[year:], rated, strict=False))[-HALF_YEAR[year] :]
    both = [(now, then) for now, then in pairs if all(None not in (now["rates"][n], then["rates"][n]) for n in RATES)]
    if not both:
        return None
    rows = [[_log_odds(now["rates"][n]) - _log_odds(then["rates"][n]) for n in RATES] for now, then in both]
    return np.array(rows)


def _a_year_before(rated: Sequence[Mapping[str, Any]], ahead: Sequence[str], year: int) -> list[Mapping[str, Any]]:
    """For each period ahead the same one of the year before."""
    named = {each["period"]: each for each in rated}
    known = [each["period"] for each in rated]
    numbered = dict(zip(span(known[0], ahead[-1]), range(10**6), strict=False)) if ahead else {}
    found = []
    for name in ahead:
        place = numbered[name] - year
        then = known[place] if 0 <= place < len(known) else None
        if then is None:
            raise NotReadyError(
                f"{name} of a year before was not seen: the first period with rates is {known[0]}.",
                hint="Plan by the last half-year: --history half_year.",
            )
        found.append(named[then])
    return found
