"""The growth of the business: how many customers are new, stay, come back and leave, period by period."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.lifecycle import Counting, with_the_lapsed
from features.periods import Grain, Period, first_day, number_of, periods
from features.rules import Rule
from features.source import Source, act_statement
from features.windows import day_number
from insights.accounting import activity, of_money, of_users
from insights.cohorts import MOST_COHORTS, triangles
from insights.concentration import ENDS, concentration, ends
from insights.groups import GroupCounts, counts, never_active
from insights.notes import Language, Note
from insights.purchasing import by_period, conversion
from insights.splitting import split as split_by
from insights.telling import lines
from warehouse.errors import NotReadyError
from warehouse.progress import Progress, silent

LEDGER = ("first_acts", "steps", "registrations", "recently_active", "values")
COHORTS = ("cohorts",)
SALES = ("spending", "purchases", "second_orders")
DEVICES = ("signed_in_devices",)

_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class Growth:
    """The ledger of a business by months or weeks, and what is read from it."""

    as_of: date
    grain: Grain
    lapsed_after: int
    acts: str
    first_day: date
    counts: Sequence[GroupCounts]
    sections: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[Note] = ()

    def payload(self) -> dict[str, Any]:
        """All of it as JSON tells it; rates unrounded, unknown values None."""
        return {
            "as_of": self.as_of,
            "grain": self.grain,
            "lapsed_after": self.lapsed_after,
            "acts": self.acts,
            "first_day": self.first_day,
            "periods": [each.payload() for each in self.counts],
            **self.sections,
            "notes": [note.payload() for note in self.notes],
        }

    def lines(self, language: Language = "en") -> Iterator[str]:
        """The latest periods for people to read."""
        return lines(self.payload(), language == "zh")


def growth(
    source: Source,
    as_of: date,
    grain: Grain = "month",
    lapsed_after: int | None = None,
    split: Rule | None = None,
    *,
    split_latest: int | None = None,
    observed_until: date | None = None,
    progress: Progress = silent,
) -> Growth:
    """The growth ledger of a source until a cutoff, by months or ISO weeks of its business zone.

    `split` is a rule over features: the periods, or the latest ones of a number, are also told of who answers it and of
    everybody else.
    `lapsed_after` is the number of silent periods after which a customer has lapsed, else as the source says.
    `observed_until` is the start of the day after the last row of the table that holds the acts. `NotReadyError` where
    nobody has acted.
    """
    counting = Counting(source, as_of, grain, lapsed_after or source.lapsed_after)
    by_acts = "orders" not in source.tables
    last = number_of(as_of, grain)
    latest = periods(first_day(last - ENDS, grain), as_of, grain)
    names = [*LEDGER, *COHORTS, *(() if by_acts else SALES), *(DEVICES if "events" in source.tables else ())]
    found = counting.tables(
        names,
        beside={"ends": ends(latest, as_of)},
        values={"first_cohort": last - MOST_COHORTS[grain]},
        progress=progress,
    )
    if not found["first_acts"].num_rows:
        raise NotReadyError(f"Nobody has acted before {as_of}.", hint="Check [activity] acts, or give a later --as-of.")
    first = _EPOCH + timedelta(days=pc.min(found["first_acts"]["day"]).as_py())
    spans = periods(first, as_of, grain, observed_until)
    stock = never_active(found["registrations"], spans) if "users" in source.tables else None
    counted = counts(with_the_lapsed(found["steps"], counting.last_period), spans, stock)
    devices = _devices(counting, found, spans)
    return Growth(
        as_of,
        grain,
        counting.lapsed_after,
        "events" if act_statement(source) == "acts_of_events" else "sales",
        first,
        counted,
        {
            "activity": activity(counted, found["recently_active"]),
            "accounting": {
                "users": of_users(counted),
                "money": None if by_acts else of_money(found["spending"], spans),
            },
            "cohorts": triangles(found["cohorts"], spans),
            "purchasing": None if by_acts else by_period(found["purchases"], spans),
            "second_order": None
            if by_acts
            else conversion(found["second_orders"], spans, as_of, observed_until or as_of),
            **({} if split is None else {"split": split_by(counting, split, spans, split_latest, progress)}),
            "concentration": concentration(found["values"], counted, devices, by_acts),
        },
        list(_notes(spans, first, stock is None)),
    )


def _devices(counting: Counting, found: Mapping[str, pa.Table], spans: Sequence[Period]) -> dict[int, int]:
    """By period, the devices that acted by its end and on which nobody ever signed in; empty where nobody can say."""
    if "signed_in_devices" not in found:
        return {}
    days = np.sort(counting.devices_never_signed_in(found["signed_in_devices"])["day"].to_numpy())
    return {span.number: int(np.searchsorted(days, day_number(span.end))) for span in spans}


def _notes(spans: Sequence[Period], first: date, no_users: bool) -> Iterator[Note]:
    opening = spans[0]
    yield Note(
        "left_edge",
        f"The data begin on {first}: who is new in {opening.name} and soon after is only first seen then.",
        f"数据从 {first} 开始：{opening.name} 及其后不久的“新”只表示首次被观测到。",
    )
    if not spans[-1].complete:
        names = ", ".join(span.name for span in spans if not span.complete)
        yield Note(
            "incomplete",
            f"Not complete (marked *): {names}. Do not compare them with whole periods.",
            f"未完整的周期（标 *）：{names}，不可与完整周期比较。",
        )
    if no_users:
        yield Note(
            "no_users",
            "There is no table users, so nobody knows who registered and never acted.",
            "没有 users 表，无法得知注册后从未活跃的用户数。",
        )
