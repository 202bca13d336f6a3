"""How customers buy: again within a period, again in the next, for the second time, and how much at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa

from features.periods import Period
from insights.groups import ratio

WINDOWS = (30, 60, 90, 180, 365)
"""Days after the first order day within which a second one is looked for."""

MOST_VALUES = 12
"""Categories and channels shown, those with the most money."""


def by_period(purchases: pa.Table, periods: Sequence[Period]) -> dict[str, Any]:
    """Purchases of everybody by period (`all`), and by category, channel and type of buyer (new, returning).

    `repeat_rate` (复购率): buyers of the period with two or more orders in it. `again_rate` (回购率): buyers of the
    period before who buy in this one. `units_per_order` (连带率) and `order_value` (客单价) are of the orders of the
    period; of a category or a channel they count what of an order belongs to it. An order whose lines fall into two
    periods counts in each.
    """
    found: dict[tuple[str, str], dict[int, Mapping[str, Any]]] = {}
    for row in purchases.to_pylist():
        found.setdefault((row["dimension"], row["dimension_value"]), {})[row["period"]] = row
    told: dict[str, Any] = {"all": _told(found.get(("all", "all"), {}), periods)}
    for dimension in ("category", "channel", "buyer"):
        of = {value: rows for (name, value), rows in found.items() if name == dimension}
        largest = sorted(of, key=lambda value: (-_money(of[value].values()), value))[:MOST_VALUES]
        told[f"by_{dimension}"] = [{"value": value, "periods": _told(of[value], periods)} for value in largest]
    return told


def _money(rows: Iterable[Mapping[str, Any]]) -> Decimal:
    return sum((row["amount"] for row in rows), Decimal(0))


def _told(rows: Mapping[int, Mapping[str, Any]], periods: Sequence[Period]) -> list[dict[str, Any]]:
    told, before = [], 0
    for period in periods:
        row = rows.get(period.number, {})
        buyers, orders = row.get("buyers", 0), row.get("orders", 0)
        again, repeat = row.get("again_buyers", 0), row.get("repeat_buyers", 0)
        amount, units = row.get("amount", Decimal(0)), row.get("units", Decimal(0))
        told.append(
            {
                "period": period.name,
                "start": period.start,
                "complete": period.complete,
                "buyers": buyers,
                "repeat_buyers": repeat,
                "repeat_rate": ratio(repeat, buyers),
                "buyers_before": before,
                "again_buyers": again,
                "again_rate": ratio(again, before),
                "orders": orders,
                "units": units,
                "units_per_order": _per(units, orders),
                "amount": amount,
                "order_value": _per(amount, orders),
            }
        )
        before = buyers
    return told


def _per(total: Decimal, orders: int) -> float | None:
    return float(total / orders) if orders else None


def conversion(second_orders: pa.Table, periods: Sequence[Period], as_of: date, observed_until: date) -> dict[str, Any]:
    """From the first order day to a second, later one.

    By cohort of the first order, fixed windows: who had a second within w days, of all; None until the youngest of the
    cohort is w days old. `curve` is Kaplan–Meier over everybody: the share with a second order day within w days, those
    without one counted as far as they were seen; None beyond the longest time anybody was seen.
    """
    seen_until = min(as_of, observed_until)
    beyond = (as_of - seen_until).days
    rows = [(r["first_period"], bool(r["has_second"]), r["days"], r["users"]) for r in second_orders.to_pylist()]
    cohorts = []
    for period in periods:
        of = [(has, days, users) for first, has, days, users in rows if first == period.number]
        if not of:
            continue
        size = sum(users for _, _, users in of)
        youngest = (seen_until - min(period.end, seen_until)).days
        # Who ordered first on the last day of a period is one day old where the next begins.
        within = {
            w: sum(users for has, days, users in of if has and days <= w) if period.complete and youngest >= w else None
            for w in WINDOWS
        }
        cohorts.append(
            {
                "cohort": period.name,
                "start": period.start,
                "complete": period.complete,
                "first_buyers": size,
                "second_so_far": sum(users for has, _, users in of if has),
                "within": {str(w): n for w, n in within.items()},
                "rates": {str(w): None if n is None else ratio(n, size) for w, n in within.items()},
            }
        )
    return {"windows_days": list(WINDOWS), "cohorts": cohorts, "curve": _kaplan_meier(rows, beyond)}


def _kaplan_meier(rows: Iterable[tuple[int, bool, int, int]], beyond: int) -> list[dict[str, Any]]:
    """At each window the share with a second order day; the last `beyond` days before the cutoff were not observed."""
    came: Counter[int] = Counter()
    seen: Counter[int] = Counter()
    for _, has, days, users in rows:
        # Without a second order day the days end at the cutoff, whose own day was not seen.
        time = days if has else days - 1 - beyond
        came[time] += users * has
        seen[time] += users
    at_risk, without, steps = seen.total(), 1.0, []
    for time in sorted(seen):
        without *= 1 - came[time] / at_risk
        at_risk -= seen[time]
        steps.append((time, 1 - without))
    longest = max(seen, default=-1)
    told = {w: max([share for time, share in steps if time <= w], default=0.0) for w in WINDOWS}
    return [{"days": w, "share": told[w] if w <= longest else None} for w in WINDOWS]
