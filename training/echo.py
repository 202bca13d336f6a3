"""Learning from one's own output: how many of the sales that are learnt from followed the item being shown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from features.outcomes import interactions
from features.shown import exposures, followed
from features.source import Source
from training.recommendation import with_items
from warehouse.recommender_settings import RecommendSettings


@dataclass(frozen=True)
class Echo:
    """Sales (customer, item, day) since `first_day`, when showing began, and those of all time; `followed`: within
    `days` of the item being shown to that customer; `learnt`: whether recommenders learn from these."""

    first_day: date
    days: int
    followed: int
    sales_since: int
    sales: int
    learnt: bool

    @property
    def shares(self) -> tuple[float, float]:
        """What followed, of the sales since showing began and of all."""
        return self.followed / max(self.sales_since, 1), self.followed / max(self.sales, 1)

    @property
    def text(self) -> str:
        since, ever = self.shares
        left = "recommenders learn from them" if self.learnt else "they are left out of what recommenders learn from"
        return (
            f"{since:.1%} of the {self.sales_since:,} sales since {self.first_day}, when showing began, followed the "
            f"item being shown to that customer within {self.days} days ({ever:.1%} of "
            f"all {self.sales:,}); {left}"
        )

    @property
    def text_zh(self) -> str:
        since, ever = self.shares
        left = "推荐模型会从中学习" if self.learnt else "推荐模型不从中学习"
        return (
            f"自{self.first_day}开始展示以来的{self.sales_since:,}笔购买中，{since:.1%}发生在该商品向该顾客展示后"
            f"{self.days}天内（占全部{self.sales:,}笔的{ever:.1%}）；{left}"
        )

    def payload(self) -> dict[str, Any]:
        return {**vars(self), "first_day": self.first_day.isoformat(), "text": self.text}


def echoed(source: Source, as_of: date, settings: RecommendSettings) -> Echo | None:
    """What is known of it before `as_of`; None where nothing was shown by then."""
    shown = exposures(source, as_of)
    if not shown.num_rows:
        return None
    sales = with_items(interactions(source, as_of))
    first = int(np.asarray(shown["day"]).min())
    return Echo(
        date.fromordinal(date(1970, 1, 1).toordinal() + first),
        settings.shown_days,
        int(followed(sales, shown, settings.shown_days).sum()),
        int((np.asarray(sales["day"]) >= first).sum()),
        sales.num_rows,
        settings.learn_from_shown,
    )
