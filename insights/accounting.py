"""Growth accounting: from what was to what is, in customers and in money, by who came, stayed, changed and left."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa

from features.periods import Period
from insights.groups import GroupCounts, ratio

MOVEMENTS = ("new", "resurrected", "expansion", "unchanged", "contraction", "left")
"""Movements of a customer's money from one period to the next; `left` is all of it, gone."""

NOTHING = Decimal("0.0000")


def quick_ratio(gained: Decimal | int, lost: Decimal | int) -> float | None:
    """What came per what went; None where nothing went."""
    return float(Decimal(gained) / Decimal(lost)) if lost else None


def of_users(counts: Iterable[GroupCounts]) -> list[dict[str, Any]]:
    """Customers: active = active_before + new + resurrected − left, in every period.

    `quick_ratio` = (new + resurrected) / left.
    """
    return [
        {
            "period": each.period.name,
            "start": each.period.start,
            "complete": each.period.complete,
            "active_before": each.active_before,
            "retained": each.groups["active"] + each.groups["last_new"],
            "new": each.groups["new"],
            "resurrected": each.resurrected,
            "left": each.left,
            "active": each.active_users,
            "quick_ratio": quick_ratio(each.groups["new"] + each.resurrected, each.left),
        }
        for each in counts
    ]


def of_money(spending: pa.Table, periods: Sequence[Period]) -> list[dict[str, Any]]:
    """Money of sales: amount = amount_before + new + resurrected + expansion + contraction + left, exactly.

    `contraction` and `left` are 0 or less. New is the first money of a customer, whenever he acted otherwise.
    `quick_ratio` = (new + resurrected + expansion) / −(contraction + left). `users` counts customers by movement.
    """
    changes: dict[tuple[int, str], tuple[Decimal, Decimal, int]] = {
        (row["period"], row["movement"]): (row["change"], row["amount"], row["users"]) for row in spending.to_pylist()
    }
    found, before = [], NOTHING
    for period in periods:
        moved = {name: changes.get((period.number, name), (NOTHING, NOTHING, 0)) for name in MOVEMENTS}
        change = {name: moved[name][0] for name in MOVEMENTS if name != "unchanged"}
        amount = sum((moved[name][1] for name in MOVEMENTS), NOTHING)
        gained = change["new"] + change["resurrected"] + change["expansion"]
        found.append(
            {
                "period": period.name,
                "start": period.start,
                "complete": period.complete,
                "amount_before": before,
                **change,
                "amount": amount,
                "quick_ratio": quick_ratio(gained, -(change["contraction"] + change["left"])),
                "users": {name: moved[name][2] for name in MOVEMENTS},
            }
        )
        before = amount
    return found


def activity(counts: Sequence[GroupCounts], recently_active: pa.Table) -> list[dict[str, Any]]:
    """The active as a share of all ever seen, and of those seen within a year (12 months or 52 weeks)."""
    change: dict[int, int] = {}
    for row in recently_active.to_pylist():
        change[row["first_period"]] = change.get(row["first_period"], 0) + row["users"]
        change[row["until_period"] + 1] = change.get(row["until_period"] + 1, 0) - row["users"]
    found, seen = [], 0
    for each in counts:
        seen += change.get(each.period.number, 0)
        found.append(
            {
                "period": each.period.name,
                "complete": each.period.complete,
                "active_users": each.active_users,
                "ever_seen": each.ever_seen,
                "active_rate": ratio(each.active_users, each.ever_seen),
                "seen_in_year": seen,
                "active_rate_of_year": ratio(each.active_users, seen),
            }
        )
    return found
