"""From which RFM type customers become important ones: two dates, thresholds frozen at the first.

Frozen, a customer changes type by what it did, not because others did more or less. What it would have done anyway is
told by a placebo: the same two dates some days earlier, with thresholds frozen at their own first date.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.building import build_features
from features.catalogue import by_name
from features.population import count_population
from features.source import Source
from insights.notes import Language, Note
from insights.rates import Rate, difference
from insights.rfm_cuts import MEASURES, WINDOW_DAYS
from warehouse.errors import NotReadyError, UsageError
from warehouse.progress import Progress, silent

TYPES = tuple(by_name()["rfm_type"].values)
BEST = "important_value"
HIGH = {
    f"{important}_{kind}": (recent, frequent, important == "important")
    for important in ("important", "ordinary")
    for kind, recent, frequent in (
        ("value", True, True), ("growth", True, False), ("keep", False, True), ("winback", False, False),
    )
}  # fmt: skip
"""Which of recency, frequency and money are high in a type."""
LETTERS = "RFM"


@dataclass(frozen=True)
class Moves:
    """How many customers went from one type to another between two dates; None is no type (no sale yet)."""

    start: date
    end: date
    counts: Mapping[tuple[str | None, str | None], int]

    def of(self, kind: str | None) -> int:
        """Customers who had that type at the start."""
        return sum(n for (before, _), n in self.counts.items() if before == kind)

    def became(self, kind: str | None) -> Rate:
        """Those of them who have the best type at the end."""
        return Rate(self.counts.get((kind, BEST), 0), self.of(kind))

    def high_after(self, kind: str, place: int) -> Rate:
        """Those of them of whom a measure is high at the end."""
        high = sum(n for (before, after), n in self.counts.items() if before == kind and after and HIGH[after][place])
        return Rate(high, self.of(kind))

    def matrix(self) -> dict[str, dict[str, int]]:
        """All moves; `none` is no type yet."""
        names = [*(value.value for value in TYPES), None]
        return {
            str(before or "none"): {
                str(after or "none"): n for after in names if (n := self.counts.get((before, after), 0))
            }
            for before in names
            if self.of(before)
        }


@dataclass(frozen=True)
class Transitions:
    """The moves between two dates and, where there are data so old, those of the placebo."""

    moves: Moves
    placebo: Moves | None
    notes: Sequence[Note] = ()

    def payload(self) -> dict[str, Any]:
        """All of it as JSON tells it; rates unrounded, unknown values None."""
        return {
            "start": self.moves.start,
            "end": self.moves.end,
            "placebo": None if self.placebo is None else {"start": self.placebo.start, "end": self.placebo.end},
            "to": BEST,
            "from": [self._row(value.value, value.en, value.zh) for value in TYPES],
            "newcomers": self.moves.became(None).payload(),
            "matrix": self.moves.matrix(),
            "notes": [note.payload() for note in self.notes],
        }

    def _row(self, kind: str, en: str, zh: str) -> dict[str, Any]:
        became = self.moves.became(kind)
        before = self.placebo.became(kind) if self.placebo else None
        apart = difference(became, before) if before else None
        return {
            "type": kind,
            "en": en,
            "zh": zh,
            **became.payload(),
            "had_to_flip": [name for name, high in zip(MEASURES, HIGH[kind], strict=True) if not high],
            "high_after": {name: self.moves.high_after(kind, k).payload() for k, name in enumerate(MEASURES)},
            "placebo": before.payload() if before else None,
            "difference": None if apart is None else dict(zip(("value", "low", "high"), apart, strict=True)),
        }

    def lines(self, language: Language = "en") -> Iterator[str]:
        """One row for each type, those first who became important most often."""
        chinese = language == "zh"
        yield (
            f"{self.moves.start} → {self.moves.end}，成为重要价值；分界固定在 {self.moves.start}"
            if chinese
            else f"{self.moves.start} to {self.moves.end}: who became important value by the cuts of the first"
        )
        head = ("from", "became / all", "share", "95 % interval", "had to flip", "R F M high after", "placebo", "more")
        zh_head = ("原类型", "成为 / 全部", "占比", "95% 区间", "需翻转", "期末 R F M 为高", "安慰剂", "相差")
        yield "\t".join(zh_head if chinese else head)
        rows = [self._row(value.value, value.en, value.zh) for value in TYPES]
        for row in sorted(rows, key=lambda row: (row["type"] == BEST, -(row["share"] or 0.0))):
            yield "\t".join(_cells(row, chinese))
        for note in self.notes:
            yield note.text(language)


def _cells(row: Mapping[str, Any], chinese: bool) -> Iterator[str]:
    yield row["zh"] if chinese else row["type"]
    yield f"{row['hits']:,} / {row['n']:,}"
    if row["share"] is None:
        return
    yield f"{row['share']:.1%}"
    yield f"{row['low']:.1%}–{row['high']:.1%}"
    flips = [letter for letter, name in zip(LETTERS, MEASURES, strict=True) if name in row["had_to_flip"]]
    stay = "保持" if chinese else "stayed"
    yield " ".join(flips) or stay
    yield " ".join(f"{row['high_after'][name]['share']:.0%}" for name in MEASURES)
    if row["placebo"] and row["placebo"]["share"] is not None:
        yield f"{row['placebo']['share']:.1%} ({row['placebo']['hits']:,} / {row['placebo']['n']:,})"
        apart = row["difference"]
        yield f"{apart['value']:+.1%} ({apart['low']:+.1%} … {apart['high']:+.1%})"


def transitions(
    source: Source,
    start: date,
    end: date,
    first_day: date,
    shift: int | None = None,
    progress: Progress = silent,
) -> Transitions:
    """The moves between RFM types from `start` to `end`, beside those `shift` days earlier (if absent, the span).

    `first_day` is the first day there are data of. `UsageError` where the dates are the wrong way round,
    `NotReadyError` where nobody has a type at the start.
    """
    if not start < end:
        raise UsageError(f"{start} does not lie before {end}.", hint="Give the earlier date with --from.")
    days = (end - start).days if shift is None else shift
    if days < 1:
        raise UsageError(f"A placebo {days} days earlier is none.", hint="Give a number of days from 1 on.")
    moves = _moves(source, start, end, progress)
    if not any(before for before, _ in moves.counts):
        raise NotReadyError(f"Nobody had a type on {start}.", hint="Choose a later --from.")
    earlier = start - timedelta(days=days)
    placebo = _moves(source, earlier, end - timedelta(days=days), progress) if earlier > first_day else None
    return Transitions(moves, placebo, [*_notes(moves, placebo, days, first_day)])


def _notes(moves: Moves, placebo: Moves | None, days: int, first_day: date) -> Iterator[Note]:
    if placebo is None:
        yield Note(
            "no_placebo",
            f"There is no placebo: {days} days before {moves.start} the data had not begun ({first_day}).",
            f"没有安慰剂对照：{moves.start} 之前{days}天尚无数据（数据始于 {first_day}）。",
        )
    else:
        yield Note(
            "placebo",
            f"Placebo: the same span {days} days earlier, {placebo.start} to {placebo.end}, with its own frozen cuts. "
            "A difference whose interval holds 0 is what happens anyway.",
            f"安慰剂：提前{days}天的同样跨度（{placebo.start} 至 {placebo.end}），分界固定在其首日。相差的区间含 0，"
            "即为平时也会发生的变化。",
        )
    begun = (placebo or moves).start
    if begun - timedelta(days=WINDOW_DAYS) < first_day:
        yield Note(
            "short_window",
            f"The window of {WINDOW_DAYS} days is not full on {begun} (the data begin on {first_day}): frequency and "
            "money grow between the dates also because the window fills. That moves customers upwards.",
            f"{begun} 时{WINDOW_DAYS}天窗口尚未填满（数据始于 {first_day}）：频次与金额的增长部分来自窗口被填满，"
            "会使客户向上移动。",
        )


def _moves(source: Source, start: date, end: date, progress: Progress) -> Moves:
    frozen = source.with_population(count_population(source, start, ["rfm"]))
    before, after = (build_features(frozen, day, progress, ["rfm"]) for day in (start, end))
    names = [value.value for value in TYPES]
    place = pc.index_in(after["entity_id"], value_set=before["entity_id"].combine_chunks())
    earlier = before["rfm_type"].combine_chunks().take(place.combine_chunks())
    pairs = (len(names) + 1) * _codes(earlier, names) + _codes(after["rfm_type"].combine_chunks(), names)
    counts: dict[tuple[str | None, str | None], int] = {}
    for pair, n in zip(*np.unique(pairs, return_counts=True), strict=True):
        one, other = divmod(int(pair), len(names) + 1)
        counts[(_name(names, one), _name(names, other))] = int(n)
    return Moves(start, end, counts)


def _codes(values: pa.Array, names: Sequence[str]) -> NDArray[np.int64]:
    place = pc.index_in(values, value_set=pa.array(names, pa.string())).fill_null(len(names))
    return np.asarray(place.to_numpy(zero_copy_only=False), dtype=np.int64)


def _name(names: Sequence[str], code: int) -> str | None:
    return names[code] if code < len(names) else None
