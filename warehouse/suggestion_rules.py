"""The rules of suggestions: what may be offered at all, to whom, how much of it, and what goes first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, model_validator

from warehouse.settings_shapes import Section

Names = tuple[Annotated[str, Field(min_length=1)], ...]
Factor = Annotated[float, Field(ge=0.01, le=100)]


class RuleSettings(Section):
    """Rules of suggestions; what is not said here holds nobody back. Out of stock or retired is never offered."""

    only_categories: Names = Field(default=(), description="Nothing else is offered; all if empty.")
    never_categories: Names = Field(default=(), description="These are never offered.")
    only_brands: Names = Field(default=(), description="Nothing else is offered; all if empty.")
    never_brands: Names = Field(default=(), description="These are never offered.")
    min_price: float | None = Field(default=None, ge=0, description="Nothing cheaper is offered.")
    max_price: float | None = Field(default=None, ge=0, description="Nothing dearer is offered.")
    within_price_band: float | None = Field(
        default=None, ge=0.1, description="At most so many times the customer's usual price, of the category if known."
    )
    not_bought_within_days: int | None = Field(
        default=None, ge=1, le=3650, description="What the customer bought in the last n days rests."
    )
    repeats: Literal["allow", "learnt", "never"] = Field(
        default="allow", description="May what was bought be offered again? learnt: unless it is needed once only."
    )
    durable_categories: Names = Field(default=(), description="Needed once: never offered to whoever has it.")
    per_category: int | None = Field(default=None, ge=1, description="At most so many of a category in a list.")
    per_brand: int | None = Field(default=None, ge=1, description="At most so many of a brand in a list.")
    pin: Names = Field(default=(), description="Items put first, in this order, for whom they are allowed.")
    boost_categories: dict[str, Factor] = Field(default_factory=dict, description="category = factor on its chance.")
    boost_brands: dict[str, Factor] = Field(default_factory=dict, description="brand = factor on its chance.")
    boost_seller_levels: dict[str, Factor] = Field(
        default_factory=dict,
        exclude_if=lambda said: not said,
        description="level of who sells it = factor on its chance; levels are those of [levels].",
    )
    margin: float = Field(default=0, ge=0, le=1, description="Weight of the expected margin beside the chance.")
    diversity: float = Field(default=0, ge=0, le=1, description="Weight of being unlike what is listed before.")

    @model_validator(mode="after")
    def _some_price(self) -> RuleSettings:
        if self.min_price is not None and self.max_price is not None and self.max_price < self.min_price:
            raise ValueError("a max_price that is at least min_price")
        return self

    def of_whole_lists(self) -> list[str]:
        """The rules said that hang on the customer's own prices or on all of a list, so that nothing can be put into a
        list afterwards."""
        names = ("within_price_band", "per_category", "per_brand")
        return [name for name in names if getattr(self, name) is not None]

    def said(self) -> Iterator[str]:
        """The names of the rules that say something, in the order in which they are written here."""
        for name, field in type(self).model_fields.items():
            if getattr(self, name) != field.get_default(call_default_factory=True):
                yield name

    def alone(self, name: str) -> RuleSettings:
        """One rule without the others."""
        return type(self).model_validate({name: getattr(self, name)})
