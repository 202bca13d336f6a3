"""The replenishment clock: planted variances come back, few gaps lean on the category, more lasts longer if it does."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from models.clock import Clock

ITEMS, CUSTOMERS, GAPS = 12, 60, 4
WITHIN, BETWEEN, AMONG, CENTRE = 0.25, 0.09, 0.04, np.log(30)


def planted(slope: float, seed: int = 0, items: int = ITEMS, customers: int = CUSTOMERS) -> tuple[pa.Table, pa.Table]:
    """Sums and pairs as `features.cycles.clock_counts` gives them, of gaps drawn from the model."""
    rng = np.random.default_rng(seed)
    sums, pairs = [], []
    for item in range(items):
        of_item = CENTRE + rng.normal(0, np.sqrt(AMONG))
        gaps = rng.integers(1, 2 * GAPS, customers)
        told = []
        for customer, count in enumerate(gaps):
            x = np.log(rng.integers(1, 5, count))
            own = of_item + rng.normal(0, np.sqrt(BETWEEN))
            y = own + slope * x + rng.normal(0, np.sqrt(WITHIN), count)
            told.append((count, y.sum(), x.sum(), (y**2).sum(), (x**2).sum(), (x * y).sum()))
            pairs.append((f"u{customer}", f"i{item:02d}", 100, int(count), 0.0, y.sum(), x.sum()))
        n, y, x, yy, xx, xy = np.array(told).T
        sums.append((f"i{item:02d}", "c", len(n), n.sum(), (n**2).sum(), y.sum(), x.sum(), yy.sum(), xx.sum(), xy.sum(),
                     (y**2 / n).sum(), (x**2 / n).sum(), (x * y / n).sum()))  # fmt: skip
    of_sums = ("thing", "category", "pair_count", "gap_count", "count_squares", "gap_sum", "quantity_sum",
               "gap_squares", "quantity_squares", "products", "gap_between", "quantity_between",
               "product_between")  # fmt: skip
    of_pairs = ("entity_id", "thing", "last_day", "gap_count", "last_quantity", "gap_sum", "quantity_sum")
    return tabled(of_sums, sums), tabled(of_pairs, pairs)


def tabled(names: tuple[str, ...], rows: list[tuple[object, ...]]) -> pa.Table:
    return pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))


def clock_of(sums: pa.Table) -> Clock:
    clock = Clock.fit(sums)
    assert clock is not None
    return clock


def test_what_was_planted_comes_back() -> None:
    found = [clock_of(planted(0.0, seed)[0]).rhythms["c"] for seed in range(8)]
    for name, value in (("within", WITHIN), ("between", BETWEEN), ("among_items", AMONG)):
        assert np.mean([getattr(each, name) for each in found]) == pytest.approx(value, rel=0.2)
    assert np.median([each.gap_days for each in found]) == pytest.approx(30, rel=0.1)


def test_a_double_purchase_lasts_longer_only_where_it_does() -> None:
    assert sum(clock_of(planted(0.0, seed)[0]).rhythms["c"].elasticity > 0 for seed in range(20)) <= 2
    twice = clock_of(planted(1.0)[0])
    assert twice.rhythms["c"].elasticity == pytest.approx(1, abs=0.08)
    sums, pairs = planted(1.0)
    one = twice.due(pairs)["gap_days"].to_numpy()
    double = twice.due(pairs.set_column(4, "last_quantity", pa.array(np.full(len(pairs), np.log(2)))))
    assert double["gap_days"].to_numpy() / one == pytest.approx(2 ** twice.rhythms["c"].elasticity)
    assert sums.num_rows == ITEMS


def test_few_gaps_lean_on_the_item_and_many_stand_alone() -> None:
    clock = clock_of(planted(0.0)[0])
    row = clock.items.to_pylist()[0]

    def gap(count: int, each: float) -> float:
        pair = ("u", row["thing"], 100, count, 0.0, count * np.log(each), 0.0)
        names = ("entity_id", "thing", "last_day", "gap_count", "last_quantity", "gap_sum", "quantity_sum")
        (due,) = clock.due(tabled(names, [pair])).to_pylist()
        assert due["due_day"] == 100 + max(round(due["gap_days"]), 1)
        found: float = due["gap_days"]
        return found

    centre = np.exp(row["centre"])
    by_hand = np.exp(
        (np.log(90) / row["within"] + row["centre"] / row["between"]) / (1 / row["within"] + 1 / row["between"])
    )
    assert gap(1, 90) == pytest.approx(by_hand)
    assert centre < gap(1, 90) < gap(5, 90) < gap(500, 90) == pytest.approx(90, rel=0.02)


def test_it_forecasts_better_than_own_gaps_or_the_category_alone() -> None:
    """The true centre of each pair beside the clock's: that is what shrinking is for."""
    rng = np.random.default_rng(3)
    sums, pairs = planted(0.0, 3)
    clock = clock_of(sums)
    said = np.log(clock.due(pairs)["gap_days"].to_numpy())
    alone = pairs["gap_sum"].to_numpy() / pairs["gap_count"].to_numpy()
    item = clock.items["centre"].to_numpy()[np.repeat(np.arange(ITEMS), CUSTOMERS)]
    fresh = planted_centres(3)
    assert rng is not None
    error = {name: np.mean((values - fresh) ** 2) for name, values in (("clock", said), ("own", alone), ("item", item))}
    assert error["clock"] < 0.9 * min(error["own"], error["item"])


def planted_centres(seed: int) -> np.ndarray:
    """The centres that `planted` drew with that seed, drawn again in its order."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(ITEMS):
        of_item = CENTRE + rng.normal(0, np.sqrt(AMONG))
        for count in rng.integers(1, 2 * GAPS, CUSTOMERS):
            rng.integers(1, 5, count)
            found.append(of_item + rng.normal(0, np.sqrt(BETWEEN)))
            rng.normal(0, np.sqrt(WITHIN), count)
    return np.array(found)


def test_nothing_bought_twice_makes_no_clock() -> None:
    assert Clock.fit(planted(0.0)[0].slice(0, 0)) is None


def test_one_pair_alone_has_a_due_date() -> None:
    sums, pairs = planted(0.0, items=1, customers=1)
    (due,) = clock_of(sums).due(pairs).to_pylist()
    assert np.isfinite(due["gap_days"])
    assert due["due_day"] > 100
