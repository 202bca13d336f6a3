"""Rates compared on the same mix: direct standardisation, for those who sell different things."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist
from typing import Any

from insights.discoveries import FALSE_DISCOVERIES, interval_level, q_values

LEAST = 20
"""A kind counts for somebody who was tried in it so often, and so were the others."""

Cells = Mapping[tuple[str, str], tuple[int, int]]
"""Hits and tries by who it is and of what kind."""


@dataclass(frozen=True)
class Standardised:
    """How one does on the mix of everybody, in the kinds that both they and the others have, against the others.

    `covered`: the share of everybody's tries that these kinds have. `difference` is of the standardised rates, with an
    interval widened for all who were compared; `q` is corrected for them, too.
    """

    name: str
    tries: int
    hits: int
    covered: float
    rate: float | None
    others: float | None
    difference: float | None
    low: float | None
    high: float | None
    q: float | None
    verdict: str

    def payload(self) -> dict[str, Any]:
        """As JSON."""
        return dict(vars(self)) | {"crude_rate": self.hits / self.tries if self.tries else None}


def standardised(cells: Cells, least: int = LEAST) -> list[Standardised]:
    """Everybody compared with all others; first who is best. Verdicts: more, less, open, and not comparable.

    Rates by kind are weighted by everybody's tries (Fleiss, Levin and Paik 2003, ch. 19); the variance of each is that
    of (hits + ½) of (tries + 1), so that none is 0. Benjamini–Hochberg over all who are compared.
    """
    of_kind: dict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
    kinds_of: dict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
    for (name, kind), (hits, tries) in cells.items():
        of_kind[kind] = (of_kind[kind][0] + hits, of_kind[kind][1] + tries)
        kinds_of[name][kind] = (hits, tries)
    found = {name: _against(own, of_kind, least) for name, own in kinds_of.items()}
    compared = [name for name, told in found.items() if told is not None]
    tests = [told for name in compared if (told := found[name]) is not None]
    p = [2 * NormalDist().cdf(-abs(told.difference) / told.error) for told in tests]
    q = dict(zip(compared, q_values(p).tolist(), strict=True)) if p else {}
    level = interval_level(sum(value <= FALSE_DISCOVERIES for value in q.values()), len(q))
    every = [_told(name, kinds_of[name], found[name], q.get(name), level) for name in sorted(kinds_of)]
    return sorted(every, key=lambda each: -(each.difference if each.difference is not None else -9.0))


@dataclass(frozen=True)
class _Compared:
    covered: float
    rate: float
    others: float
    error: float

    @property
    def difference(self) -> float:
        return self.rate - self.others


def _against(
    own: Mapping[str, tuple[int, int]], of_kind: Mapping[str, tuple[int, int]], least: int
) -> _Compared | None:
    everybody = sum(tries for _, tries in of_kind.values())
    kinds = [kind for kind, (_, n) in own.items() if n >= least and of_kind[kind][1] - n >= least]
    weight = sum(of_kind[kind][1] for kind in kinds)
    if not weight:
        return None
    rate = others = variance = 0.0
    for kind in kinds:
        share, (hits, tries) = of_kind[kind][1] / weight, own[kind]
        rest_hits, rest = of_kind[kind][0] - hits, of_kind[kind][1] - tries
        rate += share * hits / tries
        others += share * rest_hits / rest
        variance += share**2 * (_variance(hits, tries) + _variance(rest_hits, rest))
    return _Compared(weight / everybody, rate, others, sqrt(variance))


def _variance(hits: int, tries: int) -> float:
    p = (hits + 0.5) / (tries + 1)
    return p * (1 - p) / tries


def _told(
    name: str, own: Mapping[str, tuple[int, int]], found: _Compared | None, q: float | None, level: float
) -> Standardised:
    hits, tries = (sum(cell[place] for cell in own.values()) for place in (0, 1))
    if found is None or q is None:
        return Standardised(name, tries, hits, 0.0, None, None, None, None, None, None, "not comparable")
    half = NormalDist().inv_cdf(0.5 + level / 2) * found.error
    sure = q <= FALSE_DISCOVERIES
    verdict = ("more" if found.difference > 0 else "less") if sure else "open"
    return Standardised(
        name, tries, hits, found.covered, found.rate, found.others, found.difference,
        found.difference - half, found.difference + half, q, verdict,
    )  # fmt: skip
