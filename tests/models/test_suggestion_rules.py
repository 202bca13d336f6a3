"""Laws of rules of suggestions over made-up sales and items, and values worked by hand."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import recommenders
from models.recommenders.arranging import Arrangement
from models.recommenders.catalogue import Catalogue
from models.recommenders.history import Floats, Rows
from models.recommenders.interactions import Interactions
from models.recommenders.ladder import climb
from models.recommenders.recommender import Recommender
from models.recommenders.rule_effects import effects
from models.recommenders.rules import Rules, listed
from models.recommenders.suggesting import suggest
from tests.models.conftest import AS_OF, interactions
from warehouse.settings import parse_settings
from warehouse.suggestion_rules import RuleSettings

LEVELS = ("gold", "silver", None)
CATEGORIES, BRANDS = ("tea", "tools", "toys", None), ("ann", "bob", None)


def sold(seed: int, users: int = 9, items: int = 14) -> Interactions:
    """Random customers with random items at prices of 1 to 9."""
    random = np.random.default_rng(seed)
    pairs = {
        (int(u), int(i)) for u, i in zip(random.integers(0, users, 60), random.integers(0, items, 60), strict=True)
    }
    bought = [(f"u{u}", f"i{i:02}", int(random.integers(1, 4)), int(random.integers(1, 60))) for u, i in sorted(pairs)]
    held = interactions(bought)
    return replace(held, amount=held.quantity * random.integers(1, 9, len(held.quantity)))


def catalogue(held: Interactions, seed: int) -> pa.Table:
    random = np.random.default_rng(seed + 1)
    n = held.shape[1]
    price = random.integers(1, 9, n).astype(float)
    return pa.table(
        {
            "item_id": held.item_ids.cast(pa.string()),
            "category": pa.array([CATEGORIES[i] for i in random.integers(0, 4, n)], pa.string()),
            "brand": pa.array([BRANDS[i] for i in random.integers(0, 3, n)], pa.string()),
            "seller_level": pa.array([LEVELS[i % 3] for i in range(n)], pa.string()),
            "price": pa.array(price, mask=random.random(n) < 0.2),
            "cost": pa.array(price * random.random(n), mask=random.random(n) < 0.3),
        }
    )


def chance_of(held: Interactions) -> Any:
    """A chance of every pair; unknown for strangers."""

    def chance(users: Rows, items: Rows) -> Floats:
        known = ((users * 7 + items * 5) % 11 + 1) / 100
        return np.where(users < 0, np.nan, known)

    return chance


some = st.lists(st.sampled_from([name for name in CATEGORIES if name]), max_size=2, unique=True).map(tuple)
few = st.none() | st.integers(1, 3)
RULES = st.builds(
    RuleSettings,
    only_categories=some,
    never_categories=some,
    never_brands=st.sampled_from([(), ("ann",), ("bob",)]),
    min_price=st.none() | st.integers(0, 3),
    max_price=st.none() | st.integers(4, 9),
    within_price_band=st.none() | st.sampled_from([0.5, 1.0, 2.0]),
    not_bought_within_days=st.none() | st.integers(1, 60),
    per_category=few,
    per_brand=few,
    pin=st.lists(st.sampled_from([f"i{i:02}" for i in range(14)] + ["never sold"]), max_size=3).map(tuple),
    boost_categories=st.sampled_from([{}, {"tea": 3.0}, {"tea": 0.2, "toys": 2.0}]),
    boost_brands=st.sampled_from([{}, {"bob": 2.0}]),
    boost_seller_levels=st.sampled_from([{}, {"gold": 2.0, "silver": 0.5}]),
    margin=st.sampled_from([0.0, 0.5, 1.0]),
    diversity=st.sampled_from([0.0, 0.4, 1.0]),
)


def world(seed: int, said: RuleSettings, known: bool = True) -> tuple[Interactions, Rules]:
    held = sold(seed)
    for_sale = np.random.default_rng(seed + 2).random(held.shape[1]) < 0.8
    rules = Rules(said, held, Catalogue.of(held, catalogue(held, seed)), for_sale, chance_of(held) if known else None)
    return held, rules


def lists_of(found: Any, n: int) -> list[list[int]]:
    return [found.item[found.asked == row].tolist() for row in range(n)]


def may_see(rules: Rules, row: int, item: int) -> bool:
    """The rules on what may be shown, read once more, one pair at a time."""
    said, held, known = rules.said, rules.held, rules.catalogue
    category = known.category.names[known.category.of[item]] if known.category.of[item] >= 0 else None
    brand = known.brand.names[known.brand.of[item]] if known.brand.of[item] >= 0 else None
    price = known.price[item]
    fine = bool(rules.for_sale is None or rules.for_sale[item])
    fine &= not said.only_categories or category in said.only_categories
    fine &= category not in said.never_categories and brand not in said.never_brands
    fine &= said.min_price is None or price >= said.min_price
    fine &= said.max_price is None or price <= said.max_price
    if row < 0:
        return fine
    entries = range(held.indptr[row], held.indptr[row + 1])
    for entry in entries:
        if held.indices[entry] == item and said.not_bought_within_days is not None:
            fine &= held.as_of_day - held.days[held.day_starts[entry + 1] - 1] > said.not_bought_within_days
    if said.within_price_band is not None:
        paid = [(known.category.of[held.indices[e]], held.amount[e] / held.quantity[e]) for e in entries]
        alike = [each for of, each in paid if of == known.category.of[item] and of >= 0]
        usual = np.median(alike or [each for _, each in paid])
        fine &= price <= usual * said.within_price_band + 1e-6
    return fine


def within_caps(rules: Rules, items: list[int]) -> bool:
    for kind, most in (
        (rules.catalogue.category, rules.said.per_category),
        (rules.catalogue.brand, rules.said.per_brand),
    ):
        groups = [kind.of[item] for item in items if kind.of[item] >= 0]
        if most is not None and any(groups.count(group) > most for group in groups):
            return False
    return True


NAMES = st.sampled_from(["gp_topfreq", "bm25", "popularity"])


@settings(deadline=None, max_examples=30)
@given(RULES, st.integers(0, 5), NAMES, st.booleans(), st.sampled_from([2, 5]))
def test_every_rule_holds_in_every_list(said: RuleSettings, seed: int, name: str, known: bool, k: int) -> None:
    held, rules = world(seed, said, known)
    model = recommenders.create(name).fit(held)
    rows = np.append(np.arange(held.shape[0]), -1)
    lists = lists_of(listed(model, rows, k, rules), len(rows))
    for row, items in zip(rows, lists, strict=True):
        assert len(set(items)) == len(items) <= k
        assert all(may_see(rules, row, item) for item in items)
        assert within_caps(rules, items)
        allowed = [item for item in range(held.shape[1]) if may_see(rules, row, item)]
        if len(items) < k:  # nothing else fits
            assert not any(within_caps(rules, [*items, item]) for item in allowed if item not in items)
        assert bool(items) == bool(allowed)
        pins = []
        for pin in rules.pins.tolist():
            if pin in allowed and within_caps(rules, [*pins, pin]) and len(pins) < k:
                pins.append(pin)
        assert items[: len(pins)] == pins


NOTHING_APPLIES = [
    RuleSettings(),
    RuleSettings(never_categories=("none",), max_price=1e9, per_category=99, within_price_band=1e9),
    RuleSettings(boost_categories={"none": 9.0}, boost_brands={"ann": 1.0}, pin=("never sold",)),
    RuleSettings(boost_seller_levels={"platinum": 9.0}),
]


@pytest.mark.parametrize("said", NOTHING_APPLIES)
@pytest.mark.parametrize("name", ["gp_topfreq", "ease", "bm25", "als"])
def test_where_nothing_applies_the_order_is_the_model_s(said: RuleSettings, name: str) -> None:
    held, rules = world(3, said)
    rules = replace(rules, for_sale=None)
    model = recommenders.create(name).fit(held)
    for k in (1, 4, 50):
        ids = [*held.user_ids.to_pylist(), "nobody"]
        assert suggest(model, ids, k, rules=rules).equals(suggest(model, ids, k))


@settings(deadline=None, max_examples=20)
@given(st.floats(0.1, 10), st.booleans(), st.integers(0, 3), st.booleans())
def test_what_is_boosted_alike_keeps_its_order(factor: float, known: bool, seed: int, by_seller: bool) -> None:
    said = (
        RuleSettings(boost_seller_levels={"gold": factor})
        if by_seller
        else RuleSettings(boost_categories={"tea": factor})
    )
    held, rules = world(seed, said, known)
    model = recommenders.create("gp_topfreq").fit(held)
    rows = np.arange(held.shape[0])
    plain = lists_of(climb(model, rows, 50, rules.allowed), len(rows))
    boosted = lists_of(listed(model, rows, 50, rules), len(rows))
    whose = rules.catalogue.seller_level if by_seller else rules.catalogue.category
    tea = set(np.flatnonzero(whose.among(("tea", "gold"))).tolist())
    for before, after in zip(plain, boosted, strict=True):
        for part in (tea, set(range(held.shape[1])) - tea):
            assert [item for item in before if item in part] == [item for item in after if item in part]
        for place, item in enumerate(before):
            moved = after.index(item) - place
            assert moved == 0 or (moved < 0) == ((item in tea) == (factor > 1))


def test_a_list_does_not_hang_on_who_else_asks() -> None:
    said = RuleSettings(per_category=2, diversity=0.5, margin=0.3, within_price_band=1.5, pin=("i03",))
    held, rules = world(1, said)
    model: Recommender = recommenders.create("bm25").fit(held)
    rows = np.arange(held.shape[0])
    together = listed(model, rows, 4, rules)
    for row in rows:
        alone = listed(model, rows[[row]], 4, rules)
        mine = together.asked == row
        assert alone.item.tolist() == together.item[mine].tolist()
        assert alone.strength.tolist() == together.strength[mine].tolist()


def test_where_caps_leave_a_list_short_more_candidates_are_asked_for() -> None:
    bought = [("ann", f"tea{i:02}", 30 - i, 1) for i in range(20)] + [("bob", "saw", 1, 90), ("bob", "axe", 1, 80)]
    held = interactions(bought)
    items = pa.table(
        {"item_id": held.item_ids, "category": ["tea" if "tea" in i else i for i in held.item_ids.to_pylist()]}
    )
    rules = Rules(RuleSettings(per_category=1), held, Catalogue.of(held, items))
    found = listed(recommenders.create("gp_topfreq").fit(held), np.array([0, -1]), 3, rules)
    assert [held.item_ids[item].as_py() for item in found.item] == ["tea00", "axe", "saw"] * 2


# ---- by hand --------------------------------------------------------------------------------------------------------


def arranged(how: Arrangement, chance: list[float] | None, k: int = 3) -> list[int]:
    """Of the items 0 … 3, in this order, those listed."""
    items, pinned = np.arange(4)[None], np.ones((1, len(how.pins)), bool)
    return how.lists(items, None if chance is None else np.array([chance]), k, pinned)[0].tolist()


def test_a_boost_multiplies_the_chance_of_a_place() -> None:
    tripled = Arrangement(boost=np.array([1.0, 1.0, 1.0, 3.0]))
    # The model says 0 1 2 3; the chances .2 .1 .05 .04 are those of places: 3 × .04 lies between .2 and .1.
    assert arranged(tripled, [0.2, 0.1, 0.05, 0.04]) == [0, 3, 1]
    assert arranged(tripled, [0.04, 0.05, 0.1, 0.2]) == [0, 3, 1]
    # Without chances 1, 1/2, 1/3 and 3 × 1/4.
    assert arranged(tripled, None) == [0, 3, 1]
    assert arranged(Arrangement(boost=np.array([0.1, 1.0, 1.0, 1.0])), None) == [1, 2, 3]


def test_margin_is_expected_margin_beside_the_chance() -> None:
    chance, earns = [0.4, 0.2, 0.1, 0.1], np.array([1.0, 1.0, 8.0, -2.0])
    # Expected margins .4 .2 .8 −.2: shares of the largest .5 .25 1 −.25; shares of the chance 1 .5 .25 .25.
    assert arranged(Arrangement(margin=1, earns=earns), chance, 4) == [2, 0, 1, 3]
    assert arranged(Arrangement(margin=0.5, earns=earns), chance, 4) == [0, 2, 1, 3]  # .75 .375 .625 0
    assert arranged(Arrangement(margin=0.1, earns=earns), chance, 4) == [0, 1, 2, 3]


def test_diversity_is_maximal_marginal_relevance() -> None:
    def same_half(item: Rows, others: Rows) -> Floats:
        return np.asarray(item[:, None] // 2 == others // 2, dtype=np.float64)

    chance = [0.4, 0.36, 0.2, 0.1]
    # After 0: .5 × .9 − .5 × 1 = −.05 for 1, .5 × .5 = .25 for 2; after 2: −.05 for 1, −.375 for 3.
    assert arranged(Arrangement(diversity=0.5, likeness=same_half), chance) == [0, 2, 1]
    assert arranged(Arrangement(diversity=0.01, likeness=same_half), chance) == [0, 1, 2]


def test_pins_stand_first_and_count_towards_caps() -> None:
    halves = np.array([0, 0, 1, 1])
    assert arranged(Arrangement(pins=np.array([3, 1])), None) == [3, 1, 0]
    assert arranged(Arrangement(pins=np.array([3, 2]), caps=[(halves, 1)]), None) == [3, 0, -1]


def test_likeness_is_of_kinds_or_of_buyers() -> None:
    held, rules = world(0, RuleSettings(diversity=0.5))
    items = np.arange(held.shape[1])
    cosine = held.neighbours.toarray()
    kinds = (rules.catalogue.category, rules.catalogue.brand)
    for item in items:
        found = rules._likeness(np.array([item]), items[None])[0]
        for other in items:
            agree = sum(kind.of[item] == kind.of[other] >= 0 for kind in kinds) / 2
            assert found[other] == pytest.approx(max(agree, cosine[item, other]))


def test_prices_and_margins_of_items() -> None:
    held = interactions([("ann", "cup", 1, 3), ("ann", "pot", 1, 3), ("bob", "cup", 1, 3), ("bob", "tin", 1, 3)])
    items = pa.table({"item_id": ["cup", "pot"], "price": [4.0, 10.0], "cost": [1.0, None]})
    known = Catalogue.of(held, items)
    assert known.price.tolist() == [4.0, 10.0, 2.5]  # the tin was sold for 2.50
    assert known.margin.tolist() == [3.0, 7.5, 1.875]  # three quarters of the price, as of the cup
    assert known.category.among(("tea",)).tolist() == [False] * 3
    assert not Rules(RuleSettings(only_categories=("tea",)), held, known).allowed.any()


def test_the_usual_price_is_of_the_category_else_of_all() -> None:
    held = interactions([("ann", "cup", 1, 3), ("ann", "pot", 1, 3), ("ann", "saw", 1, 3), ("bob", "axe", 1, 3)])
    # axe, cup, pot, saw: ann paid 2 for the cup, 4 for the pot, 30 for the saw.
    held = replace(held, amount=np.array([2.0, 4.0, 30.0, 9.0]))
    items = pa.table(
        {
            "item_id": ["axe", "cup", "pot", "saw", "gone"],
            "category": ["tools", "tea", "tea", "tools", "tea"],
            "price": [50.0, 7.0, 5.0, 45.0, 1.0],
        }
    )
    rules = Rules(RuleSettings(within_price_band=1.5), held, Catalogue.of(held, items))
    # Her limits: tea 1.5 × 3, tools 1.5 × 30; bob has bought no tea: 1.5 × 9 all over.
    assert rules.barred(np.array([0, 1, -1])).tolist() == [
        [True, True, True, False], [True, False, False, True], [False] * 4,
    ]  # fmt: skip


def test_what_each_rule_took_away() -> None:
    held = interactions([("ann", item, 1, ago) for item, ago in (("a", 1), ("b", 2), ("c", 3), ("d", 4))])
    items = pa.table({"item_id": ["a", "b", "c", "d"], "category": ["x", "x", "y", "y"]})
    said = RuleSettings(not_bought_within_days=1, never_categories=("y",), per_category=1, pin=("d", "c"))
    rules = Rules(said, held, Catalogue.of(held, items))
    found = {
        each.rule: (each.shown, each.removed, each.moved)
        for each in effects(recommenders.create("gp_topfreq").fit(held), np.array([0]), 3, rules)
    }
    # Without rules: a b c. Pins give d c a: b is removed, and a and c have changed places.
    assert found == {
        "never_categories": (3, 1, 0),
        "not_bought_within_days": (3, 1, 0),
        "per_category": (3, 1, 0),
        "pin": (3, 1, 2),
    }
    assert held.as_of == AS_OF


def test_the_worked_example_of_the_page() -> None:
    page = (Path(__file__).parents[2] / "docs" / "recommenders.md").read_text(encoding="utf-8")
    blocks = dict(re.findall(r"^```([^\n]+)\n(.*?)^```", page, re.DOTALL | re.MULTILINE))
    header, *lines = (line.split(",") for line in blocks["csv items"].splitlines())
    items = pa.table(dict(zip(header, (list(column) for column in zip(*lines, strict=True)), strict=True)))
    prices = dict(zip(items["item_id"].to_pylist(), map(float, items["price"].to_pylist()), strict=True))
    bought = [("ann", "beans", 5, 20), ("ann", "ground", 3, 30), ("ann", "filter", 2, 5), ("ann", "voucher", 1, 40)]
    others = [("bob", "roast", 1, 30), ("cid", "kettle", 1, 25), ("dan", "kettle", 1, 60)]
    held = interactions([*bought, *others])
    paid = np.array([prices[item] for item in held.item_ids.to_pylist()])
    held = replace(held, amount=held.quantity * paid[held.indices])
    model = recommenders.create("gp_topfreq").fit(held)
    rules = Rules(parse_settings(blocks["toml"]).recommend.rules, held, Catalogue.of(held, items))
    for user in ("ann", "nobody"):
        assert suggest(model, [user], 5, rules=rules)["item_id"].to_pylist() == blocks[f"text {user}"].split(), user
    plain = suggest(model, ["ann"], 6)["item_id"].to_pylist()
    assert f"GP-TopFreq lists {', '.join(plain)}." in page
