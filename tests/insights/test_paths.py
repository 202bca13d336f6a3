"""Pages and items told by hand; sellers on the same mix, by hand and against what was planted."""

import numpy as np
import pyarrow as pa
import pytest

from features.paths import Flows, ItemWays
from insights.paths import compare_sellers, conversions, paths
from insights.rates import Rate
from insights.standardised import standardised


def test_pages_by_hand() -> None:
    found = paths(
        Flows(
            pa.table({"from_node": [None, "a", "a", "b"], "to_node": ["a", "b", None, None], "visits": [10, 4, 6, 4]}),
            pa.table({"node": ["a", "b"], "visits": [10, 4], "users": [5, 4], "squares": [20, 4]}),
            pa.table({"node": ["a", "a"], "seconds": [5, 30], "visits": [2, 3]}),
        ),
        "page",
    )
    assert found.sessions == 10
    first, second = (page.payload() for page in found.pages)
    assert (first["page"], first["entries"], first["leaves"], first["to_other_visits"]) == ("a", 10, 6, 4)
    assert (first["leaving"]["share"], first["median_stay_seconds"], first["stays_known"]) == (0.6, 30, 5)
    # ten visits of five customers with two each know as much as five
    assert found.pages[0].leaving == Rate(3, 5).interval
    assert (second["leaving"]["share"], second["median_stay_seconds"]) == (1.0, None)
    assert [(flow.from_page, flow.to_page, flow.share) for flow in found.flows] == [("a", "b", 0.4)]


def test_items_and_what_they_belong_to() -> None:
    counts = pa.table({"value": ["x", "x", "y", "z"], "furthest": [1, 2, 2, 1], "users": [30, 10, 5, 4]})
    sellers = pa.table({"item_id": ["x", "y", "y"], "seller_id": ["s", "s", "t"], "visits": [1, 1, 1]})
    ways = ItemWays(["detail", "pay"], counts, sellers)
    assert [(each.name, each.reached) for each in conversions(ways)] == [("x", [40, 10]), ("y", [5, 5]), ("z", [4, 0])]
    assert [(each.name, each.reached) for each in conversions(ways, {"x": "c", "y": "c"})] == [
        ("c", [45, 15]), ("–", [4, 0]),
    ]  # fmt: skip
    (told,) = compare_sellers(ways, {})
    assert (told.name, told.verdict) == ("s", "not comparable")


def test_the_same_mix_by_hand() -> None:
    """s sells mostly what converts well, yet does worse in both kinds."""
    cells = {("s", "a"): (40, 80), ("s", "b"): (1, 20), ("t", "a"): (12, 20), ("t", "b"): (8, 80)}
    t, s = standardised(cells)
    assert (s.name, s.hits / s.tries, t.hits / t.tries) == ("s", 0.41, 0.2)
    # kinds weigh 100 and 100
    assert (s.rate, s.others) == pytest.approx(((0.5 + 0.05) / 2, (0.6 + 0.1) / 2))
    assert s.difference == pytest.approx(-0.075) == -(t.difference or 0)
    assert s.low is not None
    assert s.low < -0.075 < (s.high or 0)


@pytest.mark.parametrize("seed", range(5))
def test_planted_sellers_come_back_and_others_do_not(seed: int) -> None:
    rng = np.random.default_rng(seed)
    base = rng.uniform(0.05, 0.5, 6)
    cells = {}
    for n in range(30):
        better = 0.15 if n < 3 else 0.0
        for kind in rng.choice(6, 4, replace=False):
            tries = int(rng.integers(200, 600))
            cells[f"s{n:02d}", f"c{kind}"] = (int(rng.binomial(tries, base[kind] + better)), tries)
    found = {each.name: each.verdict for each in standardised(cells)}
    assert {name for name, verdict in found.items() if verdict == "more"} == {"s00", "s01", "s02"}
