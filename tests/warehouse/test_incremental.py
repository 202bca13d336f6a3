"""The law of loading: however rows are cut into files, and in whatever order those come, the store is the same."""

from __future__ import annotations

import csv
import io
import random
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import accumulate
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from warehouse.errors import DataProblemError
from warehouse.manifest import TableManifest
from warehouse.settings import Settings, TableSettings
from warehouse.store import Store
from warehouse.workspace import Workspace

FIRST_NIGHT = datetime(2026, 1, 1)
USERS = ["u1", "u2", "u3", "007", "7", "名"]
DAYS = ["2025-06-01", "2025-06-01 23:30", "2025-06-02", "2025-06-05 08:00"]
LATER = ["", "2025-06-07", "2025-06-09 12:00"]
"""Times of recording: with the row, late, or a correction later still."""

HEADERS = {
    "orders": ["user_id", "ordered_at", "order_id", "amount", "recorded_at", "note"],
    "events": ["user_id", "device_id", "occurred_at", "event", "recorded_at"],
    "users": ["user_id", "region", "consent_sms", "recorded_at", "Hobby"],
    "identities": ["user_id", "kind", "value"],
    "items": ["item_id", "name", "recorded_at"],
}
ROWS: dict[str, st.SearchStrategy[tuple[str, ...]]] = {
    "orders": st.tuples(
        st.sampled_from([*USERS, ""]),
        st.sampled_from([*DAYS, "soon"]),
        st.sampled_from(["o1", "o2"]),
        st.sampled_from(["1", "2.50", "x"]),
        st.sampled_from(LATER),
        st.sampled_from(["", "a"]),
    ),
    "events": st.tuples(
        st.sampled_from([*USERS, ""]),
        st.sampled_from(["d1", "d2", ""]),
        st.sampled_from(DAYS),
        st.sampled_from(["view", "cart"]),
        st.sampled_from(LATER),
    ),
    "users": st.tuples(
        st.sampled_from(USERS),
        st.sampled_from(["north", "south", ""]),
        st.sampled_from(["true", "false", ""]),
        st.sampled_from(LATER),
        st.sampled_from(["", "chess"]),
    ),
    "identities": st.tuples(st.sampled_from(USERS), st.sampled_from(["phone", "email"]), st.sampled_from(["a", "b"])),
    "items": st.tuples(st.sampled_from(["i1", "i2"]), st.sampled_from(["tea", "cup"]), st.sampled_from(LATER)),
}
GOOD = {
    "orders": ("u1", "2025-06-01", "o0", "1", "", ""),
    "events": ("u1", "", "2025-06-01", "view", ""),
    "users": ("u1", "north", "true", "2025-06-03", ""),
    "identities": ("u1", "phone", "z"),
    "items": ("i1", "tea", "2025-06-03"),
}


@dataclass(frozen=True)
class Export:
    """One file: its table, its name, its rows, and the columns it leaves out."""

    table: str
    name: str
    rows: tuple[tuple[str, ...], ...]
    without: frozenset[str] = frozenset()

    def text(self) -> str:
        kept = [place for place, name in enumerate(HEADERS[self.table]) if name not in self.without]
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([HEADERS[self.table][place] for place in kept])
        writer.writerows([row[place] for place in kept] for row in (GOOD[self.table], *self.rows))
        return out.getvalue()


@st.composite
def exports(draw: st.DrawFn) -> list[list[Export]]:
    """Nights, each with the files that came since the night before; rows occur again in a file and over files."""
    files = []
    for table, rows in ROWS.items():
        given_rows = draw(st.lists(rows, min_size=1, max_size=12))
        again = draw(st.lists(st.sampled_from(given_rows), max_size=4))
        shuffled = draw(st.permutations(given_rows + again))
        cuts = sorted(draw(st.lists(st.integers(0, len(shuffled)), max_size=2)))
        for number, (start, end) in enumerate(zip([0, *cuts], [*cuts, len(shuffled)], strict=True)):
            without = frozenset({"recorded_at"}) if draw(st.booleans()) else frozenset()
            without |= {"Hobby"} if draw(st.booleans()) else set()
            # A file that is named late in the alphabet may come early, and the other way round.
            name = f"{table}-{draw(st.sampled_from('acz'))}{number}.csv"
            files.append(Export(table, name, tuple(shuffled[start:end]), frozenset(without)))
    arrival = draw(st.permutations(files))
    sizes = draw(st.lists(st.integers(1, 5), min_size=1, max_size=3))
    ends = [*accumulate(sizes), len(arrival)]
    return [list(arrival[a:b]) for a, b in zip([0, *ends], ends, strict=False) if arrival[a:b]]


def _store(root: Path, tables: set[str], duplicates: str, buckets: int = 2) -> Store:
    policies = {
        table: TableSettings.model_validate(
            {"files": (f"{table}-*.csv",), "duplicates": duplicates, "on_problem": "quarantine", "max_bad_ratio": 1}
        )
        for table in sorted(tables)
    }
    return Store(Workspace(root, Settings(tables=policies, buckets=buckets)))


def _load(root: Path, nights: list[list[Export]], duplicates: str, buckets: int = 2, first: int = 0) -> Store:
    """Brings the files of each night and loads them, a day after the other."""
    here: set[str] = {path.name.split("-")[0] for path in root.glob("*.csv")}
    for night, files in enumerate(nights, first):
        for file in files:
            (root / file.name).write_text(file.text(), encoding="utf-8")
            here.add(file.table)
        store = _store(root, here, duplicates, buckets)
        store.load_new(FIRST_NIGHT + timedelta(days=night), accept_drift="a law needs no calm")
    return store


