"""Which dates a model is trained, stopped, calibrated and judged on, so that no label is seen before its time.

A cutoff `c` has a label only when its whole window `[c, c + H)` lies in the past. The parts of a full protocol are
one horizon apart, so that each part's labels have ended when the next part's features begin.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Literal

from warehouse.errors import NotReadyError, UsageError

Kind = Literal["full", "short", "too_short", "near", "random", "file"]
UNDATED: tuple[Kind, ...] = ("random", "file")
"""Protocols of one cutoff, whose labels no date parts."""
HISTORY_FULL = 60
HISTORY_SHORT = 30
FEWEST_TRAINING_CUTOFFS = 2


@dataclass(frozen=True)
class Protocol:
    """The dates of one (target, horizon).

    full: `train` < `stop` < `calibrate` < `judge`, each a horizon or more apart.
    short: `train` and `judge`; trees, calibration and the named rule come from cross-fitting by user over `train`.
    too_short: only `judge`; a rule is chosen and mapped by cross-fitting on it, there is no LightGBM.

    Of labels of the user's own (`training.label_dates`) also
    near: as short, but the dates lie less than a horizon apart, so that trained labels end after the judged cutoff.
    random, file: one cutoff, of which a quarter is judged and the rest trained on, at random or by order of the file.

    `train` is sorted, earliest first.
    """

    kind: Kind
    horizon: int
    judge: date
    calibrate: date | None = None
    stop: date | None = None
    train: tuple[date, ...] = ()

    @property
    def closed(self) -> tuple[date, ...]:
        """All cutoffs of the protocol, earliest first: what the chosen recipe is refitted on."""
        return tuple(sorted({*self.train, *(c for c in (self.stop, self.calibrate) if c), self.judge}))

    @property
    def known_from(self) -> date:
        """The first day on which this protocol can be carried out: the end of the judged labels."""
        return self.judge + timedelta(days=self.horizon)

    def to_json(self) -> dict[str, Any]:
        """Names and ISO dates, for the model card, the tracking server and `--json`."""
        return {
            "protocol": self.kind,
            "horizon_days": self.horizon,
            "judge": self.judge.isoformat(),
            "calibrate": self.calibrate.isoformat() if self.calibrate else None,
            "stop": self.stop.isoformat() if self.stop else None,
            "train": [cutoff.isoformat() for cutoff in self.train],
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Protocol:
        """What `to_json` wrote."""

        def day(text: str | None) -> date | None:
            return date.fromisoformat(text) if text else None

        return cls(
            document["protocol"],
            int(document["horizon_days"]),
            date.fromisoformat(document["judge"]),
            day(document["calibrate"]),
            day(document["stop"]),
            tuple(date.fromisoformat(text) for text in document["train"]),
        )


def step_days(horizon: int) -> int:
    """Days between training cutoffs: a quarter of the horizon, at least a week."""
    return max(7, math.ceil(horizon / 4))


def _cutoffs(last: date, first_day: date, history: int, step: int, at_most: int) -> tuple[date, ...]:
    """`last`, `last - step`, …: the latest ones with `history` days since the first row, earliest first."""

    def backwards() -> Iterator[date]:
        cutoff = last
        while (cutoff - first_day).days >= history:
            yield cutoff
            cutoff -= timedelta(days=step)

    found = [cutoff for cutoff, _ in zip(backwards(), range(at_most), strict=False)]
    return tuple(reversed(found))


def plan(latest: date, observed_until: date, first_day: date, horizon: int, max_cutoffs: int = 12) -> Protocol:
    """The protocol of a model made on the day `latest`, from data observed before `observed_until`.

    The judge is the latest cutoff whose label is known on that day: `min(latest, observed_until) - horizon`. To
    replay a judge D, ask with `latest = D + horizon`. `first_day` is the local day of the first accepted row.

    Example: rows from 2010-12-01, `latest` 2011-06-11, horizon 30: judged on 05-12, calibrated on 04-12, stopped on
    03-13, trained on 02-11 and 02-03. With horizon 90 the judge is 03-13 and nothing can be trained before it.

    Raises `NotReadyError` where no customer can have both a history and a known label.
    """
    if horizon < 1 or max_cutoffs < FEWEST_TRAINING_CUTOFFS:
        raise UsageError(f"A protocol needs a horizon of at least 1 day and {FEWEST_TRAINING_CUTOFFS} cutoffs.")
    judge = min(latest, observed_until) - timedelta(days=horizon)
    if judge <= first_day:
        raise NotReadyError(
            f"No label of {horizon} days exists: the data reach from {first_day} to {min(latest, observed_until)}.",
            hint=f"It needs more than {horizon} days of rows, or a shorter horizon.",
        )
    step, apart = step_days(horizon), timedelta(days=horizon)
    train = _cutoffs(judge - 3 * apart, first_day, HISTORY_FULL, step, max_cutoffs)
    if len(train) >= FEWEST_TRAINING_CUTOFFS:
        return Protocol("full", horizon, judge, judge - apart, judge - 2 * apart, train)
    train = _cutoffs(judge - apart, first_day, HISTORY_SHORT, step, max_cutoffs)
    if train:
        return Protocol("short", horizon, judge, train=train)
    return Protocol("too_short", horizon, judge)


def replay_dates(observed_until: date, first_day: date, horizon: int, every: int = 30) -> tuple[date, ...]:
    """The default dates of a backtest, earliest first: every 30 days back from the latest cutoff with a known label,
    as long as a short protocol at least is possible."""
    latest = observed_until - timedelta(days=horizon)
    return _cutoffs(latest, first_day, horizon + HISTORY_SHORT, every, 10_000)


def without(protocol: Protocol, unusable: frozenset[date]) -> Protocol | None:
    """The best protocol left when the cutoffs `unusable` (too few positives or negatives) are skipped.

    full → short → too_short, as for missing history; None where the judge itself cannot be used.
    """
    if protocol.judge in unusable:
        return None
    if protocol.kind in UNDATED:
        return protocol
    train = tuple(c for c in protocol.train if c not in unusable)
    if protocol.kind == "full":
        if len(train) >= FEWEST_TRAINING_CUTOFFS and not {protocol.stop, protocol.calibrate} & unusable:
            return Protocol("full", protocol.horizon, protocol.judge, protocol.calibrate, protocol.stop, train)
        train = tuple(c for c in protocol.closed if c != protocol.judge and c not in unusable)
    if train:
        kind: Kind = "near" if protocol.kind == "near" else "short"
        return Protocol(kind, protocol.horizon, protocol.judge, train=train)
    return Protocol("too_short", protocol.horizon, protocol.judge)
