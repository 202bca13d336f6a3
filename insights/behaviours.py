"""Behaviours that go with staying, or with leaving: differences among customers alike in all other activity.

Who does something comes on that day, too. So customers are made alike twice: in the days with any *other* behaviour,
which favours what is done instead of something else, and in all their days, which favours the others where it is done
besides. What is found holds both ways; told is the difference nearer to nothing, with an interval over both.

Observational: who does something may differ in what no table says. Mantel–Haenszel differences of shares over strata
(Greenland and Robins 1985), their variance by Sato (1989), the test by Cochran (1954) and Mantel and Haenszel (1959),
corrected for all behaviours tried (`discoveries`). Customers at several dates count at each, as hazards in discrete
time do (Allison 1982): the days judged do not overlap.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import erfc, sqrt
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.behaviours import Counts
from insights.discoveries import interval_level, q_values

FALSE_DISCOVERIES = 0.01
"""Stricter than elsewhere: what is found is acted upon, and nothing of it is an experiment."""
LEAST = 30
"""A behaviour is tried where so many did it and so many alike did not."""

Floats = NDArray[np.float64]
Cell = tuple[int, int, int]


@dataclass(frozen=True)
class Behaviour:
    """One behaviour: `share` of the customers who did it stayed (or left), `difference` more or less than of those
    alike who did not, with its interval. Verdicts: more, less, open."""

    behaviour: str
    users: int
    compared: int
    share: float
    difference: float
    low: float
    high: float
    q: float
    verdict: str

    def payload(self) -> dict[str, Any]:
        """As JSON."""
        return dict(vars(self))


@dataclass(frozen=True)
class Behaviours:
    """All behaviours tried, those first that surely differ most; of `users` customers (at each date), `share` of whom
    stayed, or left where `leaving`."""

    leaving: bool
    users: int
    share: float
    interval_level: float
    all: Sequence[Behaviour]

    @property
    def found(self) -> list[Behaviour]:
        """Those that hold after the correction."""
        return [each for each in self.all if each.verdict != "open"]

    def payload(self, most: int) -> dict[str, Any]:
        """As JSON, at most so many behaviours."""
        return {
            "of": "leaving" if self.leaving else "staying",
            "observational": True,
            "users": self.users,
            "share": self.share,
            "tried": len(self.all),
            "found": len(self.found),
            "correction": "Benjamini-Hochberg",
            "false_discovery_rate": FALSE_DISCOVERIES,
            "interval_level": self.interval_level,
            "behaviours": [each.payload() for each in self.all[:most]],
        }


def behaviours(counts: Counts, leaving: bool, least: int = LEAST) -> Behaviours:
    """What goes with staying, or with leaving."""
    everybody = _by_stratum(counts.everybody.to_pylist(), "band", leaving)
    did: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in counts.doers.to_pylist():
        did[row["behaviour"]].append(row)
    tables = {name: _tables(rows, everybody, leaving) for name, rows in sorted(did.items())}
    kept = {name: both for name, both in tables.items() if all(min(each.doers, each.others) >= least for each in both)}
    q = q_values([_p(both) for both in kept.values()]) if kept else np.empty(0)
    level = interval_level(int((q <= FALSE_DISCOVERIES).sum()), len(q), FALSE_DISCOVERIES)
    told = [_told(name, both, float(value), level) for (name, both), value in zip(kept.items(), q, strict=True)]
    users, hits = (sum(cell[k] for cell in everybody.values()) for k in (0, 1))
    told.sort(key=lambda each: (each.verdict == "open", -each.difference))
    return Behaviours(leaving, users, hits / users if users else 0.0, level, told)


def _by_stratum(rows: Sequence[Mapping[str, Any]], band: str, leaving: bool) -> dict[Cell, tuple[int, int]]:
    """Customers and hits by round, likeness and band."""
    found: dict[Cell, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for row in rows:
        key = (row["round"], row["alike"], row[band])
        users, hits = found[key]
        found[key] = (users + row["users"], hits + row["users"] * (row["stayed"] != leaving))
    return found


@dataclass(frozen=True)
class _Table:
    """Fourfold tables, a stratum each in which both sides are: doers n with y hits, others m with x."""

    n: Floats
    y: Floats
    m: Floats
    x: Floats

    @property
    def doers(self) -> int:
        return int(self.n.sum())

    @property
    def others(self) -> int:
        return int(self.m.sum())

    @property
    def p(self) -> float:
        """Cochran, Mantel and Haenszel, two-sided; 1 where nothing varies."""
        total, hits = self.n + self.m, self.y + self.x
        variance = float((self.n * self.m * hits * (total - hits) / (total**2 * np.maximum(total - 1, 1))).sum())
        beyond = float((self.y - self.n * hits / total).sum())
        return erfc(abs(beyond) / sqrt(2 * variance)) if variance > 0 else 1.0

    @property
    def difference(self) -> tuple[float, float]:
        """Mantel and Haenszel's difference and its standard error by Sato."""
        n, y, m, x = self.n, self.y, self.m, self.x
        total = n + m
        weight = float((n * m / total).sum())
        found = float(((y * m - x * n) / total).sum()) / weight
        a = float(((n**2 * x - m**2 * y + n * m * (m - n) / 2) / total**2).sum())
        b = float(((y * (m - x) + x * (n - y)) / (2 * total)).sum())
        return found, sqrt(max(found * a + b, 0.0)) / weight


def _tables(
    rows: Sequence[Mapping[str, Any]], everybody: Mapping[Cell, tuple[int, int]], leaving: bool
) -> tuple[_Table, _Table]:
    """Those who did it by their days with another behaviour, and by all their days, beside those who did not by all."""
    did = _by_stratum(rows, "band", leaving)
    sides = []
    for doers in (_by_stratum(rows, "other_band", leaving), did):
        cells = []
        for key, (n, y) in doers.items():
            users, hits = everybody.get(key, (0, 0))
            users_of, hits_of = did.get(key, (0, 0))
            if users > users_of:
                cells.append((n, y, users - users_of, hits - hits_of))
        sides.append(_Table(*np.array(cells, dtype=np.float64).reshape(-1, 4).T))
    return sides[0], sides[1]


def _p(both: tuple[_Table, _Table]) -> float:
    """The larger of the two; 1 where they point in opposite directions (an intersection-union test, Berger 1982)."""
    one, other = (each.difference[0] for each in both)
    return max(each.p for each in both) if one * other > 0 else 1.0


def _told(name: str, both: tuple[_Table, _Table], q: float, level: float) -> Behaviour:
    z = NormalDist().inv_cdf(0.5 + level / 2)
    found = [each.difference for each in both]
    difference = min((value for value, _ in found), key=abs)
    low, high = min(value - z * error for value, error in found), max(value + z * error for value, error in found)
    verdict = ("more" if difference > 0 else "less") if q <= FALSE_DISCOVERIES else "open"
    others, _ = both
    share = float(others.y.sum() / others.n.sum())
    return Behaviour(name, others.doers, others.others, share, difference, low, high, q, verdict)
