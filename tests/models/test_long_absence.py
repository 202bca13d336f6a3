"""Customers who last bought years before the rest: what they are offered, and what is learnt from them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import recommenders
from models.recommenders.interactions import Interactions
from tests.models.conftest import ALL, AS_OF, DAY, WORLDS, days_table

FADING = [name for name in ALL if recommenders.create(name).fades]
FITTED = {name: recommenders.create(name).fit(WORLDS) for name in FADING}
YEARS = 365 * 20


def two_ages() -> Interactions:
    """Tea people of this month and tool people of twenty years ago; each has four of the eight items of the own world,
    bought on four days."""
    bought = []
    for world, ago in (("tea", 10), ("tool", 10 + YEARS)):
        for person in range(30):
            items = [f"{world}-{(person + step) % 8}" for step in range(4)]
            bought += [(f"{world}-{person:02}", item, DAY - ago - place) for place, item in enumerate(items)]
    return Interactions.from_table(days_table(bought), AS_OF)


AGES = two_ages()


def world(item: int) -> str:
    return str(AGES.item_ids[int(item)]).split("-")[0]


def test_those_whose_strengths_fade_as_one_are_known() -> None:
    assert FADING == ["bm25", "ease", "graph_filter", "next_purchase"]


@settings(max_examples=20, deadline=None)
@given(
    taken=st.dictionaries(st.integers(0, 15), st.integers(0, 400), min_size=1, max_size=8),
    years=st.integers(0, 60),
    name=st.sampled_from(FADING),
)
def test_a_list_does_not_hang_on_how_long_ago_the_whole_history_was(
    taken: dict[int, int], years: int, name: str
) -> None:
    model = FITTED[name]
    items = sorted(taken)
    history = WORLDS.session([items])
    history = replace(history, each_ago=np.array([float(taken[item]) for item in items]))
    long_ago = replace(history, each_ago=history.each_ago + 365 * years)
    now, then = model.lists(history, 16), model.lists(long_ago, 16)
    assert np.array_equal(now.items, then.items)
    fading = 0.5 ** (365 * years / model.half_life_days)  # type: ignore[attr-defined]
    assert then.strength == pytest.approx(now.strength * fading, rel=1e-9, abs=0)


@pytest.mark.parametrize("name", ALL)
def test_whoever_was_away_for_twenty_years_gets_a_list_of_the_own_world(name: str) -> None:
    model = recommenders.create(name).fit(AGES)
    rows = np.arange(60)
    lists = model.recommend(rows, 4)
    assert (lists.counts >= (3 if name == "als" else 4)).all()
    if name in ("popularity", "als"):  # als holds every purchase for certain, old ones as little as may be
        return
    for row, items in zip(rows, lists.items, strict=True):
        own = set(AGES.history([row]).pattern.indices.tolist())
        assert {world(item) for item in items if item >= 0} == {world(item) for item in own}
        assert name == "next_purchase" or own == set(items.tolist())  # which expects what follows


@pytest.mark.parametrize("name", ["bm25", "ease", "graph_filter"])
def test_what_was_long_ago_still_says_which_items_go_together(name: str) -> None:
    lists = recommenders.create(name).fit(AGES).recommend(np.arange(60), 8)
    for row, (items, count) in enumerate(zip(lists.items, lists.counts, strict=True)):
        assert {world(item) for item in items[:count]} == {AGES.user_ids[row].as_py().split("-")[0]}
        assert count > 4


@pytest.mark.parametrize("name", FADING)
def test_customers_of_an_item_still_compare_by_how_long_ago_they_came(name: str) -> None:
    bought = [
        (user, item, DAY - ago - place)
        for user, ago in (("lately", 1), ("years", 1 + 30 * 60), *((f"some{n}", 20) for n in range(5)))
        for place, item in enumerate(("filter", "beans", "kettle"))
    ]
    held = Interactions.from_table(days_table(bought), AS_OF)
    model = recommenders.create(name).fit(held)
    rows, strength = model.score_users(int(held.item_rows(["beans"])[0]))
    found = dict(zip(held.user_ids.take(rows).to_pylist(), strength.tolist(), strict=True))
    assert (next(iter(found)), next(reversed(found))) == ("lately", "years")
    halvings = 30 * 60 / model.half_life_days  # type: ignore[attr-defined]
    assert found["years"] == pytest.approx(found["lately"] * 0.5**halvings, rel=1e-4)
