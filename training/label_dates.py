"""Which dates a target of the labels table is trained and judged on: those that its labels have.

Dates less than a step apart are one cutoff, their first day: with labels of every day the features are at most a step
older than the label, and never newer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.windows import day_number
from training.protocol import FEWEST_TRAINING_CUTOFFS, Kind, Protocol, step_days
from warehouse.errors import NotReadyError
from warehouse.settings import Settings

TimeOrder = Literal["as_of", "file"]
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class Group:
    """The labels of one cutoff: the days from `first` to `last`, how many, and how many of them 1."""

    first: date
    last: date
    n: int
    positives: int

    def usable(self, least: int) -> bool:
        """Whether both kinds are frequent enough."""
        return min(self.positives, self.n - self.positives) >= least


def time_order_of(settings: Settings) -> TimeOrder:
    """What the workspace says of the order of its labels."""
    told = settings.tables.get("labels")
    return told.time_order if told is not None else "as_of"


def groups(labels: pa.Table, horizon: int) -> tuple[Group, ...]:
    """The labels with a date by cutoff, earliest first. A later label never changes an earlier cutoff."""
    dated = labels.filter(pc.is_valid(labels["day"]))
    days, y = dated["day"].to_numpy(), dated["y"].to_numpy()
    found = []
    start = 0
    while start < days.size:
        end = int(np.searchsorted(days, days[start] + step_days(horizon), side="left"))
        found.append(Group(_day(days[start]), _day(days[end - 1]), end - start, int(y[start:end].sum())))
        start = end
    return tuple(found)


def members(labels: pa.Table, cutoff: date, horizon: int) -> pa.Table:
    """The labels of the group that begins on the day `cutoff`; of labels without dates all of them."""
    if labels["day"].null_count == labels.num_rows:
        return labels
    number = day_number(cutoff)
    days = labels["day"]
    among = pc.and_(pc.greater_equal(days, number), pc.less(days, number + step_days(horizon)))
    return labels.filter(pc.fill_null(among, False))


def closed(labels: pa.Table, target: str, horizon: int, until: date) -> pa.Table:
    """Those of the labels whose `horizon` days were over on the day `until`; those without a date always are.

    Where some have dates and some have none `NotReadyError`: they cannot be judged together.
    """
    undated = labels["day"].null_count
    if 0 < undated < labels.num_rows:
        raise NotReadyError(
            f"Of {labels.num_rows:,} labels of {target} {undated:,} have no as_of.",
            hint="It needs an as_of for all of them, or for none.",
        )
    if undated or not labels.num_rows:
        return labels
    return labels.filter(pc.less_equal(pc.add(labels["day"], horizon), day_number(until)))


def plan(labels: pa.Table, horizon: int, as_of: date, least: int, max_cutoffs: int, time_order: TimeOrder) -> Protocol:
    """The protocol that closed labels allow. `least`: the fewest of each kind for a date to be judged on.

    Several dates: as for every target, on the dates the labels have; each part's labels have ended when the next
    part's features begin, or, where the dates lie too near for that, at least the dates do not overlap (kind "near").
    One date, or none: the labels are parted by their order in the file where that is said to be the order in time
    (kind "file"), else at random (kind "random").
    """
    if not labels.num_rows:
        raise NotReadyError(
            f"There is no label whose {horizon} days were over on {as_of}.",
            hint="It needs rows of the labels table with y and an earlier as_of, or a shorter horizon.",
        )
    found = groups(labels, horizon)
    latest = max((k for k, group in enumerate(found) if group.usable(least)), default=len(found) - 1)
    if latest < 1:
        kind: Kind = "file" if time_order == "file" else "random"
        return Protocol(kind, horizon, found[0].first if found else as_of)
    near = Protocol("near", horizon, found[latest].first, train=tuple(g.first for g in found[:latest][-max_cutoffs:]))
    return _dated(found[: latest + 1], horizon, max_cutoffs) or near


def _dated(found: Sequence[Group], horizon: int, max_cutoffs: int) -> Protocol | None:
    """The full or short protocol judged on the last of the groups; None where nothing can be trained before it."""
    judge = found[-1].first
    calibrate = _before(found, judge, horizon)
    stop = _before(found, calibrate.first, horizon) if calibrate else None
    train = _all_before(found, stop.first, horizon)[-max_cutoffs:] if stop else ()
    if calibrate and stop and len(train) >= FEWEST_TRAINING_CUTOFFS:
        return Protocol("full", horizon, judge, calibrate.first, stop.first, tuple(g.first for g in train))
    train = _all_before(found, judge, horizon)[-max_cutoffs:]
    return Protocol("short", horizon, judge, train=tuple(g.first for g in train)) if train else None


def _all_before(found: Iterable[Group], day: date, horizon: int) -> tuple[Group, ...]:
    """The groups whose labels had ended on that day."""
    return tuple(group for group in found if group.last + timedelta(days=horizon) <= day)


def _before(found: Iterable[Group], day: date, horizon: int) -> Group | None:
    return next(reversed(_all_before(found, day, horizon)), None)


def replayable(found: Sequence[Group], horizon: int, least: int) -> tuple[Group, ...]:
    """The cutoffs a backtest replays where none is asked for: every usable one that something can be trained before,
    else the last one."""
    trained = [
        group
        for k, group in enumerate(found)
        if group.usable(least) and _dated(found[: k + 1], horizon, FEWEST_TRAINING_CUTOFFS) is not None
    ]
    return tuple(trained or found[-1:])


def _day(number: int) -> date:
    return _EPOCH + timedelta(days=int(number))
