"""The order of winning back: on paper, and where it and the order by expected value disagree."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from insights.winback import winback
from warehouse.errors import NotReadyError


def lapsed(**rows: tuple[float, float, float, float]) -> pa.Table:
    names = ("days_silent", "frequency", "amount", "value")
    columns = {name: pa.array([row[k] for row in rows.values()], pa.float64()) for k, name in enumerate(names)}
    return pa.table({"entity_id": list(rows), **columns})


SIX = {
    "b": (90, 1, 50, 50),  # to 90 days, one order
    "a": (80, 1, 50, 50),  # the same, and the same money: by id
    "much": (61, 1, 70, 70),
    "often": (90, 7, 10, 2),  # seven orders come first in their band whatever they paid
    "late": (91, 9, 900, 100),  # a band later
    "gone": (400, 9, 900, 100),
}


def test_the_plain_order_on_paper() -> None:
    found = winback(lapsed(**SIX))
    assert found.table["user_id"].to_pylist() == ["often", "much", "a", "b", "late", "gone"]
    assert found.table["place"].to_pylist() == [1, 2, 3, 4, 5, 6]
    payload = found.payload()
    assert [(band["recency"], band["frequency"], band["users"], band["amount"]) for band in payload["bands"]] == [
        ("1–90", "7+", 1, 10),
        ("1–90", "1", 3, 170),
        ("91–180", "7+", 1, 900),
        ("366+", "7+", 1, 900),
    ]
    assert payload["agreement"] is None
    assert "No probabilities: the plain order only." in list(found.lines())


def test_where_the_two_disagree_on_paper() -> None:
    """P × value: b 5, a 5, much 21, often 1, late 40, gone unknown. First two: often, much against late, much."""
    probability = np.array([0.1, 0.1, 0.3, 0.5, 0.4, np.nan])
    found = winback(lapsed(**SIX), probability, first=2)
    places = dict(zip(found.table["user_id"].to_pylist(), found.table["place_expected"].to_pylist(), strict=True))
    assert places == {"late": 1, "much": 2, "a": 3, "b": 4, "often": 5, "gone": None}
    agreed = found.payload()["agreement"]
    assert (agreed["known"], agreed["first"]) == (5, 2)
    assert [agreed[name]["users"] for name in ("both", "only_plain", "only_expected")] == [1, 1, 1]
    assert agreed["only_plain"] == pytest.approx(
        {"users": 1, "probability": 0.5, "value": 2, "expected": 1, "frequency": 7, "median_days": 90}
    )
    assert [row["user_id"] for row in agreed["examples"]["only_expected"]] == ["late"]
    # plain 1 2 3 4 5 (often much a b late) against 5 2 3 4 1: 1 - 6 × 32 / (5 × 24)
    assert agreed["rank_correlation"] == pytest.approx(-0.6)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 60))
def test_laws_of_the_orders(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    rows = {
        f"u{k:03}": (float(rng.integers(1, 500)), float(rng.integers(1, 9)), float(rng.integers(1, 5)), 1.0)
        for k in rng.permutation(n)
    }
    chance = rng.random(n)
    found = winback(lapsed(**rows), chance, first=max(1, n // 3))
    table = found.table
    assert sorted(table["place"].to_pylist()) == sorted(table["place_expected"].to_pylist()) == list(range(1, n + 1))
    keys = list(
        zip(table["recency_band"].to_pylist(), [-f for f in table["frequency_band"].to_pylist()],
            [-a for a in table["amount"].to_pylist()], table["user_id"].to_pylist(), strict=True)
    )  # fmt: skip
    assert keys == sorted(keys)
    agreed = found.agreement()
    assert agreed is not None
    assert agreed["both"]["users"] + agreed["only_plain"]["users"] == found.first
    assert agreed["only_plain"]["users"] == agreed["only_expected"]["users"]
    rho = spearmanr(table["place"].to_pylist(), table["place_expected"].to_pylist()).statistic
    assert agreed["rank_correlation"] == pytest.approx(rho)
    # the order of the rows given changes nothing
    mixed = rng.permutation(n)
    again = winback(lapsed(**rows).take(pa.array(mixed)), chance[mixed], first=max(1, n // 3))
    assert again.table.equals(table)


def test_nobody_has_lapsed() -> None:
    with pytest.raises(NotReadyError, match="Nobody has lapsed"):
        winback(lapsed())
