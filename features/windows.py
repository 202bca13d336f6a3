"""Days as numbers: the cutoff and the first days of the windows that end where it begins."""

from __future__ import annotations

import re
from datetime import date

_EPOCH = date(1970, 1, 1)
_WINDOW = re.compile(r"w(\d+)")


def day_number(day: date) -> int:
    """Days since 1970-01-01, as SQL's `day_number` counts them."""
    return (day - _EPOCH).days


def parameters(names: frozenset[str], as_of: date) -> dict[str, int]:
    """Values of `as_of` and of the windows (`w30`: the first of the 30 days before it) among `names`, as day numbers.

    A local day lies before the cutoff exactly when the instant lies before the instant of the cutoff, so days of the
    business zone are compared as whole numbers; no zone arithmetic happens inside an engine.
    """
    numbers = {"as_of": day_number(as_of)} if "as_of" in names else {}
    for name in names:
        if window := _WINDOW.fullmatch(name):
            numbers[name] = day_number(as_of) - int(window[1])
    return numbers
