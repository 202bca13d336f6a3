"""What the groups of segments hold, on paper and recomputed from raw rows by other SQL."""

from __future__ import annotations

from bisect import bisect_left
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from features.building import build_features
from features.catalogue import available, families_of
from features.source import FramesSource, StoreSource
from insights.rfm_cuts import Cut
from insights.segments import segments, wanted
from tests.features.conftest import make_world, sale, stored
from warehouse.starting import init_workspace
from warehouse.store import Store
from warehouse.workspace import Workspace

AS_OF = date(2024, 7, 1)
RETAIL = Path(__file__).parents[2] / ".." / "shared" / "data" / "online_retail" / "online_retail_to_2011-09-09.parquet"


def bought(user: str, days_ago: int, *amounts: float) -> list[dict[str, Any]]:
    last = datetime(2024, 7, 1, 12) - timedelta(days=days_ago)
    return [sale(user, last - timedelta(days=n), amount, order_id=f"{user}{n}") for n, amount in enumerate(amounts)]


def test_groups_on_paper() -> None:
    """A buys twice for 30, b once for 30, c once for 40, long ago; d registered and never bought."""
    orders = [*bought("a", 3, 10, 20), *bought("b", 9, 30), *bought("c", 80, 40)]
    users = [{"user_id": "d", "recorded_at": datetime(2024, 1, 1)}]
    source = FramesSource({"orders": stored("orders", orders, "UTC"), "users": stored("users", users, "UTC")}, "UTC")
    names = wanted(available(source.tables))
    table = build_features(source, AS_OF, families=families_of(names))
    thresholds = source.population_tables(AS_OF)["rfm_thresholds"].to_pylist()[0]
    found = segments(table, AS_OF, thresholds, date(2024, 4, 12))
    payload = found.payload()
    assert [each["feature"] for each in payload["segments"]][:2] == ["rfm_type", "rfm_grid"]
    (buyers,) = [each for each in payload["segments"] if each["feature"] == "buyer_type"]
    assert buyers["unknown"] == 0
    assert buyers["groups"] == [
        _group("never_bought", "never bought", "未购", 1, 0.0, 0, None, None),
        _group("one_time", "bought once", "一次客", 2, 70.0, 2, 35.0, 44.5),
        _group("repeat", "repeat buyer", "复购客", 1, 30.0, 2, 15.0, 3.0),
    ]
    # recency: one, two of three recent are as near to half, so the higher cut; money: 40 only
    assert payload["rfm"]["customers"] == 3
    assert payload["rfm"]["cuts"]["recency"]["high"] == 3
    assert payload["rfm"]["cuts"]["amount"]["high"] == 40
    assert {note["code"] for note in payload["notes"]} >= {"short_window", "recency_ties", "amount_ties"}
    (types,) = [each for each in payload["segments"] if each["feature"] == "rfm_type"]
    assert {group["value"]: group["users"] for group in types["groups"] if group["users"]} == {
        "ordinary_value": 1,
        "ordinary_winback": 1,
        "important_winback": 1,
    }
    assert types["unknown"] == 1
    assert "一般价值\t1\t25.0%\t30\t30.0%\t2\t15.00\t3" in list(found.lines("zh"))


def _group(
    value: str, en: str, zh: str, users: int, amount: float, orders: int, each: float | None, last: float | None
) -> dict[str, Any]:
    return {
        "value": value,
        "en": en,
        "zh": zh,
        "users": users,
        "share": users / 4,
        "amount_365d": amount,
        "amount_share": amount / 100,
        "order_count_365d": orders,
        "average_order_value": each,
        "event_count_90d": None,
        "median_days_since_last_act": last,
    }


