"""Acts on items beside purchases: what they add to taste, and what stays about purchases alone."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from math import log

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import recommenders
from models.recommenders import deletion
from models.recommenders.catalogue import Catalogue
from models.recommenders.cutting import cut_before
from models.recommenders.interactions import Interactions
from models.recommenders.ladder import OWN, climb
from models.recommenders.peers import Peers
from models.recommenders.reasons import sentences
from models.recommenders.recommender import Recommender
from models.recommenders.rules import Rules
from models.recommenders.suggesting import REASON, suggest
from tests.models.conftest import ALL, AS_OF, DAY, days_table
from warehouse.errors import DataProblemError
from warehouse.suggestion_rules import RuleSettings

WEIGH = ["als", "bm25", "bpr", "ease", "graph_filter", "next_purchase"]
SMALL = {name: {"factors": 8} for name in ("als", "bpr", "graph_filter")}
Bought = list[tuple[str, str, int]]
Looked = list[tuple[str, str, int, float]]


def with_acts(bought: Bought, looked: Looked) -> pa.Table:
    """(user, item, day) and (user, item, day, worth) as the table that recommenders read."""
    sales = days_table(bought)
    users, items, days, worth = zip(*looked, strict=True) if looked else ((), (), (), ())
    acts = {"user_id": pa.array(users, pa.string()), "item_id": pa.array(items, pa.string()),
            "day": pa.array(days, pa.int64()), "worth": pa.array(worth, pa.float64())}  # fmt: skip
    return pa.concat_tables([sales, pa.table(acts)], promote_options="default")


def held_of(bought: Bought, looked: Looked) -> Interactions:
    return Interactions.from_table(with_acts(bought, looked), AS_OF)


@cache
def rows() -> tuple[Bought, Looked]:
    """60 buyers of 24 items who look at some, and ten who only look."""
    draw = np.random.default_rng(5)
    bought, looked = set(), []
    for user in range(70):
        favourites = draw.choice(24, 6, replace=False)
        for ago in np.unique(draw.integers(1, 200, 8)) if user < 60 else ():
            bought |= {(f"u{user:02}", f"i{item:02}", DAY - int(ago)) for item in draw.choice(favourites, 3)}
        for item in (*draw.choice(favourites, 3), draw.integers(0, 24)):
            ago, worth = int(draw.integers(1, 200)), float(draw.uniform(0.1, 1))
            looked.append((f"u{user:02}", f"i{item:02}", DAY - ago, worth))
    return sorted(bought), looked


@cache
def shop() -> Interactions:
    return held_of(*rows())


@cache
def fitted(name: str) -> Recommender:
    return recommenders.create(name, SMALL.get(name)).fit(shop())


def test_taste_by_hand() -> None:
    """Bought on two days, last 60 days ago; looked at on two days worth .3 and .2, last 120 days ago: each part fades
    by itself, and both are counted by their logarithm."""
    bought = [("a", "tea", DAY - 70), ("a", "tea", DAY - 60), ("b", "cup", DAY - 1)]
    held = held_of(bought, [("a", "tea", DAY - 130, 0.3), ("a", "tea", DAY - 120, 0.2), ("a", "cup", DAY - 60, 0.5)])
    assert held.item_ids.to_pylist() == ["cup", "tea"]
    taste = held.history([0, -1]).taste(60).toarray()
    assert taste[0].tolist() == pytest.approx([log(1.5) / 2, log(3) / 2 + log(1.5) / 4])
    assert taste[1].tolist() == [0, 0]
    for count, worth in (("linear", 0.5), ("binary", 0.5)):
        assert held.history([0]).taste(60, count).toarray()[0, 0] == pytest.approx(worth / 2)
    assert held_of(bought, [("a", "cup", DAY - 60, 3.0)]).history([0]).taste(0, "binary").toarray()[0, 0] == 1


def test_acts_worth_nothing_or_with_items_never_sold_are_as_none() -> None:
    bought, _ = rows()
    plain = Interactions.from_table(days_table(bought), AS_OF).arrays()
    for looked in ([], [("zoe", "i01", DAY - 3, 0.0)], [("zoe", "never sold", DAY - 3, 0.5)]):
        found = held_of(bought, looked).arrays()
        assert found.keys() == plain.keys()
        assert all(np.array_equal(found[name], plain[name]) for name in plain)


@pytest.mark.parametrize(
    ("act", "words"),
    [(("u01", "i01", DAY, 0.5), "not before the cutoff"), (("u01", "i01", DAY - 1, float("inf")), "not a number"),
     ((None, "i01", DAY - 1, 0.5), "1 interactions have no user_id")],
)  # fmt: skip
def test_acts_that_would_let_the_future_in_or_say_nothing_are_refused(act: tuple, words: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(DataProblemError, match=words):
        held_of(rows()[0], [act])


def test_arrays_round_trip_and_damaged_ones_are_refused() -> None:
    held = shop()
    arrays = held.arrays()
    back = Interactions.from_arrays(arrays)
    assert (back.everybody().taste() != held.everybody().taste()).nnz == 0
    acts = held.acts
    assert acts is not None
    for name, wrong in (
        ("acts_users", acts.users[::-1].copy()), ("acts_items", acts.items + 24), ("acts_days", acts.days + 300),
        ("acts_worth", -acts.worth), ("acts_worth", acts.worth[1:]), ("acts_items", acts.items.astype(float)),
    ):  # fmt: skip
        with pytest.raises(DataProblemError, match="acts do not fit"):
            Interactions.from_arrays({**arrays, name: wrong})
    del arrays["acts_days"]
    with pytest.raises(DataProblemError, match="acts_days is missing"):
        Interactions.from_arrays(arrays)


def test_without_some_users_is_as_if_their_acts_had_never_been() -> None:
    bought, looked = rows()
    gone = {"u03", "u60", "u69"}
    rest = held_of([row for row in bought if row[0] not in gone], [row for row in looked if row[0] not in gone])
    found = shop().without(gone).arrays()
    assert all(np.array_equal(found[name], each) for name, each in rest.arrays().items())
    everybody = shop().without({f"u{user:02}" for user in range(70)})
    assert "acts_worth" not in everybody.arrays()


def test_a_past_window_holds_no_act_of_its_own_days() -> None:
    held, cut = shop(), DAY - 50
    past, _ = cut_before(held, np.full(held.shape[0], cut), np.full(held.shape[0], DAY), cut)
    assert past.acts is not None
    assert past.acts.days.max() < cut
    bought, looked = rows()
    before = [row for row in bought if row[2] < cut]
    who, what = {row[0] for row in before}, {row[1] for row in before}
    acts = [row for row in looked if row[2] < cut and row[0] in who and row[1] in what]
    again = Interactions.from_table(with_acts(before, acts), date_of(cut)).everybody().taste()
    assert (past.everybody().taste() != again).nnz == 0


def date_of(day: int):  # type: ignore[no-untyped-def]
    return AS_OF.fromordinal(AS_OF.toordinal() - (DAY - day))


def test_a_group_of_items_is_touched_where_one_of_them_is() -> None:
    labels = pa.array([None if item == 0 else f"g{item % 3}" for item in range(24)])
    grouped, acts = shop().grouped(labels), shop().acts
    assert acts is not None
    assert grouped.acts is not None
    kept = acts.items > 0
    assert grouped.acts.worth.sum() == pytest.approx(acts.worth[kept].sum())
    assert np.bincount(grouped.acts.items, grouped.acts.worth) == pytest.approx(
        np.bincount(acts.items[kept] % 3, acts.worth[kept])
    )


@settings(max_examples=40, deadline=None)
@given(
    row=st.integers(0, 69),
    item=st.integers(0, 23),
    more=st.floats(1, 10),
    name=st.sampled_from(["bm25", "ease", "next_purchase"]),
)
def test_more_of_an_act_never_lowers_the_strength_of_its_own_item(row: int, item: int, more: float, name: str) -> None:
    model, history = fitted(name), shop().history([row])
    touched = history.touched
    assert touched is not None
    worth = touched.worth.copy()
    worth.data = np.where(worth.indices == item, worth.data * more, worth.data)
    before, after = (
        np.asarray(model._strengths(each)[[0], [item]]).ravel()[0]
        for each in (history, replace(history, touched=replace(touched, worth=worth)))
    )
    assert after >= before - 1e-12


@pytest.mark.parametrize("name", ALL)
def test_whoever_only_looked_gets_answers_of_the_own_taste(name: str) -> None:
    """From the model where it weighs, else from what buyers of the same items bought; nobody is said to have bought."""
    model = fitted(name) if name != "two_stage" else recommenders.create(name, {"windows": 1}).fit(shop())
    told = suggest(model, ["u65", "nobody"], 5)
    own, nobody = (told.filter(pa.compute.equal(told["user_id"], user)) for user in ("u65", "nobody"))
    assert set(nobody["source"].to_pylist()) == {"popular"}
    if name not in ("gp_topfreq", "popularity", "personal_decay"):  # whose lists popularity ends, as for anybody
        assert set(own["source"].to_pylist()) == {"similar"}
        assert set(own["reason"].to_pylist()) <= {"looked_before", "looked_other"}
        assert own["item_id"].to_pylist() != nobody["item_id"].to_pylist()


def test_a_reason_that_is_an_act_says_so() -> None:
    bought = [(f"b{n}", item, DAY - 5) for n in range(4) for item in ("tea", "pot")]
    held = held_of([*bought, ("b9", "jam", DAY - 5)], [("ann", "tea", DAY - 3, 0.5)])
    told = suggest(recommenders.create("bm25").fit(held), ["ann"], 2)
    assert told.select(["item_id", *REASON]).to_pylist() == [
        {"item_id": "tea", "reason": "looked_before", "reason_item_id": None, "reason_count": None,
         "reason_gap_days": None, "reason_days": 3},
        {"item_id": "pot", "reason": "looked_other", "reason_item_id": "tea", "reason_count": None,
         "reason_gap_days": None, "reason_days": 3},
    ]  # fmt: skip
    assert sentences(told) == ["Looked at 3 days ago", "Because tea was looked at 3 days ago"]
    assert sentences(told, "zh") == [" 3 天前浏览过".strip(), "因为 3 天前浏览过 tea"]


@pytest.mark.parametrize("name", WEIGH)
def test_the_formula_of_each_model_says_what_folding_in_without_the_item_says(name: str) -> None:
    model, users = fitted(name), np.array([0, 1, 2, 3, 62, 63])
    history = shop().history(users)
    entries = climb(model, users, 5)
    own = entries.rung == OWN
    rows, items, strength = entries.asked[own], entries.item[own], entries.strength[own]
    told = model.drops(history, rows, items, strength).toarray()
    known = history.known[rows].tocsr()
    tried = deletion.tried(model._of_pairs, known, history, rows, items, strength).toarray()
    looked_at = (known.toarray() > 0) & (told > 0)  # the graph filter looks at five items
    assert looked_at.sum() > len(rows)
    gone = np.isinf(tried)
    assert (told[gone & looked_at] >= 0.99 * np.broadcast_to(strength[:, None], gone.shape)[gone & looked_at]).all()
    assert np.allclose(told[looked_at & ~gone], tried[looked_at & ~gone], rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("name", ["bm25", "ease", "graph_filter", "next_purchase"])
def test_an_absence_fades_acts_and_purchases_alike(name: str) -> None:
    """What is in proportion to taste gives the same list as of the last day on which anything was done."""
    model, history = fitted(name), shop().history(np.arange(70))
    touched = history.touched
    assert touched is not None
    later = replace(history, each_ago=history.each_ago + 700, touched=replace(touched, days_ago=touched.days_ago + 700))
    now, then = model.lists(history, 6), model.lists(later, 6)
    assert np.array_equal(now.items, then.items)
    assert then.strength == pytest.approx(now.strength * 0.5 ** (700 / model.half_life_days), rel=1e-9)  # type: ignore[attr-defined]


def test_customers_are_alike_by_what_they_bought_alone() -> None:
    bought, _ = rows()
    plain = Peers(Interactions.from_table(days_table(bought), AS_OF)).of(7, 9)
    found = Peers(shop()).of(7, 9)
    assert np.array_equal(found.user_rows, plain.user_rows)
    assert np.array_equal(found.likeness, plain.likeness)


def test_rules_on_what_was_bought_look_at_purchases_alone() -> None:
    bought, _ = rows()
    said = RuleSettings(not_bought_within_days=60, repeats="never")
    rules, plain = (Rules(said, held, Catalogue.of(held, None)) for held in (
        shop(), Interactions.from_table(days_table(bought), AS_OF)))  # fmt: skip
    buyers = plain.held.user_ids.to_pylist()
    assert np.array_equal(rules.barred(rules.held.user_rows(buyers)), plain.barred(plain.held.user_rows(buyers)))
    assert not rules.barred(rules.held.user_rows([f"u{user}" for user in range(60, 70)])).any()
    assert np.array_equal(shop().popularity, plain.held.popularity)
    assert np.array_equal(shop().buyers, plain.held.buyers)
