"""How the rows of a file are shaped before they are judged, as `reprise.toml` says: nothing of it is done unsaid.

The settings apply in the order in which they stand here. Columns are named as in the file; the fields of a nested
column as `column.field`.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict, Field, model_validator

from warehouse.settings_values import Pattern


class Section(BaseModel):
    """A section of the settings: frozen, every unknown key an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class AsideSettings(Section):
    """Rows that are not ours to count: those whose text in a column fits a pattern, or does not."""

    column: str = Field(min_length=1, description="The column that is looked at.")
    fits: Pattern | None = Field(default=None, description="Rows whose text holds this pattern; ^$ is an empty text.")
    fits_not: Pattern | None = Field(default=None, description="Rows whose text does not hold this pattern.")

    @model_validator(mode="after")
    def _one_pattern(self) -> AsideSettings:
        if (self.fits is None) == (self.fits_not is None):
            raise ValueError("a column with either fits or fits_not")
        return self


class Shape(Section):
    """What has to be undone or worked out before the lines of a file are the rows of a table."""

    sheet: str | None = Field(
        default=None, description="The sheet of an Excel file; the first that is shown if absent."
    )
    skip_rows: int = Field(default=0, ge=0, le=1000, description="Lines above the header, such as titles.")
    header_rows: int = Field(default=1, ge=1, le=5, description="Lines of the header; the lowest cell filled names.")
    unwrap: tuple[str, ...] = Field(
        default=(), description='What stands around a value, … for the value itself, such as ="…".'
    )
    money_marks: tuple[str, ...] = Field(default=(), description="What stands around amounts, such as ¥… or …元.")
    summary_rows: Pattern | None = Field(
        default=None, description="Pattern of the first cell of rows that sum up others; they are set aside."
    )
    flatten: tuple[str, ...] = Field(
        default=(), description="Nested columns whose fields become columns: objects, lists of key and value, JSON."
    )
    explode: str | None = Field(default=None, description="A nested column with a list: one row for each entry.")
    fill_down: tuple[str, ...] = Field(
        default=(), description="Columns that stand only on the first line of several that belong together."
    )
    fill_down_by: str | None = Field(
        default=None, description="Lines equal in this column belong together; they are numbered in NAME.line."
    )
    if_empty: dict[str, str] = Field(default_factory=dict, description="column = another one, taken where it is empty.")
    values: dict[str, dict[str, str]] = Field(
        default_factory=dict, description="By column, what is written for what: found = meant."
    )
    share_out: tuple[str, ...] = Field(
        default=(), description="Columns with a sum of the whole order, shared over its lines by quantity × unit_price."
    )
    refunded: str | None = Field(
        default=None, description="A column of money given back, nobody knows when: told, the line stays a sale."
    )
    set_aside: dict[str, AsideSettings] = Field(
        default_factory=dict, description="Rows that are counted, not kept: label = { column, fits or fits_not }."
    )
    duplicates_by: tuple[str, ...] = Field(
        default=(), description="Columns that make a row a copy of an earlier one; all columns if empty."
    )
    late_hours: int = Field(
        default=0, ge=0, le=720, description="Rows may come so much later; days that young are not whole yet."
    )

    @model_validator(mode="after")
    def _marks_have_a_place(self) -> Shape:
        for mark in (*self.unwrap, *self.money_marks):
            if mark.count("…") != 1 or mark == "…":
                raise ValueError('marks with one … for the value in each, such as ="…"')
        return self

    def named(self) -> Iterator[tuple[str, str]]:
        """Every column that a setting names, after the setting."""
        yield from (("fill_down", name) for name in self.fill_down)
        yield from (("share_out", name) for name in self.share_out)
        yield from (("duplicates_by", name) for name in self.duplicates_by)
        yield from (("values", name) for name in self.values)
        yield from (("set_aside", aside.column) for aside in self.set_aside.values())
        yield from (("if_empty", name) for pair in self.if_empty.items() for name in pair)
        if self.fill_down_by:
            yield "fill_down_by", self.fill_down_by
        if self.refunded:
            yield "refunded", self.refunded
