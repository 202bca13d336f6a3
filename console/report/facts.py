"""What sections read: the workspace as of a date, counted once however many of them ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any, Literal

from features.periods import Grain
from features.source import StoreSource, act_statement
from insights.growth import growth
from serving.release import Release
from warehouse.workspace import Workspace

Language = Literal["en", "zh"]

MONTHS = 4
"""Fewer complete months tell no story; then weeks do."""


@dataclass(frozen=True)
class Facts:
    """A workspace as of a date. `release` is the latest one made for that date or before; None where there is none."""

    workspace: Workspace
    source: StoreSource
    as_of: date
    language: Language
    release: Release | None

    def say(self, en: str, zh: str) -> str:
        """The text in the language of the report."""
        return zh if self.language == "zh" else en

    @property
    def observed_until(self) -> date:
        """How far acts are known: up to the date, or to the start of the day after the last row that holds any."""
        held = "events" if act_statement(self.source) == "acts_of_events" else "orders"
        return min(self.as_of, self.source.store.observed_until(held))

    @cached_property
    def growth(self) -> Mapping[str, Any]:
        """The growth of the business as `reprise growth` tells it, by months, or weeks where there are few months."""
        by_months = growth(self.source, self.as_of, "month", observed_until=self.observed_until)
        if sum(each.period.complete for each in by_months.counts) >= MONTHS:
            return by_months.payload()
        return growth(self.source, self.as_of, "week", observed_until=self.observed_until).payload()

    @property
    def grain(self) -> Grain:
        """Whether growth is told by months or weeks."""
        found: Grain = self.growth["grain"]
        return found

    @property
    def unit(self) -> str:
        """What people call one period of growth."""
        return self.say("month", "月") if self.grain == "month" else self.say("week", "周")

    def several(self, n: int) -> str:
        """So many periods, in words: 3 months, 3个月, 3周."""
        return self.say(f"{n} {self.unit}s", f"{n}个月" if self.grain == "month" else f"{n}周")

    @property
    def cards(self) -> Mapping[str, Mapping[str, Any]]:
        """The model cards of the release by `target_30d`, in declared order."""
        if self.release is None:
            return {}
        names = [f"{target}_{horizon}d" for target, horizon in self.release.models]
        return {name: self.release.cards[name] for name in names if name in self.release.cards}
