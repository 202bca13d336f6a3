"""In which order to win back those who have lapsed: by recency, frequency and money, and by what a model expects.

The plain order asks for no model: who left last first, within a band of recency the more frequent, within that the
larger. Beside it stands the probability of a return times what an order of the customer is worth, where both are known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from insights.notes import Language
from warehouse.errors import NotReadyError

RECENCY_BANDS = (90, 180, 365)
"""Days since the last act at which a band ends; the last band has no end."""
FREQUENCY_BANDS = (1, 3, 6)
"""Orders so far (without orders: days with an act) at which a band ends."""
SHARE = 0.1
"""The part of the lapsed who are contacted, where no number is given."""
LISTED = 5


@dataclass(frozen=True)
class Winback:
    """The lapsed in the plain order, with the place each has in both orders; `place_expected` is null where unknown."""

    table: pa.Table
    first: int
    """How many are contacted: the lists that are compared are so long."""

    @property
    def known(self) -> NDArray[np.bool_]:
        return np.asarray(self.table["place_expected"].is_valid().to_numpy(), dtype=bool)

    def agreement(self) -> dict[str, Any] | None:
        """How the first ones of both orders agree, among those of whom both are known; None without probabilities."""
        known = self.known
        if not known.any():
            return None
        plain, expected = (self._places(name)[known] for name in ("place", "place_expected"))
        # places among those of whom both are known
        by_plain, by_model = (np.argsort(np.argsort(places)) < self.first for places in (plain, expected))
        sets = {"both": by_plain & by_model, "only_plain": by_plain & ~by_model, "only_expected": by_model & ~by_plain}
        rows = self.table.filter(pa.array(known))
        return {
            "known": int(known.sum()),
            "first": self.first,
            "rank_correlation": _correlation(plain, expected),
            **{name: _profile(rows.filter(pa.array(inside))) for name, inside in sets.items()},
            "examples": {
                name: rows.filter(pa.array(sets[name])).sort_by(by).slice(0, LISTED).to_pylist()
                for name, by in (("only_plain", "place"), ("only_expected", "place_expected"))
            },
        }

    def _places(self, name: str) -> NDArray[np.float64]:
        places: NDArray[np.float64] = self.table[name].cast(pa.float64()).to_numpy()
        return places

    def payload(self) -> dict[str, Any]:
        """Counts by band and where the two orders disagree; the customers themselves are in `table`."""
        return {
            "lapsed": self.table.num_rows,
            "bands": [*self._bands()],
            "recency_bands": list(RECENCY_BANDS),
            "frequency_bands": list(FREQUENCY_BANDS),
            "agreement": self.agreement(),
        }

    def _bands(self) -> Iterator[dict[str, Any]]:
        keys = ["recency_band", "frequency_band"]
        sums = self.table.group_by(keys).aggregate([("amount", "sum"), ("probability", "mean"), ([], "count_all")])
        for row in sums.sort_by([("recency_band", "ascending"), ("frequency_band", "descending")]).to_pylist():
            yield {
                "recency": _band(row["recency_band"], RECENCY_BANDS),
                "frequency": _band(row["frequency_band"], FREQUENCY_BANDS),
                "users": row["count_all"],
                "amount": row["amount_sum"],
                "mean_probability": row["probability_mean"],
            }

    def lines(self, language: Language = "en") -> Iterator[str]:
        """The bands in the plain order, then where the order by expected value differs."""
        chinese = language == "zh"
        head = ("days silent", "orders", "users", "amount so far", "P(returns)")
        yield "\t".join(("沉默天数", "次数", "人数", "累计金额", "回归概率") if chinese else head)
        for band in self._bands():
            chance = "" if band["mean_probability"] is None else f"{band['mean_probability']:.1%}"
            yield f"{band['recency']}\t{band['frequency']}\t{band['users']:,}\t{band['amount']:,.0f}\t{chance}"
        if (agreed := self.agreement()) is None:
            yield (
                "没有回归概率：仅按最近一次、频次、金额排序。" if chinese else "No probabilities: the plain order only."
            )
            return
        yield from _agreement_lines(agreed, chinese)


_SETS = {
    "both": ("in both lists", "两者都选"),
    "only_plain": ("only by recency, frequency, money", "仅按最近、频次、金额"),
    "only_expected": ("only by P(returns) × value", "仅按回归概率×价值"),
}


def _agreement_lines(agreed: Mapping[str, Any], chinese: bool) -> Iterator[str]:
    first, rho = agreed["first"], agreed["rank_correlation"]
    told = "" if rho is None else f"{rho:.2f}"
    yield (f"前{first:,}人：两种排序的等级相关 {told}" if chinese else f"The first {first:,}: rank correlation {told}")
    head = ("list", "users", "P(returns)", "value", "P × value", "median days silent", "orders")
    yield "\t".join(("名单", "人数", "回归概率", "价值", "概率×价值", "沉默天数中位数", "次数") if chinese else head)
    for name, words in _SETS.items():
        one = agreed[name]
        if one["users"]:
            yield (
                f"{words[chinese]}\t{one['users']:,}\t{one['probability']:.1%}\t{one['value']:,.2f}\t"
                f"{one['expected']:,.2f}\t{one['median_days']:,.0f}\t{one['frequency']:.1f}"
            )


def winback(
    lapsed: pa.Table,
    probability: NDArray[np.float64] | None = None,
    first: int | None = None,
) -> Winback:
    """The plain order of the rows of `lapsed`, and beside it that by `probability` (NaN: unknown) × value.

    Columns: `entity_id`, `days_silent`, `frequency` (orders so far, or days with an act), `amount` (money so far, or
    events) and `value` (what one return is worth: the mean order). `first`: how many are contacted, a tenth if absent.
    Equal customers follow each other by id. `NotReadyError` where nobody has lapsed.
    """
    n = lapsed.num_rows
    if not n:
        raise NotReadyError("Nobody has lapsed.", hint="Choose a rule that somebody fulfils.")
    days, frequency, amount, value = (
        _numbers(lapsed, name) for name in ("days_silent", "frequency", "amount", "value")
    )
    recency_band = np.searchsorted(np.array(RECENCY_BANDS), days, side="left").astype(np.int32)
    frequency_band = np.searchsorted(np.array(FREQUENCY_BANDS), frequency, side="left").astype(np.int32)
    ids = np.asarray(lapsed["entity_id"].to_numpy(), dtype=object)
    by_id = np.argsort(np.argsort(ids, kind="stable"))
    order = np.lexsort((by_id, -amount, -frequency_band, recency_band))
    chance = np.full(n, np.nan) if probability is None else probability
    expected = chance * value
    by_model = np.lexsort((by_id, -np.nan_to_num(expected, nan=-np.inf)))
    place, place_expected = np.empty(n, np.int64), np.empty(n, np.int64)
    place[order], place_expected[by_model] = np.arange(1, n + 1), np.arange(1, n + 1)
    unknown = np.isnan(expected)
    columns = {
        "user_id": lapsed["entity_id"].combine_chunks(),
        "place": pa.array(place),
        "place_expected": pa.array(place_expected, mask=unknown),
        "recency_band": pa.array(recency_band),
        "frequency_band": pa.array(frequency_band),
        "days_silent": pa.array(days),
        "frequency": pa.array(frequency),
        "amount": pa.array(amount),
        "value": pa.array(value, mask=np.isnan(value)),
        "probability": pa.array(chance, mask=np.isnan(chance)),
        "expected": pa.array(expected, mask=unknown),
    }
    return Winback(pa.table(columns).take(pa.array(order)), first or max(1, round(SHARE * n)))


def _band(band: int, ends: Sequence[int]) -> str:
    """A band in numbers: `91–180`, `366+`."""
    low = ends[band - 1] + 1 if band else 1
    if band == len(ends):
        return f"{low}+"
    return str(low) if low == ends[band] else f"{low}–{ends[band]}"


def _profile(rows: pa.Table) -> dict[str, Any]:
    if not rows.num_rows:
        return {"users": 0}
    means = {
        name: float(np.nanmean(_numbers(rows, name))) for name in ("probability", "value", "expected", "frequency")
    }
    return {"users": rows.num_rows, **means, "median_days": float(np.nanmedian(_numbers(rows, "days_silent")))}


def _correlation(one: NDArray[Any], other: NDArray[Any]) -> float | None:
    """Spearman's: places are all different, so the plain formula holds."""
    n = one.size
    if n < 2:
        return None
    a, b = np.argsort(np.argsort(one)), np.argsort(np.argsort(other))
    return float(1 - 6 * np.sum((a - b).astype(np.float64) ** 2) / (n * (n * n - 1.0)))


def _numbers(table: pa.Table, name: str) -> NDArray[np.float64]:
    numbers: NDArray[np.float64] = table[name].combine_chunks().cast(pa.float64()).to_numpy(zero_copy_only=False)
    return numbers
