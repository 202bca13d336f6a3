"""Whom an item suits, over HTTP and in Python: who refused profiling is nobody's taker; new items by their category."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from features.outcomes import interactions
from features.source import FramesSource
from models import recommenders
from models.recommenders.interactions import Interactions
from serving import wire
from serving.customers import attributes
from serving.holder import Holder
from serving.lookups import create_app
from serving.publication import publish
from serving.release import Release, ReleaseContents, open_release, write_release
from serving.takers import Wanted, answer, takers
from tests.serving.conftest import AS_OF, SETTINGS, stored
from warehouse.errors import NotReadyError, UsageError


@pytest.fixture(scope="module")
def releases(contents: ReleaseContents, shop: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release with the sales of the shop, of which nobody has bought item9 yet."""
    source = FramesSource(stored(shop), time_zone=SETTINGS.time_zone)
    sales = interactions(source, AS_OF)
    held = Interactions.from_table(sales.filter([item != "item9" for item in sales["item_id"].to_pylist()]), AS_OF)
    model = recommenders.create("gp_topfreq").fit(held)
    folder = tmp_path_factory.mktemp("takers") / "releases"
    write_release(folder / "r7", replace(contents, release="r7", recommender=("gp_topfreq-7", model.arrays())))
    publish(folder, "r7")
    return folder


@pytest.fixture(scope="module")
def opened(releases: Path) -> Release:
    return open_release(releases / "r7", canary=False)


@pytest.fixture(scope="module")
def served(releases: Path, asking: Any) -> Any:
    holder = Holder(releases, canary=False)
    assert holder.refresh()
    return asking(create_app(holder))


def ids(told: wire.ItemTakers) -> list[str]:
    return [user.user_id for user in told.users]


def test_the_customers_of_an_item_are_its_buyers_and_who_buys_alike(served: Any, shop: Any, opened: Release) -> None:
    told = wire.ItemTakers.model_validate_json(served.get("/v1/items/item2/users?n=10000").content)
    people = attributes(opened)
    assert people is not None
    consent = dict(zip(people["entity_id"].to_pylist(), people["consent_profiling"].to_pylist(), strict=True))
    refused = {user for user, said in consent.items() if said is False}
    buyers = {line["user_id"] for line in shop.lines["orders"] if line["item_id"] == "item2" and "kind" not in line}
    assert (told.known, told.found_by, told.model_version) == (True, None, "gp_topfreq-7")
    assert {user.user_id for user in told.users if user.source == "personal"} == buyers - refused
    assert not refused & set(ids(told))
    assert told.withheld_no_profiling == len(refused & set(opened.takers.held.user_ids.to_pylist()))
    assert [user.rank for user in told.users] == list(range(1, len(told.users) + 1))
    few = wire.ItemTakers.model_validate_json(served.get("/v1/items/item2/users?n=3").content)
    assert ids(few) == ids(told)[:3]


def test_a_new_item_has_the_customers_of_its_category(served: Any, opened: Release) -> None:
    told = wire.ItemTakers.model_validate_json(served.get("/v1/items/item9/users?n=5").content)
    assert (told.known, told.found_by) == (False, {"category": "tea"})
    assert all(user.probability is None for user in told.users)
    assert ids(told) == takers(opened, Wanted((), "category", "tea"), 5).table["user_id"].to_pylist()
    nobody = wire.ItemTakers.model_validate_json(served.get("/v1/items/nothing/users").content)
    assert (nobody.known, nobody.found_by, nobody.users) == (False, None, [])


def test_a_new_item_without_a_category_has_the_customers_of_what_is_most_like_it(
    opened: Release, tmp_path: Path, contents: ReleaseContents
) -> None:
    items = contents.tables["items"]
    names = ["Green Tea" if item in ("item2", "item9") else f"Thing {item}" for item in items["item_id"].to_pylist()]
    bare = {"name": pa.array(names), "category": pa.nulls(len(items), pa.string())}
    for name, values in bare.items():
        items = items.set_column(items.column_names.index(name), name, values.cast(items.schema.field(name).type))
    model = recommenders.create("gp_topfreq").fit(opened.takers.held)
    told = replace(contents, recommender=("gp_topfreq-7", model.arrays()), tables={**contents.tables, "items": items})
    write_release(tmp_path / "r7", told)
    bare_release = open_release(tmp_path / "r7", canary=False)
    found = takers(bare_release, Wanted(("item9",)), 10_000)
    assert (found.known, found.instead) == (False, Wanted(("item2",)))
    assert set(found.table["user_id"].to_pylist()) == set(
        takers(opened, Wanted(("item2",)), 10_000).table["user_id"].to_pylist()
    )
    assert wire.ItemTakers.model_validate(answer(bare_release, Wanted(("item9",)), found)).found_by == {
        "items": ["item2"]
    }
    assert takers(bare_release, Wanted(("nothing",)), 5).instead is None


def test_several_items_are_bought_by_the_buyers_of_any(opened: Release, shop: Any) -> None:
    found = takers(opened, Wanted(("item1", "item2", "unheard of")), 1000).table.to_pylist()
    single = [takers(opened, Wanted((item,)), 1000).table.to_pylist() for item in ("item1", "item2")]
    own = [{row["user_id"] for row in rows if row["source"] == "personal"} for rows in single]
    assert {row["user_id"] for row in found if row["source"] == "personal"} == own[0] | own[1]


def test_only_those_among_whom_one_asks(opened: Release) -> None:
    everybody = takers(opened, Wanted(("item2",)), 1000).table["user_id"].to_pylist()
    some = takers(opened, Wanted(("item2",)), 1000, [*everybody[::3], "nobody"])
    assert some.table["user_id"].to_pylist() == everybody[::3]


def test_what_cannot_be_asked(opened: Release, contents: ReleaseContents, tmp_path: Path, served: Any) -> None:
    with pytest.raises(UsageError, match='no attribute "colour"') as error:
        takers(opened, Wanted((), "colour", "red"), 5)
    assert "category" in str(error.value.hint)
    assert takers(opened, Wanted((), "category", "garden"), 5).table.num_rows == 0
    write_release(tmp_path / "r8", replace(contents, release="r8", recommender=None, suggestions=None))
    with pytest.raises(NotReadyError, match="Nobody can be named"):
        takers(open_release(tmp_path / "r8", canary=False), Wanted(("item2",)), 5)
    for query in ("n=0", "n=10001", "n=x", "k=5", "n=5&n=6"):
        assert served.get(f"/v1/items/item2/users?{query}").status_code == 422


def test_who_buys_alike_over_http_and_who_refused_is_not_compared(served: Any, opened: Release) -> None:
    people = attributes(opened)
    assert people is not None
    consent = dict(zip(people["entity_id"].to_pylist(), people["consent_profiling"].to_pylist(), strict=True))
    held = opened.takers.held
    buyers = held.user_ids.to_pylist()
    somebody = next(user for user in buyers if consent.get(user) is not False)
    told = wire.SimilarUsers.model_validate_json(served.get(f"/v1/users/{somebody}/similar?n=10000").content)
    named = [user.user_id for user in told.users]
    assert told.known
    assert named
    assert somebody not in named
    assert all(consent.get(user) is not False for user in named)
    assert told.users[0].reason.startswith("Both buy ")
    refused = next(user for user in buyers if consent.get(user) is False)
    for nobody in (refused, "a stranger"):
        told = wire.SimilarUsers.model_validate_json(served.get(f"/v1/users/{nobody}/similar").content)
        assert (told.known, told.users) == (False, [])
