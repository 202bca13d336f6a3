"""The settings of member levels: what earns points, how long they count, what each level asks and gives."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from warehouse.settings_shapes import Section
from warehouse.settings_values import Days

Points = Annotated[float, Field(ge=0, le=1_000_000)]
LevelName = Annotated[str, Field(min_length=1, max_length=40)]
Preset = Literal["shop", "content", "tool"]
PROFILE = ("region", "birth_year", "gender")


@dataclass(frozen=True)
class LevelRules:
    """What `[levels]` comes to with its preset. `steps`: points from which each level begins, the lowest from 0."""

    steps: dict[str, float]
    events: dict[str, float]
    per_order: float = 0.0
    per_amount: float = 0.0
    per_referral: float = 0.0
    profile: float = 0.0
    once_a_day: tuple[str, ...] = ()
    profile_columns: tuple[str, ...] = PROFILE
    attributes: dict[str, float] | None = None
    benefits: dict[str, str] | None = None
    window_days: int = 365
    valid_days: int = 365
    at_expiry: Literal["earned", "one_step"] = "earned"


_DAILY = ("sign_in", "check_in", "login", "签到")
PRESETS: dict[str, LevelRules] = {
    "shop": LevelRules(
        {"member": 0, "silver": 500, "gold": 2000, "platinum": 6000},
        {"review": 20, "评价": 20, "share": 5, "分享": 5, **dict.fromkeys(_DAILY, 2.0)},
        per_order=10, per_amount=1, per_referral=100, profile=50, once_a_day=_DAILY,
    ),
    "content": LevelRules(
        {"reader": 0, "regular": 100, "contributor": 400, "expert": 1500},
        {"post": 20, "发布": 20, "comment": 5, "评论": 5, "share": 5, "分享": 5, "like": 1, "点赞": 1,
         **dict.fromkeys(_DAILY, 2.0)},
        per_referral=50, profile=30, once_a_day=_DAILY, window_days=180, valid_days=180, at_expiry="one_step",
    ),
    "tool": LevelRules(
        {"starter": 0, "regular": 60, "power": 250},
        {"create": 5, "创建": 5, "export": 5, "导出": 5, "share": 10, "分享": 10, **dict.fromkeys(_DAILY, 3.0)},
        per_order=50, per_referral=50, profile=20, once_a_day=_DAILY, window_days=90, valid_days=90,
    ),
}  # fmt: skip
"""What earns points where nothing else is said: spending, contributing, using."""


class LevelSettings(Section):
    """Member levels by points. What is not said is the preset's; `steps` and `events` are taken whole."""

    preset: Preset = Field(default="shop", description="What is not said below: shop, content or tool.")
    steps: dict[LevelName, Points] | None = Field(
        default=None, description="3 to 7 levels, level = points from which it begins, the first from 0."
    )
    benefits: dict[LevelName, str] = Field(default_factory=dict, description="level = what its customers get.")
    per_order: Points | None = Field(default=None, description="Points of an order.")
    per_amount: Points | None = Field(default=None, description="Points of one unit of money paid.")
    per_referral: Points | None = Field(default=None, description="Points for a user who names one as referred_by.")
    profile: Points | None = Field(default=None, description="Points of a complete profile, a share of them for less.")
    profile_columns: Annotated[tuple[str, ...], Field(min_length=1)] | None = Field(
        default=None, description="The columns of users that make a profile complete."
    )
    events: dict[str, Points] | None = Field(default=None, description="event = points each time.")
    once_a_day: tuple[str, ...] | None = Field(default=None, description="Events that count once a day at most.")
    attributes: dict[str, Points] = Field(
        default_factory=dict, description="column of users with a number = points each, such as followers = 0.1."
    )
    window_days: Days | None = Field(default=None, description="Points count for so many days.")
    valid_days: Days | None = Field(default=None, description="A level is valid for so many days.")
    at_expiry: Literal["earned", "one_step"] | None = Field(
        default=None, description="Who no longer earns the level falls to the one earned, or by one step."
    )

    @model_validator(mode="after")
    def _climbs(self) -> LevelSettings:
        rules = self.rules
        begins = list(rules.steps.values())
        if not 3 <= len(begins) <= 7 or begins[0] != 0 or any(a >= b for a, b in pairwise(begins)):
            raise ValueError("steps of 3 to 7 levels whose points rise, the first from 0")
        if unknown := sorted(set(self.benefits) - set(rules.steps)):
            raise ValueError(f"benefits of levels there are ({', '.join(rules.steps)}), not of {unknown[0]}")
        if unknown := sorted(set(self.once_a_day or ()) - set(rules.events)):
            raise ValueError(f"once_a_day of events that earn points, not {unknown[0]}")
        return self

    @property
    def rules(self) -> LevelRules:
        """The preset with all that is said instead of it."""
        said: dict[str, Any] = {name: getattr(self, name) for name in type(self).model_fields if name != "preset"}
        rules = replace(PRESETS[self.preset], **{name: value for name, value in said.items() if value is not None})
        return replace(rules, once_a_day=tuple(name for name in rules.once_a_day if name in rules.events))
