"""The ladder from the own list to what is popular, and the words of the reasons."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from models import recommenders
from models.recommenders.interactions import Interactions
from models.recommenders.reasons import sentence, sentences
from models.recommenders.suggesting import SCHEMA, suggest
from tests.models.conftest import interactions

# tea and cup go together (three common buyers), saw and hammer too; bell is bought by one person only
SALES = {
    "ann": {"tea": (3, 4), "cup": (1, 9)},
    "bob": {"tea": (1, 5), "cup": (1, 5)},
    "cid": {"tea": (1, 6), "cup": (2, 6)},
    "dan": {"saw": (1, 7), "hammer": (1, 7)},
    "eve": {"saw": (1, 8), "hammer": (1, 8)},
    "fay": {"tea": (2, 3)},
    "gus": {"bell": (1, 40)},
}


def sold() -> Interactions:
    return interactions([(u, i, *values) for u, items in SALES.items() for i, values in items.items()])


HELD = sold()


def model(name: str) -> recommenders.Recommender:
    return recommenders.create(name).fit(HELD)


def rows(table: pa.Table, user: str) -> list[dict[str, object]]:
    return [row for row in table.to_pylist() if row["user_id"] == user]


@pytest.mark.parametrize("name", recommenders.names())
def test_everybody_gets_full_lists_in_order_without_duplicates(name: str) -> None:
    ids = ["zoe", *SALES, "", "ANN"]
    for k in (1, 3, 50):
        table = suggest(model(name), ids, k)
        assert table.schema == SCHEMA
        assert list(dict.fromkeys(table.column("user_id").to_pylist())) == ids
        for user in ids:
            mine = rows(table, user)
            assert [row["rank"] for row in mine] == list(range(1, min(k, 5) + 1))
            assert len({row["item_id"] for row in mine}) == len(mine)
            assert all(np.isfinite(row["strength"]) for row in mine)


@pytest.mark.parametrize("name", recommenders.names())
def test_the_top_of_the_ladder_is_the_list_of_the_model(name: str) -> None:
    fitted = model(name)
    lists = fitted.recommend(np.arange(len(HELD.user_ids)), 4)
    table = suggest(fitted, HELD.user_ids, 4)
    for user, items, count in zip(HELD.user_ids.to_pylist(), lists.items, lists.counts, strict=True):
        own = HELD.item_ids.take(pa.array(items[:count])).to_pylist()
        assert [row["item_id"] for row in rows(table, user)][:count] == own


@pytest.mark.parametrize("name", recommenders.names())
def test_an_unknown_id_gets_the_popular_rung(name: str) -> None:
    mine = rows(suggest(model(name), ["zoe"], 5), "zoe")
    popular = model("popularity").recommend([-1], 5)
    assert [row["item_id"] for row in mine] == HELD.item_ids.take(pa.array(popular.items[0])).to_pylist()
    assert {(row["source"], row["reason"]) for row in mine} == {("popular", "popular")}
    assert mine[0]["item_id"] == "tea"
    assert mine[0]["reason_count"] == 4


@pytest.mark.parametrize("name", recommenders.names())
def test_the_history_of_a_stranger_is_not_looked_at(name: str) -> None:
    told = suggest(model(name), ["ann", "bob", "nobody"], 4, strangers=[True, False, False])
    ann, nobody = ([{**row, "user_id": None} for row in rows(told, user)] for user in ("ann", "nobody"))
    assert ann == nobody
    assert rows(told, "bob") == rows(suggest(model(name), ["bob"], 4), "bob")


def test_the_rungs_of_a_short_list_and_their_reasons() -> None:
    mine = rows(suggest(model("personal_frequency"), ["fay"], 3), "fay")
    told = [
        (r["item_id"], r["source"], r["reason"], r["reason_item_id"], r["reason_count"], r["reason_days"]) for r in mine
    ]
    assert told == [
        ("tea", "personal", "bought_before", None, 2, 3),
        ("cup", "similar", "bought_other", "tea", None, 3),
        ("hammer", "popular", "popular", None, 2, None),
    ]


def test_what_nobody_shares_gives_no_similar_rung() -> None:
    mine = rows(suggest(model("personal_frequency"), ["gus"], 3), "gus")
    assert [row["source"] for row in mine] == ["personal", "popular", "popular"]


def test_the_named_item_is_one_the_customer_bought() -> None:
    table = suggest(model("als"), list(SALES), 5)
    together = [row for row in table.to_pylist() if row["reason"] == "bought_other"]
    assert together
    for row in together:
        assert row["reason_item_id"] in SALES[row["user_id"]]


@pytest.mark.parametrize("name", recommenders.names())
def test_masks_hold_on_every_rung(name: str) -> None:
    allowed = np.array([text != "tea" for text in HELD.item_ids.to_pylist()])
    cup = HELD.item_rows(["cup"])
    table = suggest(model(name), ["fay", "zoe"], 9, allowed=allowed, exclude=[cup, []])
    assert {row["item_id"] for row in rows(table, "fay")} == {"bell", "saw", "hammer"}
    assert {row["item_id"] for row in rows(table, "zoe")} == {"bell", "saw", "hammer", "cup"}
    assert suggest(model(name), ["fay"], 9, allowed=allowed & False).num_rows == 0
    assert suggest(model(name), [], 9).schema == SCHEMA


def test_sentences_in_both_languages() -> None:
    table = suggest(model("personal_frequency"), ["fay"], 3)
    assert sentences(table, "en", {"tea": "Green tea"}) == [
        "Bought every day, last 3 days ago",
        "Because Green tea was bought 3 days ago",
        "Popular: 2 buyers so far",
    ]
    assert sentences(table, "zh") == [
        "平均每 1 天购买一次，上次在 3 天前",
        "因为 3 天前购买过 tea",
        "热门：累计 2 人购买",
    ]
    assert sentence("bought_before", count=1, days=1) == "Bought once, 1 day ago"
    assert sentence("popular", count=1, language="zh") == "热门：累计 1 人购买"
