"""Never half a folder, and nobody in it who must not be: kills, failing disks, opt-outs of the last moment."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from tests.audiences.conftest import bytes_of, members
from warehouse.engine import connect
from warehouse.errors import DataProblemError, RepriseError

SOME = pa.table({"entity_id": [f"{i:02d}" for i in range(12)], "f": [float(i) for i in range(12)]})


def test_no_interleaving_lets_a_suppressed_customer_through(shop_in_memory):
    """500 builds; at random moments of each the list and the consents change."""
    with connect() as connection:
        interleave(shop_in_memory, connection)


def interleave(shop, connection):
    refused = 0
    for seed in range(500):
        draw = random.Random(seed)
        state = {"no": set(draw.sample(range(12), 3)), "blocked": set(draw.sample(range(12), 2))}

        def write_list(state=state):
            shop.suppress("user_id\n" + "".join(f"{i:02d}\n" for i in sorted(state["no"])) + "zz\n")

        def fresh(state=state):
            order = draw.sample(range(12), 12)  # noqa: B023
            return pa.table(
                {
                    "entity_id": [f"{i:02d}" for i in order],
                    "blocked": [i in state["blocked"] for i in order],
                    "consent_sms": [i != 11 for i in order],
                }
            )

        def meddle(label, done, total=None, state=state, write_list=write_list):
            if label != "written" and draw.random() < 0.3:  # noqa: B023
                state[draw.choice(["no", "blocked"])].add(draw.randrange(12))  # noqa: B023
                write_list()

        write_list()
        keywords = {"fresh": fresh, "progress": meddle, "replace": True, "connection": connection}
        try:
            report = shop.build(SOME, "f >= 2", channel="sms", allow_empty=True, keywords=keywords)
        except RepriseError as error:
            refused += "changed 3 times" in str(error)
            continue
        must_not = {f"{i:02d}" for i in state["no"] | state["blocked"] | {11, 0, 1}}
        assert not must_not & set(members(report)), seed
        assert set(members(report)) == {f"{i:02d}" for i in range(12)} - must_not, seed
    assert refused < 250


KILLING = """
import os, shutil, signal, sys
from datetime import UTC, date, datetime
from pathlib import Path
import pyarrow as pa
from audiences.audience import build_audience
from warehouse.files import sha256
from warehouse.settings import Settings
from warehouse.workspace import Workspace
import features.rules, json

root = Path(sys.argv[1])
frame = pa.table({"entity_id": [f"{i:02d}" for i in range(50)], "f": [float(i) for i in range(50)]})

def build(where, rule, die_at=None):
    calls = 0
    def watched(real):
        def call(*given, **named):
            nonlocal calls
            calls += 1
            if calls == die_at:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*given, **named)
        return call
    for name in ("fsync", "replace", "rename"):
        setattr(os, name, watched(getattr(os, name)))
    build_audience(Workspace(where, Settings()), "spring", frame, rule, date(2011, 6, 11), "r1",
                   datetime(2011, 6, 11), replace=True)

def forked(*given):
    child = os.fork()
    if child == 0:
        try:
            build(*given)
        except BaseException as error:
            print(repr(error), file=sys.stderr)
            os._exit(9)
        os._exit(0)
    return os.waitpid(child, 0)[1]

def state(where):
    base = where / "audiences" / "spring"
    target = base / "2011-06-11"
    if not target.exists():
        return None, os.listdir(base) if base.exists() else []
    told = json.loads((target / "manifest.json").read_text())
    assert sorted(os.listdir(target)) == ["audience.csv", "audience.parquet", "manifest.json"], os.listdir(target)
    assert all(sha256(target / name) == digest for name, digest in told["files"].items())
    return sha256(target / "manifest.json"), [n for n in os.listdir(base) if n != "2011-06-11"]

killed = 0
(root / "before").mkdir()
assert forked(root / "before", "f > 20") == 0
for before in (False, True):
    for n in range(1, 100):
        where = root / f"{n}-{before}"
        shutil.copytree(root / "before", where) if before else where.mkdir()
        old = state(where)[0]
        status = forked(where, "f > 10", n)
        found = state(where)[0]
        if status == 0:
            assert found == state(root / f"1-{before}")[0]
            break
        killed += 1
        assert status == signal.SIGKILL, status
        assert forked(where, "f > 10") == 0
        new, left = state(where)
        assert found in (None, old, new), "torn"
        assert left == [], left
        assert new == state(root / f"1-{before}")[0], "a rerun differs"
print("killed", killed)
"""


def test_a_kill_at_any_moment_leaves_the_folder_whole_or_absent(memory_path):
    """The process is killed at each fsync and rename in turn, for a first and for a replaced audience."""
    told = subprocess.run(
        [sys.executable, "-W", "error", "-c", KILLING, str(memory_path)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        check=False,
    )
    assert told.returncode == 0, told.stderr
    assert int(told.stdout.split()[-1]) >= 15


@pytest.mark.parametrize("number", [5, 28])
def test_a_failing_disk_leaves_the_last_audience(shop, frame, monkeypatch, number):
    first = shop.build(frame, "churn_probability > 0.5")
    before = bytes_of(first.folder)
    real, calls, told = os.fsync, 0, set()
    for failing in range(1, 50):
        calls = 0

        def fsync(descriptor, failing=failing):
            nonlocal calls
            calls += 1
            if calls == failing:
                raise OSError(number, "no")
            return real(descriptor)

        monkeypatch.setattr(os, "fsync", fsync)
        try:
            shop.build(frame, "churn_probability > 0.6", keywords={"replace": True})
        except RepriseError as error:
            told.add(error.message.split(" while ")[0])
            whole = bytes_of(first.folder)
            assert (
                whole == before or json.loads(whole["manifest.json"])["declared"]["rule"] == "churn_probability > 0.6"
            )
            monkeypatch.undo()
            shop.build(frame, "churn_probability > 0.5", keywords={"replace": True})
            assert sorted(path.name for path in first.folder.parent.iterdir()) == ["2011-06-11"]
        else:
            break
        finally:
            monkeypatch.undo()
    assert failing > 5
    assert ("The disk is full" in told) == (number == 28)


def test_a_list_written_after_the_run_began_is_not_from_the_future(shop, frame):
    shop.suppress("user_id\n0003\n", hours=-0.05)
    assert "0003" not in members(shop.build(frame))
    shop.suppress("user_id\n0003\n", hours=-2)
    with pytest.raises(DataProblemError, match="future"):
        shop.build(frame, keywords={"replace": True})
