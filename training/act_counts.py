"""What is told of the acts that count beside purchases: how many there are of each kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import pyarrow.compute as pc

from features.outcomes import item_acts
from features.source import Source


def act_counts(source: Source, as_of: date, kinds: Mapping[str, float]) -> list[dict[str, Any]]:
    """A row for each event that counts: `event`, `worth` beside a day of purchase, and `rows`, the days on which a
    customer did it with an item before `as_of`; nothing where no event counts."""
    if not kinds:
        return []
    found = item_acts(source, as_of, sorted(kinds))["event"] if "events" in source.tables else None
    counted = {} if found is None else {row["values"]: row["counts"] for row in pc.value_counts(found).to_pylist()}
    return [{"event": kind, "worth": worth, "rows": counted.get(kind, 0)} for kind, worth in sorted(kinds.items())]


def lines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """One sentence for each row."""
    return [
        f"acts: {row['event']} counts {row['worth']:g} of a purchase, {row['rows']:,} days of a customer with an item"
        + ("" if row["rows"] else "; no event of that name has an item")
        for row in rows
    ]
