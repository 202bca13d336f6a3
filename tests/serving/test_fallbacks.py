"""What is answered where nothing is known (F35–F37)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from hypothesis import given
from hypothesis import strategies as st

from serving import answers
from serving.fallbacks import suggestion_id, suggestion_ids, suggestions
from serving.release import Release, ReleaseContents, open_release, write_release
from serving.shelf import not_for_sale
from serving.wire import Suggestion
from warehouse.recommender_settings import ExploreSettings
from warehouse.suggestion_rules import RuleSettings


@given(
    k=st.integers(1, 100), excluded=st.sets(st.sampled_from([f"item{n}" for n in range(14)])), user=st.text(max_size=9)
)
def test_never_padded_never_twice_never_excluded(release: Release, k: int, excluded: set[str], user: str) -> None:
    told = suggestions(release, user, k, excluded)
    items = [each["item_id"] for each in told]
    assert len(set(items)) == len(items) == min(k, 10 - len(excluded & {f"item{n}" for n in range(10)}))
    assert not set(items) & (excluded | release.not_for_sale)
    assert [each["rank"] for each in told] == list(range(1, len(told) + 1))


def test_a_pin_that_nobody_has_bought_is_not_said_to_be_bought_by_many(release: Release) -> None:
    rules = RuleSettings(pin=("fresh", "item1"))
    told = release.settings.model_copy(
        update={"recommend": release.settings.recommend.model_copy(update={"rules": rules})}
    )
    pinned = replace(release, popular=(("fresh", 0.0), *release.popular), settings=told)
    rows = {row["item_id"]: (row["source"], row["reason"]) for row in suggestions(pinned, "nobody", 20, ())}
    assert rows["fresh"] == ("pinned", "Picked by the shop")
    assert rows["item1"] == ("popular", "Bought by many")


def test_no_items_at_all(tmp_path: Path, contents: ReleaseContents) -> None:
    absent = [{"what": "suggestions", "why": "there are no items", "needs": "item_id in orders"}]
    bare = replace(
        contents, release="r5", suggestions=None, similar_items=None, popular=None, recommender=None, absent=absent
    )
    write_release(tmp_path / "r5", bare)
    opened = open_release(tmp_path / "r5", canary=False)
    told = answers.user_suggestions(opened, "007", 10, ())
    assert (told["items"], told["reason"]) == ([], "there are no items")
    assert answers.similar_items(opened, "item1", 10)["reason"] == "there are no items"


def test_not_for_sale_by_day() -> None:
    items = pa.table(
        {
            "item_id": ["a", "b", "c", "d", "e"],
            "retired_at": [None, datetime(2024, 5, 31, 22, 59), datetime(2024, 5, 31, 23), None, None],
            "in_stock": [None, None, None, False, True],
        }
    )
    assert not_for_sale(items, date(2024, 6, 1), "Europe/London") == {"b", "d"}
    assert not_for_sale(None, date(2024, 6, 1), "UTC") == frozenset()


def test_suggestion_ids_tell_releases_users_and_items_apart() -> None:
    ids = {suggestion_id(r, u, i) for r in ("r", "s") for u in ("a", "ab") for i in ("b", "bb")}
    assert len(ids) == 8
    assert suggestion_id("r", "a", "b") in ids


def test_many_suggestion_ids_are_those_made_one_by_one() -> None:
    users, items = ["u1", "0001", "顾客"], ["a", "b\x1f", ""]
    many = suggestion_ids("r1", pa.chunked_array([users]), pa.chunked_array([items])).to_pylist()
    assert many == [suggestion_id("r1", user, item) for user, item in zip(users, items, strict=True)]


def test_answers_carry_the_propensity_where_places_are_drawn(
    release: Release, contents: ReleaseContents, tmp_path: Path
) -> None:
    assert contents.suggestions is not None
    told = contents.settings.recommend.model_copy(update={"explore": ExploreSettings()})
    settings = contents.settings.model_copy(update={"recommend": told})
    table = contents.suggestions if isinstance(contents.suggestions, pa.Table) else contents.suggestions.held()
    chance = pa.array(np.where(np.asarray(table["rank"]) == 3, 0.05, 1.0))
    explored = replace(contents, release="r7", settings=settings, suggestions=table.append_column("propensity", chance))
    write_release(tmp_path / "r7", explored)
    opened = open_release(tmp_path / "r7", canary=False)
    user = table["user_id"][0].as_py()
    rows = answers.user_suggestions(opened, user, 12, ())["items"]
    own = table.filter(pc.equal(table["user_id"], user)).num_rows
    assert own == 3
    assert [row.get("propensity") for row in rows] == [0.05 if row["rank"] == 3 else 1.0 for row in rows[:own]] + [
        None
    ] * (len(rows) - own)
    assert [Suggestion.model_validate(row).propensity for row in rows] == [row.get("propensity") for row in rows]
    assert all("propensity" not in row for row in answers.user_suggestions(release, user, 12, ())["items"])
