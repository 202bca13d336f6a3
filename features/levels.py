"""Member levels replayed from history: a fold over each customer's acts in the order of (time, id).

A level is reached at the act whose points reach its threshold, and is then valid for some days. On the day it expires
it is kept, for as long again, where the points that count then reach it; else the customer falls. What takes points
back never demotes before that day. An act counts on its own day and the days after, `window_days` in all.

Points are whole numbers of `UNIT`s, so that sums are exact in any order. What a customer's acts did so far is a
`State`; `advance` takes it further, and however history is cut into pieces the same levels come out, since all that
later acts can ask of earlier ones is in the state. Customers are advanced together: each round moves every one to their
next change, of which there are few.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from warehouse.level_settings import LevelRules

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

UNIT = 10_000
"""One point is so many units."""
NEVER = 1 << 30
"""The day on which the lowest level expires."""
REACHED, KEPT, FELL = range(3)
WHY = ("reached", "kept", "fell")
NO_ACT = -1
_DAYS = 1 << 20
_NEWS, _KEPT, _LEFT = 2, 1, 0


@dataclass(frozen=True)
class Scheme:
    """`thresholds`: units from which each level begins, the first 0; the days points and levels last."""

    thresholds: Ints
    window_days: int
    valid_days: int
    one_step: bool

    @classmethod
    def of(cls, rules: LevelRules) -> Scheme:
        """The scheme that settings say."""
        begins = np.array([round(points * UNIT) for points in rules.steps.values()], np.int64)
        return cls(begins, rules.window_days, rules.valid_days, rules.at_expiry == "one_step")

    def earned(self, units: Ints) -> Ints:
        """The level that points earn, from 0."""
        return np.maximum(np.searchsorted(self.thresholds, units, side="right") - 1, 0)


@dataclass(frozen=True)
class Acts:
    """Acts of numbered customers, one row each, those of a customer in the order they are played, days not falling.

    `units`: points won or, below 0, taken back. `lasting` ones count for good. `what` says what was done, as a number.
    """

    entity: Ints
    day: Ints
    units: Ints
    lasting: Flags
    what: Ints

    def where(self, some: Flags) -> Acts:
        """Those of them."""
        return Acts(*(column[some] for column in vars(self).values()))

    def __len__(self) -> int:
        return len(self.entity)


def joined(several: Sequence[Acts]) -> Acts:
    """All of them, one after the other."""
    return Acts(*(np.concatenate([getattr(each, name) for each in several]) for name in Acts.__dataclass_fields__))


@dataclass(frozen=True)
class Changes:
    """Levels reached, kept or lost: of whom, on what day, from which to which level, why (`WHY`), with how many units,
    and by what (`NO_ACT` at expiry). A customer's are in the order of time."""

    entity: Ints
    day: Ints
    before: Ints
    after: Ints
    why: Ints
    units: Ints
    what: Ints


@dataclass(frozen=True)
class State:
    """Where every customer stands on the day `now`, and all that later acts can ask of earlier ones.

    `until`: the day on which the level expires, `since`: the day it was come to (-1: there from the beginning);
    `lasting`: units that count for good; `counting`: acts whose points may still count.
    """

    scheme: Scheme
    now: int
    level: Ints
    until: Ints
    since: Ints
    lasting: Ints
    counting: Acts

    @classmethod
    def start(cls, scheme: Scheme, entities: int) -> State:
        """So many customers of whom nothing has happened yet."""
        none = np.zeros(0, np.int64)
        return cls(
            scheme,
            -1,
            np.zeros(entities, np.int64),
            np.full(entities, NEVER, np.int64),
            np.full(entities, -1, np.int64),
            np.zeros(entities, np.int64),
            Acts(none, none, none, np.zeros(0, bool), none),
        )

    def units(self, day: Ints | int | None = None) -> Ints:
        """The units that count on a day (now if absent), if nothing more comes until then."""
        at = np.broadcast_to(np.asarray(self.now if day is None else day, np.int64), self.level.shape)
        counts = self.counting.day > at[self.counting.entity] - self.scheme.window_days
        sums = np.zeros_like(self.level)
        np.add.at(sums, self.counting.entity[counts], self.counting.units[counts])
        return np.maximum(sums, 0) + self.lasting


def advance(state: State, acts: Acts, now: int) -> tuple[State, Changes]:
    """The state after further acts, none before `state.now` and none after `now`, and after what expires by `now`.

    With `now` a cutoff, of which no act is known yet, it is the state in which that day begins.
    """
    line = _Line.of(state, acts, now)
    level, until, since = state.level.copy(), state.until.copy(), state.since.copy()
    place, top = line.start.copy(), len(state.scheme.thresholds) - 1
    told: list[tuple[Ints, ...]] = []
    moving = np.arange(len(level))
    while moving.size:
        found = line.next_above(level[moving], place[moving], line.end[moving], top)
        rise = np.where(found < line.end[moving], line.day_at(found), NEVER)
        expires = (until[moving] <= now) & (until[moving] <= rise)
        rises = ~expires & (rise < NEVER)

        some, day = moving[expires], until[moving[expires]]
        units, past = line.units_before(some, day)
        earned, was = state.scheme.earned(units), level[some]
        fallen = was - 1 if state.scheme.one_step else earned
        level[some] = np.where(earned >= was, earned, fallen)
        until[some] = np.where(level[some] > 0, day + state.scheme.valid_days, NEVER)
        since[some] = np.where(level[some] != was, day, since[some])
        place[some] = np.maximum(place[some], past)
        why = np.where(level[some] == was, KEPT, np.where(level[some] < was, FELL, REACHED))
        told.append((some, day, was, level[some].copy(), why, units, np.full(len(some), NO_ACT)))

        some, row = moving[rises], found[rises]
        was, day = level[some], line.day[row]
        level[some], since[some], until[some] = line.earned[row], day, day + state.scheme.valid_days
        place[some] = row + 1
        why = np.full(len(some), REACHED)
        told.append((some, day, was, level[some].copy(), why, line.units[row], line.what[row]))
        moving = moving[expires | rises]
    after = replace(
        state, now=now, level=level, until=until, since=since, lasting=line.lasting_after(), counting=line.counting(now)
    )
    return after, _in_order(told)


