"""What completes a basket, by hand and as laws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.recommenders.baskets import Completer
from models.recommenders.interactions import Interactions
from tests.models.conftest import AS_OF, DAY, days_table

VISITS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from("uvwxyz"), st.integers(DAY - 5, DAY - 1)),
    max_size=50,
    unique=True,
)


def held_of(visits: list[tuple[str, int, str]]) -> Interactions:
    """Visits as (user, days ago, items)."""
    return Interactions.from_table(days_table([(u, i, DAY - ago) for u, ago, items in visits for i in items]), AS_OF)


def test_what_is_bought_on_one_visit_belongs_together_not_what_one_customer_buys() -> None:
    # everybody buys x, y and z, but y on the visits of x, and z on others
    held = held_of([(user, ago, items) for user in "abc" for ago, items in ((1, "xy"), (5, "z"), (9, "xy"), (20, "w"))])
    x, y, z, w = (int(held.item_rows([item])[0]) for item in "xyzw")
    first, *rest = Completer(held).complete([x], 3)
    # six common visits of the six of either
    assert (first.item, first.anchor, first.strength) == (y, x, pytest.approx(1.0))
    assert [(each.item, each.anchor) for each in rest] == [(z, -1), (w, -1)]  # popular, the later bought first


def test_two_items_of_a_basket_say_more_than_one() -> None:
    held = held_of([
        ("a", 1, "xyz"), ("b", 1, "xyz"), ("a", 5, "xw"), ("b", 5, "xw"), ("c", 5, "xw"), ("c", 7, "y"), ("c", 9, "v"),
    ])  # fmt: skip
    x, y, z, w = (int(held.item_rows([item])[0]) for item in "xyzw")
    # z: 2 common visits with x of 5 · 2, and 2 with y of 3 · 2; w: 3 with x of 5 · 3
    found = Completer(held).complete([x, y, -1], 2)
    assert [each.item for each in found] == [z, w]
    assert found[0].strength == pytest.approx(2 / np.sqrt(10) + 2 / np.sqrt(6))
    assert found[0].anchor == y
    assert Completer(held).complete([x], 1)[0].item == w


@settings(max_examples=40, deadline=None)
@given(VISITS, st.lists(st.integers(-1, 5), max_size=4), st.integers(1, 8), st.data())
def test_a_list_is_as_long_as_it_can_be_and_holds_nothing_twice_or_barred(
    visits: list[tuple[str, str, int]], basket: list[int], k: int, data: st.DataObject
) -> None:
    held = Interactions.from_table(days_table(visits), AS_OF)
    items = held.shape[1]
    basket = [row for row in basket if row < items]
    allowed = np.array(data.draw(st.lists(st.booleans(), min_size=items, max_size=items)), dtype=bool)
    found = [each.item for each in Completer(held).complete(basket, k, allowed, [0] if items else [])]
    may = {row for row in range(items) if allowed[row]} - {0} - set(basket)
    assert len(found) == len(set(found)) == min(k, len(may))
    assert set(found) <= may
