"""Exposures that were posted: whole rows on the disk, whoever writes at the same time and whatever is cut off."""

from __future__ import annotations

import multiprocessing
import os
from datetime import datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from warehouse import posted
from warehouse.errors import RepriseError
from warehouse.store import Store
from warehouse.workspace import Workspace

NOW = datetime(2024, 7, 2)
HEADER = "suggestion_id,user_id,item_id,shown_at,position,clicked_at\n"


def row(number: int, user: str = "ann", clicked: str = "") -> tuple[str, ...]:
    return (f"s{number}", user, "tea", f"2024-06-{1 + number % 28:02}T10:00:00Z", "1", clicked)


def opened(root: Path) -> str:
    return (root / "exposures" / "open.csv").read_text(encoding="utf-8")


@pytest.fixture
def shop(tmp_path: Path) -> Workspace:
    (tmp_path / "orders.csv").write_text("user_id,ordered_at,item_id,amount\nann,2024-06-30,tea,3\n")
    (tmp_path / "reprise.toml").write_text(
        'time_zone = "UTC"\ncurrency = "EUR"\nbuckets = 1\n\n[tables.orders]\nfiles = ["orders.csv"]\n'
    )
    return Workspace.open(tmp_path)


def shown(workspace: Workspace) -> list[tuple[object, ...]]:
    store = Store(workspace)
    table = pq.read_table(store.bucket("exposures", 0))
    return sorted(zip(*(table[name].to_pylist() for name in ("suggestion_id", "user_id", "clicked_at")), strict=True))


def test_a_load_takes_what_was_posted_and_a_row_posted_twice_is_one(shop: Workspace) -> None:
    posted.append(shop.root, [row(1), row(2)])
    posted.append(shop.root, [row(1)])
    assert opened(shop.root).count("\n") == 4
    Store(shop).load_new(NOW)
    assert shown(shop) == [("s1", "ann", None), ("s2", "ann", None)]
    assert not (shop.root / "exposures" / "open.csv").exists()
    # The next day nothing is read anew: what came is a file of its own.
    posted.append(shop.root, [row(3, 'zoe, "the" unknown')])
    report = Store(shop).load_new(NOW)
    assert [source.path for _, source in report.files] == ["exposures/posted-000002.csv"]
    assert [one for one, *_ in shown(shop)] == ["s1", "s2", "s3"]
    assert Store(shop).load_new(NOW).changed is False


def test_files_of_ones_own_and_what_was_posted_are_one_table(shop: Workspace) -> None:
    (shop.root / "shown.csv").write_text(HEADER + ",".join(row(9)) + "\n")
    with (shop.root / "reprise.toml").open("a") as file:
        file.write('\n[tables.exposures]\nfiles = ["shown.csv"]\n')
    posted.append(shop.root, [row(1)])
    workspace = Workspace.open(shop.root)
    Store(workspace).load_new(NOW)
    assert [one for one, *_ in shown(workspace)] == ["s1", "s9"]


def test_what_a_killed_writer_left_of_a_line_is_taken_off(shop: Workspace) -> None:
    posted.append(shop.root, [row(1)])
    with (shop.root / "exposures" / "open.csv").open("a") as file:
        file.write("s2,ann,te")
    posted.append(shop.root, [row(3)])
    assert opened(shop.root) == HEADER + ",".join(row(1)) + "\n" + ",".join(row(3)) + "\n"


def test_a_full_disk_leaves_nothing_of_a_post(shop: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    posted.append(shop.root, [row(1)])
    before, write = opened(shop.root), os.write

    def half(file: int, text: bytes) -> int:
        monkeypatch.setattr(os, "write", full)
        return write(file, text[:7])

    def full(file: int, text: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", half)
    with pytest.raises(RepriseError, match="disk is full"):
        posted.append(shop.root, [row(2)])
    assert opened(shop.root) == before


def _post(root: Path, start: int) -> None:
    for number in range(start, start + 25):
        posted.append(root, [row(number, clicked="x" * 200), row(number, user="bob")])


def test_many_processes_and_loads_at_once_lose_and_tear_nothing(tmp_path: Path) -> None:
    started = multiprocessing.get_context("fork")
    workers = [started.Process(target=_post, args=(tmp_path, 100 * k)) for k in range(4)]
    for worker in workers:
        worker.start()
    while any(worker.is_alive() for worker in workers):
        posted.seal(tmp_path)
        workers[0].join(0.01)
    for worker in workers:
        worker.join()
    posted.seal(tmp_path)
    files = sorted((tmp_path / "exposures").glob("posted-*.csv"))
    lines = [line for file in files for line in file.read_text().splitlines()]
    assert all(file.read_text().startswith(HEADER) for file in files)
    rows = [line for line in lines if line + "\n" != HEADER]
    assert sorted(rows) == sorted(
        ",".join(each)
        for k in range(4)
        for n in range(100 * k, 100 * k + 25)
        for each in (row(n, clicked="x" * 200), row(n, user="bob"))
    )


def test_whoever_is_erased_is_in_no_posted_row_and_the_others_stay(shop: Workspace) -> None:
    posted.append(shop.root, [row(1), row(2, "bob")])
    posted.seal(shop.root)
    posted.append(shop.root, [row(3)])
    Store(shop).load_new(NOW)
    posted.append(shop.root, [row(4)])
    assert posted.named(shop.root) == {"ann", "bob"}
    assert posted.forget(shop.root, {"ann"}) == 3
    assert posted.named(shop.root) == {"bob"}
    Store(shop).load_new(NOW)
    assert [(one, user) for one, user, _ in shown(shop)] == [("s2", "bob")]