def _in_order(told: list[tuple[Ints, ...]]) -> Changes:
    """The changes of all rounds by customer; the rounds are in the order of time."""
    columns = [np.concatenate(each).astype(np.int64) for each in zip(*told, strict=True)]
    columns = columns or [np.zeros(0, np.int64)] * 7
    order = np.argsort(columns[0], kind="stable")
    return Changes(*(column[order] for column in columns))


@dataclass(frozen=True)
class _Line:
    """Old and new acts in one line by customer and day, with what had been earned after each.

    Where something taken back ceases to count, points rise without an act: a row of no units stands there, at the
    beginning of that day.
    """

    state: State
    acts: Acts
    played: Flags
    """Rows of an earlier piece, and whether a row is an act at all."""
    is_act: Flags
    key: Ints
    windowed: Ints
    for_good: Ints
    start: Ints
    end: Ints
    units: Ints
    earned: Ints
    above: Ints

    @classmethod
    def of(cls, state: State, acts: Acts, now: int) -> _Line:
        scheme, entities = state.scheme, len(state.level)
        every = joined([state.counting, acts])
        left = every.where((every.units < 0) & ~every.lasting)
        left = replace(left, day=left.day + scheme.window_days, units=np.zeros_like(left.units))
        left = left.where((left.day > state.now) & (left.day <= now))
        kinds = np.repeat([_KEPT, _NEWS, _LEFT], [len(state.counting), len(acts), len(left)])
        every = joined([every, left])
        key = every.entity * _DAYS + every.day
        order = np.lexsort((kinds, key))
        every = Acts(*(column[order] for column in vars(every).values()))
        key, kinds = key[order], kinds[order]
        windowed, for_good = (
            np.r_[0, np.cumsum(np.where(every.lasting == lasts, every.units, 0))] for lasts in (False, True)
        )
        edges = np.searchsorted(key, np.arange(entities + 1, dtype=np.int64) * _DAYS)
        low = np.searchsorted(key, key - scheme.window_days + 1)
        high = np.arange(1, len(key) + 1)
        good = state.lasting[every.entity] + for_good[high] - for_good[edges[:-1]][every.entity]
        units = np.maximum(windowed[high] - windowed[low], 0) + good
        earned = scheme.earned(units)
        played = kinds == _KEPT
        return cls(
            state, every, played, kinds != _LEFT, key, windowed, for_good, edges[:-1], edges[1:], units, earned,
            _next_above(np.where(played, 0, earned), len(scheme.thresholds) - 1),
        )  # fmt: skip

    @property
    def day(self) -> Ints:
        return self.acts.day

    @property
    def what(self) -> Ints:
        return self.acts.what

    def day_at(self, rows: Ints) -> Ints:
        """The days of rows; some day for those beyond the last."""
        return np.append(self.day, 0)[rows]

    def next_above(self, level: Ints, place: Ints, end: Ints, top: int) -> Ints:
        """From a row on the first that earns more than a level; at or beyond `end` where there is none."""
        return np.where(level < top, self.above[np.minimum(level, top - 1), place], end)

    def units_before(self, entity: Ints, day: Ints) -> tuple[Ints, Ints]:
        """The units that count as a day begins, and the first row that is not before it."""
        low = np.searchsorted(self.key, entity * _DAYS + day - self.state.scheme.window_days + 1)
        high = np.searchsorted(self.key, entity * _DAYS + day)
        good = self.state.lasting[entity] + self.for_good[high] - self.for_good[self.start[entity]]
        return np.maximum(self.windowed[high] - self.windowed[low], 0) + good, high

    def lasting_after(self) -> Ints:
        return self.state.lasting + self.for_good[self.end] - self.for_good[self.start]

    def counting(self, now: int) -> Acts:
        return self.acts.where(self.is_act & ~self.acts.lasting & (self.acts.day > now - self.state.scheme.window_days))


def _next_above(earned: Ints, top: int) -> Ints:
    """By level below the top and row: the first row from there on that earns more; the number of rows if none does."""
    rows = np.arange(len(earned) + 1, dtype=np.int64)
    padded = np.append(earned, top + 1)
    first = [np.minimum.accumulate(np.where(padded > level, rows, len(earned))[::-1])[::-1] for level in range(top)]
    return np.stack(first)
