"""Features of a workspace's own: what was known of each customer, by hand; and the leak law over them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from features import attributes
from features.building import build_features
from features.catalogue import Feature
from features.labels import label_targets, labels_of
from features.own import Own, OwnColumn, OwnFile, OwnTable
from features.own_files import checked_files
from features.source import FramesSource, StoreSource
from tests.features.conftest import differences, make_world, stored
from warehouse.clock import instant
from warehouse.errors import DataProblemError, SettingsError
from warehouse.store import Store
from warehouse.workspace import Workspace

CUT = date(2025, 3, 1)
LOADED = datetime(2025, 6, 1)
TEMPO = """-- one row per customer as of :as_of
-- sales_10d | orders | sales in the last 10 days | 近10天订单 | 0
-- last_channel | category | channel of the last sale | 最近渠道
select
    entity_id,
    count(case when day >= :w10 then 1 end) as sales_10d,
    max(channel) as last_channel
from sale_lines
group by entity_id
"""


def store(root: Path, **files: str) -> Store:
    """A loaded workspace of these tables; `settings` are further lines of reprise.toml, `tempo` a SQL file."""
    settings, tempo = files.pop("settings", ""), files.pop("tempo", None)
    if tempo is not None:
        (root / "features" / "extra").mkdir(parents=True)
        (root / "features" / "extra" / "tempo.sql").write_text(tempo)
    lines = ['time_zone = "Europe/Berlin"', "buckets = 3"]
    for table, text in files.items():
        (root / f"{table}.csv").write_text(text)
        lines += [f"[tables.{table}]", f'files = ["{table}.csv"]']
    (root / "reprise.toml").write_text("\n".join(lines) + "\n" + settings)
    made = Store(Workspace.open(root))
    made.load_new(LOADED)
    return made


def rows(table: pa.Table, *names: str) -> dict[str, Any]:
    """The values of these columns by customer."""
    picked = table.select(["entity_id", *names]).to_pylist()
    return {row["entity_id"]: tuple(row[name] for name in names) for row in picked}


ORDERS = "user_id,ordered_at,amount\na,2025-01-05,5\nb,2025-01-06,5\nc,2025-02-20,5\n"


def test_the_latest_version_known_before_the_cutoff_counts(tmp_path: Path) -> None:
    """00:00 of 1 March in Berlin is 23:00 UTC of the day before; a row known just then is not known before."""
    visits = (
        "user_id,known_at,visits,tier,next call\n"
        "a,2025-01-10,3,gold,2025-03-11\na,2025-02-28T23:59:59,4,silver,2025-02-27\na,2025-03-01T00:00,9,gold,\n"
        "b,2025-03-01T00:00,7,gold,2025-04-01\n"
    )
    source = StoreSource(store(tmp_path, orders=ORDERS, extra_visits=visits))
    found = rows(build_features(source, CUT), "visits", "tier", "days_until_next_call")
    assert found == {"a": (4.0, "silver", -2.0), "b": (None, None, None), "c": (None, None, None)}
    assert rows(build_features(source, date(2025, 2, 1)), "visits", "days_until_next_call")["a"] == (3.0, 38.0)


def test_a_static_table_was_true_at_all_times(tmp_path: Path) -> None:
    made = store(tmp_path, orders=ORDERS, extra_home="user_id,km\nc,2.5\n", settings="static = true\n")
    assert rows(build_features(StoreSource(made), date(2025, 2, 21)), "km") == {"a": (None,), "b": (None,), "c": (2.5,)}


def test_a_table_without_known_at_is_refused_unless_static(tmp_path: Path) -> None:
    with pytest.raises(DataProblemError) as refused:
        store(tmp_path, orders=ORDERS, extra_home="user_id,km\nc,2.5\n")
    assert "a column known_at" in str(refused.value.problems[0])
    assert "static = true" in str(refused.value.problems[0])


def test_users_attributes_are_features_where_they_are_named(tmp_path: Path) -> None:
    users = "user_id,plan,seats,code\na,basic,3,01\nb,pro,,02\nc,pro,7,02\n"
    told = 'static = true\nfeatures = ["plan", "seats", "code"]\ncategories = ["code"]\n'
    found = build_features(StoreSource(store(tmp_path, orders=ORDERS, users=users, settings=told)), CUT)
    assert rows(found, "plan", "seats", "code") == {
        "a": ("basic", 3.0, "01"), "b": ("pro", None, "02"), "c": ("pro", 7.0, "02"),
    }  # fmt: skip


def test_beside_orders_users_attributes_stay_out_unless_named(tmp_path: Path) -> None:
    made = store(tmp_path, orders=ORDERS, users="user_id,plan\na,basic\nb,pro\nc,pro\n")
    assert StoreSource(made).own.features == ()


@pytest.mark.parametrize(
    ("settings", "text", "said"),
    [
        ('features = ["visit"]', "user_id,known_at,visits\na,2025-01-01,3\n", 'holds "visit"; allowed: visits.'),
        ("", "user_id,known_at,order_count_30d\na,2025-01-01,3\n",
         "called \"order_count_30d\": the family frequency and"),
        ("", "user_id,known_at,a b,a-b\na,2025-01-01,3,4\n",
         'called "a_b": the column a b of extra_visits and the column'),
    ],
)  # fmt: skip
def test_what_cannot_be_a_feature_is_told(tmp_path: Path, settings: str, text: str, said: str) -> None:
    made = store(tmp_path, orders=ORDERS, extra_visits=text, settings=f"{settings}\n")
    with pytest.raises(SettingsError) as refused:
        _ = StoreSource(made).own
    assert said in str(refused.value)


def test_a_column_that_names_rows_is_no_feature_and_said_so(tmp_path: Path) -> None:
    text = "user_id,known_at,memo,none\n" + "".join(f"u{k},2025-01-01,note {k},\n" for k in range(300))
    own = StoreSource(store(tmp_path, orders=ORDERS, extra_memo=text)).own
    assert own.features == ()
    assert own.notes == (
        "extra_memo: memo has 300 different texts in 300 rows and is no feature",
        "extra_memo: none is empty and no feature",
    )  # fmt: skip


def test_a_file_of_the_workspace_counts_like_ours(tmp_path: Path) -> None:
    orders = (
        "user_id,ordered_at,channel,amount\na,2025-02-20,app,5\na,2025-02-28,web,5\na,2025-03-01,app,5\nb,2025-01-06,app,5\n"
        "c,2025-02-18,web,5\nd,2025-01-01,web,0\n"
    )
    made = store(tmp_path, orders=orders, tempo=TEMPO)
    found = rows(build_features(StoreSource(made), CUT), "sales_10d", "last_channel")
    assert found == {"a": (2.0, "web"), "b": (0.0, "app"), "c": (0.0, "web"), "d": (0.0, None)}
    told = {feature.name: feature for feature in StoreSource(made).own.features}
    assert told["sales_10d"] == Feature(
        "sales_10d", "extra_tempo", "number", "orders", None, "sales in the last 10 days", "近10天订单", False, 0.0
    )


WRONG = {
    "select entity_id, count(*) as n from orders": (1, "does not state the grain"),
    f"{TEMPO}where random() < 1": (10, "random() is not among the functions"),
    TEMPO.replace(":w10", "date '2024-01-01'"): (6, "A date is written into the text"),
    TEMPO.replace("count(case", "strftime(case"): (6, "strftime() is not among"),
    TEMPO.replace("from sale_lines", "from sale_lines, raw_orders"): (8, 'the table "raw_orders"'),
    TEMPO.replace("from sale_lines", "from seen_orders"): (8, 'the table "seen_orders"'),
    TEMPO.replace("from sale_lines", "from duckdb_tables"): (8, 'the table "duckdb_tables"'),
    TEMPO.replace("from sale_lines", 'from "a.csv"'): (8, 'the table "a.csv"'),
    TEMPO.replace("max(channel)", "max(chanel)"): (7, "chanel"),
    TEMPO.replace("    entity_id,\n", ""): (None, "entity_id among them"),
    TEMPO.replace("-- sales_10d |", "-- sales_20d |"): (2, 'a meaning of "sales_20d"'),
    TEMPO.replace("| 0\n", "| 0 | 1 | 2\n"): (2, "-- name | unit | meaning"),
    TEMPO.replace("max(channel)", "max(ordered_at)"): (7, "ordered_at"),
    TEMPO.replace("group by", "grup by"): (9, "syntax error"),
    TEMPO.replace("max(channel)", "max(local_at)").replace("sale_lines", "orders").replace("day >= :w10", "amount > 0"):
    (
        7, "numbers or text"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "said"), WRONG.items(), ids=[said for _, said in WRONG.values()])
def test_a_file_that_breaks_a_rule_is_told_with_its_line(
    tmp_path: Path, text: str, said: tuple[int | None, str]
) -> None:
    (tmp_path / "tempo.sql").write_text(text)
    with pytest.raises(SettingsError) as refused:
        checked_files(tmp_path)
    line = "" if said[0] is None else f"line {said[0]}"
    assert "tempo.sql" in str(refused.value)
    assert line in str(refused.value), str(refused.value)
    assert said[1] in str(refused.value), str(refused.value)


def test_two_rows_for_a_customer_are_refused(tmp_path: Path) -> None:
    made = store(
        tmp_path,
        orders=ORDERS + "a,2025-01-09,3\n",
        tempo=TEMPO.replace("group by entity_id", "group by entity_id, day"),
    )
    with pytest.raises(DataProblemError, match=r'tempo\.sql gives more than one row for the customer "a"'):
        build_features(StoreSource(made), CUT)


LABELS = (
    "target,user_id,as_of,y,recorded_at,score\n"
    "left,a,2025-01-10,0,2025-02-10,5\nleft,a,2025-01-10,1,2025-03-10,6\nleft,b,2025-01-10,0,2025-02-10,7\n"
    "left,b,2025-02-10,,2025-02-10,9\njoined,z,2025-01-10,1,2025-02-10,1\n"
)


def test_labels_are_those_known_and_the_last_recorded_of_a_date(tmp_path: Path) -> None:
    source = StoreSource(store(tmp_path, orders=ORDERS, labels=LABELS))
    assert label_targets(source) == ("joined", "left")
    assert rows(labels_of(source, "left", CUT), "y", "score") == {"a": (1.0, 6.0), "b": (0.0, 7.0)}
    assert rows(labels_of(source, "left", CUT, date(2025, 3, 1)), "y", "score") == {"a": (0.0, 5.0), "b": (0.0, 7.0)}
    assert labels_of(source, "left", CUT, date(2025, 2, 10)).num_rows == 0


def test_beside_labels_the_row_of_that_day_is_known_and_its_person_is_a_customer(tmp_path: Path) -> None:
    source = StoreSource(store(tmp_path, orders=ORDERS, labels=LABELS))
    assert rows(build_features(source, date(2025, 1, 10)), "score") == {"a": (5.0,), "b": (7.0,), "z": (1.0,)}
    later = rows(build_features(source, date(2025, 3, 11)), "score")
    assert later == {"a": (6.0,), "b": (9.0,), "c": (None,), "z": (1.0,)}
    assert "z" not in rows(build_features(source, date(2025, 1, 9)), "score")


def test_labels_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    text = "target,user_id,as_of,y\nleft,a,2025-01-10,0\nleft,a,2025-01-10,1\n"
    source = StoreSource(store(tmp_path, orders=ORDERS, labels=text))
    with pytest.raises(DataProblemError, match='both 0 and 1 of "a" in left as of'):
        labels_of(source, "left", CUT)


def test_a_label_is_0_or_1_or_not_known_yet(tmp_path: Path) -> None:
    with pytest.raises(DataProblemError) as refused:
        store(tmp_path, orders=ORDERS, labels="target,user_id,y\nleft,a,yes\nleft,b,2\n")
    assert "0 or 1" in str(refused.value.problems)


def test_own_features_travel_as_json(tmp_path: Path) -> None:
    own = StoreSource(store(tmp_path, orders=ORDERS, labels=LABELS, tempo=TEMPO)).own
    assert Own.from_json(own.to_json()) == own
    assert Own.from_json(own.to_json()).fingerprint == own.fingerprint != Own().fingerprint == ""


OWN = Own(
    (
        OwnTable(
            "labels", (OwnColumn("beside", "number", Feature("beside", "own_labels", "number", "", None, "b", "b")),)
        ),
        OwnTable(
            "extra_calls",
            (
                OwnColumn("calls", "number", Feature("calls", "extra_calls", "number", "", None, "c", "c")),
                OwnColumn("mood", "category", Feature("mood", "extra_calls", "category", None, None, "m", "m")),
            ),
        ),
    ),
    (OwnFile("tempo", TEMPO, (Feature("sales_10d", "extra_tempo", "number", "", None, "s", "s"),)),),
)


def own_source(seed: int, future: int) -> FramesSource:
    """A made-up world with tables of its own; what is not known at its cutoff depends on `future` alone."""
    world = make_world(seed, 25)
    cutoff = instant(world.as_of, world.zone)
    past, later = np.random.default_rng(seed), np.random.default_rng(1000 + future)

    def line(rng: np.random.Generator, hidden: bool) -> Mapping[str, Any]:
        seconds = int(rng.integers(1, 90 * 86400))
        at = cutoff + timedelta(seconds=seconds - 1) if hidden else cutoff - timedelta(seconds=seconds)
        return {
            "user_id": f"u{rng.integers(0, 25):03d}",
            "at": at,
            "calls": str(rng.integers(0, 99)),
            "mood": str(rng.integers(0, 9)),
        }

    lines = [line(past, False) for _ in range(60)] + [line(later, True) for _ in range(30 + future)]
    times = pa.array([one["at"] for one in lines], pa.timestamp("us"))
    ids = pa.array([one["user_id"] for one in lines])
    calls = pa.table(
        {"entity_id": ids, "known_at": times, "calls": [x["calls"] for x in lines], "mood": [x["mood"] for x in lines]}
    )
    # A label of the very day of the cutoff is known on it, so hidden ones are a second younger.
    dated = pa.array([one["at"] + timedelta(seconds=one["at"] >= cutoff) for one in lines], pa.timestamp("us"))
    labels = pa.table(
        {
            "entity_id": ids,
            "as_of": dated,
            "recorded_at": dated,
            "local_at": dated,
            "beside": [x["calls"] for x in lines],
        }
    )
    honest = {
        name: stored(name, [r for r in given if not later_than(name, r, cutoff)], world.zone)
        for name, given in world.rows.items()
    }
    return FramesSource({**honest, "extra_calls": calls, "labels": labels}, world.zone, own=OWN)


def later_than(table: str, row: Mapping[str, Any], cutoff: datetime) -> bool:
    return any(isinstance(value, datetime) and value >= cutoff for value in row.values())


def own_leaks(seed: int) -> list[str]:
    as_of = make_world(seed, 25).as_of
    return differences(build_features(own_source(seed, 0), as_of), build_features(own_source(seed, 5), as_of))


@pytest.mark.parametrize("seed", range(3))
def test_what_is_known_later_changes_no_feature_of_ones_own(seed: int) -> None:
    assert own_leaks(seed) == []


def test_a_planted_leak_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = attributes._since
    monkeypatch.setattr(attributes, "_since", lambda *given: (honest(*given)[0], "true"))
    assert own_leaks(0)
