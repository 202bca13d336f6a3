"""How many customers come how far along ordered steps, how long they take, and what customers bring customers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import sqrt
from statistics import NormalDist
from typing import Any

from features.funnels import Asked, Counted, Referrals, Step, parse_step
from insights.rates import LEVEL, Rate

AARRR = "aarrr"
"""The name of the built-in funnel."""
STAGES = {
    "acquired": ("acquired", "获取"),
    "activated": ("activated", "激活"),
    "retained": ("retained", "留存"),
    "revenue": ("revenue", "变现"),
    "referred": ("referred", "推荐"),
}
_HOUR, _DAY = 3600, 86400


def aarrr(tables: frozenset[str], of_what: bool, referrals: bool) -> dict[str, Step]:
    """The five stages as far as the data say anything of them, by name, each with the step that it is.

    `of_what`: events name an item or a feature. Acquired: first heard of (registration, event or order). Activated:
    an event on an item or of a feature; where none names any the first order, if anything may come before it. Retained:
    an event or order a week or more after the first. Revenue: an order, where it is no stage already. Referred: brought
    somebody who registered; last, for few do, and each stage wants all before it.
    """
    stages = {"acquired": parse_step("acquired")}
    if of_what:
        stages["activated"] = parse_step("activated")
    elif "orders" in tables and tables & {"events", "users"}:
        stages["activated"] = parse_step("order")
    stages["retained"] = parse_step("retained")
    if of_what and "orders" in tables:
        stages["revenue"] = parse_step("order")
    if referrals:
        stages["referred"] = parse_step("referred")
    return stages


@dataclass(frozen=True)
class Reach:
    """One step: `users` came to it in order, `ever` did it at all; `conversion` of those at the step before (None of
    the first), `overall` of all who entered; half of those who came took at most `median_seconds` from the step before.
    """

    step: str
    users: int
    stayed_here: int
    conversion: Rate | None
    overall: Rate
    ever: int | None = None
    median_seconds: int | None = None

    def payload(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "step": self.step,
            "users": self.users,
            "furthest_here": self.stayed_here,
            "conversion": self.conversion.payload() if self.conversion else None,
            "overall": self.overall.payload(),
            "did_it_ever": self.ever,
            "median_seconds": self.median_seconds,
        }


@dataclass(frozen=True)
class Funnel:
    """Ordered steps and who reached them within the window; `groups` the same of parts of the customers by value.

    `open`: customers who entered so late only that their window is not over; they count nowhere else. `devices`: of
    those who entered, devices on which nobody ever signed in.
    """

    name: str
    as_of: date
    until: date
    window_days: int | None
    definitions: Sequence[str]
    steps: Sequence[Reach]
    groups: Mapping[str | None, Sequence[Reach]]
    open: int
    devices: int
    by: str | None = None

    def payload(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "funnel": self.name,
            "as_of": self.as_of,
            "known_until": self.until,
            "window_days": self.window_days,
            "definitions": [
                {"step": reach.step, "is": told} for reach, told in zip(self.steps, self.definitions, strict=True)
            ],
            "steps": [reach.payload() for reach in self.steps],
            "window_not_over": self.open,
            "unknown_devices": self.devices,
            "by": self.by,
            "groups": [
                {"value": value, "steps": [reach.payload() for reach in steps]} for value, steps in self.groups.items()
            ],
        }


def funnel(name: str, names: Sequence[str], asked: Asked, counted: Counted, by: str | None = None) -> Funnel:
    """The funnel of what was counted, its steps called by `names`."""
    rows = counted.counts.to_pylist()
    ever = {row["step"]: row["users"] for row in counted.ever.to_pylist()}
    whole = _reaches(names, rows)
    told = [
        Reach(
            each.step,
            each.users,
            each.stayed_here,
            each.conversion,
            each.overall,
            ever.get(n, 0),
            _median([row for row in counted.times.to_pylist() if row["step"] == n]) if n > 1 else None,
        )
        for n, each in enumerate(whole, 1)
    ]
    values = sorted({row["value"] for row in rows}, key=lambda value: (value is None, value)) if by else []
    groups = {value: _reaches(names, [row for row in rows if row["value"] == value]) for value in values}
    definitions = [step.text for step in asked.steps]
    return Funnel(
        name, asked.as_of, asked.until, asked.window_days, definitions, told, groups, counted.open, counted.devices, by
    )


def _reaches(names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> list[Reach]:
    users = [sum(row["users"] for row in rows if row["furthest"] >= n) for n in range(1, len(names) + 2)]
    return [
        Reach(
            step,
            users[n],
            users[n] - users[n + 1],
            Rate(users[n], users[n - 1]) if n else None,
            Rate(users[n], users[0]),
        )
        for n, step in enumerate(names)
    ]


def _median(rows: Sequence[Mapping[str, Any]]) -> int | None:
    """The lower median of values told with how many have them."""
    half, seen = (sum(row["users"] for row in rows) + 1) // 2, 0
    for row in sorted(rows, key=lambda row: row["seconds"]):
        seen += row["users"]
        if seen >= half:
            return int(row["seconds"])
    return None


def duration(seconds: int | None) -> str | None:
    """Seconds as people say them: 40 s, 12 min, 5.5 h, 3.2 d."""
    if seconds is None:
        return None
    if seconds < 90:
        return f"{seconds} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / _HOUR:.1f} h" if seconds < 2 * _DAY else f"{seconds / _DAY:.1f} d"


@dataclass(frozen=True)
class Mean:
    """A mean of `n`, with its interval by the normal law."""

    n: int
    mean: float
    variance: float

    @property
    def half(self) -> float:
        return float(NormalDist().inv_cdf(0.5 + LEVEL / 2)) * sqrt(self.variance / self.n)

    def payload(self) -> dict[str, Any]:
        return {"n": self.n, "mean": self.mean, "low": self.mean - self.half, "high": self.mean + self.half}


@dataclass(frozen=True)
class Referral:
    """What customers bring customers within the window after registering.

    `k`: customers brought by a customer, the K factor; `referred`, `others`: what those who were brought and those who
    were not bought in that time, in the currency; None where there are fewer than two. Observational.
    """

    window_days: int
    k: Mean
    brought: int
    referrers: Rate
    referred: Mean | None
    others: Mean | None
    buyers: Rate
    other_buyers: Rate

    @property
    def difference(self) -> tuple[float, float, float] | None:
        """By how much those who were brought bought more, and the interval (Welch 1938, normal)."""
        if self.referred is None or self.others is None:
            return None
        found, half = self.referred.mean - self.others.mean, sqrt(self.referred.half**2 + self.others.half**2)
        return found, found - half, found + half

    def payload(self) -> dict[str, Any]:
        """As JSON."""
        mean, low, high = self.difference or (None, None, None)
        return {
            "window_days": self.window_days,
            "k_factor": self.k.payload() | {"low": max(0.0, self.k.mean - self.k.half)},
            "customers_brought": self.brought,
            "customers_who_brought_some": self.referrers.payload(),
            "value_of_the_referred": self.referred.payload() if self.referred else None,
            "value_of_others": self.others.payload() if self.others else None,
            "difference": {"mean": mean, "low": low, "high": high},
            "buyers_of_the_referred": self.buyers.payload(),
            "buyers_of_others": self.other_buyers.payload(),
            "observational": True,
        }


def referral(found: Referrals | None, window_days: int) -> Referral | None:
    """The referral of what was counted; None where nobody could have brought anybody."""
    if found is None or not found.brought.num_rows:
        return None
    rows = [(row["referrals"], row["users"]) for row in found.brought.to_pylist()]
    n, brought = sum(users for _, users in rows), sum(each * users for each, users in rows)
    if n < 2:
        return None
    squares = sum(each * each * users for each, users in rows)
    sides = {row["was_referred"]: row for row in found.values.to_pylist()}
    referred, others = (sides.get(answer) for answer in (1, 0))
    return Referral(
        window_days,
        Mean(n, brought / n, (squares - brought**2 / n) / (n - 1)),
        brought,
        Rate(sum(users for each, users in rows if each), n),
        _mean(referred),
        _mean(others),
        *(Rate(side["buyers"], side["users"]) if side else Rate(0, 0) for side in (referred, others)),
    )


def _mean(side: Mapping[str, Any] | None) -> Mean | None:
    if side is None or side["users"] < 2:
        return None
    n, amount = side["users"], side["amount"]
    return Mean(n, amount / n, max(0.0, side["squares"] - amount**2 / n) / (n - 1))
