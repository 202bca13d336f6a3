"""The columns of what is published: one place, so that files, the release and HTTP agree."""

from __future__ import annotations

import pyarrow as pa

SCORES = pa.schema(
    [
        ("user_id", pa.string()),
        ("target", pa.string()),
        ("horizon_days", pa.int32()),
        ("probability", pa.float64()),
        ("percentile", pa.float64()),
        ("state", pa.string()),
        ("as_of", pa.date32()),
        ("model_version", pa.string()),
        ("release", pa.string()),
    ]
)
"""One row per user, target and horizon. `probability` is null outside the target's population; `state` then says why
and is null otherwise. `percentile` in [0, 100): higher than what share of the release's population."""

SUGGESTIONS = pa.schema(
    [
        ("user_id", pa.string()),
        ("rank", pa.int32()),
        ("item_id", pa.string()),
        ("probability", pa.float64()),
        ("strength", pa.float64()),
        ("source", pa.string()),
        ("reason", pa.string()),
        ("suggestion_id", pa.string()),
        ("as_of", pa.date32()),
        ("model_version", pa.string()),
        ("release", pa.string()),
    ]
)
"""One row per user and suggested item, rank from 1. `probability`: of buying it within the horizon of suggestions,
calibrated, so that users and items compare; null for users without a purchase or who refused profiling, and where too
few sales were there to learn it. `strength` orders items of one source; it is no probability."""

EXPLORED = SUGGESTIONS.append(pa.field("propensity", pa.float64()))
"""Where chance gives some places: the probability with which it put this item into this list; 1 where it had no say."""

SIMILAR_ITEMS = pa.schema(
    [("item_id", pa.string()), ("rank", pa.int32()), ("similar_item_id", pa.string()), ("strength", pa.float64())]
)
"""One row per item and an item like it, rank from 1."""

POPULAR = pa.schema([("item_id", pa.string()), ("strength", pa.float64())])
"""Items for those of whom nothing is known, best first."""

DUE_ITEMS = pa.schema(
    [
        ("entity_id", pa.string()),
        ("item_id", pa.string()),
        ("last_bought_on", pa.date32()),
        ("gap_days", pa.float64()),
        ("due_date", pa.date32()),
        ("overdue_gaps", pa.float64()),
        ("status", pa.string()),
    ]
)
"""One row per user and item bought on two days or more. `gap_days`: how long the last purchase lasts this user;
`due_date`: when it has lasted. `status`: `overdue` before `as_of`, `due` in the week that begins there, else `not_yet`.
`overdue_gaps`: days past due over `gap_days`, 0 where it is not overdue."""

VALUE = pa.schema(
    [
        ("entity_id", pa.string()),
        ("predicted_clv", pa.float64()),
        ("expected_order_day_count", pa.float64()),
        ("predicted_order_value", pa.float64()),
        ("regularity", pa.float64()),
        ("expected_date_of_next_order", pa.date32()),
        ("next_order_earliest", pa.date32()),
        ("next_order_latest", pa.date32()),
        ("historic_clv", pa.float64()),
        ("average_order_value", pa.float64()),
    ]
)
"""One row per user who ordered before `as_of`, sorted. `predicted_clv`: money expected in the horizon of value;
`expected_order_day_count`: days with an order in it; `predicted_order_value`: money of such a day; `regularity`: P(gaps
are more even than chance). The next order is the
median day and the ends of its 90 % interval if the user is still a customer, null later than two years. What is
predicted is null for who refused profiling; `historic_clv` and `average_order_value` are what was spent."""

LAST_USES = pa.schema([("entity_id", pa.string()), ("feature", pa.string()), ("last_used_on", pa.date32())])
"""One row per user and function of the app they used before `as_of`."""
