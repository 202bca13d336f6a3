"""The benchmark of the whole pipeline, run small: every step in a process of its own, measured."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from benchmarks.shop_rows import Size, make

ROOT = Path(__file__).parents[2]
SIZE = Size(users=1500, lines=15_000, events=30_000)


def test_a_big_shop_has_exactly_the_rows_asked_for_and_is_the_same_again(tmp_path: Path) -> None:
    for name in ("a", "b"):
        make(tmp_path / name, SIZE)
    orders, events = tmp_path / "a" / "orders.csv", tmp_path / "a" / "events.parquet"
    assert pacsv.read_csv(orders).num_rows == SIZE.lines
    assert pq.read_metadata(events).num_rows == SIZE.events
    assert pacsv.read_csv(tmp_path / "a" / "users.csv").num_rows == SIZE.users
    assert orders.read_bytes() == (tmp_path / "b" / "orders.csv").read_bytes()
    assert events.read_bytes() == (tmp_path / "b" / "events.parquet").read_bytes()


def test_every_step_runs_and_is_measured(tmp_path: Path) -> None:
    given = [f"--{name}={value}" for name, value in vars(SIZE).items()]
    command = [sys.executable, "-m", "benchmarks.pipeline", *given, "--quick", "--quiet", "--json"]
    done = subprocess.run([*command, "--folder", str(tmp_path)], cwd=ROOT, check=True, capture_output=True, text=True)
    told = json.loads(done.stdout)
    steps = {step["step"]: step for step in told["steps"]}
    assert list(steps) == ["make the shop", "load", "features", "value", "labels", "train", "recommend", "publish"]
    assert steps["load"]["rows"] == SIZE.lines + SIZE.events + SIZE.users + SIZE.items
    assert steps["features"]["rows"] <= SIZE.lines + SIZE.events
    assert 0 < steps["value"]["rows"] <= SIZE.users
    assert 0 < steps["publish"]["rows"] <= SIZE.users
    for step in steps.values():
        assert step["seconds"] > 0
        assert 20 < step["megabytes"] < 2_000
    scored = pq.read_table(tmp_path / "releases" / "20251123-benchmark" / "scores.parquet")
    assert len(set(scored["user_id"].to_pylist())) == steps["publish"]["rows"]
