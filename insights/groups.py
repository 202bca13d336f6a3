"""How many customers are in which lifecycle group in each period, where they came from, and at which rates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from features.lifecycle import ACTIVE_GROUPS, GROUPS
from features.periods import Period

RATES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "retention": ("active", ("active", "last_new", "awakened", "returned")),
    "new_retention": ("last_new", ("new",)),
    "awakening": ("awakened", ("dormant",)),
    "return": ("returned", ("lapsed",)),
}
"""A rate is the group in a period over these groups of the period before."""

NAMES: Mapping[str, tuple[str, str]] = {
    "new": ("new", "新"),
    "last_new": ("new last period", "上期新"),
    "active": ("active", "活跃"),
    "awakened": ("awakened", "唤醒"),
    "returned": ("returned", "回流"),
    "dormant": ("dormant", "休眠"),
    "lapsed": ("lapsed", "流失"),
    "retention": ("retention", "老用户留存"),
    "new_retention": ("retention of the new", "新用户留存"),
    "awakening": ("awakening", "唤醒率"),
    "return": ("return", "回流率"),
}
"""What people call groups and rates, in English and Chinese."""


def ratio(part: int, whole: int) -> float | None:
    """A share as it is, unrounded; None where there is nobody to take it of."""
    return part / whole if whole else None


@dataclass(frozen=True)
class GroupCounts:
    """The seven groups in one period, and the steps that led there. Counts are customers."""

    period: Period
    groups: Mapping[str, int]
    steps: Mapping[tuple[str, str], int]
    bases: Mapping[str, int]
    registered_never_active: int | None = None

    @property
    def ever_seen(self) -> int:
        """Identity 1: everybody with an act by the end of the period."""
        return sum(self.groups.values())

    @property
    def active_users(self) -> int:
        return sum(self.groups[group] for group in ACTIVE_GROUPS)

    @property
    def active_before(self) -> int:
        """Who was active in the period before."""
        return sum(users for (before, _), users in self.steps.items() if before in ACTIVE_GROUPS)

    @property
    def resurrected(self) -> int:
        return self.groups["awakened"] + self.groups["returned"]

    @property
    def left(self) -> int:
        """Who was active in the period before and is not in this one."""
        return sum(
            users
            for (before, after), users in self.steps.items()
            if before in ACTIVE_GROUPS and after not in ACTIVE_GROUPS
        )

    @property
    def rates(self) -> dict[str, float | None]:
        return {name: ratio(self.groups[group], self.bases[name]) for name, (group, _) in RATES.items()}

    @property
    def flows(self) -> dict[str, dict[str, int]]:
        """Customers by the group of the period before and that of this one; who is new came from none."""
        found: dict[str, dict[str, int]] = {}
        for before in GROUPS:
            to = {after: self.steps[before, after] for after in GROUPS if self.steps.get((before, after))}
            if to:
                found[before] = to
        return found

    def payload(self) -> dict[str, Any]:
        """The period as JSON tells it."""
        return {
            "period": self.period.name,
            "start": self.period.start,
            "complete": self.period.complete,
            "ever_seen": self.ever_seen,
            "registered_never_active": self.registered_never_active,
            "active_users": self.active_users,
            "groups": dict(self.groups),
            "bases": dict(self.bases),
            "rates": self.rates,
            "flows": self.flows,
        }


def bases_over(groups: Mapping[str, int]) -> dict[str, int]:
    """What the rates of the next period are taken over, from the groups of one."""
    return {name: sum(groups[group] for group in over) for name, (_, over) in RATES.items()}


def counts(
    ledger: pa.Table, periods: Sequence[Period], never_active: Mapping[int, int] | None = None
) -> list[GroupCounts]:
    """The groups of each period from a ledger of steps (`features.lifecycle.ledger`)."""
    steps: dict[int, dict[tuple[str, str], int]] = {period.number: {} for period in periods}
    groups = {period.number: dict.fromkeys(GROUPS, 0) for period in periods}
    for row in ledger.to_pylist():
        number, before, after, users = row["period"], row["previous_group"], row["group"], row["users"]
        groups[number][after] += users
        if before is not None:
            steps[number][before, after] = users
    found = []
    for period in periods:
        earlier = groups.get(period.number - 1, dict.fromkeys(GROUPS, 0))
        bases = bases_over(earlier)
        stock = None if never_active is None else never_active[period.number]
        found.append(GroupCounts(period, groups[period.number], steps[period.number], bases, stock))
    return found


def never_active(registrations: pa.Table, periods: Iterable[Period]) -> dict[int, int]:
    """Who was registered by the end of each period and had not acted by then."""
    rows = [(r["registered_period"], r["first_period"], r["users"]) for r in registrations.to_pylist()]
    return {
        period.number: sum(
            users for came, first, users in rows if came <= period.number and (first is None or first > period.number)
        )
        for period in periods
    }
