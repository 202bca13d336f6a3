"""What is due, over HTTP and in rules: the same table, the same numbers; nobody's rows for who has none."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from features import rules
from serving import erasing, wire
from serving.customers import customers, fields
from serving.due import by_customer
from serving.holder import Holder
from serving.lookups import create_app
from serving.publication import publish
from serving.release import Release, ReleaseContents, open_release, write_release
from serving.schemas import DUE_ITEMS

AS_OF = date(2024, 6, 1)


def row(who: str, item: str, due_in: int, gap: float = 20.0) -> dict[str, Any]:
    status = "overdue" if due_in < 0 else "due" if due_in < 7 else "not_yet"
    due = AS_OF + timedelta(days=due_in)
    bought = due - timedelta(days=round(gap))
    return dict(zip(DUE_ITEMS.names, (who, item, bought, gap, due, max(-due_in, 0) / gap, status), strict=True))


TABLE = pa.Table.from_pylist(
    [row("007", "item1", -30), row("007", "item2", 0), row("007", "item3", 6), row("007", "item4", 7),
     row("a/b", "item1", -5), row("小明", "item5", 40)],
    schema=DUE_ITEMS,
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(contents: ReleaseContents, tmp_path_factory: pytest.TempPathFactory) -> Path:
    releases = tmp_path_factory.mktemp("due") / "releases"
    write_release(releases / "r1", replace(contents, recommender=None, tables={**contents.tables, "due_items": TABLE}))
    publish(releases, "r1")
    return releases


@pytest.fixture(scope="module")
def due_release(folder: Path) -> Release:
    return open_release(folder / "r1", canary=False)


def test_by_hand() -> None:
    told = [tuple(each.values()) for each in by_customer(TABLE, AS_OF).to_pylist()]
    assert told == [
        ("007", AS_OF, 2.0, 1.5),
        ("a/b", None, 0.0, 0.25),
        ("小明", AS_OF + timedelta(days=40), 0.0, 0.0),
    ]


def test_over_http(folder: Path, asking: Any) -> None:
    holder = Holder(folder, canary=False)
    assert holder.refresh()
    client = asking(create_app(holder))
    told = wire.UserDue.model_validate(client.get("/v1/users/007/due").json())
    assert (told.next_due_date, told.due_item_count, told.most_overdue_gaps) == ("2024-06-01", 2, 1.5)
    assert [(each.item_id, each.status) for each in told.items] == [
        ("item1", "overdue"), ("item2", "due"), ("item3", "due"), ("item4", "not_yet"),
    ]  # fmt: skip
    other = wire.UserDue.model_validate(client.get("/v1/users/a%2Fb/due").json())
    assert (other.next_due_date, other.due_item_count, other.most_overdue_gaps) == (None, 0, 0.25)
    nobody = wire.UserDue.model_validate(client.get("/v1/users/nobody/due").json())
    assert (nobody.known, nobody.items, nobody.due_item_count, nobody.most_overdue_gaps) == (False, [], 0, None)
    assert client.get("/v1/users/007/due?k=1").status_code == 422
    assert holder.release.id == "r1"


def test_a_release_without_due_items_knows_of_none(client: Any, release: Release) -> None:
    assert client.get("/v1/users/007/due").json()["items"] == []
    assert "due_item_count" not in fields(release)


@pytest.mark.parametrize(
    ("text", "who"),
    [
        ("due_item_count >= 1", ["007"]),
        ("most_overdue_gaps > 0.2 and most_overdue_gaps < 1", ["a/b"]),
        ("next_due_date >= 2024-06-10", ["小明"]),
    ],
)
def test_in_rules(due_release: Release, text: str, who: list[str]) -> None:
    rule = rules.check(rules.read(text), fields(due_release))
    table = customers(due_release, rules.fields_of(rule))
    inside = rules.evaluate(rule, table)
    assert table["entity_id"].filter(pa.array(inside)).to_pylist() == who


def test_who_is_erased_is_no_longer_due(folder: Path) -> None:
    gone = erasing.Gone(frozenset({"007"}), frozenset({"007"}))
    erasing.without(folder / "r1", gone, None)
    left = open_release(folder / "r1", canary=False)
    assert left.due.of("007") == []
    assert len(left.tables["due_items"]) == 2
