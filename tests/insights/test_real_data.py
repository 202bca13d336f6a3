"""Growth of real data against SQL of another kind over the raw file: every customer in every period, no shortcuts."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from features.periods import Grain
from features.source import FramesSource
from insights.growth import growth
from tests.insights.conftest import DATA, names_between
from tests.insights.test_growth import holds
from warehouse.wall_time import zone_rules

RETAIL = DATA / "online_retail" / "online_retail_to_2011-09-09.parquet"
LAUNCHES = DATA / "gamelaunch_events" / "gamelaunch.parquet"
RETAIL_ACTS = (
    "select cast(CustomerID as bigint)::varchar as who, InvoiceDate::date as day, InvoiceNo as bill, "
    "cast(round(Quantity * UnitPrice, 4) as decimal(18, 4)) as paid from read_parquet('{file}') "
    "where CustomerID is not null and UnitPrice > 0 and Quantity > 0"
)
LAUNCH_ACTS = (
    "select userid as who, eventDate::date as day, null as bill, 0::decimal(18, 4) as paid from read_parquet('{file}')"
)


def retail() -> FramesSource:
    raw = pq.read_table(RETAIL).filter(pc.field("CustomerID").is_valid() & (pc.field("UnitPrice") > 0))
    wall = raw["InvoiceDate"].cast(pa.timestamp("us"))
    instants, _, _ = zone_rules("Europe/London").to_utc(wall.cast(pa.int64()).to_numpy())
    happened = pa.array(instants).cast(pa.timestamp("us"))
    paid = pc.round(pc.multiply(raw["Quantity"].cast(pa.float64()), raw["UnitPrice"]), 4)
    orders = {
        "entity_id": raw["CustomerID"].cast(pa.int64()).cast(pa.string()), "ordered_at": happened,
        "order_id": raw["InvoiceNo"].cast(pa.string()), "item_id": raw["StockCode"].cast(pa.string()),
        "quantity": raw["Quantity"].cast(pa.float64()), "amount": paid.cast(pa.decimal128(18, 4), safe=False),
        "kind": pc.if_else(pc.less(paid, 0), "return", "sale"), "recorded_at": happened, "local_at": wall,
    }  # fmt: skip
    return FramesSource({"orders": pa.table(orders)}, "Europe/London")


def launches() -> FramesSource:
    raw = pq.read_table(LAUNCHES)
    day = raw["eventDate"].cast(pa.timestamp("us"))
    events = {
        "entity_id": raw["userid"].cast(pa.string()), "occurred_at": day, "event": raw["eventName"].cast(pa.string()),
        "recorded_at": day, "local_at": day,
    }  # fmt: skip
    return FramesSource({"events": pa.table(events)}, "UTC")


WORLDS: dict[str, tuple[Path, str, Any, date]] = {
    "retail": (RETAIL, RETAIL_ACTS, retail, date(2011, 9, 10)),
    "launches": (LAUNCHES, LAUNCH_ACTS, launches, date(2016, 5, 28)),
}

GRID = """
with acts as ({acts}),
spans as (select unnest($names)::varchar as name, unnest(range(len($names))) as t),
days as (select unnest($days)::date as day, unnest($of)::varchar as name),
active as (
    select distinct who, t from acts join days using (day) join spans using (name)
),
people as (select who, min(t) as f from active group by who),
grid as (
    select people.who, spans.t, f,
        exists (select 1 from active a where a.who = people.who and a.t = spans.t) as now,
        exists (select 1 from active a where a.who = people.who and a.t = spans.t - 1) as before,
        (select max(a.t) from active a where a.who = people.who and a.t < spans.t) as earlier
    from people join spans on spans.t >= f
),
grouped as (
    select who, t, case
        when now and f = t then 'new'
        when now and f = t - 1 then 'last_new'
        when now and before then 'active'
        when now and t - earlier - 1 between 1 and $lapsed - 1 then 'awakened'
        when now then 'returned'
        when t - earlier < $lapsed then 'dormant'
        else 'lapsed' end as g
    from grid
)
select spans.name, coalesce(p.g, '') as came, g.g as went, count(*) as n
from grouped g left join grouped p on p.who = g.who and p.t = g.t - 1 join spans on spans.t = g.t
group by all
"""

MONEY = """
with acts as ({acts}),
days as (select unnest($days)::date as day, unnest($of)::varchar as name, unnest($t) as t),
spent as (select who, t, sum(paid) as paid, count(distinct bill) as bills from acts join days using (day) group by all),
pairs as (
    select coalesce(a.who, b.who) as who, coalesce(a.t, b.t + 1) as t, coalesce(a.paid, 0) as now,
        coalesce(b.paid, 0) as before, coalesce(a.bills, 0) as bills,
        (select min(t) from spent s where s.who = coalesce(a.who, b.who)) as f
    from spent a full join spent b on a.who = b.who and a.t = b.t + 1
)
select t, sum(now) as amount, sum(now - before) filter (now > 0 and f = t) as new,
    sum(now - before) filter (now > 0 and before = 0 and f < t) as resurrected,
    sum(now - before) filter (before > 0 and now > before) as expansion,
    sum(now - before) filter (now > 0 and now < before) as contraction,
    sum(now - before) filter (now = 0) as "left",
    count(*) filter (now > 0) as buyers, count(*) filter (bills > 1) as repeat_buyers,
    count(*) filter (now > 0 and before > 0) as again_buyers, sum(bills) as orders
