"""Where customers go from page to page, where they leave, how long they stay, and which items end in a purchase."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from features.paths import Flows, ItemWays
from insights.rates import Rate, wilson
from insights.standardised import Standardised, standardised

NOBODY = "–"
"""Stands for items of no known category or of no one seller."""


@dataclass(frozen=True)
class Page:
    """A page (or feature): how often sessions visit it, begin and end there, by how many customers.

    `leaving` is the interval of the share of visits after which nothing followed: it counts as many as independent
    customers would know as much (visits² / Σ visits of a customer²). `stay_seconds`: the median where it is known.
    """

    name: str
    visits: int
    users: int
    entries: int
    leaves: int
    inward: int
    outward: int
    leaving: tuple[float, float]
    stays_known: int
    stay_seconds: int | None

    def payload(self) -> dict[str, Any]:
        """As JSON."""
        low, high = self.leaving
        return {
            "page": self.name,
            "visits": self.visits,
            "users": self.users,
            "entries": self.entries,
            "leaves": self.leaves,
            "from_other_visits": self.inward,
            "to_other_visits": self.outward,
            "leaving": {"share": self.leaves / self.visits, "low": low, "high": high},
            "stays_known": self.stays_known,
            "median_stay_seconds": self.stay_seconds,
        }


@dataclass(frozen=True)
class Flow:
    """Visits of `to_page` right after `from_page`; `share` is of the visits of the latter."""

    from_page: str
    to_page: str
    visits: int
    share: float


@dataclass(frozen=True)
class Paths:
    """All pages, the most visited first, and all transitions between them, the most frequent first."""

    by: str
    sessions: int
    pages: Sequence[Page]
    flows: Sequence[Flow]

    def payload(self, most: int) -> dict[str, Any]:
        """As JSON, at most so many pages and transitions."""
        return {
            "by": self.by,
            "sessions": self.sessions,
            "pages_seen": len(self.pages),
            "pages": [page.payload() for page in self.pages[:most]],
            "transitions": [dict(vars(flow)) for flow in self.flows[:most]],
        }


def paths(counted: Flows, by: str) -> Paths:
    """The paths of what was counted."""
    moves = [(row["from_node"], row["to_node"], row["visits"]) for row in counted.flows.to_pylist()]
    nodes = {row["node"]: row for row in counted.nodes.to_pylist()}
    entries = {to: n for before, to, n in moves if before is None}
    leaves = {before: n for before, to, n in moves if to is None}
    inward, outward = defaultdict[str, int](int), defaultdict[str, int](int)
    for before, to, n in moves:
        if before is not None and to is not None:
            outward[before] += n
            inward[to] += n
    stays = defaultdict[str, list[tuple[int, int]]](list)
    for row in counted.dwells.to_pylist():
        stays[row["node"]].append((row["seconds"], row["visits"]))
    pages = [
        Page(
            name, row["visits"], row["users"], entries.get(name, 0), leaves.get(name, 0), inward[name], outward[name],
            wilson(leaves.get(name, 0) / row["visits"], row["visits"] ** 2 / row["squares"]),
            sum(n for _, n in stays[name]), _median(stays[name]),
        )
        for name, row in nodes.items()
    ]  # fmt: skip
    told = [Flow(a, b, n, n / nodes[a]["visits"]) for a, b, n in moves if a is not None and b is not None]
    return Paths(
        by,
        sum(entries.values()),
        sorted(pages, key=lambda page: (-page.visits, page.name)),
        sorted(told, key=lambda flow: (-flow.visits, flow.from_page, flow.to_page)),
    )


def _median(stays: Sequence[tuple[int, int]]) -> int | None:
    """The lower median of values told with how many have them."""
    ordered = sorted(stays)
    seen = list(accumulate(n for _, n in ordered))
    return next((value for (value, _), total in zip(ordered, seen, strict=True) if 2 * total >= seen[-1]), None)


@dataclass(frozen=True)
class Conversion:
    """How far customers came with one item, category or seller: pairs of a customer and an item at each stage."""

    name: str
    stages: Sequence[str]
    reached: Sequence[int]

    def rates(self) -> list[Rate]:
        """Each stage but the first, of the one before."""
        return [Rate(b, a) for a, b in zip(self.reached, self.reached[1:], strict=False)]

    def payload(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "name": self.name,
            "reached": dict(zip(self.stages, self.reached, strict=True)),
            "conversion": {s: rate.payload() for s, rate in zip(self.stages[1:], self.rates(), strict=True)},
            "overall": Rate(self.reached[-1], self.reached[0]).payload(),
        }


def conversions(ways: ItemWays, of: Mapping[str, str] | None = None) -> list[Conversion]:
    """The conversion of each item, or of what `of` says of it; the most looked at first."""
    reached: dict[str, list[int]] = defaultdict(lambda: [0] * len(ways.stages))
    for row in ways.counts.to_pylist():
        name = row["value"] if of is None else of.get(row["value"], NOBODY)
        for stage in range(row["furthest"]):
            reached[name][stage] += row["users"]
    told = [Conversion(name, ways.stages, counts) for name, counts in reached.items()]
    return sorted(told, key=lambda each: (-each.reached[0], each.name))


def seller_of(ways: ItemWays) -> dict[str, str]:
    """The seller of each item that only one seller sold."""
    sellers: dict[str, set[str]] = defaultdict(set)
    for row in ways.sellers.to_pylist():
        if row["seller_id"] is not None:
            sellers[row["item_id"]].add(row["seller_id"])
    return {item: next(iter(found)) for item, found in sellers.items() if len(found) == 1}


def compare_sellers(ways: ItemWays, category: Mapping[str, str]) -> list[Standardised]:
    """Sellers on the same mix of categories: of the pairs that entered, how many came to the last stage."""
    seller, last = seller_of(ways), len(ways.stages)
    cells: dict[tuple[str, str], tuple[int, int]] = defaultdict(lambda: (0, 0))
    for row in ways.counts.to_pylist():
        if row["value"] in seller:
            key = (seller[row["value"]], category.get(row["value"], NOBODY))
            hits, tries = cells[key]
            cells[key] = (hits + row["users"] * (row["furthest"] == last), tries + row["users"])
    return standardised(cells)
