"""The benchmark of recommenders: its measures, what it may look at, its limits, and the files it takes."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.recommenders.interactions import Interactions
from models.recommenders.ranking import Ranked
from training.benchmarks import processes, report
from training.benchmarks.contest import Asked, contest
from training.benchmarks.measures import MEASURES, row_of, test_items, vectors_of
from training.benchmarks.occurrences import held_out, interactions_of, joined
from training.benchmarks.pairs import Files, read_files
from training.benchmarks.processes import Limits, Outcome, Run, bench
from training.benchmarks.work import Job, fitted, found, tried, write_data, write_job
from training.evaluation.recommendation import TestItems
from warehouse.errors import DataProblemError, NotReadyError, UsageError

ROOT = Path(__file__).resolve().parents[2]
LOADED = datetime(2026, 11, 22)
Pairs = Sequence[tuple[str, str]]


def table(pairs: Pairs, **columns: Sequence[float]) -> pa.Table:
    users, items = zip(*pairs, strict=True)
    ids = {"user_id": pa.array(users, pa.large_string()), "item_id": pa.array(items, pa.large_string())}
    return pa.table({**ids, **{name: pa.array(values) for name, values in columns.items()}})


def lists_of(interactions: Interactions, test: TestItems, lists: Sequence[Sequence[str]], k: int) -> Ranked:
    """Lists of item ids, one per judged user, as ranked rows."""
    items = np.full((len(test), k), -1, np.int32)
    for row, listed in enumerate(lists):
        items[row, : len(listed)] = interactions.item_rows(list(listed))
    return Ranked(items, np.zeros(items.shape), np.array([len(each) for each in lists], np.int32))


def slow(train: Pairs, taken: Mapping[str, set[str]], lists: Mapping[str, Sequence[str]], k: int) -> dict[str, float]:
    """The measures as their definitions say, user by user and place by place; a part without users is left out."""
    had = set(train)
    per_user: dict[str, list[float]] = {name: [] for name in MEASURES}
    for user, items in taken.items():
        shown = list(lists[user])[:k]
        hits = [item for item in shown if item in items]
        per_user["recall"].append(len(hits) / len(items))
        gain = sum(1 / math.log2(place + 2) for place, item in enumerate(shown) if item in items)
        per_user["ndcg"].append(gain / sum(1 / math.log2(place + 2) for place in range(min(k, len(items)))))
        per_user["hit_rate"].append(float(bool(hits)))
        again = {item for item in items if (user, item) in had}
        for name, part in (("repeat_recall", again), ("explore_recall", items - again)):
            if part:
                per_user[name].append(len(part & set(hits)) / len(part))
    found = {name: sum(values) / len(values) for name, values in per_user.items() if values}
    catalogue = {item for _, item in train}
    return found | {"coverage": len({i for shown in lists.values() for i in shown[:k]}) / len(catalogue)}


USERS, ITEMS = [f"u{n}" for n in range(5)], [f"i{n}" for n in range(8)]
PAIRS = st.lists(st.tuples(st.sampled_from(USERS), st.sampled_from(ITEMS)), min_size=1, max_size=25)


@given(PAIRS, PAIRS, st.integers(0, 2**32 - 1), st.integers(1, 9))
@settings(max_examples=60, deadline=None)
def test_measures_are_those_of_their_definitions(train: Pairs, after: Pairs, seed: int, k: int) -> None:
    interactions = interactions_of(table(train))
    test = test_items(interactions, table(after))
    draw = np.random.default_rng(seed)
    catalogue = interactions.item_ids.to_pylist()
    order = list(dict.fromkeys(user for user, _ in after))
    lists = [list(draw.permutation(catalogue)[: draw.integers(0, k + 1)]) for _ in order]
    ranked = lists_of(interactions, test, lists, k)
    row = row_of(interactions, test, ranked, vectors_of(interactions, test, ranked, (k,)), 2, 7)
    taken = {user: {item for who, item in after if who == user} for user in order}
    wanted = slow(train, taken, dict(zip(order, lists, strict=True)), k)
    for name in (*MEASURES, "coverage"):
        assert row[name][str(k)] == pytest.approx(wanted.get(name), abs=1e-12), name


def test_measures_of_a_case_worked_by_hand() -> None:
    """Ann takes a (again), c and n (sold never before); Bob b (again); Cy, whom nobody knows, a.

    Recall@2 of [a, c], [c, b], [c]: 2/3, 1, 0. NDCG@2: 1, (1/log2 3) / 1 = 0.63093, 0. RecTools 0.19.0 gives the same
    means for these rows: Recall 0.555556, NDCG 0.543643 (divide_by_achievable=True), HitRate 0.666667.
    """
    interactions = interactions_of(table([("ann", "a"), ("ann", "b"), ("bob", "b"), ("bob", "c"), ("dan", "d")]))
    after = table([("ann", "a"), ("ann", "c"), ("ann", "n"), ("bob", "b"), ("bob", "b"), ("cy", "a")])
    test = test_items(interactions, after)
    assert (len(test), test.unknown_users, test.counts["both"].tolist()) == (3, 1, [3, 1, 1])
    ranked = lists_of(interactions, test, [["a", "c"], ["c", "b"], ["c"]], 2)
    row = row_of(interactions, test, ranked, vectors_of(interactions, test, ranked, (2,)), 50, 7)
    assert row["recall"]["2"] == pytest.approx(5 / 9)
    assert row["ndcg"]["2"] == pytest.approx((1 + 1 / math.log2(3)) / 3)
    assert row["hit_rate"]["2"] == pytest.approx(2 / 3)
    assert row["repeat_recall"]["2"] == pytest.approx(1.0)  # of Ann and of Bob
    assert row["explore_recall"]["2"] == pytest.approx((1 / 2 + 0) / 2)  # of Ann and of Cy
    assert row["coverage"]["2"] == pytest.approx(3 / 4)
    low, high = row["recall_interval"]["2"]
    assert 0 <= low < 5 / 9 < high <= 1


def test_each_user_loses_the_last_basket_where_there_are_two() -> None:
    rows = table(
        [("ann", "a"), ("ann", "b"), ("ann", "a"), ("bob", "c"), ("ann", "d")],
        basket_no=[2, 10, 10, 7, 9],
        day=[100, 1, 1, 3, 2],
    )
    left, valid, how = held_out(rows, 7)
    assert how == "the last basket of each user by basket_no"
    assert valid.select(["user_id", "item_id"]).to_pylist() == [
        {"user_id": "ann", "item_id": "b"},
        {"user_id": "ann", "item_id": "a"},
    ]
    assert left.column("basket_no").to_pylist() == [2, 7, 9]
    by_day = held_out(rows.drop_columns(["basket_no"]), 7)
    assert (by_day[1].column("item_id").to_pylist(), by_day[2]) == (["a"], "the last day of each user")


@given(PAIRS, st.integers(0, 9), st.data())
@settings(max_examples=40, deadline=None)
def test_a_tenth_of_the_pairs_is_drawn_whatever_the_order(train: Pairs, seed: int, data: st.DataObject) -> None:
    left, valid, _ = held_out(table(train), seed)
    drawn, kept = ({tuple(row.values()) for row in part.to_pylist()} for part in (valid, left))
    assert len(left) + len(valid) == len(train)
    assert not drawn & kept
    assert len(drawn) == max(1, round(0.1 * len(set(train))))
    again = held_out(table(data.draw(st.permutations(train))), seed)[1]
    assert {tuple(row.values()) for row in again.to_pylist()} == drawn


def test_baskets_without_dates_are_days_counted_back_from_the_last_of_each_user() -> None:
    found = interactions_of(table([("ann", "a"), ("ann", "b"), ("ann", "a"), ("bob", "a")], basket_no=[3, 9, 9, 50]))
    days = dict(zip(range(3), np.split(found.days, found.day_starts[1:-1]), strict=True))
    assert [(found.as_of_day - day).tolist() for day in days.values()] == [[2, 1], [1], [1]]


def test_a_valid_file_without_baskets_comes_after_all_of_train() -> None:
    both = joined(table([("ann", "a")], basket_no=[4], value=[2.0]), table([("ann", "b")]))
    assert both.column("basket_no").to_pylist() == [4, 5]
    assert both.column_names == ["user_id", "item_id", "basket_no"]


@contextmanager
def here(interactions: Interactions, test: TestItems) -> Iterator[Run]:
    """Jobs done in this process, without limits."""

    def run(job: Job, limits: Limits) -> Outcome:
        if job.trials or job.search:
            return Outcome(tried=list((found if job.search else tried)(job, interactions, test)))
        made = fitted(job, interactions, test.user_rows)
        return Outcome(made.lists, made.seconds, 1)

    yield run


def baskets(seed: int = 3, users: int = 40) -> pa.Table:
    """Made up: everybody has favourites, and three to five baskets of them."""
    draw = np.random.default_rng(seed)
    pairs, numbers = [], []
    for user in range(users):
        favourites = draw.choice(30, 6, replace=False)
        for basket in range(draw.integers(3, 6)):
            for item in draw.choice(favourites, 3, replace=False):
                pairs.append((f"u{user}", f"i{item}"))
                numbers.append(basket)
    return table(pairs, basket_no=numbers)


def test_nothing_that_is_chosen_hangs_on_the_test() -> None:
    asked = Asked(("popularity", "gp_topfreq", "bm25"), (5,), trials=2, draws=20)
    train = baskets()
    found = [
        contest(Files(train, test), asked, bench=here)
        for test in (table([("u1", "i2"), ("new", "i1")]), table([(f"u{n}", "unheard of") for n in range(9)]))
    ]
    choices = [
        (each["winner"], [(row["name"], row["valid"], row["settings"], row["trials"]) for row in each["models"]])
        for each in found
    ]
    assert choices[0] == choices[1]
    assert found[0]["models"] != found[1]["models"]
    assert (found[0]["unknown_test_users"], found[1]["unknown_test_pairs"]) == (1, 9)
    best = max(found[0]["models"], key=lambda row: row["valid"])
    assert found[0]["winner"] == best["name"]


def test_the_winner_is_refitted_on_train_and_valid_and_judged_by_the_definitions() -> None:
    train, valid = table([("ann", "a"), ("ann", "b")]), table([("ann", "c"), ("bob", "c")])
    test = table([("ann", "c"), ("bob", "c"), ("eve", "c")])
    found = contest(Files(train, test, valid), Asked(("popularity",), (1,), draws=5), bench=here)
    assert found["models"][0]["recall"] == {"1": 1.0}  # c, known from valid only, is the most popular of both
    assert found["models"][0]["coverage"] == {"1": pytest.approx(1 / 3)}
    assert found["chosen_by"] == "mean of Recall@1 on the file given"


@pytest.mark.parametrize("model", ["gp_topfreq", "personal_frequency", "als", "bm25"])
def test_repeats_are_left_out_or_not(model: str) -> None:
    interactions = interactions_of(baskets())
    rows = np.arange(-1, len(interactions.user_ids))
    for may_repeat in (True, False):
        lists = fitted(Job(model, (5,), may_repeat, 7), interactions, rows).lists
        known = interactions.entries(np.repeat(rows, 5), lists.items.ravel().astype(np.int64))
        again = (known >= 0) & (lists.items.ravel() >= 0)
        assert again.any() == may_repeat
    assert lists.items[0].tolist() == np.argsort(interactions.place)[:5].tolist()  # unknown: the popular ones


def test_a_job_ends_at_its_limits_and_says_what_it_needs(tmp_path: Path) -> None:
    interactions = interactions_of(baskets())
    with bench(interactions, test_items(interactions, baskets(4))) as run:
        long = Job("bpr", (5,), True, 7, {"iterations": 10**9})
        assert run(long, Limits(2.0, 10**12)).why == "needs more than 2 s, its share of the time"
        assert str(run(long, Limits(60.0, 10**7)).why).startswith("needs more than 10 MB of memory: it held ")
        wrong = run(Job("als", (5,), True, 7, {"factors": -1}), Limits(60.0, 10**12))
        assert str(wrong.why).startswith("failed: ")
        good = run(Job("bm25", (5,), True, 7), Limits(60.0, 10**12))
        assert good.why is None
        assert good.lists is not None
        assert good.peak_bytes > 50e6
        alone = fitted(Job("bm25", (5,), True, 7), interactions, test_items(interactions, baskets(4)).user_rows)
        assert good.lists.items.tolist() == alone.lists.items.tolist()


def test_a_job_ends_with_whoever_began_it(tmp_path: Path) -> None:
    interactions = interactions_of(baskets())
    write_data(tmp_path, interactions, test_items(interactions, baskets(4)))
    write_job(tmp_path, Job("bpr", (5,), True, 7, {"iterations": 10**9}))
    command = [sys.executable, "-m", "training.benchmarks.work", str(tmp_path)]
    path = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(command, env=path, stdin=subprocess.DEVNULL, capture_output=True, timeout=120, check=False)
    assert ended.returncode == 1


def test_what_does_not_fit_is_skipped_with_its_need(monkeypatch: pytest.MonkeyPatch) -> None:
    files = Files(baskets(), baskets(4))
    asked = Asked(("popularity", "ease"), (5,), draws=5)
    monkeypatch.setattr("models.recommenders.ease.EASE.needs", classmethod(lambda cls, u, i, n: 10**15))
    found = contest(files, asked, bench=here)
    assert [each["name"] for each in found["skipped"]] == ["ease"]
    assert found["skipped"][0]["why"].startswith("needs about 1,000,000,000 MB of memory; there are ")
    with pytest.raises(NotReadyError, match="ease needs about"):
        contest(files, Asked(("ease",), (5,)), bench=here)


GOOD = "user_id,item_id\nann,a\nann,b\nbob,a\n"
BAD = {
    "no_column.csv": ("user,item_id\nann,a\n", ["line 1: columns user, item_id; expected a column user_id"]),
    "no_rows.csv": ("user_id,item_id\n", ["no_rows.csv: no row; expected at least one"]),
    "blank.csv": ("", ["blank.csv"]),
    "no_item.csv": ("user_id,item_id\nann,a\nbob,\n", ["line 3: item_id is missing"]),
    "id_with_blank.csv": ('user_id,item_id\n" ann",a\n', ['line 2: user_id is " …" (4 characters)']),
    "value.csv": ("user_id,item_id,value\nann,a,-2\nann,b,0\nann,c,much\n",
                  ['line 2: value is "-2"; expected a number above 0', "2 more lines have this problem"]),
    "basket.csv": ("user_id,item_id,basket_no\nann,a,1.5\nbob,a,2\nbob,b,x\n",
                   ['line 2: basket_no is "1.5"; expected a whole number', "1 more line has this problem"]),
    "half.csv": ("user_id,item_id,basket_no\nann,a,1\nbob,a,\n",
                 ["line 3: basket_no is missing; expected a value in every row, or in none"]),
    "time.csv": ("user_id,item_id,occurred_at\nann,a,2026-01-01\nbob,a,31.12.2025\nbob,b,2036-01-01\n",
                 ['line 3: occurred_at is "31.12.2025"; expected a time', "line 4: occurred_at"]),
    "ragged.csv": ("user_id,item_id\nann,a\nann,a,b\n", ["line 3: a row of 3 values"]),
    "twice.csv": ("user_id,item_id,item_id\nann,a,b\n", ['2 columns named "item_id"']),
    "file.docx": (GOOD, ["file.docx: the file is of no known kind"]),
    "torn.parquet": (GOOD, ["torn.parquet: a damaged Parquet file"]),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_told_with_line_and_remedy(name: str, tmp_path: Path) -> None:
    text, wanted = BAD[name]
    (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "good.csv").write_text(GOOD, encoding="utf-8")
    with pytest.raises(DataProblemError) as caught:
        read_files(tmp_path / "good.csv", tmp_path / name, None, LOADED)
    told = str(caught.value)
    assert all(part in told for part in wanted), told
    assert "reprise.toml" not in told
    assert "set_aside" not in told


def test_the_problems_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("user_id,item_id,value\nann,,x\n", encoding="utf-8")
    with pytest.raises(DataProblemError) as caught:
        read_files(tmp_path / "train.csv", tmp_path / "absent.csv", tmp_path / "train.csv", LOADED)
    told = str(caught.value)
    assert [told.count(part) for part in ("item_id is missing", 'value is "x"', "There is no file")] == [2, 2, 1]


def test_ids_are_kept_exactly_and_every_form_of_file_reads_alike(tmp_path: Path) -> None:
    csv = "occurred_at,item_id,user_id,more\n2026-03-01 23:59:00,007,0,x\n2026-03-02,7,0,y\n"
    (tmp_path / "a.csv").write_text(csv, encoding="utf-8")
    (tmp_path / "a.tsv").write_text(csv.replace(",", "\t"), encoding="utf-8")
    seconds = csv.replace("2026-03-01 23:59:00", "1772409540").replace("2026-03-02", "1772409600")
    (tmp_path / "b.csv").write_text(seconds, encoding="utf-8")
    times = pa.array([datetime(2026, 3, 1, 23, 59), datetime(2026, 3, 2)])
    pq.write_table(pa.table({"user_id": [0, 0], "item_id": ["007", "7"], "occurred_at": times}), tmp_path / "a.parquet")
    first = read_files(tmp_path / "a.csv", tmp_path / "a.tsv", tmp_path / "b.csv", LOADED)
    last = read_files(tmp_path / "a.parquet", tmp_path / "a.csv", None, LOADED)
    assert first.train.to_pydict() == {"user_id": ["0", "0"], "item_id": ["007", "7"], "day": [20513, 20514]}
    assert all(each == first.train for each in (first.test, first.valid, last.train))


@pytest.mark.parametrize(
    ("option", "value"),
    [("k", "0"), ("k", "10,,20"), ("k", "many"), ("memory", "16"), ("memory", "0GB"), ("models", "als,nonsense")],
)
def test_options_that_are_not_understood(option: str, value: str) -> None:
    said = {"k": "10", "models": None, "memory": "1GB", option: value}
    with pytest.raises(UsageError, match="nonsense" if option == "models" else f"--{option}"):
        report.asked(str(said["k"]), said["models"], True, 0, 7, 1.0, str(said["memory"]))


def test_the_command_in_a_process_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text(GOOD, encoding="utf-8")
    (tmp_path / "test.csv").write_text("user_id,item_id\nann,a\nzoe,a\n", encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "cli.main",
        "benchmark",
        "recommend",
        "--json",
        "--models",
        "gp_topfreq,popularity",
    ]
    asked = [*command, "--train", "train.csv", "--test", "test.csv", "--k", "1,2"]
    path = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(asked, cwd=tmp_path, env=path, capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    keys = {"name", "recall", "ndcg", "hit_rate", "repeat_recall", "explore_recall", "coverage", "seconds", "peak_mb"}
    assert [row["name"] for row in found["models"]] == ["gp_topfreq", "popularity"]
    assert all(row.keys() >= keys and row["peak_mb"] > 50 for row in found["models"])
    assert all(row["recall"].keys() == {"1", "2"} for row in found["models"])
    assert found["winner"] in ("gp_topfreq", "popularity")
    assert found["models"][1]["over_gp_topfreq"]["1"].keys() == {"difference", "interval", "times"}
    (tmp_path / "test.csv").write_text("user_id\nann\n", encoding="utf-8")
    ended = subprocess.run(asked, cwd=tmp_path, env=path, capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == 3
    assert "expected a column item_id" in json.loads(ended.stdout)["error"]["problems"][0]


def test_memory_is_that_of_the_process_alone() -> None:
    assert processes.free_bytes() is None or processes.free_bytes() > 10**6  # type: ignore[operator]