from pairs group by t order by t
"""


def calendar_of(first: date, as_of: date, grain: Grain) -> dict[str, Any]:
    """Every day with the name of its period, told by Python's own calendar."""
    names = names_between(first, as_of - timedelta(days=1), grain)
    days = [first + timedelta(days=n) for n in range((as_of - first).days)]
    of = [names_between(day, day, grain)[0] for day in days]
    return {"names": names, "days": days, "of": of, "t": [names.index(name) for name in of]}


@pytest.mark.parametrize("name", sorted(WORLDS))
@pytest.mark.parametrize(("grain", "lapsed_after"), [("month", 2), ("week", 2), ("week", 4)])
def test_groups_and_flows_are_those_of_plain_sql_over_the_raw_file(name: str, grain: Grain, lapsed_after: int) -> None:
    file, acts, source, as_of = WORLDS[name]
    if not file.exists():
        pytest.skip(f"{file.name} is not at ../shared/data")
    told = growth(source(), as_of, grain, lapsed_after).payload()
    holds(told["periods"])
    spans = calendar_of(told["first_day"], as_of, grain)
    given = {key: spans[key] for key in ("names", "days", "of")} | {"lapsed": lapsed_after}
    rows = duckdb.execute(GRID.format(acts=acts.format(file=file)), given).fetchall()
    found: dict[str, Any] = {name: ({}, {}) for name in spans["names"]}
    for period, came, went, n in rows:
        groups, flows = found[period]
        groups[went] = groups.get(went, 0) + n
        if came:
            flows[came, went] = n
    assert [period["period"] for period in told["periods"]] == spans["names"]
    for period in told["periods"]:
        groups, flows = found[period["period"]]
        assert {group: n for group, n in period["groups"].items() if n} == groups
        assert {(f, g): n for f, to in period["flows"].items() for g, n in to.items()} == flows


@pytest.mark.parametrize("grain", ["month", "week"])
def test_money_and_purchases_are_those_of_plain_sql_over_the_raw_file(grain: Grain) -> None:
    file, acts, source, as_of = WORLDS["retail"]
    if not file.exists():
        pytest.skip(f"{file.name} is not at ../shared/data")
    told = growth(source(), as_of, grain).payload()
    spans = calendar_of(told["first_day"], as_of, grain)
    given = {key: spans[key] for key in ("days", "of", "t")}
    query = MONEY.format(acts=acts.format(file=file))
    with duckdb.connect() as connection:
        relation = connection.sql(query, params=given).to_arrow_table().to_pylist()
    money, bought = told["accounting"]["money"], told["purchasing"]["all"]
    rows = [row for row in relation if row["t"] < len(money)]
    assert len(rows) == len(money)
    for row, ours, buying in zip(rows, money, bought, strict=True):
        for movement in ("amount", "new", "resurrected", "expansion", "contraction", "left"):
            assert ours[movement] == (row[movement] or Decimal(0)), (ours["period"], movement)
        for count in ("buyers", "repeat_buyers", "again_buyers", "orders"):
            assert buying[count] == row[count], (ours["period"], count)
        assert buying["amount"] == row["amount"]
