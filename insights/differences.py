"""What is special about a group: every feature of its members against that of everybody else (显著性分析).

Each comparison is one of shares: of customers with that value of a category, or in the highest or the lowest fifth of
everybody by a number, equal numbers staying together. Comparisons are many, so those that count as found are chosen
by Benjamini and Hochberg (1995), and their intervals are widened to match (Benjamini and Yekutieli 2005).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.catalogue import Feature
from insights.discoveries import FALSE_DISCOVERIES, interval_level, q_values
from insights.notes import Language
from insights.rates import LEVEL, Rate, log_ratio, ratio

FEWEST = 10
"""Values of a category that fewer customers have than this are not compared."""
FEWEST_EXPECTED = 5
"""Below this in any cell, Fisher's exact test takes the place of the normal one."""
SHOWN = 20

Side = Literal["is", "at_least", "at_most"]


class Columns(Protocol):
    """A table whose columns are read one at a time."""

    @property
    def column_names(self) -> Sequence[str]: ...
    def column(self, name: str) -> pa.ChunkedArray: ...


@dataclass(frozen=True)
class Difference:
    """One comparison: how many inside and outside have that value, of those of whom the feature is known."""

    feature: str
    side: Side
    value: str | float
    inside: Rate
    outside: Rate
    p: float
    medians: tuple[float, float] | None = None
    means: tuple[float, float] | None = None
    related: bool = False
    """Whether the rule of the group speaks of this feature or its family, so that it had to differ."""
    q: float = 1.0
    level: float = LEVEL

    @property
    def found(self) -> bool:
        return self.q <= FALSE_DISCOVERIES

    @property
    def more(self) -> bool:
        """Whether it is more frequent inside."""
        return self.inside.hits * self.outside.n > self.outside.hits * self.inside.n

    @property
    def strength(self) -> float:
        """How far from equal the ratio is at least, as a logarithm: the end of its interval that is nearer to 1."""
        low, high = log_ratio(self.inside, self.outside, self.level)
        return max(low, -high, 0.0)

    def payload(self) -> dict[str, Any]:
        middle, low, high = ratio(self.inside, self.outside, self.level)
        medians, means = self.medians or (None, None), self.means or (None, None)
        return {
            "feature": self.feature,
            "side": self.side,
            "value": self.value,
            "inside": _counts(self.inside),
            "outside": _counts(self.outside),
            "ratio": middle,
            "ratio_low": low,
            "ratio_high": high,
            "p": self.p,
            "q": self.q,
            "found": self.found,
            "related": self.related,
            "median_inside": medians[0],
            "median_outside": medians[1],
            "mean_inside": means[0],
            "mean_outside": means[1],
        }


def _counts(rate: Rate) -> dict[str, Any]:
    return {"users": rate.hits, "known": rate.n, "share": rate.share}


