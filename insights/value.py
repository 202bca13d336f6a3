"""What the customers are worth: the money expected of them, by decile and by group, and who is worth most."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from warehouse.errors import UsageError

Floats = NDArray[np.float64]
BY = "rfm_type"
LISTED = 10


@dataclass(frozen=True)
class Value:
    """The customers with `predicted_clv`, most first, and the card of what predicted it. `by` names their group."""

    table: pa.Table
    card: Mapping[str, Any]
    by: str | None

    @classmethod
    def of(cls, customers: pa.Table, card: Mapping[str, Any], by: str | None) -> Value:
        """Of customers with `entity_id` and the fields of value; who has none, or refused profiling, is left out.

        `UsageError` where there is no column `by`, or it is no text.
        """
        if by is not None and (by not in customers.column_names or not _is_text(customers[by].type)):
            raise UsageError(f'Customers cannot be grouped by "{by}".', hint="Name a segment such as rfm_type.")
        known = customers.filter(pc.is_valid(customers["predicted_clv"]))
        return cls(known.sort_by([("predicted_clv", "descending"), ("entity_id", "ascending")]), card, by)

    @property
    def expected(self) -> Floats:
        """Money expected of each, most first."""
        return np.asarray(self.table["predicted_clv"].to_numpy(), dtype=np.float64)

    def deciles(self) -> list[dict[str, Any]]:
        """Ten equal parts, most first: customers, money expected, its share, and what they spent so far."""
        spent = np.asarray(self.table["historic_clv"].to_numpy(), dtype=np.float64)
        total = float(self.expected.sum())
        return [
            {
                "decile": k + 1,
                "customers": int(rows.size),
                "predicted_clv": float(self.expected[rows].sum()),
                "share": float(self.expected[rows].sum()) / total if total > 0 else None,
                "historic_clv": float(spent[rows].sum()),
            }
            for k, rows in enumerate(np.array_split(np.arange(self.table.num_rows), 10))
            if rows.size
        ]

    def groups(self) -> list[dict[str, Any]]:
        """Each group, most money first; nothing where customers are not grouped. Who is in none has the name ""."""
        if self.by is None:
            return []
        total = float(self.expected.sum())
        named = self.table.set_column(0, "group", pc.fill_null(self.table[self.by].cast(pa.string()), ""))
        sums = named.group_by("group").aggregate([("predicted_clv", "sum"), ("historic_clv", "sum"), ([], "count_all")])
        rows = sums.sort_by([("predicted_clv_sum", "descending"), ("group", "ascending")]).to_pylist()
        return [
            {
                "group": row["group"],
                "customers": row["count_all"],
                "predicted_clv": row["predicted_clv_sum"],
                "mean": row["predicted_clv_sum"] / row["count_all"],
                "share": row["predicted_clv_sum"] / total if total > 0 else None,
                "historic_clv": row["historic_clv_sum"],
            }
            for row in rows
        ]

    def most(self, n: int = LISTED) -> list[dict[str, Any]]:
        """Who is worth most: `user_id` and the fields of value."""
        names = [name for name in self.table.column_names if name not in ("entity_id", self.by)]
        first = self.table.slice(0, n)
        return [
            {"user_id": user, **row}
            for user, row in zip(first["entity_id"].to_pylist(), first.select(names).to_pylist(), strict=True)
        ]

    def payload(self, n: int = LISTED) -> dict[str, Any]:
        """Everything as plain values."""
        return {
            "horizon_days": self.card["horizon_days"],
            "model": self.card["model"],
            "why": self.card["why"],
            "customers": self.card["customers"],
            "told_of": self.table.num_rows,
            "total": self.card["total"],
            "regular_buyers": self.card["regular_buyers"],
            "judged": self.card.get("judged", {}),
            "calibration": list(self.card.get("deciles", ())),
            "deciles": self.deciles(),
            "by": self.by,
            "groups": self.groups(),
            "most": self.most(n),
        }

    def lines(self, language: Literal["en", "zh"] = "en", n: int = LISTED) -> Iterator[str]:
        """The total, the deciles beside what was judged, groups, and who is worth most."""
        say = _SAID[language]
        total, customers = self.card["total"], self.card["customers"]
        yield say["total"].format(
            total["expected"], total["low"], total["high"], self.card["horizon_days"], customers, self.card["model"]
        )
        yield self.card["why"]
        if self.card["regular_buyers"] >= 1:
            yield say["regular"].format(self.card["regular_buyers"])
        if refused := customers - self.table.num_rows:
            yield say["refused"].format(refused)
        yield say["deciles"]
        judged = {row["decile"]: row for row in self.card.get("deciles", ())}
        for row in self.deciles():
            then = judged.get(row["decile"])
            told = f"{then['expected_mean']:,.2f}\t{then['spent_mean']:,.2f}" if then else "–\t–"
            share = "–" if row["share"] is None else f"{row['share']:.1%}"
            mean = row["predicted_clv"] / row["customers"]
            yield f"{row['decile']}\t{row['customers']:,}\t{row['predicted_clv']:,.0f}\t{share}\t{mean:,.2f}\t{told}"
        if groups := self.groups():
            yield say["groups"].format(self.by)
        for row in groups:
            share = "–" if row["share"] is None else f"{row['share']:.1%}"
            name = row["group"] or say["none"]
            yield f"{name}\t{row['customers']:,}\t{row['predicted_clv']:,.0f}\t{share}\t{row['mean']:,.2f}"
        yield say["most"]
        for row in self.most(n):
            date = row["expected_date_of_next_order"]
            yield (
                f"{row['user_id']}\t{row['predicted_clv']:,.2f}\t{row['expected_order_day_count']:.1f}\t"
                f"{row['predicted_order_value']:,.2f}\t{date.isoformat() if date else '–'}\t{row['historic_clv']:,.2f}"
            )


def _is_text(kind: pa.DataType) -> bool:
    value = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(value) or pa.types.is_large_string(value))


_SAID = {
    "en": {
        "total": "{0:,.0f} expected (90 % by the fit: {1:,.0f} to {2:,.0f}) in the next {3} days of {4:,} customers, "
        "by {5}",
        "regular": "about {:,.0f} of them buy at even gaps",
        "refused": "{:,} refused profiling: they are in the total, and not in what follows",
        "deciles": "decile\tcustomers\tmoney\tshare\tmean\tjudged: expected\tspent",
        "groups": "{}\tcustomers\tmoney\tshare\tmean",
        "none": "(none)",
        "most": "user\tpredicted_clv\torder days\tper day\tnext order\tso far",
    },
    "zh": {
        "total": "未来{3}天预计消费{0:,.0f}（90%区间 {1:,.0f}–{2:,.0f}），{4:,}名顾客，模型 {5}",
        "regular": "其中约{:,.0f}人按规律间隔购买",
        "refused": "{:,}人拒绝画像：计入总额，不在下列明细中",
        "deciles": "十分位\t人数\t金额\t占比\t人均\t评估：预计\t实际",
        "groups": "{}\t人数\t金额\t占比\t人均",
        "none": "（无）",
        "most": "顾客\t预测消费\t下单天数\t每天金额\t下次下单\t累计消费",
    },
}
