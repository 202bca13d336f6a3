"""Wall times of a zone to UTC instants and back, a whole column at a time.

A wall time that a clock change skips is moved forward by the gap; one that occurs twice is the first of the two.
Both are what `datetime.fold = 0` means, and both are counted. The zone's rules come from `zoneinfo`, so that they are
the same wherever the engine runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from warehouse.clock import zone

Instants = npt.NDArray[np.int64]
"""Microseconds since 1970-01-01."""

_FIRST = datetime(1969, 1, 1, tzinfo=UTC)
_LAST = datetime(2101, 1, 1, tzinfo=UTC)
# Shorter than any pair of clock changes that undo each other (the shortest known are weeks apart).
_STEP = timedelta(days=5)
_SECOND = timedelta(seconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


@dataclass(frozen=True)
class ZoneRules:
    """The clock changes of a zone: `instants[i]` is when `offsets[i]` gives way to `offsets[i + 1]` (microseconds)."""

    instants: Instants
    offsets: Instants

    def to_utc(self, wall: Instants) -> tuple[Instants, npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        """The instants of wall times, and which of those are skipped by a clock change and which occur twice."""
        if not len(self.instants):
            none = np.zeros(len(wall), dtype=bool)
            return wall - self.offsets[0], none, none
        before, after = self.instants + self.offsets[:-1], self.instants + self.offsets[1:]
        index = np.searchsorted(np.maximum(before, after), wall, side="right")
        near = np.minimum(index, len(self.instants) - 1)
        skipped = (index < len(before)) & (before[near] <= wall) & (wall < after[near])
        twice = (index < len(before)) & (after[near] <= wall) & (wall < before[near])
        return wall - self.offsets[index], skipped, twice

    def to_wall(self, instants: Instants) -> Instants:
        """What the clocks of the zone show at those instants."""
        wall: Instants = instants + self.offsets[np.searchsorted(self.instants, instants, side="right")]
        return wall


@lru_cache(maxsize=32)
def zone_rules(name: str) -> ZoneRules:
    """The clock changes of the zone of that name from 1969 to 2100; `UsageError` where there is none."""
    place = zone(name)

    def offset(moment: datetime) -> timedelta:
        return moment.astimezone(place).utcoffset() or timedelta()

    instants: list[int] = []
    offsets = [offset(_FIRST)]
    moment = _FIRST
    while moment < _LAST:
        later = moment + _STEP
        if offset(later) != offsets[-1]:
            low, high = moment, later
            while (half := (high - low) // 2 // _SECOND * _SECOND) > timedelta():
                low, high = (low, low + half) if offset(low + half) != offsets[-1] else (low + half, high)
            instants.append(_microseconds(high))
            offsets.append(offset(high))
        moment = later
    return ZoneRules(
        np.array(instants, dtype=np.int64),
        np.array([gap // timedelta(microseconds=1) for gap in offsets], dtype=np.int64),
    )
