"""How well cycles and due dates do: against the truth of made-up shops, on the week after, and in time and memory.

    python -m benchmarks.cycles truth --seeds 1 2 3 4 5 --users 6000
    python -m benchmarks.cycles hits WORKSPACE --as-of 2011-06-13 2011-08-15
    python -m benchmarks.cycles scale --lines 1000000

truth: the days a category's planted habit takes (the median over its habits, pauses included) beside `cycle_days`;
and for each habit its typical gap beside the clock's, the same without shrinkage, and the category's alone.
hits: of the pairs of a customer and an item that the clock holds for due in the week from a date on, the share bought
in that week, beside the share of all pairs; nothing from that date on is known to the clock.
scale: seconds and peak memory of each part, each in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.features import Buckets
from benchmarks.order_lines import AS_OF, make
from features.cycles import clock_counts, interval_counts, successions
from features.outcomes import purchases
from features.source import Source, StoreSource
from insights.next_purchase import next_purchases
from models.clock import Clock
from pipeline.cycles import cycles_of
from pipeline.due import due_items
from warehouse.shop import make_shop
from warehouse.shop.world import CATEGORY_NAMES, CONSUMABLE
from warehouse.starting import init_workspace
from warehouse.store import Store
from warehouse.workspace import Workspace

LOADED = datetime(2030, 1, 1)
WEEK = 7


def shop_source(folder: Path, users: int, seed: int) -> tuple[StoreSource, date]:
    """A made-up shop, loaded; its truth lies in `shop/truth` beside it."""
    shop = make_shop(folder / "shop", users=users, seed=seed)
    tables = {name: shop.files[name] for name in ("orders", "items", "users")}
    init_workspace(folder / "workspace", tables, tz=shop.time_zone, policies={"orders": {"non_products": "^POSTAGE$"}})
    store = Store(Workspace.open(folder / "workspace"))
    store.load_new(LOADED)
    return StoreSource(store), shop.end


def planted(folder: Path) -> tuple[pa.Table, dict[str, float]]:
    """The habits of people who stay, each with its `typical` gap, and the typical gap of each category's habits."""
    truth = folder / "shop" / "truth"
    world = json.loads((truth / "parameters.json").read_text())
    habits = pq.read_table(truth / "habits.parquet")
    kinds = pq.read_table(truth / "users.parquet").select(["user_id", "kind"])
    habits = habits.join(kinds, "user_id").filter(pc.field("kind") != "one_off").sort_by("user_id")
    rng = np.random.default_rng(0)
    typical: dict[str, float] = {}
    names = np.array(habits["category"].to_pylist())
    means = habits["mean_gap_days"].to_numpy()
    own = np.empty(len(names))
    for category, shape in zip(CATEGORY_NAMES, world["regularity"], strict=True):
        mine = np.flatnonzero(names == category)
        drawn = rng.gamma(shape, size=(len(mine), 400)) / shape * means[mine, None]
        pauses = rng.exponential(world["pause_days"], drawn.shape)
        drawn += np.where(rng.random(drawn.shape) < world["pause_share"], pauses, 0)
        typical[category] = float(np.median(drawn))
        own[mine] = np.median(drawn, axis=1)
    return habits.append_column("typical", pa.array(own)), typical


def truth(seeds: list[int], users: int) -> None:
    """Prints the table of relative errors."""
    errors: dict[str, list[float]] = {category: [] for category in CATEGORY_NAMES}
    clocks = []
    for seed in seeds:
        with tempfile.TemporaryDirectory(prefix="reprise-cycles-") as scratch:
            folder = Path(scratch)
            source, end = shop_source(folder, users, seed)
            habits, typical = planted(folder)
            found = {each.thing: each for each in cycles_of(source, end, end, "category").found}
            for category in CATEGORY_NAMES:
                days = found[category].days if category in found else None
                errors[category].append(np.nan if days is None else days / typical[category] - 1)
            clocks.append(clock_errors(source, end, habits))
    print(f"cycle_days against the planted typical gap, relative error, {users:,} users")
    print(f"{'category':<14}" + "".join(f"{f'seed {seed}':>9}" for seed in seeds) + f"{'median':>9}")
    for category, row in errors.items():
        print(f"{category:<14}" + "".join(f"{e:>+9.2f}" for e in row) + f"{np.nanmedian(row):>+9.2f}")
    every = np.abs(np.array([errors[category] for category in CATEGORY_NAMES]))
    for name, rows in (("all", every), ("consumables", every[CONSUMABLE]), ("others", every[~CONSUMABLE])):
        print(f"median |error| of {name}: {np.nanmedian(rows):.3f}, told {np.isfinite(rows).mean():.0%}")
    print("a habit's typical gap by the clock of its category, median |relative error| (habits)")
    for name in clocks[0]:
        print(f"  {name:<34}" + "  ".join(f"{told[name][0]:.3f} ({told[name][1]:,})" for told in clocks))