@dataclass(frozen=True)
class Differences:
    """All comparisons of a group with everybody else, the strongest that were found first."""

    inside: int
    outside: int
    differences: Sequence[Difference]
    level: float
    features: Mapping[str, Feature]

    def payload(self) -> dict[str, Any]:
        """All of it as JSON tells it; shares unrounded, unknown values None."""
        return {
            "inside": self.inside,
            "outside": self.outside,
            "comparisons": len(self.differences),
            "found": sum(each.found for each in self.differences),
            "correction": "Benjamini-Hochberg",
            "false_discovery_rate": FALSE_DISCOVERIES,
            "interval_level": self.level,
            "differences": [each.payload() for each in self.differences],
        }

    def lines(self, language: Language = "en", shown: int = SHOWN) -> Iterator[str]:
        """The strongest differences, what is more frequent inside and then what is rarer.

        One of each feature whatever its window, and one of those that part the customers in the same way; what the
        rule says itself is left out.
        """
        chinese = language == "zh"
        found = [each for each in self.differences if each.found]
        listed = _distinct(found, self.features)
        columns = ("组内", "其他", "倍数", "区间") if chinese else ("inside", "outside", "ratio", "interval")
        for head, more in (
            ("更常见" if chinese else "more often", True),
            ("更少见" if chinese else "less often", False),
        ):
            those = [each for each in listed if each.more == more][: max(1, shown // 2)]
            if those:
                yield "\t".join((head, *columns))
            for each in those:
                yield "\t".join((self._named(each, chinese), *_cells(each)))
        yield _summary(self, len(found), language)

    def _named(self, each: Difference, chinese: bool) -> str:
        feature = self.features.get(each.feature)
        words = each.feature if feature is None else feature.zh if chinese else feature.en
        if each.side == "is":
            values = {} if feature is None else {v.value: v.zh if chinese else v.en for v in feature.values}
            return f"{words}: {values.get(str(each.value), each.value)}"
        return f"{words} {'≥' if each.side == 'at_least' else '≤'} {each.value:,.6g}"


def _cells(each: Difference) -> Iterator[str]:
    middle, low, high = ratio(each.inside, each.outside, each.level)
    yield _share(each.inside)
    yield _share(each.outside)
    yield "" if middle is None else f"{middle:.2f}"
    yield f"{low:.2f}–{high:.2f}"


def _share(rate: Rate) -> str:
    return f"{rate.hits / rate.n:.1%} ({rate.hits:,} / {rate.n:,})" if rate.n else ""


def _summary(all_: Differences, found: int, language: Language) -> str:
    many = len(all_.differences)
    if language == "zh":
        return (
            f"组内{all_.inside:,}人，其他{all_.outside:,}人；比较{many:,}次，按 Benjamini–Hochberg 校正（错误发现率"
            f"{FALSE_DISCOVERIES:.0%}）后显著{found:,}项。仅为观察到的差异，并非原因。"
        )
    return (
        f"{all_.inside:,} inside, {all_.outside:,} outside; {many:,} comparisons, of which {found:,} hold after the "
        f"correction of Benjamini and Hochberg ({FALSE_DISCOVERIES:.0%} false discoveries). Observed, not caused."
    )


def _distinct(found: Sequence[Difference], features: Mapping[str, Feature]) -> list[Difference]:
    """The first of each feature but its window, and of each pair of counts; without what the rule itself speaks of."""
    kept: dict[str, Difference] = {}
    counts: set[tuple[Rate, Rate]] = set()
    for each in found:
        feature = features.get(each.feature)
        days = feature.window_days if feature else None
        stem = each.feature.removesuffix(f"_{days}d" if days else "_lifetime")
        name = f"{stem}={each.value}" if each.side == "is" else f"{stem} {each.more}"
        if not each.related and name not in kept and (each.inside, each.outside) not in counts:
            kept[name] = each
            counts.add((each.inside, each.outside))
    return list(kept.values())


def differences(
    table: Columns,
    inside: NDArray[np.bool_],
    features: Mapping[str, Feature] | None = None,
    said: Collection[str] = (),
    only: Collection[str] | None = None,
) -> Differences:
    """Every column but `entity_id` compared between the rows inside a group and the others.

    `features` says what is known of the columns; `said` are the fields of the rule that made the group: they, and the
    features of their families, are marked `related`. `only` names families: other columns are not compared. Ranked by
    how far the ratio of shares is from 1 at least.
    """
    known = features or {}
    families = {known[name].family for name in said if name in known}
    compared: list[Difference] = []
    for name in table.column_names:
        if name == "entity_id" or (only is not None and (name not in known or known[name].family not in only)):
            continue
        related = name in said or (name in known and known[name].family in families)
        compared += [replace(each, related=related) for each in _compared(name, table.column(name), inside)]
    level, judged = _corrected(compared)
    judged.sort(key=lambda each: (not each.found, -each.strength if each.found else each.p, each.feature))
    return Differences(int(inside.sum()), int((~inside).sum()), judged, level, known)


def _compared(name: str, column: pa.ChunkedArray, inside: NDArray[np.bool_]) -> Iterator[Difference]:
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        numbers = pc.cast(column, pa.float64()).combine_chunks().to_numpy(zero_copy_only=False)
        yield from _of_numbers(name, numbers, inside)
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        yield from _of_texts(name, column, inside)


def _of_texts(name: str, column: pa.ChunkedArray, inside: NDArray[np.bool_]) -> Iterator[Difference]:
    coded = column.combine_chunks().dictionary_encode()
    codes = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    values = coded.dictionary.to_pylist()
    those = np.bincount(codes[inside & (codes >= 0)], minlength=len(values))
    others = np.bincount(codes[~inside & (codes >= 0)], minlength=len(values))
    if len(values) < 2:
        return
    for value, a, b in zip(values, those.tolist(), others.tolist(), strict=True):
        if a + b >= FEWEST:
            one, other = Rate(a, int(those.sum())), Rate(b, int(others.sum()))
            if one.n and other.n:
                yield Difference(name, "is", value, one, other, p_value(one, other))


def _of_numbers(name: str, numbers: NDArray[np.float64], inside: NDArray[np.bool_]) -> Iterator[Difference]:
    known = ~np.isnan(numbers)
    mine, theirs = numbers[known & inside], numbers[known & ~inside]
    if not mine.size or not theirs.size:
        return
    medians = float(np.median(mine)), float(np.median(theirs))
    means = float(mine.mean()), float(theirs.mean())
    for side, cut in fifths(numbers[known]):
        hits = [int(np.sum(part >= cut if side == "at_least" else part <= cut)) for part in (mine, theirs)]
        one, other = Rate(hits[0], mine.size), Rate(hits[1], theirs.size)
        yield Difference(name, side, cut, one, other, p_value(one, other), medians, means)


def fifths(numbers: NDArray[np.float64]) -> list[tuple[Side, float]]:
    """The cuts nearest to the highest and the lowest fifth of these numbers that ties allow; none of one value only.

    Where both cuts part the numbers at the same place, they say the same, and there is only the first.
    """
    values, counts = np.unique(numbers, return_counts=True)
    if values.size < 2:
        return []
    below = np.cumsum(counts)[:-1] / numbers.size
    top, low = int(np.argmin(np.abs(below - 0.8))), int(np.argmin(np.abs(below - 0.2)))
    cuts: list[tuple[Side, float]] = [("at_least", float(values[top + 1]))]
    return cuts if low == top else [*cuts, ("at_most", float(values[low]))]


def p_value(one: Rate, other: Rate) -> float:
    """Two-sided, of equal shares: pooled normal, or Fisher's exact test where a cell is expected to hold few."""
    hits, n = one.hits + other.hits, one.n + other.n
    if hits in (0, n):
        return 1.0
    least = min(one.n, other.n) * min(hits, n - hits) / n
    if least < FEWEST_EXPECTED:
        from scipy.stats import fisher_exact

        table = [[one.hits, one.n - one.hits], [other.hits, other.n - other.hits]]
        return float(min(1.0, fisher_exact(table).pvalue))
    from math import erfc, sqrt

    share = hits / n
    z = (one.hits / one.n - other.hits / other.n) / sqrt(share * (1 - share) * (1 / one.n + 1 / other.n))
    return erfc(abs(z) / sqrt(2))


def _corrected(compared: Sequence[Difference]) -> tuple[float, list[Difference]]:
    """The level of the intervals, and the comparisons with q: the false discoveries there are if it counts as found."""
    q = q_values([each.p for each in compared])
    level = interval_level(int((q <= FALSE_DISCOVERIES).sum()), len(compared)) if compared else LEVEL
    return level, [replace(each, q=float(value), level=level) for each, value in zip(compared, q, strict=True)]
