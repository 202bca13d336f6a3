"""Who did what in a span of days, and who had an act in the days after: counted by SQL, part by part.

A behaviour is a feature used (`feature:scan`), a page seen, another event, or an order. What is compared is alike in
the days with any *other* behaviour, so that whoever does more of everything is not taken for who does this one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import pyarrow as pa

from features.engines import engine_of
from features.source import Source, chosen_staging, register_acts, register_visible
from features.statements import Statement, staging_for, statements
from features.sums import summed
from features.windows import day_number
from warehouse.progress import Progress, silent

SETTLED_DAYS = 28
"""Who is first seen in so many first days of the data may have been there before."""
ACTIVE_DAYS = 60
"""Who had no act for longer is not at risk of leaving any more."""


@dataclass(frozen=True)
class Spans:
    """The days looked at before a judgement and the days judged after them. `leaving`: at dates `later_days` apart, of
    customers who were active before; else of new customers, from the first day they are seen on."""

    as_of: date
    since: date
    until: date
    days: int
    later_days: int
    leaving: bool = False

    @property
    def rounds(self) -> pa.Table:
        """The dates judged at, the latest first: as many as there is time for, watched in full and not overlapping."""
        latest, first = day_number(self.until) - self.later_days, day_number(self.since) + SETTLED_DAYS
        days = list(range(latest, first + ACTIVE_DAYS, -self.later_days))
        return pa.table({"round": pa.array(range(len(days)), pa.int32()), "day": pa.array(days, pa.int32())})

    @property
    def values(self) -> dict[str, object]:
        """What the SQL files name."""
        return {
            "days": self.days,
            "later": self.later_days,
            "since": day_number(self.since) + SETTLED_DAYS,
            "until": day_number(self.until),
            "active": ACTIVE_DAYS,
        }


@dataclass(frozen=True)
class Counts:
    """`doers`: behaviour, round, alike, band (of days with any behaviour), other_band (of days with another one),
    stayed, users; `everybody`: round, alike, band, stayed, users."""

    doers: pa.Table
    everybody: pa.Table


def behaviour_counts(source: Source, spans: Spans, progress: Progress = silent) -> Counts:
    """Who did what and stayed, over all customers."""
    files = statements("behaviours")
    chosen = files["leaving_spans" if spans.leaving else "early_spans"]
    steps = [files["behaviour_days"], Statement("spans", chosen.text), files["span_days"], files["span_totals"]]
    staging = staging_for([chosen], *chosen_staging(source))
    doers, everybody = [], []
    with engine_of(source) as engine:
        values = {**spans.values, "every_event": register_acts(engine, source)}
        engine.give("rounds", spans.rounds)
        parts = engine.parts(source)
        for done, part in enumerate(parts):
            progress("behaviours", done, len(parts))
            register_visible(engine, source, part, spans.as_of, ("orders", "events"))
            for step in (*staging, *steps):
                step.keep(engine, spans.as_of, values)
            doers.append(files["doers"].table(engine, spans.as_of, values))
            everybody.append(files["everybody"].table(engine, spans.as_of, values))
            for step in (*staging, *steps):
                engine.drop(step.name)
    strata = ["round", "alike", "band"]
    return Counts(summed(doers, ["behaviour", *strata, "other_band", "stayed"]), summed(everybody, [*strata, "stayed"]))
