"""Every SQL file gives the same on DuckDB and on Spark, whose executors are processes of their own.

The data hold ties, NULLs, midnight rows and rows exactly at the cutoff, in a zone with summer time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from features.building import build_features
from features.catalogue import Feature
from features.engines import Engine, duckdb_engine
from features.funnels import Asked, parse_step
from features.lifecycle import Counting, give_lifecycle, register_anonymous
from features.on_spark import spark_engine
from features.outcomes import interactions, outcome_counts, purchases, register_choices, register_window
from features.own import Own, OwnFile
from features.periods import periods
from features.population import count_tables
from features.seasons import festival_days
from features.source import (
    FramesSource,
    customers,
    register_items,
    register_items_for_labels,
    register_visible,
)
from features.statements import FOLDER, POPULATION, Statement, statements
from features.windows import day_number
from insights.concentration import ends
from tests.features.conftest import differences, make_world
from tests.features.test_own import own_source
from warehouse.errors import DataProblemError
from warehouse.settings import TargetSettings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Nothing of ours passes through pandas on Spark: rows come and go as Arrow.
pytestmark = pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas >= 3:FutureWarning")

FILES = sorted(f"{path.parent.name}/{path.stem}" for path in FOLDER.rglob("*.sql"))
HORIZON = 30
NARROW = TargetSettings(
    items=tuple(f"i{n}" for n in range(9)), categories=("c0", "c1", "c2"), channels=("app", "web"), min_amount=2.5
)
KEYS = ("order_key", "item_key", "session_key")
"""Columns made by `key_of`, which groups and joins only: its numbers may differ between engines, the ids may not."""

OF_ACTS = ["activity", "campaign_dependence", "lifecycle"]
"""The families that ask what an act is."""

WORLD = make_world(4, users=60)
Results = Mapping[str, list[pa.Table]]


def source(acts: Any = ("search", "rating")) -> FramesSource:
    return WORLD.source(acts=acts, static=frozenset({"tags"}))


def ran(engine: Engine, src: FramesSource, as_of: date) -> dict[str, list[pa.Table]]:
    """What every SQL file gives, by its folder and name; several tables where it is asked in several ways."""
    found: dict[str, list[pa.Table]] = {}

    def run(kind: str, name: str, values: Mapping[str, object] | None = None, keep: str | None = None) -> None:
        statement = statements(kind)[name]
        if keep is None:
            rows = statement.table(engine, as_of, values)
        else:
            Statement(keep, statement.text).keep(engine, as_of, values)
            rows = engine.rows(f"select * from {keep}")
        found.setdefault(f"{kind}/{name}", []).append(named(engine, src, rows))

    (part,) = engine.parts(src)
    engine.give("festival_days", festival_days())
    register_items(engine, src, as_of)
    count_tables(engine, src, as_of, sorted(POPULATION))
    register_visible(engine, src, part, as_of)
    acts = {**Counting(src, as_of, "month").values, **give_lifecycle(engine, src, 2)}
    for name in ordered("staging"):
        chosen = {"acts_of_events": "acts", "rfm_values_of_sales": "rfm_values", "worth_of_sales": "worth"}
        run("staging", name, acts, keep=chosen.get(name, name))
    for name in statements("population"):
        run("population", name, acts | {"by_score": False})
    run("population", "rfm_thresholds", {"by_score": True})
    for name in statements("families"):
        run("families", name, acts)
    run("profile", "last_uses")
    run("outcomes", "interactions")
    run("outcomes", "order_items")
    engine.give("chosen_events", pa.table({"event": ["view_item", "add_to_cart", "search"]}))
    run("outcomes", "item_acts")
    for grain in ("month", "week"):
        values = Counting(src, as_of, grain).values | acts
        for name in ordered("periods"):
            run("periods", name, values, keep=name)
        spans = periods(as_of - timedelta(days=400), as_of, grain)
        engine.give("ends", ends(spans, as_of))
        for name in statements("lifecycle"):
            run("lifecycle", name, values | {"first_cohort": spans[0].number})
        engine.view("customers", f"select id, id as entity_id from ({customers(engine, src, part, as_of)}) as seen")
        run("split", "active_of_part", values, keep="everybody_active")
        for name in ("chosen_before", "chosen_now"):
            engine.give(name, pa.table({"id": [f"u{n:03d}" for n in range(5, 15, 1 + (name == "chosen_now"))]}))
        run("split", "steps_of_period", values | {"period": spans[-2].number})
    funnelled(engine, as_of, run)
    pathed(engine, as_of, run)
    behaved(engine, as_of, run)
    register_anonymous(engine, src, as_of)
    run("anonymous", "first_days")
    cycles = {"until": day_number(as_of), "within": 30}
    for by in ("item", "category"):
        run("cycles", f"{by}_days", cycles, keep="bought_days")
        for name in ("intervals", "clock_pairs", "buyer_days", "day_followers", "starts", "follows"):
            if name == "day_followers":
                run("cycles", "thing_customers")
                engine.give("chosen_things", pa.table({"thing": [f"i{n}" for n in range(9)] + ["c0", "c1", "c2"]}))
            run("cycles", name, cycles, keep=name)
        for name in (
            "interval_counts",
            "clock_sums",
            "start_weeks",
            "follow_days",
            "follow_sums",
            "buyer_weeks",
            "week_followers",
        ):
            run("cycles", name, cycles)

    last = as_of + timedelta(days=HORIZON)
    register_items_for_labels(engine, src, last)
    register_window(engine, src, part, as_of, last, known=as_of + timedelta(days=20))
    statements("staging")["sale_lines"].keep(engine, as_of, acts)
    for settings in (TargetSettings(), NARROW):
        values = acts | register_choices(engine, settings, as_of)
        run("outcomes", "category_items")
        run("outcomes", "sale_hits", values)
        run("outcomes", "event_hits", values)
    run("outcomes", "purchases")
    run("outcomes", "spending")
    return found


def funnelled(engine: Engine, as_of: date, run: Callable[..., None]) -> None:
    """The files of a funnel of all kinds of steps, one after the other as `features.funnels` runs them."""
    steps = [parse_step(text) for text in ("acquired", "event:view_item|search", "retained", "referred", "order")]
    steps.append(parse_step("registered"))
    asked = Asked(steps, 400, as_of, as_of)
    engine.give("funnel_steps", asked.table)
    engine.give("funnel_groups", pa.table({"entity_id": ["u001", "u002"], "value": ["a", "b"]}))
    values = asked.values | {"since": 0, "step": 2}
    run("funnels", "referrals", values, keep="referrals_of_all")
    run("funnels", "first_traces", values, keep="first_traces")
    acts = [name for name in statements("funnels") if name.endswith("_acts")]
    for name in acts:
        run("funnels", name, values, keep=name)
    engine.view("funnel_acts", " union all ".join(f"select * from {name}" for name in acts))
    run("funnels", "funnel_places", values, keep="funnel_places")
    run("funnels", "reached_first", values, keep="reached")
    run("funnels", "reached_next", values, keep="reached_2")
    engine.view(
        "funnel_arrivals",
        "select entity_id, 1 as step, place, start_place from reached "
        "union all select entity_id, 2 as step, place, start_place from reached_2",
    )
    run("funnels", "furthest", values, keep="furthest")
    run("funnels", "way_first", values, keep="way_first")
    engine.view("way", "select * from way_first")
    run("funnels", "way_next", values, keep="way_2")
    engine.view(
        "funnel_ways",
        "select entity_id, 1 as step, moment from way_first union all select entity_id, 2 as step, moment from way_2",
    )
    for name in ("funnel_counts", "funnel_times", "funnel_ever", "funnel_open", "referrer_counts", "referral_values"):
        run("funnels", name, values)


def pathed(engine: Engine, as_of: date, run: Callable[..., None]) -> None:
    """The files of paths, by pages and by events, and those of items."""
    for by in ("page", "event"):
        values = {"by": by, "gap_days": 1.5}
        for name in ("session_runs", "timed_events", "visits"):
            run("paths", name, values, keep=name)
        for name in ("flows", "nodes", "dwells"):
            run("paths", name, values)
    for name in ("event_names", "item_sellers", "named"):
        run("paths", name)
    engine.give("funnel_steps", Asked([parse_step("event:view_item"), parse_step("order")], 9, as_of, as_of).table)
    for name in ("item_event_acts", "item_order_acts"):
        run("paths", name)


def behaved(engine: Engine, as_of: date, run: Callable[..., None]) -> None:
    """The files of behaviours, of the first days of customers and of those before two dates."""
    last = day_number(as_of)
    values = {"days": 40, "later": 30, "since": 0, "until": last, "active": 90}
    engine.give("rounds", pa.table({"round": pa.array([0, 1], pa.int32()), "day": pa.array([last - 60, last - 30])}))
    run("behaviours", "behaviour_days", values, keep="behaviour_days")
    for name in ("early_spans", "leaving_spans"):
        run("behaviours", name, values, keep="spans")
        for step in ("span_days", "span_totals"):
            run("behaviours", step, values, keep=step)
        for step in ("everybody", "doers"):
            run("behaviours", step, values)


def ordered(folder: str) -> Iterator[str]:
    """Names of the statements of a folder, each after those it reads."""
    left = dict(statements(folder))
    while left:
        for name, statement in list(left.items()):
            waiting = {other.partition("_of_")[0] for other in left}
            if not (statement.reads - {name}) & waiting:
                yield name
                del left[name]


def named(engine: Engine, src: FramesSource, table: pa.Table) -> pa.Table:
    """The table with ids in place of the numbers that `key_of` made of them."""
    for column in set(KEYS) & set(table.column_names):
        id_column = column.replace("_key", "_id")
        ids = {i for rows in src.frames.values() if id_column in rows.column_names for i in rows[id_column].to_pylist()}
        engine.give("ids", pa.table({"id": pa.array(sorted(ids - {None}), pa.string())}))
        numbers = {row["k"]: row["id"] for row in engine.rows("select id, key_of(id) as k from ids").to_pylist()}
        texts = pa.array(
            [numbers.get(k, k if k is None else f"day {k}") for k in table[column].to_pylist()], pa.string()
        )
        table = table.set_column(table.column_names.index(column), column, texts)
    return table


@pytest.fixture(scope="module")
def on_duckdb() -> Results:
    with duckdb_engine(source()) as engine:
        return ran(engine, source(), WORLD.as_of)


@pytest.fixture(scope="module")
def on_spark(spark: SparkSession) -> Results:
    with spark_engine(spark) as engine:
        return ran(engine, source(), WORLD.as_of)


def rows_of(table: pa.Table) -> list[dict[str, Any]]:
    """Rows in an order that does not depend on the engine: by the texts, then the numbers."""
    texts = sorted(name for name in table.column_names if pa.types.is_string(table[name].type))
    others = sorted(set(table.column_names) - set(texts))

    def place(row: Mapping[str, Any]) -> Any:
        told = [(row[name] is not None, row[name] or "") for name in texts]
        return told + [(row[name] is not None, _number(row[name])) for name in others]

    return sorted(table.to_pylist(), key=place)


def _number(value: Any) -> float:
    return value.timestamp() if isinstance(value, datetime) else round(float(value or 0), 6)


def same(a: Any, b: Any) -> bool:
    """|a − b| ≤ 1e-9 × max(1, |a|); NULL equals NULL."""
    if isinstance(a, (int, float, Decimal)) and isinstance(b, (int, float, Decimal)):
        return abs(float(a) - float(b)) <= 1e-9 * max(1.0, abs(float(a)))
    return bool(a == b)


@pytest.mark.parametrize("file", FILES)
def test_a_file_gives_the_same_on_both_engines(file: str, on_duckdb: Results, on_spark: Results) -> None:
    assert len(on_duckdb[file]) == len(on_spark[file])
    for one, other in zip(on_duckdb[file], on_spark[file], strict=True):
        assert one.column_names == other.column_names
        assert one.num_rows == other.num_rows
        pairs = zip(rows_of(one), rows_of(other), strict=True)
        wrong = [(a, b) for a, b in pairs if not all(same(a[name], b[name]) for name in a)]
        assert not wrong, wrong[0]


def test_the_data_reach_every_file(on_duckdb: Results) -> None:
    assert set(on_duckdb) == set(FILES)
    assert [file for file, tables in on_duckdb.items() if not any(table.num_rows for table in tables)] == []


@pytest.mark.parametrize("acts", [("search", "rating"), "sales", "events"])
def test_features_are_the_same(spark: SparkSession, acts: Any) -> None:
    """Those that ask what an act is; of all families together `tests/pipeline/test_two_engines.py` says it."""
    here = source(acts)
    one, other = (build_features(src, WORLD.as_of, families=OF_ACTS) for src in (here, replace(here, spark=spark)))
    assert one.num_rows > 50
    assert differences(one, other, 1e-9) == []


def test_nothing_else_reads_acts() -> None:
    """What an act is changes no other family, so these alone are asked about every kind of act."""
    every = [WORLD.source(acts=acts) for acts in ("sales", "events", ("search", "rating"))]
    families = [name for name in statements("families") if name not in OF_ACTS]
    one, *others = (build_features(src, WORLD.as_of, families=families) for src in every)
    assert all(differences(one, other) == [] for other in others)
    assert {name for name in statements("families") if _asks_acts(name)} == set(OF_ACTS)


def _asks_acts(family: str) -> bool:
    """Whether `acts` is read by it, or by what it reads."""
    files = {name: file for kind in ("families", "staging", "population") for name, file in statements(kind).items()}
    left, seen = {family}, set[str]()
    while left:
        name = left.pop()
        seen.add(name)
        left |= (files[name].reads if name in files else set()) - seen
    return "acts" in seen


def test_features_of_a_workspace_s_own_are_the_same(spark: SparkSession) -> None:
    here, as_of = own_source(4, 4), make_world(4).as_of
    families = [*here.own.families, "frequency"]
    one, other = (build_features(src, as_of, families=families) for src in (here, replace(here, spark=spark)))
    assert {feature.name for feature in here.own.features} <= set(one.column_names)
    assert differences(one, other, 1e-9) == []


def test_two_rows_for_a_customer_are_refused_on_spark(spark: SparkSession) -> None:
    lines = "-- one row per customer as of :as_of\nselect\n    entity_id,\n    day as some_day\nfrom order_days\n"
    day = Feature("some_day", "extra_days", "number", "days", None, "a day", "某日")
    own = Own(files=(OwnFile("days", lines, (day,)),))
    with pytest.raises(DataProblemError, match=r"days.sql gives more than one row for the customer \"u"):
        build_features(replace(WORLD.source(own=own), spark=spark), WORLD.as_of, families=["extra_days"])


def test_labels_and_purchases_are_the_same(spark: SparkSession) -> None:
    here = source()
    there = replace(here, spark=spark)
    for outcome in ("sale", "act"):
        for settings in (TargetSettings(), NARROW):
            one, other = (outcome_counts(src, WORLD.as_of, HORIZON, outcome, settings) for src in (here, there))
            assert one.to_pylist() == other.to_pylist()
    assert interactions(here, WORLD.as_of).to_pylist() == interactions(there, WORLD.as_of).to_pylist()
    assert purchases(here, WORLD.as_of, HORIZON).to_pylist() == purchases(there, WORLD.as_of, HORIZON).to_pylist()


def test_the_executors_are_processes_of_their_own(spark: SparkSession) -> None:
    import os

    def process(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for _ in batches:
            yield pa.record_batch({"process": pa.array([os.getpid()], pa.int64())})

    found = spark.range(0, 1000, 1, 4).mapInArrow(process, "process long").toArrow()["process"].to_pylist()
    assert len(set(found)) > 1
    assert os.getpid() not in found
