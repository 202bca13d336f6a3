"""What a section consists of: pictures with their question, their answer in one sentence, and their table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

Figure = dict[str, Any]
"""A Plotly figure as plain values, `data` and `layout`; its colours and fonts come from the page."""


class AbsentError(Exception):
    """A picture cannot be drawn from these data: why not, and what it needs. The page says so in its place."""

    def __init__(self, why: str, needs: str) -> None:
        super().__init__(why)
        self.why = why
        self.needs = needs


_LONGEST_FIGURE = 28


@dataclass(frozen=True)
class Table:
    """The numbers of a picture, as texts: a row each; the first column says of what."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    def is_prose(self, place: int) -> bool:
        """Whether a column holds words to be read from the left, over several lines where need be, and no figures."""
        return any(len(row[place]) > _LONGEST_FIGURE for row in self.rows)


@dataclass(frozen=True)
class Picture:
    """One question, its answer in one sentence, the figure, the table, and what to know about it."""

    question: str
    answer: str
    figure: Figure
    table: Table
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Missing:
    """What stands where a section cannot be: why, and a sentence of what it needs."""

    why: str
    advice: str


@dataclass(frozen=True)
class Section:
    """One section of the page; `name` is its anchor."""

    name: str
    title: str
    pictures: Sequence[Picture] = ()
    missing: Missing | None = field(default=None)


def percent(share: float | None, digits: int = 1) -> str:
    """A share as 12.3 %; a dash where it is unknown."""
    return "–" if share is None else f"{share * 100:.{digits}f} %"


def whole(number: float | None) -> str:
    """A number with thousands apart, rounded; a dash where it is unknown."""
    return "–" if number is None else f"{number:,.0f}"


def figure(data: Sequence[dict[str, Any]], **layout: Any) -> Figure:
    """A figure; axes are named in `layout` as Plotly does."""
    return {"data": list(data), "layout": layout}


def axis(title: str | None = None, *, share: bool = False, category: bool = False, **rest: Any) -> dict[str, Any]:
    """One axis: in per cent where it shows shares, in the order given where it shows names."""
    told: dict[str, Any] = {"title": {"text": title}} if title else {}
    if share:
        told["tickformat"] = ".0%"
    if category:
        told["type"] = "category"
    return told | rest