def _told(store: Store, table: str, *, history: bool) -> dict[str, Any]:
    """A manifest without what tells one version from another; without `history` also without what each file gave."""
    manifest: TableManifest = store.manifest(table)
    plain = replace(manifest, version="", accepted_drift=())
    if not history:
        plain = replace(plain, sources=(), loaded_at=FIRST_NIGHT)
    return vars(plain)


LAW = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=5, phases=[Phase.generate])


@given(exports(), st.sampled_from(["drop", "keep"]), st.integers(0, 99))
@LAW
def test_file_after_file_gives_the_bytes_that_all_at_once_give(
    tmp_path_factory: pytest.TempPathFactory, nights: list[list[Export]], duplicates: str, seed: int
) -> None:
    """Where rows say when they were recorded, or when they happened; load history apart."""
    files = [file for night in nights for file in night if file.table != "identities"]
    stamped = [[_stamped(file) for file in night if file.table != "identities"] for night in nights]
    by_night = _load(tmp_path_factory.mktemp("nights"), [night for night in stamped if night], duplicates)
    shuffled = [file for night in stamped for file in night]
    random.Random(seed).shuffle(shuffled)
    at_once = _load(tmp_path_factory.mktemp("once"), [shuffled], duplicates)
    assert by_night.tables == at_once.tables == {file.table for file in files}
    assert by_night.fingerprint() == at_once.fingerprint()
    for table in by_night.tables:
        assert _told(by_night, table, history=False) == _told(at_once, table, history=False)
        counts = at_once.manifest(table).counts
        assert by_night.manifest(table).counts == counts
        assert all(source.balances for source in by_night.manifest(table).sources)
        assert counts["accepted"] == at_once.manifest(table).rows


def _stamped(file: Export) -> Export:
    """The file with a time of recording in every row, where nothing else says when a row was known."""
    if file.table not in ("users", "items"):
        return file
    place = HEADERS[file.table].index("recorded_at")
    rows = tuple((*row[:place], row[place] or "2025-06-03", *row[place + 1 :]) for row in file.rows)
    # The good row of every file has none.
    return replace(file, rows=rows, without=file.without - {"recorded_at"})


@given(exports(), st.sampled_from(["drop", "keep"]))
@LAW
def test_a_table_read_anew_is_what_the_nights_made_of_it(
    tmp_path_factory: pytest.TempPathFactory, nights: list[list[Export]], duplicates: str
) -> None:
    """Also where the time of loading is the only one known, and with the history of each file."""
    by_night = _load(tmp_path_factory.mktemp("nights"), nights, duplicates, buckets=3)
    root = tmp_path_factory.mktemp("anew")
    _load(root, nights, duplicates, buckets=2)
    anew = _load(root, [[]], duplicates, buckets=3, first=90)
    assert by_night.fingerprint() == anew.fingerprint()
    for table in by_night.tables:
        assert _told(by_night, table, history=True) == _told(anew, table, history=True)


def test_a_column_written_with_other_capitals_is_refused_whichever_file_comes_first(tmp_path: Path) -> None:
    first, second = "user_id,Hobby\nu1,chess\n", "user_id,HOBBY\nu2,go\n"
    for name, texts in {"one by one": (first, second), "the other way": (second, first)}.items():
        root = tmp_path / name
        root.mkdir()
        store = _store(root, {"users"}, "drop")
        (root / "users-1.csv").write_text(texts[0])
        store.load_new(FIRST_NIGHT)
        (root / "users-2.csv").write_text(texts[1])
        with pytest.raises(DataProblemError, match=r"a column (HOBBY|Hobby); expected (Hobby|HOBBY), as in the other"):
            store.load_new(FIRST_NIGHT)
        assert store.manifest("users").rows == 1
    both = tmp_path / "at once"
    both.mkdir()
    for name, text in {"users-1.csv": first, "users-2.csv": second}.items():
        (both / name).write_text(text)
    with pytest.raises(DataProblemError, match="a column HOBBY; expected Hobby"):
        _store(both, {"users"}, "drop").load_new(FIRST_NIGHT)


def test_a_row_that_comes_twice_was_known_since_the_first_time(tmp_path: Path) -> None:
    """The file that came second is the first by name: read anew, too, the row keeps its first time."""
    rows = "user_id,kind,value\nu1,phone,1\n"
    nights = {"identities-z.csv": rows, "identities-a.csv": rows + "u2,phone,2\n"}
    for night, (name, text) in enumerate(nights.items()):
        (tmp_path / name).write_text(text)
        _store(tmp_path, {"identities"}, "drop").load_new(FIRST_NIGHT + timedelta(days=night))
    for buckets in (2, 1):
        store = _store(tmp_path, {"identities"}, "drop", buckets)
        store.load_new(FIRST_NIGHT + timedelta(days=9))
        paths = [store.bucket("identities", k) for k in range(buckets)]
        known = {row["entity_id"]: row["recorded_at"] for path in paths for row in pq.read_table(path).to_pylist()}
        assert known == {"u1": FIRST_NIGHT, "u2": FIRST_NIGHT + timedelta(days=1)}
        assert [source.duplicates for source in store.manifest("identities").sources] == [0, 1]
