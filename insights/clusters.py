"""Clusters told to people: how large each is, what sets it apart, what it is called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from features.catalogue import Feature

Language = Literal["en", "zh"]


@dataclass(frozen=True)
class Apart:
    """One feature by which a cluster differs: inside less outside in standard deviations; the medians as they are."""

    feature: str
    difference: float
    inside: float | None
    everybody: float | None


@dataclass(frozen=True)
class ClusterSummary:
    """The clusters of a date, the largest first; `labels` last from run to run. One cluster is everybody.

    `apart`: of each cluster the features that set it most apart, the strongest first. `tried`: what was tried, as JSON.
    """

    as_of: date
    labels: Sequence[str]
    sizes: NDArray[np.int64]
    left_out: int
    apart: Sequence[Sequence[Apart]]
    features: Mapping[str, Feature]
    names: Sequence[str]
    tried: Sequence[Mapping[str, Any]]

    @property
    def structured(self) -> bool:
        """Whether there are clusters at all."""
        return len(self.labels) > 1

    def name(self, place: int, language: Language) -> str:
        """What sets a cluster apart, in a few words."""
        zh = language == "zh"
        if not self.structured:
            return "全部顾客" if zh else "everybody"
        told = [
            f"{self._words(each.feature, zh)}{'高' if each.difference > 0 else '低'}"
            if zh
            else f"{self._words(each.feature, zh)} {'↑' if each.difference > 0 else '↓'}"
            for each in self.apart[place]
        ]
        return ("、" if zh else ", ").join(told) or ("居中" if zh else "in the middle")

    def _words(self, feature: str, zh: bool) -> str:
        known = self.features.get(feature)
        return feature if known is None else known.zh if zh else known.en

    def payload(self) -> dict[str, Any]:
        """As JSON; `tried` says how stable each number of clusters is."""
        total = int(self.sizes.sum())
        return {
            "as_of": self.as_of,
            "customers": total,
            "left_out": self.left_out,
            "structured": self.structured,
            "features": list(self.names),
            "tried": list(self.tried),
            "clusters": [
                {
                    "cluster": label,
                    "customers": int(self.sizes[place]),
                    "share": int(self.sizes[place]) / total if total else None,
                    "name_en": self.name(place, "en"),
                    "name_zh": self.name(place, "zh"),
                    "apart": [vars(each) for each in self.apart[place]],
                }
                for place, label in enumerate(self.labels)
            ],
        }

    def lines(self, language: Language = "en") -> Iterator[str]:
        """The clusters, or that there are none, and how that was found; cells parted by tabs."""
        zh, told = language == "zh", self.payload()
        if not self.structured:
            yield (
                "没有可靠的分群：任何分法换一批顾客都不稳定，或并不优于无结构的数据。"
                if zh
                else "There are no clusters: whatever is cut is cut elsewhere on other customers, or no better than a "
                "cloud without structure would be."
            )
        else:
            yield "\t".join(["群", "人数", "占比", "特征"] if zh else ["cluster", "customers", "share", "set apart by"])
            for row in told["clusters"]:
                name = row["name_zh" if zh else "name_en"]
                yield "\t".join([row["cluster"], f"{row['customers']:,}", f"{row['share']:.1%}", name])
        yield ""
        yield "\t".join(
            ["群数", "预测强度", "调整兰德指数", "优于无结构"]
            if zh
            else ["number", "prediction strength", "adjusted Rand", "better than no structure"]
        )
        answers = {None: "", True: "是" if zh else "yes", False: "否" if zh else "no"}
        for each in self.tried:
            yield f"{each['number']}\t{each['strength']:.2f}\t{each['rand']:.2f}\t{answers[each['parted']]}"
        yield ""
        yield (
            f"依据{len(self.names)}项标准化特征：{'、'.join(self._words(name, zh) for name in self.names)}"
            if zh
            else f"By {len(self.names)} standardised features: {', '.join(self.names)}"
        )
        if self.left_out:
            left = f"{self.left_out:,}"
            yield f"{left}名从未活跃的顾客未参与。" if zh else f"{left} who never acted are left out."