def clock_errors(source: Source, end: date, habits: pa.Table) -> dict[str, tuple[float, int]]:
    """Median relative errors of a habit's typical gap, of those bought at least twice, by number of gaps seen."""
    sums, pairs = clock_counts(source, end, end, by="category")
    clock = Clock.fit(sums)
    assert clock is not None
    due = clock.due(pairs)
    unshrunk = np.exp(pairs["gap_sum"].to_numpy() / pairs["gap_count"].to_numpy())
    alone = np.array([clock.rhythms[name].gap_days for name in pairs["thing"].to_pylist()])
    told = pa.table({"user_id": pairs["entity_id"], "category": pairs["thing"], "gaps": pairs["gap_count"],
                     "clock": due["gap_days"], "own gaps alone": unshrunk, "category alone": alone})  # fmt: skip
    joined = told.join(habits.select(["user_id", "category", "typical"]), ["user_id", "category"], join_type="inner")
    true, gaps = joined["typical"].to_numpy(), joined["gaps"].to_numpy()
    found = {}
    for name in ("clock", "own gaps alone", "category alone"):
        off = np.abs(joined[name].to_numpy() / true - 1)
        for low, high in ((1, 2), (3, 5), (6, 10**6)):
            rows = (gaps >= low) & (gaps <= high)
            said = f"{low} to {high} gaps" if high < 10**6 else f"{low} gaps and more"
            found[f"{name}, {said}"] = (float(np.median(off[rows])), int(rows.sum()))
    return found


def hits(workspace: Path, days: list[date]) -> None:
    """Prints how many pairs of each status were bought in the week that followed."""
    store = Store(Workspace.open(workspace))
    store.load_new(LOADED)
    source = StoreSource(store)
    for day in days:
        due = due_items(source, day, day)
        if due is None:
            print(f"{day}: nothing is due")
            continue
        bought = purchases(source, day, WEEK)
        codes = [pc.binary_join_element_wise(t[a], t[b], "\x1f") for t, a, b in
                 ((due, "entity_id", "item_id"), (bought, "user_id", "item_id"))]  # fmt: skip
        hit = pc.is_in(codes[0], value_set=codes[1].combine_chunks()).to_numpy(zero_copy_only=False)
        over, status = due["overdue_gaps"].to_numpy(), np.array(due["status"].to_pylist())
        people = np.array(due["entity_id"].to_pylist())
        print(f"{day}: {len(due):,} pairs, bought within {WEEK} days {hit.mean():.4f}")
        groups = {
            "due this week": status == "due",
            "overdue by up to half a gap": (status == "overdue") & (over <= 0.5),
            "overdue by up to 1.5 gaps": (over > 0.5) & (over <= 1.5),
            "overdue by more": over > 1.5,
            "not yet": status == "not_yet",
        }
        for name, rows in groups.items():
            low, high = lift_interval(hit, rows, people)
            lift = hit[rows].mean() / hit.mean()
            print(f"  {name:<28}{rows.sum():>8,}  hit {hit[rows].mean():.4f}  lift {lift:.2f} ({low:.2f} … {high:.2f})")


def lift_interval(hit: Any, rows: Any, people: Any, draws: int = 400) -> tuple[float, float]:
    """95 % interval of the lift of some pairs over all, customers resampled whole."""
    _, who = np.unique(people, return_inverse=True)
    sums = np.stack([np.bincount(who, v) for v in (hit * rows, rows, hit, np.ones(len(hit)))])
    rng = np.random.default_rng(0)
    lifts = []
    for _ in range(draws):
        a, b, c, d = sums @ rng.multinomial(sums.shape[1], np.full(sums.shape[1], 1 / sums.shape[1]))
        lifts.append((a / b) / (c / d) if b and c else np.nan)
    return float(np.nanquantile(lifts, 0.025)), float(np.nanquantile(lifts, 0.975))


def _of_items(source: Source) -> None:
    cycles_of(source, AS_OF, AS_OF, "item")


PARTS: dict[str, Callable[[Source], object]] = {
    "cycles of items": _of_items,
    "intervals alone": lambda source: deque(interval_counts(source, AS_OF, AS_OF, "item"), 0),
    "due items": lambda source: due_items(source, AS_OF, AS_OF),
    "next purchase of items": lambda source: next_purchases(successions(source, AS_OF, AS_OF, "item", 30), 30),
}


def scale(lines: int) -> None:
    """Prints seconds and peak memory of every part."""
    with tempfile.TemporaryDirectory(prefix="reprise-benchmark-") as scratch:
        command = [sys.executable, "-m", "benchmarks.cycles"]
        subprocess.run([*command, "--make", scratch, "scale", "--lines", str(lines)], check=True)
        print(f"{lines:,} order lines")
        for name in PARTS:
            done = subprocess.run(
                [*command, "--part", name, scratch, "scale"], check=True, capture_output=True, text=True
            )
            print(f"  {name:<24}{done.stdout.strip()}")


def part(name: str, folder: Path) -> None:
    source = StoreSource(Buckets(folder))  # type: ignore[arg-type]
    started = time.perf_counter()
    PARTS[name](source)
    seconds, peak = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{seconds:7.1f} s {peak:6.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--make", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--part", nargs=2, help=argparse.SUPPRESS)
    verbs = parser.add_subparsers(dest="verb", required=True)
    of_truth = verbs.add_parser("truth")
    of_truth.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    of_truth.add_argument("--users", type=int, default=6000)
    of_hits = verbs.add_parser("hits")
    of_hits.add_argument("workspace", type=Path)
    of_hits.add_argument("--as-of", type=date.fromisoformat, nargs="+", required=True)
    verbs.add_parser("scale").add_argument("--lines", type=int, default=1_000_000)
    given = parser.parse_args()
    if given.make:
        make(given.make, given.lines)
    elif given.part:
        part(given.part[0], Path(given.part[1]))
    elif given.verb == "truth":
        truth(given.seeds, given.users)
    elif given.verb == "hits":
        hits(given.workspace, given.as_of)
    else:
        scale(given.lines)


if __name__ == "__main__":
    main()
