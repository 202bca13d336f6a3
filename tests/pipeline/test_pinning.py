"""Pins that nobody has bought yet: first in every list, in the order of pins, with a reason that is true."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from hypothesis import given, settings
from hypothesis import strategies as st

from models import recommenders
from models.recommenders.catalogue import Catalogue
from models.recommenders.reasons import sentences
from models.recommenders.rules import Rules
from models.recommenders.suggesting import suggest
from pipeline.new_items import unsold
from pipeline.pinning import pinned_unsold, placed
from pipeline.suggestions import _popular
from tests.models.conftest import AS_OF, WORLDS
from warehouse.suggestion_rules import RuleSettings

MODEL = recommenders.create("gp_topfreq").fit(WORLDS)
USERS = [*WORLDS.user_ids.to_pylist()[25:33], "nobody", "another"]
PINS = ["tea-3", "new-a", "tool-1", "new-b"]


def items(**more: Any) -> pa.Table:
    rows = [{"item_id": item, "category": "old", "in_stock": None} for item in WORLDS.item_ids.to_pylist()]
    rows += [{"item_id": f"new-{n}", "category": "new", "in_stock": None} | more for n in "abc"]
    return pa.Table.from_pylist(rows)


def offered(table: pa.Table | None, **said: Any) -> list[str]:
    rules = RuleSettings(**said)
    return pinned_unsold(rules, unsold(WORLDS, table, rules, AS_OF, "UTC"))


def test_what_may_be_pinned_of_what_nobody_has_bought() -> None:
    pin = ("new-b", "tea-1", "new-a", "misspelt", "new-b")
    assert offered(items(), pin=pin) == ["new-b", "new-a"]
    assert offered(items(in_stock=False), pin=pin) == []
    assert offered(items(), pin=pin, never_categories=("new",)) == []
    assert offered(None, pin=pin) == []
    assert offered(items()) == []
    for whole in ({"within_price_band": 2.0}, {"per_category": 2}, {"per_brand": 1}):
        assert offered(items(), pin=pin, **whole) == []
    assert pinned_unsold(None, ["new-a"]) == []


@settings(max_examples=40, deadline=None)
@given(
    k=st.integers(1, 12),
    pins=st.lists(st.sampled_from(PINS), unique=True).map(tuple),
    never=st.sampled_from([(), ("tea-3",)]),
)
def test_pins_stand_first_in_their_order_and_the_rest_stays_in_its_own(
    k: int, pins: tuple[str, ...], never: tuple[str, ...]
) -> None:
    for_sale = None if not never else ~Catalogue.of(WORLDS, items()).category.among(("none",))
    if for_sale is not None:
        for_sale[WORLDS.item_rows(list(never))] = False
    rules = Rules(RuleSettings(pin=pins), WORLDS, Catalogue.of(WORLDS, items()), for_sale)
    new = [pin for pin in pins if pin.startswith("new")]
    own = suggest(MODEL, USERS, k, rules=rules)
    found = placed(own, USERS, pins, new, k)
    assert found.schema == own.schema
    allowed = [pin for pin in pins if pin not in never]
    for user in USERS:
        before = [row for row in own.to_pylist() if row["user_id"] == user]
        after = [row for row in found.to_pylist() if row["user_id"] == user]
        assert [row["rank"] for row in after] == list(range(1, len(after) + 1))
        assert len(after) == min(k, len(before) + len(new))
        assert [row["item_id"] for row in after][: len(allowed)] == allowed[:k]
        kept = [{**row, "rank": 0} for row in after if row["source"] != "pinned"]
        assert kept == [{**row, "rank": 0} for row in before][: len(kept)]
        mine = [row for row in after if row["source"] == "pinned"]
        assert {row["item_id"] for row in mine} <= set(new)
        assert set(sentences(pa.Table.from_pylist(mine, found.schema))) <= {"Picked by the shop"}
    assert pc.unique(found["user_id"]).to_pylist() == USERS


def test_strangers_are_offered_them_too() -> None:
    rules = Rules(RuleSettings(pin=tuple(PINS)), WORLDS, Catalogue.of(WORLDS, items()))
    plain = _popular(MODEL, None, rules, [])
    found = _popular(MODEL, None, rules, ["new-a", "new-b"])
    assert found["item_id"].to_pylist()[:4] == PINS
    assert found["strength"].to_pylist()[1] == 0
    assert [item for item in found["item_id"].to_pylist() if not item.startswith("new")] == plain["item_id"].to_pylist()
