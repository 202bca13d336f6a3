"""How much of the value few customers hold, and who is potential, ordinary, active or core."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from features.periods import Period
from features.windows import day_number
from insights.groups import GroupCounts, ratio

ENDS = 13
"""Ends of periods at which value is looked at, the latest ones."""

HEAD_SHARE_PERCENT = 80
"""The head is the smallest group of customers that holds this much of the value."""

TOP_PERCENT = 20

_UNIT = 10_000
"""Values have four places; as whole numbers of the last place they add up exactly."""


def ends(periods: Sequence[Period], as_of: date) -> pa.Table:
    """The latest ends of periods as `period` and `end_day` (number); the last period ends with the cutoff."""
    chosen = periods[-ENDS:]
    days = [min(day_number(period.end), day_number(as_of)) for period in chosen]
    return pa.table(
        {
            "period": pa.array([period.number for period in chosen], pa.int32()),
            "end_day": pa.array(days, pa.int32()),
        }
    )


def concentration(
    values: pa.Table, counts: Sequence[GroupCounts], devices: Mapping[int, int], by_acts: bool
) -> dict[str, Any]:
    """The value of the 365 days before the end of each period, and who holds it.

    `top_20_share`: the share of the fifth of customers with the highest values (rounded up). `head_users`: how few
    hold 80 %. `core`: who acted within 30 days and has at least the value of the last of that head (`head_value`, so
    that equals are treated alike); `active`: who else acted within 30 days; `ordinary`: who else has ever acted;
    `potential`: who is registered and never acted, and devices on which nobody ever signed in.
    """
    told = []
    for each in counts[-ENDS:]:
        rows = values.filter(pc.equal(values["period"], each.period.number))
        told.append(_at_end(each, rows, devices.get(each.period.number)))
    return {"value": "events" if by_acts else "amount", "value_days": 365, "active_days": 30, "ends": told}


def _at_end(each: GroupCounts, rows: pa.Table, devices: int | None) -> dict[str, Any]:
    rows = rows.sort_by([("value_units", "descending")])
    value, active, users = (rows[name].to_numpy() for name in ("value_units", "is_active", "users"))
    holds = value > 0
    holders, total = int(users[holds].sum()), int((value * users).sum())
    top = -(-holders * TOP_PERCENT // 100)
    head, threshold = _head(value[holds], users[holds], total)
    core = int(users[(active > 0) & holds & (value >= threshold)].sum()) if holders else 0
    all_active = int(users[active > 0].sum())
    potential = [n for n in (each.registered_never_active, devices) if n is not None]
    return {
        "period": each.period.name,
        "complete": each.period.complete,
        "users_with_value": holders,
        "value": total / _UNIT,
        "top_20_users": top,
        "top_20_share": ratio(_held_by(top, value, users), total),
        "head_users": head,
        "head_users_share": ratio(head, holders),
        "head_value": threshold / _UNIT if holders else None,
        "groups": {
            "potential": sum(potential) if potential else None,
            "ordinary": each.ever_seen - all_active,
            "active": all_active - core,
            "core": core,
        },
        "devices_never_signed_in": devices,
    }


def _held_by(most: int, value: npt.NDArray[Any], users: npt.NDArray[Any]) -> int:
    """What the `most` customers with the highest values hold; values are in falling order."""
    before = np.cumsum(users) - users
    return int((value * np.clip(most - before, 0, users)).sum())


def _head(value: npt.NDArray[Any], users: npt.NDArray[Any], total: int) -> tuple[int, int]:
    """How few customers hold 80 % of the total, and the value of the last of them; values are in falling order."""
    if not total:
        return 0, 0
    wanted = -(-total * HEAD_SHARE_PERCENT // 100)
    held = np.cumsum(value * users)
    at = int(np.searchsorted(held, wanted))
    missing = wanted - (int(held[at - 1]) if at else 0)
    before = int(users[:at].sum())
    return before + -(-missing // int(value[at])), int(value[at])
