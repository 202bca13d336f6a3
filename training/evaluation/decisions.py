"""What acting on a ranking would have brought in money, and how steady its list is from week to week."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from warehouse.settings import ValueSettings

Floats = NDArray[np.float64]
ORDER_VALUE = "average_order_value_lifetime"
SINCE = "days_since_last_act"
TOP = 0.1


@dataclass(frozen=True)
class Prices:
    """What decides: the share of sales that is profit, the cost of a contact, the share of the lost that it saves."""

    margin: float
    contact_cost: float
    save_rate: float

    @classmethod
    def of(cls, said: ValueSettings) -> Prices | None:
        """Those of the settings; None unless all three are said: no default would be anybody's."""
        if said.margin is None or said.contact_cost is None or said.save_rate is None:
            return None
        return cls(said.margin, said.contact_cost, said.save_rate)


def lost(outcome: str, y: Floats) -> Floats:
    """Of labels or probabilities those of being lost: 1 − y where y = 1 is a sale or an act, else y."""
    return 1 - y if outcome in ("sale", "act") else y


def decisions(
    prices: Prices, table: pa.Table, was_lost: Floats, said_lost: Mapping[str, Floats]
) -> dict[str, Any] | None:
    """Profit of contacting whom each model would have, against contacting everybody.

    A contact costs `contact_cost`, and saves one order (of the customer's own average amount) with `save_rate` if he
    would have been lost. A model contacts where it expects more than that costs: the best cut by its probabilities,
    chosen without knowing the outcome. `expected_profit` is by its probabilities, `profit` by what happened. None
    where orders have no amounts.
    """
    if ORDER_VALUE not in table.column_names:
        return None
    amounts = np.asarray(table[ORDER_VALUE].cast(pa.float64()).to_numpy(), dtype=np.float64)
    usual = float(np.nanmean(amounts)) if np.isfinite(amounts).any() else 0.0
    saved = prices.save_rate * prices.margin * np.nan_to_num(amounts, nan=usual)
    gains = was_lost * saved - prices.contact_cost
    ways = []
    for name, p in said_lost.items():
        expected = p * saved - prices.contact_cost
        chosen = expected > 0
        ways.append(
            {
                "who": name,
                "contacted": int(chosen.sum()),
                "expected_profit": float(expected[chosen].sum()),
                "profit": float(gains[chosen].sum()),
            }
        )
    everybody = {
        "who": "everybody",
        "contacted": int(gains.size),
        "expected_profit": None,
        "profit": float(gains.sum()),
    }
    return {**vars(prices), "customers": int(gains.size), "ways": [*ways, everybody]}


def decision_lines(told: Mapping[str, Any]) -> list[str]:
    """The same for people, a line each."""
    return [
        f"contacting {way['who']}: {way['contacted']:,} of {told['customers']:,} customers, profit {way['profit']:,.0f}"
        + (f" ({way['expected_profit']:,.0f} expected)" if way["expected_profit"] is not None else "")
        for way in told["ways"]
    ]


def stability(before: tuple[pa.Table, Floats], after: tuple[pa.Table, Floats], days: int) -> dict[str, Any] | None:
    """Of customers who did nothing in the `days` between two dates: how many of the top tenth are in it at both.

    Tables hold `entity_id` and days since the last act. None where fewer than ten are unchanged.
    """
    (old, p_old), (new, p_new) = before, after
    place = pc.index_in(new["entity_id"], old["entity_id"].combine_chunks())
    known = np.flatnonzero(place.is_valid().to_numpy())
    rows = place.drop_null().to_numpy()
    since = np.asarray(new[SINCE].cast(pa.float64()).to_numpy(), dtype=np.float64)[known]
    was = np.asarray(old[SINCE].cast(pa.float64()).to_numpy(), dtype=np.float64)[rows]
    same = since == was + days
    first, second = p_old[rows][same], p_new[known][same]
    size = round(TOP * first.size)
    if size < 1:
        return None
    tops = [set(np.argsort(-p, kind="stable")[:size].tolist()) for p in (first, second)]
    return {"days": days, "unchanged": int(first.size), "top": size, "overlap": len(tops[0] & tops[1]) / size}
