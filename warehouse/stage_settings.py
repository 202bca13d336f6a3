"""The settings of value stages: who is in one, what it is for, and by which figure it is judged."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from warehouse.settings_shapes import Section

Kpi = Literal["onward", "stayed", "buyers", "active", "amount"]


class StageSettings(Section):
    """One stage on the way to a loyal customer; the highest stands first, and the first whose rule holds is it."""

    rule: str | None = Field(
        default=None, description="Who is in it, a rule over features; without one, in the last stage only: the rest."
    )
    goal: str = Field(default="", description="What it is to bring about.")
    touchpoints: tuple[str, ...] = Field(default=(), description="Where its customers are met.")
    actions: tuple[str, ...] = Field(default=(), description="What is done for them.")
    kpi: Kpi = Field(
        default="onward",
        description="Measured each period: who moves onward, stayed, ordered (buyers), was active; or the amount.",
    )
