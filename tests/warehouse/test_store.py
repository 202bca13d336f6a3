"""Laws of the store: nothing is lost, nothing depends on how the files were cut, nothing half-written is ever read."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from warehouse import store as store_module
from warehouse.contracts import CONTRACTS
from warehouse.errors import DataProblemError, NotReadyError, RepriseError
from warehouse.files import atomic_directory
from warehouse.settings import Settings, TableSettings
from warehouse.store import Store
from warehouse.workspace import Workspace

LOADED_AT = datetime(2026, 1, 1)
MakeWorkspace = Callable[..., Workspace]
ORDERS = "user_id,ordered_at,order_id,amount,note\n"


def _all(store: Store, table: str = "orders") -> list[dict[str, Any]]:
    """Every row of the store, bucket by bucket and then those of nobody."""
    paths = [store.bucket(table, k) for k in range(store.buckets)] + [store.anonymous(table)]
    return [row for path in paths for row in pq.read_table(path).to_pylist()]


ROWS = st.lists(
    st.tuples(
        st.sampled_from(["u1", "u2", "u3", "名", ""]),
        st.sampled_from(["2025-06-01", "2025-06-02 10:00", "2025-06-03", "soon"]),
        st.sampled_from(["1", "2"]),
        st.sampled_from(["1", "2.50", "x"]),
        st.sampled_from(["", "a"]),
    ),
    min_size=1,
    max_size=30,
)


def _text(rows: list[tuple[str, ...]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return ORDERS + text.getvalue()


@given(ROWS, st.sampled_from(["drop", "keep"]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=5)
def test_every_row_read_is_accounted_for(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, ...]], duplicates: str
) -> None:
    root = tmp_path_factory.mktemp("law")
    (root / "orders.csv").write_text(_text([*rows, ("u9", "2025-06-01", "9", "9", "")]), encoding="utf-8")
    policy = TableSettings(files=("orders.csv",), duplicates=duplicates, on_problem="quarantine", max_bad_ratio=1)
    store = Store(Workspace(root, Settings(tables={"orders": policy}, buckets=2)))
    report = store.load_new(LOADED_AT)
    source = report.files[0][1]
    good = [row for row in rows if row[0] and row[1] != "soon" and row[3] != "x"]
    assert source.read == len(rows) + 1
    assert source.read == source.accepted + source.rejected + source.duplicates + sum(source.set_aside.values())
    assert source.set_aside.get("guests", 0) == sum(not row[0] for row in rows)
    assert source.rejected == sum(bool(row[0]) and (row[1] == "soon" or row[3] == "x") for row in rows)
    assert max(source.duplicates, source.duplicates_kept) == len(good) - len(set(good))
    assert len(_all(store)) == source.accepted == (len(good) if duplicates == "keep" else len(set(good))) + 1
    rejects = root / "store" / "rejects" / "orders-orders.csv.csv"
    assert rejects.exists() == bool(source.rejected)
    if source.rejected:
        with rejects.open(encoding="utf-8", newline="") as file:
            told = list(csv.DictReader(file))
        lines = [i for i, row in enumerate(rows, 2) if row[0] and (row[1] == "soon" or row[3] == "x")]
        assert [int(row["line"]) for row in told] == lines
        assert all("expected" in row["reason"] for row in told)


def test_rejected_rows_of_two_files_of_one_name_are_both_kept(tmp_path: Path) -> None:
    wrong = {"jan": "soon", "feb": "later"}
    for folder, time in wrong.items():
        (tmp_path / folder).mkdir()
        rows = [("u1", "2025-06-01", folder, "1", ""), ("u2", time, "9", "9", "")]
        (tmp_path / folder / "orders.csv").write_text(_text(rows), encoding="utf-8")
    policy = TableSettings(files=("*/orders.csv",), on_problem="quarantine", max_bad_ratio=1)
    report = Store(Workspace(tmp_path, Settings(tables={"orders": policy}, buckets=2))).load_new(LOADED_AT)
    told = {source.path: source.notes[-1].split()[-1] for _, source in report.files}
    for folder, time in wrong.items():
        assert time in (tmp_path / told[f"{folder}/orders.csv"]).read_text(encoding="utf-8")


@given(ROWS.map(lambda rows: [row for row in rows if row[1] != "soon" and row[3] != "x"]), st.integers(0, 30))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=4)
def test_loading_in_pieces_equals_loading_at_once(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, ...]], cut: int
) -> None:
    first = [("u1", "2025-06-01", "1", "1", ""), ("u1", "2025-06-02", "1", "1", ""), *rows[:cut]]
    second = [*rows[cut:], ("u2", "2025-06-03", "1", "1", "")]
    fingerprints = []
    for pieces in ([first + second], [first, second]):
        root = tmp_path_factory.mktemp("pieces")
        policy = TableSettings(files=("orders*.csv",))
        store = Store(Workspace(root, Settings(tables={"orders": policy}, buckets=2)))
        for number, piece in enumerate(pieces):
            (root / f"orders{number}.csv").write_text(_text(piece), encoding="utf-8")
            store.load_new(LOADED_AT, accept_drift="a law needs no calm")
        fingerprints.append(store.fingerprint())
        counts = store.manifest("orders").counts
        assert counts["accepted"] == store.manifest("orders").rows == len(_all(store))
    assert fingerprints[0] == fingerprints[1]


def test_one_file_a_bucket_sorted_and_by_the_same_hash_as_in_python(make_workspace: MakeWorkspace) -> None:
    lines = [f"u{i % 7},2025-06-{i % 20 + 1:02d},o{i},{i}.5,\n" for i in range(60)]
    store = Store(make_workspace(orders=ORDERS + "".join(lines), buckets=3))
    store.load_new(LOADED_AT)
    for k in range(store.buckets):
        table = pq.read_table(store.bucket("orders", k), columns=store.schema("orders").names)
        assert table.schema.equals(store.schema("orders"))
        rows = table.to_pylist()
        assert rows == sorted(rows, key=lambda row: (row["entity_id"], row["ordered_at"], row["order_id"]))
        for row in rows:
            assert int(hashlib.md5(row["entity_id"].encode()).hexdigest()[:8], 16) % 3 == k
    assert sum(pq.read_metadata(store.bucket("orders", k)).num_rows for k in range(3)) == 60
    manifest = store.manifest("orders")
    assert (manifest.rows, manifest.entities) == (60, 7)
    assert manifest.columns == ("user_id", "ordered_at", "order_id", "amount")
    with pytest.raises(ValueError, match="3 buckets"):
        store.bucket("orders", 3)


def test_nothing_new_is_nothing_done(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(orders=ORDERS + "u1,2025-06-01,1,1,\n")
    store = Store(workspace)
    assert store.load_new(LOADED_AT).changed
    before = {path: path.stat().st_mtime_ns for path in workspace.store.rglob("*")}
    report = Store(workspace).load_new(datetime(2026, 2, 2))
    assert not report.changed
    assert "Nothing new" in report.lines()[0]
    assert {path: path.stat().st_mtime_ns for path in workspace.store.rglob("*")} == before


def test_days_of_the_business_zone(make_workspace: MakeWorkspace) -> None:
    text = ORDERS + "u1,2025-06-01T20:00:00Z,1,1,\nu1,2025-05-01T00:00:00Z,1,1,\n"
    store = Store(make_workspace(orders=text, time_zone="Asia/Shanghai"))
    store.load_new(LOADED_AT)
    assert store.manifest("orders").first_day == date(2025, 5, 1)
    assert store.observed_until("orders") == store.default_as_of() == date(2025, 6, 3)


def test_changed_settings_or_a_changed_file_make_the_table_anew(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(orders=ORDERS + "u1,2025-06-01 23:30,1,1,\nu1,2025-06-01 23:30,1,1,\n")
    Store(workspace).load_new(LOADED_AT)
    assert Store(workspace).manifest("orders").rows == 1
    kept = make_workspace(
        orders=ORDERS + "u1,2025-06-01 23:30,1,1,\nu1,2025-06-01 23:30,1,1,\n",
        policies={"orders": {"duplicates": "keep"}},
        time_zone="America/New_York",
    )
    report = Store(kept).load_new(LOADED_AT)
    assert report.changed
    assert [row["ordered_at"] for row in _all(Store(kept))] == [datetime(2025, 6, 2, 3, 30)] * 2
    corrected = make_workspace(orders=ORDERS + "u1,2025-06-01 23:30,1,7,\n")
    Store(corrected).load_new(LOADED_AT)
    assert [float(row["amount"]) for row in _all(Store(corrected))] == [7.0]


def test_a_load_that_is_killed_before_the_pointer_leaves_all_as_it_was(
    make_workspace: MakeWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = make_workspace(orders=ORDERS + "u1,2025-06-01,1,1,\n", users="user_id\nu1\n")
    Store(workspace).load_new(LOADED_AT)
    before = Store(workspace).fingerprint()
    changed = make_workspace(orders=ORDERS + "u1,2025-06-01,1,2,\n", users="user_id\nu1\nu2\n")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(store_module, "swap_pointer", killed)
        with pytest.raises(KeyboardInterrupt):
            Store(changed).load_new(LOADED_AT)
    assert Store(changed).fingerprint() == before
    assert [float(row["amount"]) for row in _all(Store(changed))] == [1.0]
    Store(changed).load_new(LOADED_AT)
    assert [float(row["amount"]) for row in _all(Store(changed))] == [2.0]
    assert Store(changed).manifest("users").rows == 2
    folders = [path.name for path in (workspace.store / "orders").iterdir()]
    assert len(folders) == 2, "the version before stays for those who still read it; the orphan is gone"


def test_what_a_killed_writer_left_is_swept(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(orders=ORDERS + "u1,2025-06-01,1,1,\n")
    left = workspace.store / "orders" / ".writing-abc-000001"
    left.mkdir(parents=True)
    (left / "half.parquet").write_bytes(b"PAR1")
    Store(workspace).load_new(LOADED_AT)
    assert not left.exists()
    with pytest.raises(RepriseError), atomic_directory(workspace.store / "orders" / "000001") as folder:
        (folder / "x").write_text("a published version is never overwritten")


def test_two_loads_at_once(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(orders=ORDERS + "u1,2025-06-01,1,1,\n")
    with workspace.lock("store"), pytest.raises(RepriseError, match="at work"):
        Store(workspace).load_new(LOADED_AT)


BAD = {
    "empty": ("", "0 rows in orders.csv"),
    "header only": (ORDERS, "0 rows in orders.csv"),
    "guests only": (ORDERS + ",2025-06-01,1,1,\n", "no row of 1 left after setting aside"),
    "missing column": ("user_id,amount\nu1,1\n", "expected a column ordered_at"),
    "no amount": ("user_id,ordered_at,quantity\nu1,2025-06-01,1\n", "amount or quantity and unit_price"),
    "ragged": (ORDERS + "u1,2025-06-01,1,1\n", "line 2: a row of 4 values; expected 5 values"),
    "words for nothing": (ORDERS + "u1,2025-06-01,1,1,\nnull,2025-06-01,1,1,\n", "a word for nothing"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_is_not_taken(make_workspace: MakeWorkspace, name: str) -> None:
    content, told = BAD[name]
    workspace = make_workspace(orders=content)
    with pytest.raises(DataProblemError) as error:
        Store(workspace).load_new(LOADED_AT)
    assert told in str(error.value)
    assert error.value.exit_code == 3
    assert not Store(workspace).tables


def test_the_problems_of_all_files_at_once(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(
        orders=ORDERS + "u1,soon,1,x,\n", users="user_id,birth_year\nu1,85\n", events="event\nview\n"
    )
    with pytest.raises(DataProblemError) as error:
        Store(workspace).load_new(LOADED_AT)
    files = {problem.file for problem in error.value.problems}
    assert files == {"orders.csv", "users.csv", "events.csv"}
    assert len(error.value.problems) == 5


def test_too_many_bad_rows_stop_a_quarantine_too(make_workspace: MakeWorkspace) -> None:
    text = ORDERS + "u1,2025-06-01,1,x,\n" + "".join(f"u1,2025-06-01,{i},1,\n" for i in range(99))
    policy = {"orders": {"on_problem": "quarantine"}}
    with pytest.raises(DataProblemError, match=r"1 of 100 rows rejected \(1.00%\); expected at most 0.10%"):
        Store(make_workspace(orders=text, policies=policy)).load_new(LOADED_AT)
    policy["orders"]["max_bad_ratio"] = 0.01
    workspace = make_workspace(orders=text, policies=policy)
    assert Store(workspace).load_new(LOADED_AT).files[0][1].rejected == 1


def test_columns_in_another_order_are_the_same_rows(make_workspace: MakeWorkspace) -> None:
    first = Store(make_workspace(orders="user_id,ordered_at,amount\nu1,2025-06-01,1\n"))
    first.load_new(LOADED_AT)
    before = first.fingerprint()
    second = Store(make_workspace(orders="amount,ordered_at,user_id\n1,2025-06-01,u1\n"))
    second.load_new(LOADED_AT)
    assert second.fingerprint() == before


def test_extra_columns_are_told(make_workspace: MakeWorkspace) -> None:
    report = Store(make_workspace(orders=ORDERS + "u1,2025-06-01,1,1,x\n")).load_new(LOADED_AT)
    assert any("columns not used: note" in line for line in report.lines())


EVENTS = "event_id,user_id,device_id,occurred_at,event\n"


def test_one_event_id_for_two_bodies_names_both_lines(make_workspace: MakeWorkspace) -> None:
    same = EVENTS + "e1,u1,,2025-06-01,view\ne2,u2,,2025-06-01,view\ne1,u1,,2025-06-01,view\n"
    store = Store(make_workspace(events=same))
    assert store.load_new(LOADED_AT).files[0][1].duplicates == 1
    other = EVENTS + "e1,u1,,2025-06-01,view\ne2,u2,,2025-06-01,view\ne1,u3,,2025-06-01,buy\n"
    with pytest.raises(DataProblemError, match="line 4: event_id is the same as on line 2, where the rest differs"):
        Store(make_workspace(events=other)).load_new(LOADED_AT)


def test_acts_of_devices_are_kept_apart(make_workspace: MakeWorkspace) -> None:
    text = EVENTS + "e1,u1,d1,2025-06-01,view\ne2,,d1,2025-06-02,view\n"
    store = Store(make_workspace(events=text))
    store.load_new(LOADED_AT)
    assert pq.read_table(store.anonymous("events")).column("device_id").to_pylist() == ["d1"]
    assert (store.manifest("events").rows, store.manifest("events").anonymous_rows) == (2, 1)
    assert store.observed_until("events") == date(2025, 6, 3)


def _daily(days: range, a_day: int, user: str = "u") -> str:
    lines = [f"{user}{i},2025-{1 + d // 28:02d}-{1 + d % 28:02d},o{d},1,\n" for d in days for i in range(a_day)]
    return "".join(lines)


def test_a_load_that_shrinks_is_not_taken_unless_accepted(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, Settings(tables={"orders": TableSettings(files=("orders*.csv",))}, buckets=2))
    (tmp_path / "orders1.csv").write_text(ORDERS + _daily(range(28), 10))
    store = Store(workspace)
    store.load_new(LOADED_AT)
    (tmp_path / "orders2.csv").write_text(ORDERS + _daily(range(28, 42), 4))
    with pytest.raises(DataProblemError, match=r"56 rows over 14 days, where 140 were usual.*accept-drift"):
        store.load_new(LOADED_AT)
    assert Store(workspace).manifest("orders").rows == 280
    report = store.load_new(LOADED_AT, accept_drift="holidays")
    assert any("accepted (holidays)" in line for line in report.lines())
    assert "holidays" in store.manifest("orders").accepted_drift[0]
    assert store.manifest("orders").rows == 336


def test_a_gap_longer_than_twice_the_longest_before(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, Settings(tables={"orders": TableSettings(files=("orders*.csv",))}, buckets=2))
    (tmp_path / "orders1.csv").write_text(ORDERS + _daily(range(0, 28, 2), 2))
    Store(workspace).load_new(LOADED_AT)
    (tmp_path / "orders2.csv").write_text(ORDERS + _daily(range(35, 45), 2))
    with pytest.raises(DataProblemError, match="12 days without a row in orders, where 2 were the most"):
        Store(workspace).load_new(LOADED_AT)


def test_ids_unknown_to_their_table(make_workspace: MakeWorkspace) -> None:
    orders = "user_id,ordered_at,amount,item_id\n" + "".join(
        f"u,2025-06-01,{i + 1},{'a' if i else 'A'}\n" for i in range(20)
    )
    workspace = make_workspace(orders=orders, items="item_id\na\n")
    lines = Store(workspace).load_new(LOADED_AT).lines()
    assert any("1 of 20 rows (5.0%) name a value of item_id that items lacks" in line for line in lines)
    assert any("2 values of item_id differ only in case" in line for line in lines)
    assert pq.read_table(Store(workspace).whole("items")).column("item_id").to_pylist() == ["a"]
    more = make_workspace(orders=orders + "u,2025-06-01,1,b\n", items="item_id\na\nc\n")
    with pytest.raises(DataProblemError, match=r"unknown to items in 9\.5% of rows"):
        Store(more).load_new(LOADED_AT)


def test_every_table_of_the_contract_loads(make_workspace: MakeWorkspace) -> None:
    tables = {}
    for name, contract in CONTRACTS.items():
        columns = [c for c in contract.columns if c.required or c.name in ("user_id", "amount", "y")]
        value = {"id": "x1", "text": "sms", "time": "2025-06-01", "money": "1", "number": "1"}
        tables[name] = ",".join(c.name for c in columns) + "\n" + ",".join(value[c.kind] for c in columns) + "\n"
    tables["items"] = "item_id\nx1\n"
    store = Store(make_workspace(**tables))
    store.load_new(LOADED_AT)
    assert store.tables == frozenset(CONTRACTS)
    for name, contract in CONTRACTS.items():
        path = store.whole(name) if contract.entity is None else None
        rows = pq.read_table(path).to_pylist() if path else _all(store, name)
        assert len(rows) == 1
        assert rows[0]["recorded_at"] is not None
    assert store.manifest("identities").observed_until is None
    with pytest.raises(NotReadyError, match="no time"):
        store.observed_until("identities")


def test_a_table_that_was_never_loaded(make_workspace: MakeWorkspace) -> None:
    store = Store(make_workspace())
    assert store.tables == frozenset()
    with pytest.raises(NotReadyError, match="no table orders"):
        store.manifest("orders")
    with pytest.raises(NotReadyError, match="no orders and no events"):
        store.default_as_of()


def test_a_file_that_is_not_there(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(orders=ORDERS, policies={"orders": {"files": ("gone.csv",)}})
    with pytest.raises(DataProblemError, match=r"tables.orders.files: there is no file gone.csv"):
        Store(workspace).load_new(LOADED_AT)


def test_the_schema_of_a_table_not_loaded_is_that_of_its_contract(make_workspace: MakeWorkspace) -> None:
    schema = Store(make_workspace()).schema("orders")
    assert schema.field("amount").type == pa.decimal128(18, 4)
    assert schema.names[0] == "entity_id"
    assert schema.names[-1] == "local_at"
