"""Places of suggestions that are kept for items that nobody has bought yet."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.recommenders.cold_items import ColdItems
from models.recommenders.graph_filter import GraphFilter
from models.recommenders.suggesting import suggest
from pipeline.new_items import placed, to_offer, unsold
from tests.models.conftest import AS_OF, WORLDS
from warehouse.errors import SettingsError
from warehouse.settings import parse_settings

MODEL = GraphFilter(factors=8).fit(WORLDS)
SOLD = WORLDS.item_ids.to_pylist()
ITEMS = [{"item_id": item, "name": f"{item} box", "category": item.split("-")[0], "price": 3.0} for item in SOLD]
USERS = [*WORLDS.user_ids.to_pylist()[25:35], "nobody"]


def said(text: str) -> Any:
    return parse_settings(f"[recommend]\n{text}").recommend


def table(*new: dict[str, Any]) -> pa.Table:
    names = {"item_id": None, "name": None, "category": None, "price": None, "in_stock": None, "launched_at": None}
    return pa.Table.from_pylist([{**names, **row} for row in (*ITEMS, *new)])


def offered(text: str, *new: dict[str, Any]) -> list[str]:
    there = unsold(WORLDS, table(*new), said(text).rules, AS_OF, "UTC")
    found = to_offer(WORLDS, table(*new), said(text), there)
    return found.item_ids.to_pylist() if found else []


def test_what_may_be_offered_of_what_nobody_has_bought() -> None:
    new = [
        {"item_id": "new-tea", "category": "tea", "price": 4.0},
        {"item_id": "new-tool", "category": "tool", "price": 9.0},
        {"item_id": "gone", "category": "tea", "in_stock": False},
        {"item_id": "later", "category": "tea", "launched_at": datetime(2011, 6, 12)},
        {"item_id": "strange", "category": "hats"},
    ]
    assert offered("new_items = 1", *new) == ["new-tea", "new-tool"]
    assert offered("new_items = 1\n[recommend.rules]\nonly_categories = ['tea']", *new) == ["new-tea"]
    assert offered("new_items = 1\n[recommend.rules]\nmin_price = 5", *new) == ["new-tool"]
    assert offered("k = 20", *new) == []  # nobody asked for any: nothing is fitted
    assert offered("new_items = 1") == []
    assert unsold(WORLDS, None, None, AS_OF, "UTC") == []
    assert to_offer(WORLDS, None, said("new_items = 1"), []) is None


@settings(max_examples=20, deadline=None)
@given(k=st.integers(2, 12), places=st.integers(1, 6), new=st.integers(1, 3))
def test_new_items_take_every_so_manieth_place_and_the_rest_stays_in_order(k: int, places: int, new: int) -> None:
    places = min(places, k // 2)
    rows = [{"item_id": f"new-{n}", "name": f"tea-{n} box", "category": "tea"} for n in range(new)]
    cold = ColdItems.of(WORLDS, table(*rows), [row["item_id"] for row in rows], MODEL)
    assert cold is not None
    own = suggest(MODEL, USERS, k)
    found = placed(own, [None if user == USERS[0] else user for user in USERS], cold, places, k)
    assert found.schema == own.schema
    for user in USERS:
        before = [row for row in own.to_pylist() if row["user_id"] == user]
        after = [row for row in found.to_pylist() if row["user_id"] == user]
        assert [row["rank"] for row in after] == list(range(1, len(after) + 1))
        assert len(after) == min(k, len(before) + sum(row["source"] == "new" for row in after))
        kept = [{**row, "rank": 0} for row in after if row["source"] != "new"]
        assert kept == [{**row, "rank": 0} for row in before][: len(kept)]
        mine = [row for row in after if row["source"] == "new"]
        if user in (USERS[0], "nobody"):
            assert mine == []
        elif user.startswith("tea"):
            assert [row["rank"] for row in mine] == [(n + 1) * (k // places) for n in range(min(new, places))]
            assert all(row["reason"] == "new_like" and row["reason_item_id"] in SOLD for row in mine)
            strengths = [row["strength"] for row in mine]
            assert strengths == sorted(strengths, reverse=True)


def test_how_many_places_there_may_be() -> None:
    assert "new_items" not in said("k = 20").model_dump()
    assert said("k = 20\nnew_items = 10").new_items == 10
    with pytest.raises(SettingsError, match="at most half of k"):
        said("k = 20\nnew_items = 11")
    with pytest.raises(SettingsError, match="new_items = 0 beside within_price_band"):
        said("new_items = 1\n[recommend.rules]\nper_brand = 2")
    assert np.isclose(said("new_items = 1\n[recommend.rules]\nmax_price = 2").rules.max_price, 2)
