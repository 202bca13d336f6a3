"""The marketing days of a Chinese shop, and how far around each of them buying bends."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

_QIXI = {
    2020: (8, 25),
    2021: (8, 14),
    2022: (8, 4),
    2023: (8, 22),
    2024: (8, 10),
    2025: (8, 29),
    2026: (8, 19),
    2027: (8, 8),
    2028: (8, 26),
    2029: (8, 16),
    2030: (8, 5),
}
"""七夕, the seventh day of the seventh lunar month, as month and day; other years have none in the shop."""


@dataclass(frozen=True)
class Festival:
    """One festival of one year: its day, for how many days people shop for it, its pull, and whether for gifts.

    `pull` 1 is the strongest. Shopping for a gift happens before the day, a sale starts on it.
    """

    name: str
    day: date
    shopping_days: int
    pull: float
    gifts: bool

    @property
    def first_day(self) -> date:
        """The first day on which people shop for it."""
        return self.day - timedelta(days=self.shopping_days) if self.gifts else self.day


def festivals_between(start: date, end: date) -> tuple[Festival, ...]:
    """The festivals whose day lies in `[start, end)`, in order of time."""
    found = []
    for year in range(start.year, end.year + 1):
        found += [
            Festival("618", date(year, 6, 18), 2, 0.8, gifts=False),
            Festival("double_11", date(year, 11, 11), 2, 1.0, gifts=False),
            Festival("christmas", date(year, 12, 25), 4, 0.45, gifts=True),
        ]
        if year in _QIXI:
            found.append(Festival("qixi", date(year, *_QIXI[year]), 3, 0.5, gifts=True))
    return tuple(sorted((f for f in found if start <= f.day < end), key=lambda f: f.day))
