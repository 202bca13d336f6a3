"""Items that nobody has bought: what they are like, and whom they are offered."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.recommenders.attributes import described, words
from models.recommenders.cold_items import ColdItems
from models.recommenders.graph_filter import GraphFilter
from tests.models.conftest import WORLDS

SOLD = WORLDS.item_ids.to_pylist()
MODEL = GraphFilter(factors=8).fit(WORLDS)
COLOURS = ("red", "blue", "green", "grey", "pink", "white", "black", "brown")


def catalogue(new: dict[str, dict[str, object]]) -> pa.Table:
    """Each sold item with a name of its own, in the category of its world; and some that are not sold."""
    rows = [
        {"item_id": item, "name": f"{COLOURS[int(item[-1])]} {item.split('-')[0]} box", "category": item.split("-")[0]}
        for item in SOLD
    ]
    return pa.Table.from_pylist([*rows, *({"item_id": item, **known} for item, known in new.items())])


def test_words_of_a_name_and_pairs_of_chinese_signs() -> None:
    assert list(words("Heart-shaped T-LIGHT_holder, 3cm")) == ["heart", "shaped", "t", "light", "holder", "3cm"]
    assert list(words("心形蜡烛台 2个")) == ["心形", "形蜡", "蜡烛", "烛台", "2", "个"]


def test_features_are_weighed_by_how_rare_they_are() -> None:
    known = [
        {"item_id": "a", "name": "heart box", "price": Decimal("4"), "attributes": ["gift"]},
        {"item_id": "b", "name": "box", "price": Decimal("5"), "attributes": None},
        {"item_id": "c", "name": None, "price": None, "attributes": ["gift"]},
    ]
    found = (lambda rows: (rows @ rows.T).toarray())(described(["a", "b", "c", "d"], pa.Table.from_pylist(known)))
    once, twice = np.log(4), np.log(2)  # heart is of one in four; box, gift and the price of two
    length = np.sqrt(once**2 + 3 * twice**2)
    assert found[0, 1] == pytest.approx(2 * twice**2 / (length * np.sqrt(2) * twice))
    assert found[0, 2] == pytest.approx(twice**2 / (length * twice))
    assert found[1, 2] == 0
    assert np.diag(found) == pytest.approx([1, 1, 1, 0])


@settings(max_examples=16, deadline=None)
@given(twin=st.sampled_from(SOLD))
def test_an_item_with_the_attributes_of_a_sold_one_lands_beside_it(twin: str) -> None:
    known = {row["item_id"]: row for row in catalogue({}).to_pylist()}[twin]
    items = catalogue({"new": {"name": known["name"], "category": known["category"]}})
    cold = ColdItems.of(WORLDS, items, ["new"], MODEL)
    assert cold is not None
    assert SOLD[int(cold.weights.toarray().argmax())] == twin
    # it suits those best whom its twin suits, and they are told so
    lists, anchors = cold.lists(np.arange(60), 1)
    strengths = MODEL._strengths(WORLDS.history(np.arange(60)).within(0))
    world = [user.split("-")[0] == twin.split("-")[0] for user in WORLDS.user_ids.to_pylist()]
    assert (lists.counts[world] == 1).all()
    assert np.median(lists.strength[world]) > 1.5 * np.median(lists.strength[np.invert(world)])
    best = int(np.argmax(lists.strength[:, 0]))
    assert strengths[best, SOLD.index(twin)] > np.median(strengths[world, SOLD.index(twin)])
    assert SOLD[anchors[best, 0]] == twin


def test_an_item_like_one_sold_item_alone_has_its_strength() -> None:
    items = catalogue({"new": {"category": "rare"}})
    items = items.set_column(2, "category", pa.array(["rare", *items.column("category").to_pylist()[1:]]))
    cold = ColdItems.of(WORLDS, items, ["new", SOLD[3]], MODEL)
    assert cold is not None
    assert cold.item_ids.to_pylist() == ["new"]
    lists, anchors = cold.lists(np.array([0, 40, -1]), 3)
    expected = MODEL._strengths(WORLDS.history([0, 40]).within(0))[:, 0]
    assert lists.strength[0, 0] == pytest.approx(expected[0], abs=1e-6)
    assert lists.counts.tolist() == [1, 0, 0]
    assert anchors.tolist() == [[0, -1, -1], [-1] * 3, [-1] * 3]


def test_what_tells_nothing_is_like_nothing() -> None:
    items = catalogue({"new": {"name": "unheard of"}, "other": {}})
    assert ColdItems.of(WORLDS, items, ["new", "other"], MODEL) is None
    assert ColdItems.of(WORLDS, items, SOLD, MODEL) is None
