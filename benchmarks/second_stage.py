"""What the replenishment clock brings the second stage of recommenders: with its columns and without, on past windows.

    python -m benchmarks.second_stage WORKSPACE --as-of 2011-04-12 2011-05-12

`without`: what trees read of a customer's own gaps with an item (`OWN_GAPS`) is hidden from them; `clock`: beside it
they read how long the item lasts this customer by the replenishment clock (`models.clock`), when that is over and how
far; `clock instead`: these in place of those. The clock is fitted to what each past window was fitted to, so it knows
nothing of what came. Means over the dates of Recall@10 and NDCG@10 in the 30 days after, Recall@10 of repeats and of
what was new; then the paired 95 % interval, over the customers of all dates, of the difference in Recall@10 to
`two_stage` as it is. The dates must lie before those on which recommenders are judged.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.recommenders import SHOWN
from features.outcomes import interactions, purchases
from features.source import StoreSource
from models.clock import Clock
from models.recommenders.history import Floats, History, Rows
from models.recommenders.interactions import Interactions
from models.recommenders.pair_features import Items, Matrix, Own, names
from models.recommenders.recommender import Recommender
from models.recommenders.two_stage import TwoStage
from training.evaluation.recommendation import bootstrap_means, interval, judge_lists, read_test_items
from warehouse.store import Store
from warehouse.workspace import Workspace

OWN_GAPS = ("days_since_in_own_gaps", "gap", "gap_ratio")
"""How a customer's days since an item compare with his own gaps between it."""
WAYS = {"two_stage": (False, False), "without": (True, False), "clock": (False, True), "clock instead": (True, True)}
"""Whether own gaps are hidden, and whether the clock is read."""
_NOTHING = (
    "quantity_sum", "quantity_squares", "quantity_between", "products", "product_between",
)  # fmt: skip


class Timed(TwoStage):
    """The second stage with columns of gaps hidden, or with those of the clock."""

    def __init__(self, hidden: bool, clock: bool, **settings: Any) -> None:
        super().__init__(**settings)
        self.hidden, self.clock = hidden, clock

    def _learnt(self, held: Interactions, bought: tuple[Rows, Rows]) -> Any:
        self._fitted_clock = clock_of(held.everybody())
        return super()._learnt(held, bought)

    def _hold(self) -> None:
        super()._hold()
        self._fitted_clock = clock_of(self.interactions.everybody())

    def _pairs(
        self, history: History, first: Sequence[Recommender], known: Items, wanted: Rows | None = None
    ) -> tuple[Matrix, tuple[Rows, Rows]]:
        X, (users, items) = super()._pairs(history, first, known, wanted)
        if self.hidden:
            X[:, [k for k, name in enumerate(names(self._candidates)) if name in OWN_GAPS]] = np.nan
        if self.clock and self._fitted_clock is not None:
            told = columns_of(self._fitted_clock, history, users, items)
            X = np.column_stack([X, *told]).astype(np.float32)
        return X, (users, items)


def gaps_of(history: History) -> tuple[Floats, Floats, Floats]:
    """Per entry the number of gaps between its days, the sum of their logs, and of these squared."""
    steps = -np.diff(history.each_ago)
    inside = np.ones(len(steps), dtype=bool)
    inside[history.day_starts[1:-1] - 1] = False
    entry, logs = history.day_entries[1:][inside], np.log(steps[inside])
    size = len(history.order_days)
    weights = (np.ones(len(logs)), logs, logs**2)
    counts, sums, squares = (np.bincount(entry, each, minlength=size).astype(np.float64) for each in weights)
    return counts, sums, squares


def clock_of(history: History) -> Clock | None:
    """The clock of these histories; of quantities nothing is asked, which on Online Retail say little."""
    counts, sums, squares = gaps_of(history)
    again = counts > 0
    n, s, item = counts[again], sums[again], history.pattern.indices[again]
    distinct, place = np.unique(item, return_inverse=True)
    measures = {
        "pair_count": np.ones(len(n)), "gap_count": n, "gap_sum": s, "gap_squares": squares[again],
        "gap_between": s**2 / n, "count_squares": n**2,
    }  # fmt: skip
    summed = {name: np.bincount(place, values, minlength=len(distinct)) for name, values in measures.items()}
    nothing = {name: np.zeros(len(distinct)) for name in _NOTHING}
    things = pa.array(distinct.astype(str), pa.string())
    return Clock.fit(pa.table({"thing": things, "category": pa.nulls(len(things), pa.string()), **summed, **nothing}))


def columns_of(clock: Clock, history: History, users: Rows, items: Rows) -> list[Floats]:
    """Of each pair, unknown where nothing was bought or the item is in nobody's gaps: the days the item lasts, the days
    since it was bought over these, and the days past due."""
    counts, sums, _ = gaps_of(history)
    things = history.pattern.indices.astype(str)
    place = np.flatnonzero(np.isin(things, clock.items["thing"].to_numpy(zero_copy_only=False)))
    none = np.zeros(len(place))
    pairs = pa.table(
        {
            "entity_id": pa.array(place.astype(str)), "thing": pa.array(things[place]), "gap_count": counts[place],
            "gap_sum": sums[place], "quantity_sum": none, "last_day": -history.days_ago[place], "last_quantity": none,
        }
    )  # fmt: skip
    gap, past_due = (np.full(len(things), np.nan) for _ in range(2))
    due = clock.due(pairs)
    gap[place], past_due[place] = due["gap_days"].to_numpy(), -due["due_day"].to_numpy()
    own = Own.of(history, users, items)
    return [own.spread(values) for values in (gap, history.days_ago / np.maximum(gap, 1), past_due)]


def judged(source: StoreSource, day: date, hidden: bool, clock: bool, settings: dict[str, Any]) -> list[Floats]:
    """The four measures, per customer, of the window after a day."""
    sales, sold = interactions(source, day), purchases(source, day, 30)
    held = Interactions.from_table(sales.filter(pc.is_valid(sales["item_id"])), day)
    test = read_test_items(held, sold.filter(pc.is_valid(sold["item_id"])))
    model = Timed(hidden, clock, **settings).fit(held)
    found = judge_lists(held, test, model.recommend(test.user_rows, 10), 10)
    return [found[name] for name in SHOWN]


def main() -> None:
    """Prints a line for each way; of several seeds each customer's mean counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--as-of", type=date.fromisoformat, nargs="+", required=True)
    parser.add_argument("--seeds", type=int, default=1)
    asked = parser.parse_args()
    source = StoreSource(Store(Workspace.open(asked.workspace)))
    usual: Floats | None = None
    for name, (hidden, clock) in WAYS.items():
        found = []
        for day in asked.as_of:
            by_seed = [judged(source, day, hidden, clock, {"seed": 7 + k}) for k in range(asked.seeds)]
            found.append([np.mean(values, axis=0) for values in zip(*by_seed, strict=True)])
        means = np.mean([[np.nanmean(values) for values in measures] for measures in found], axis=0)
        recall = np.concatenate([measures[0] for measures in found])
        usual = recall if usual is None else usual
        low, high = interval(bootstrap_means([recall - usual], 1000)[:, 0])
        gain = f"{np.nanmean(recall - usual):+.4f} ({low:+.4f} … {high:+.4f})"
        print(f"{name:14}", *(f"{value:.4f}" for value in means), gain, flush=True)


if __name__ == "__main__":
    main()