def test_ties_are_told() -> None:
    """Seven of ten bought once: three are high, score 2 and 3 are nobody's."""
    cut = Cut("frequency", 2, 3, 10, (2, 2, 2, 3))
    assert cut.empty_scores == (2, 3)
    assert [note.code for note in cut.notes()] == ["frequency_ties", "frequency_empty_scores"]
    assert "2 or more: 30% are high" in next(iter(cut.notes())).en
    collapsed = Cut("recency", None, 0, 5, (None, None, None, None))
    assert [note.code for note in collapsed.notes()] == ["recency_collapsed"]
    assert collapsed.empty_scores == (2, 3, 4, 5)
    assert [*Cut("amount", 10, 6, 12, (2, 5, 10, 20)).notes()] == []


@pytest.mark.parametrize("seed", range(3))
def test_groups_of_a_segment_add_up(seed: int) -> None:
    world = make_world(seed, 40)
    source = world.source()
    table = build_features(source, world.as_of, families=families_of(wanted(available(source.tables))))
    found = segments(table, world.as_of, None)
    for segment in found.segments:
        assert sum(group.users for group in segment.groups) + segment.unknown == table.num_rows
        amounts = sum(group.amount or 0 for group in segment.groups)
        known = table.filter(table[segment.feature.name].is_valid())
        assert amounts == pytest.approx(sum(known["amount_365d"].to_pylist()))


def test_events_alone() -> None:
    world = make_world(2, 30)
    source = FramesSource({"events": world.frames()["events"]}, world.zone)
    table = build_features(source, world.as_of, families=families_of(wanted(available(source.tables))))
    thresholds = source.population_tables(world.as_of)["rfm_thresholds"].to_pylist()[0]
    found = segments(table, world.as_of, thresholds)
    assert [cut.measure for cut in found.cuts] == ["recency", "frequency", "engagement"]
    groups = found.segments[0].groups
    assert sum(group.users for group in groups) == table.num_rows
    assert {group.amount for group in groups} == {None}
    assert any(group.events for group in groups)


@pytest.mark.skipif(not RETAIL.exists(), reason="the Online Retail data are not beside the repository")
def test_types_of_online_retail_recomputed_by_other_sql(tmp_path: Path) -> None:
    """From the accepted rows: quantiles by counting, not by our statements."""
    init_workspace(tmp_path, files={"orders": RETAIL}, preset="online-retail")
    store = Store(Workspace.open(tmp_path))
    store.load_new(datetime(2026, 1, 1))
    as_of = date(2011, 9, 10)
    table = build_features(StoreSource(store), as_of, families=["rfm"])
    files = [str(store.bucket("orders", k)) for k in range(store.buckets)]
    with duckdb.connect() as connection:
        rows = connection.execute(
            """
            with sold as (
                select entity_id, cast(local_at as date) as day, order_id, amount
                from read_parquet($files) where kind = 'sale' and amount > 0 and local_at < $as_of
            ), measured as (
                select entity_id, date '2011-09-10' - max(day) as days, count(distinct order_id) as orders,
                    sum(amount) as money
                from sold group by entity_id
            )
            select entity_id, days, orders, money from measured
            """,
            {"files": files, "as_of": datetime(2011, 9, 10)},
        ).fetchall()
    halves = {}
    for place, sign in ((1, -1), (2, 1), (3, 1)):
        values = sorted(sign * float(row[place]) for row in rows)
        n = len(values)
        options = sorted(set(values))[1:]
        # as many at or above it as nearest to half; of two the higher
        halves[place] = min(options, key=lambda v: (abs(2 * bisect_left(values, v) - n), -v))
    names = {(True, True): "value", (True, False): "growth", (False, True): "keep", (False, False): "winback"}
    expected = {
        who: ("important_" if float(money) >= halves[3] else "ordinary_")
        + names[(-days >= halves[1], orders >= halves[2])]
        for who, days, orders, money in rows
    }
    found = dict(zip(table["entity_id"].to_pylist(), table["rfm_type"].to_pylist(), strict=True))
    assert len(expected) > 3000
    assert {who: found[who] for who in expected} == expected
    assert all(kind is None for who, kind in found.items() if who not in expected)
