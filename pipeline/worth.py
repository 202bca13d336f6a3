"""What `reprise value` says, from the release that serves; one customer with an interval."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from insights.value import BY, Value
from models.value import COLUMNS, BuyTillYouDie, Histories, buyers
from pipeline import valuing
from pipeline.lists import current
from serving import customers
from serving.release import Release
from serving.schemas import VALUE
from warehouse.errors import NotReadyError, UsageError
from warehouse.workspace import Workspace


def value_of(release: Release, by: str | None) -> Value:
    """The value of the customers of a release; `NotReadyError` where it holds none, with what is missing."""
    _needs_value(release)
    known = customers.fields(release)
    chosen = by if by is not None else BY if BY in known else None
    table = customers.customers(release, [*VALUE.names[1:], *([chosen] if chosen else [])])
    return Value.of(table, release.cards[valuing.VALUE], chosen)


def _needs_value(release: Release) -> None:
    if valuing.VALUE not in release.tables:
        missing = next((each for each in release.absent if each["what"] == valuing.VALUE), None)
        why = missing["why"] if missing else "the release was made without it; make one with `reprise run`"
        raise NotReadyError(f"There is no value of customers: {why}.", hint="It needs orders with amounts.")


def worth(workspace: Workspace, by: str | None) -> tuple[Release, Value]:
    """The release that serves, and the value of its customers."""
    release = current(workspace)
    return release, value_of(release, by)


def one(workspace: Workspace, user: str) -> dict[str, Any]:
    """One customer's value with the 90 % intervals of what may come, by draws of the parameters and of the customer.

    `UsageError` for who is unknown, or has not ordered; nothing is predicted of who refused profiling.
    """
    release = current(workspace)
    _needs_value(release)
    rows = release.standing[valuing.VALUE].of(user)
    if not rows:
        raise UsageError(f"{user} had not ordered by {release.as_of}, or is unknown.", hint="Leading zeros count.")
    told = {name: value for name, value in rows[0].items() if name != "entity_id"}
    horizon = int(release.cards[valuing.VALUE]["horizon_days"])
    facts = {"user_id": user, "as_of": release.as_of, "release": release.id, "horizon_days": horizon, **told}
    if told["predicted_clv"] is None:
        return {**facts, "interval": None, "order_days_interval": None}
    row = Histories.of(release.features_of(user))
    found = valuing.intervals(_fitted(release), row, np.array([told["predicted_clv"]]), horizon)
    (low,), (high,), (fewest,), (most,), (held,) = (each.tolist() for each in vars(found).values())
    return {
        **facts,
        "interval": {"level": 0.9, "low": low, "high": high},
        "order_days_interval": {"level": held, "low": int(fewest), "high": int(most)},
    }


def _fitted(release: Release) -> BuyTillYouDie:
    """The lifetimes of a release; fitted again where it is older than their being kept with it."""
    fit = release.cards[valuing.VALUE].get("fit", {})
    if "lifetimes" in fit:
        return BuyTillYouDie.from_json(fit)
    plain = release.features(["entity_id", *COLUMNS])
    known = Histories.of(plain.filter(pa.array(buyers(plain))))
    return BuyTillYouDie.fit(known.take(valuing.some(len(known), valuing.MOST_FITTED)))
