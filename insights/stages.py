"""Value stages of the business: how many in each, and each stage's figure measured over whole periods."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import sqrt
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.periods import Period
from features.stages import Stage
from insights.rates import LEVEL, Rate
from warehouse.stage_settings import Kpi

Language = Literal["en", "zh"]
COUNTS = ("order_count_lifetime", "act_day_count_lifetime", "amount_lifetime")
"""Features whose growth over a period says who ordered, who acted, and what was spent."""
KPIS: Mapping[Kpi, tuple[str, str]] = {
    "onward": ("moved onward", "进入更高阶段"), "stayed": ("stayed or moved onward", "保持或进入更高阶段"),
    "buyers": ("ordered", "有下单"), "active": ("acted", "有活跃"), "amount": ("amount a customer", "人均金额"),
}  # fmt: skip
_GROWS: Mapping[Kpi, str] = dict(zip(("buyers", "active", "amount"), COUNTS, strict=True))


@dataclass(frozen=True)
class Cut:
    """All customers as a day begins: their ids, the places of their stages, and `COUNTS` as far as there are any."""

    day: date
    ids: pa.Array
    stage: NDArray[np.int64]
    counts: Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Measured:
    """A figure of a stage over a period: a share, or an amount a customer; None where it cannot be told."""

    value: float | None
    low: float | None
    high: float | None

    def payload(self) -> dict[str, float | None]:
        return vars(self)


def measure(kpi: Kpi, place: int, first: Cut, last: Cut) -> Measured:
    """The figure of those who were in a stage as a period began, by what they did until it ended.

    Shares with Wilson's interval, the amount with that of a mean.
    """
    inside = first.stage == place
    n = int(inside.sum())
    if kpi in ("onward", "stayed"):
        after = last.stage[_places(first, last)][inside]
        return _share(int((after < place + (kpi == "stayed")).sum()), n)
    name = _GROWS[kpi]
    if name not in first.counts:
        return Measured(None, None, None)
    # Nothing is counted of who has not begun: no orders yet are none.
    grown = np.nan_to_num(last.counts[name][_places(first, last)]) - np.nan_to_num(first.counts[name])
    if kpi != "amount":
        return _share(int((grown[inside] > 0).sum()), n)
    if not n:
        return Measured(None, None, None)
    mean = float(grown[inside].mean())
    half = NormalDist().inv_cdf(0.5 + LEVEL / 2) * float(grown[inside].std(ddof=1)) / sqrt(n) if n > 1 else None
    return Measured(mean, None if half is None else mean - half, None if half is None else mean + half)


def _share(hits: int, n: int) -> Measured:
    rate = Rate(hits, n)
    low, high = rate.interval or (None, None)
    return Measured(rate.share, low, high)


def _places(first: Cut, last: Cut) -> NDArray[np.int64]:
    """Where the customers of a cut stand in a later one: who was a customer remains one."""
    found: NDArray[np.int64] = pc.index_in(first.ids, value_set=last.ids).to_numpy(zero_copy_only=False)
    return found


@dataclass(frozen=True)
class StageSummary:
    """The stages of a date (`now`), and `cuts` at the edges of whole periods before it, one more than `periods`."""

    stages: Sequence[Stage]
    now: Cut
    periods: Sequence[Period]
    cuts: Sequence[Cut]

    def payload(self) -> dict[str, Any]:
        """As JSON: stages from the highest; shares unrounded, unknown values None."""
        total = len(self.now.ids)
        spans = list(zip(self.periods, self.cuts, self.cuts[1:], strict=False))
        rows = []
        for place, stage in enumerate(self.stages):
            customers = int((self.now.stage == place).sum())
            measured = [
                {
                    "period": period.name,
                    "customers": int((first.stage == place).sum()),
                    **measure(stage.kpi, place, first, last).payload(),
                }
                for period, first, last in spans
            ]
            rows.append(
                {
                    "stage": stage.name,
                    **{f"title_{tongue}": stage.title[k] for k, tongue in enumerate(("en", "zh"))},
                    "rule": stage.rule,
                    "customers": customers,
                    "share": customers / total if total else None,
                    **{f"{what}_{tongue}": getattr(stage, what)[k] for what in ("goal", "touchpoints", "actions")
                       for k, tongue in enumerate(("en", "zh"))},
                    "kpi": stage.kpi,
                    "measured": measured,
                }
            )  # fmt: skip
        return {"as_of": self.now.day, "customers": total, "stages": rows, "moves": self._moves()}

    def _moves(self) -> list[dict[str, Any]]:
        """Who went where over the last whole period."""
        if len(self.cuts) < 2:
            return []
        first, last = self.cuts[-2:]
        counted = np.zeros((len(self.stages), len(self.stages)), np.int64)
        np.add.at(counted, (first.stage, last.stage[_places(first, last)]), 1)
        names = [stage.name for stage in self.stages]
        moved = np.argwhere(counted).tolist()
        return [{"from": names[a], "to": names[b], "customers": int(counted[a, b])} for a, b in moved]

    def lines(self, language: Language = "en") -> Iterator[str]:
        """The strategy table, then the figures by period; cells parted by tabs."""
        zh, told = language == "zh", self.payload()
        tongue = "zh" if zh else "en"
        yield "\t".join(
            ["阶段", "人数", "占比", "目标", "触点", "动作"]
            if zh
            else ["stage", "customers", "share", "goal", "touchpoints", "actions"]
        )
        for row in told["stages"]:
            share = "" if row["share"] is None else f"{row['share']:.1%}"
            texts = [row[f"{what}_{tongue}"] for what in ("goal", "touchpoints", "actions")]
            yield "\t".join([row[f"title_{tongue}"], f"{row['customers']:,}", share, *texts])
        yield ""
        yield "\t".join(["阶段" if zh else "stage", "指标" if zh else "measured", *(p.name for p in self.periods)])
        for row in told["stages"]:
            figures = [figure_text(row["kpi"], each) for each in row["measured"]]
            yield "\t".join([row[f"title_{tongue}"], KPIS[row["kpi"]][zh], *figures])


def figure_text(kpi: Kpi, measured: Mapping[str, Any]) -> str:
    """A figure with its interval, for people; a dash where it is unknown."""
    value, low, high = measured["value"], measured["low"], measured["high"]
    if value is None:
        return "–"
    if kpi == "amount":
        return f"{value:,.2f}" + ("" if low is None else f" ({low:,.2f}–{high:,.2f})")
    return f"{value:.1%} ({low:.1%}–{high:.1%})"
