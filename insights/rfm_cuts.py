"""From where on recency, frequency and money are high, as people read it, and what ties have done to the cuts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from insights.notes import Note

WINDOW_DAYS = 365
MEASURES = ("recency", "frequency", "amount")
UNEVEN = 0.05
"""A cut that leaves a share of high ones further than this from one half is told."""

_WORDS = {
    "recency": ("recency", "最近一次"),
    "frequency": ("frequency", "频次"),
    "amount": ("money", "金额"),
    "engagement": ("engagement", "互动量"),
}


@dataclass(frozen=True)
class Cut:
    """The cuts of one measure. Recency is in days since, at most so many; the others at least so much."""

    measure: str
    high: float | None
    high_customers: int
    customers: int
    scores: tuple[float | None, ...]
    """From where on a customer has score 2, 3, 4 and 5."""
    split: str = "median"
    """What high means: from the cut nearest the median on, or (score) a score above the mean score."""
    mean_score: float | None = None

    @property
    def high_share(self) -> float | None:
        return self.high_customers / self.customers if self.customers else None

    @property
    def empty_scores(self) -> tuple[int, ...]:
        """Scores that no customer of the window has, because equal customers stay together."""
        reached = [None if cut is None else cut for cut in self.scores]
        return tuple(k for k, cut in enumerate(reached, 2) if cut is None or (k < 5 and reached[k - 1] == cut))

    def payload(self) -> dict[str, Any]:
        return {
            "high": self.high,
            "high_customers": self.high_customers,
            "high_share": self.high_share,
            "split": self.split,
            "mean_score": self.mean_score,
            "scores": list(self.scores),
            "empty_scores": list(self.empty_scores),
        }

    def notes(self) -> Iterator[Note]:
        """What ties have done to it."""
        en, zh = _WORDS[self.measure]
        if self.high is None:
            if self.customers:
                yield Note(
                    f"{self.measure}_collapsed",
                    f"All {self.customers:,} customers of the window have the same {en}: nobody is high in it.",
                    f"窗口内 {self.customers:,} 名客户的{zh}全都相同：没有人为“高”。",
                )
            return
        at, share = f"{self.high:,.10g}", self.high_customers / self.customers
        recent = self.measure == "recency"
        rule, zh_rule = (f"at most {at} days", f"不超过{at}天") if recent else (f"{at} or more", f"{at}及以上")
        if self.split == "score":
            yield Note(
                f"{self.measure}_by_score",
                f"High in {en} is a score above the mean score of {self.mean_score:.2f}: {rule}, {share:.0%} of the "
                "customers of the window.",
                f"{zh}得分高于平均分{self.mean_score:.2f}为“高”：{zh_rule}，占窗口内客户的{share:.0%}。",
            )
        elif abs(share - 0.5) > UNEVEN:
            yield Note(
                f"{self.measure}_ties",
                f"Many customers have the same {en}, so that no cut halves them. The nearest is {rule}: {share:.0%} "
                "are high.",
                f"许多客户的{zh}相同，无法一分为二；最接近的分界为{zh_rule}：{share:.0%}为“高”。",
            )
        if self.empty_scores:
            told = ", ".join(str(k) for k in self.empty_scores)
            yield Note(
                f"{self.measure}_empty_scores",
                f"Nobody has the {en} score {told}: customers who are equal have the same score.",
                f"没有客户的{zh}得分为 {told}：数值相同的客户得分相同。",
            )


def cuts(thresholds: Mapping[str, Any], by_events: bool) -> tuple[Cut, ...]:
    """The cuts that a row of `rfm_thresholds` holds; without orders the third measure is engagement."""
    found = []
    for measure in MEASURES:
        values = [thresholds[f"{measure}_{what}"] for what in ("high", 2, 3, 4, 5)]
        sign = -1.0 if measure == "recency" else 1.0
        high, *scores = (None if value is None else sign * float(value) for value in values)
        named = "engagement" if by_events and measure == "amount" else measure
        counted, customers = int(thresholds[f"{measure}_high_customers"] or 0), int(thresholds["customers"])
        summed = thresholds[f"{measure}_all_scores"]
        mean = None if summed is None or not customers else int(summed) / customers
        found.append(Cut(named, high, counted, customers, tuple(scores), thresholds["split"], mean))
    return tuple(found)


def short_window(as_of: date, first_day: date | None) -> Iterator[Note]:
    """Said where the data begin inside the window."""
    if first_day is not None and first_day > as_of - timedelta(days=WINDOW_DAYS):
        days = (as_of - first_day).days
        yield Note(
            "short_window",
            f"The window is {WINDOW_DAYS} days, and the data begin {days} days before {as_of}: frequency and money are "
            "those of fewer days.",
            f"窗口为{WINDOW_DAYS}天，而数据仅始于 {as_of} 之前{days}天：频次与金额只覆盖这段时间。",
        )
