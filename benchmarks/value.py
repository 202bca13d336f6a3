"""How fast and how well lifetimes tell what customers will spend, on made-up shops whose truth is known.

    python -m benchmarks.value seconds
    python -m benchmarks.value coverage --seeds 1 2 3 4 5
    python -m benchmarks.value truth --seeds 1 2 3 4 5

seconds: processor seconds of the fit, and of each prediction of so many customers, who are those of a shop over again.
coverage: of customers of each shop, how many purchases, amounts and days of the next order lie in their intervals (90 %
are asked), beside the share that the draws themselves promise; by expected purchases, the next order by those so far.
truth: rank correlations of what is predicted with the planted rate and value. The rate is that of a customer's habits,
an order every mean gap with its share of pauses, and 0 for who left; the value counts each at its favourite's price.
A shop lasts 1,080 days, and is told of as of the 540th: so what comes next is known.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import spearmanr

from benchmarks.cycles import LOADED
from features.outcomes import interactions, spending
from features.source import StoreSource
from models.regular import STAGES
from models.value import FURTHEST, BuyTillYouDie, Histories, nearest, shortest, simulated
from pipeline.valuing import MOST_FITTED, some
from training.snapshots import Snapshots
from training.value import spending_so_far, spent_after
from warehouse.shop import make_shop
from warehouse.starting import init_workspace
from warehouse.store import Store
from warehouse.workspace import Workspace

Floats = NDArray[np.float64]
DAYS, AFTER, HORIZON = 1080, 540, 90
JUDGED, DRAWS = 2_000, 400
TRIVIAL = 0.1
"""Of who is expected to buy less often than this, "nothing" alone holds more than is asked."""
RATES = ((0.0, 0.1), (0.1, 0.5), (0.5, 1.0), (1.0, 2.0), (2.0, 4.0), (4.0, np.inf))
SO_FAR = ((0, 0), (1, 2), (3, 5), (6, 1000))
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class Known:
    """The customers of a shop on its middle day: purchases and money of the 90 days after it, days until the next order
    (not a number: none until the shop's end), and what is planted: whether still a customer, rate and value a day."""

    histories: Histories
    bought: Floats
    spent: Floats
    following: Floats
    stays: NDArray[np.bool_]
    rate: Floats
    value: Floats


def shop(folder: Path, seed: int, users: int) -> Known:
    """A made-up shop, loaded and counted."""
    made = make_shop(folder / "shop", users=users, seed=seed, days=DAYS)
    policies = {"orders": {"non_products": made.non_products}}
    init_workspace(folder / "workspace", {"orders": made.files["orders"]}, tz=made.time_zone, policies=policies)
    store = Store(Workspace.open(folder / "workspace"))
    store.load_new(LOADED)
    source, as_of = StoreSource(store), made.end - timedelta(days=AFTER)
    judged = spent_after(Snapshots(None, source), as_of, HORIZON)
    ids = judged.table["entity_id"].to_pandas()
    came = spending(source, as_of, HORIZON).to_pandas().set_index("entity_id")["order_days"]
    sold = interactions(source, made.end).to_pandas()
    today = (as_of - _EPOCH).days
    later = sold[sold["day"] >= today].groupby("user_id")["day"].min() - today
    truth = planted(made.directory, as_of).reindex(ids)
    return Known(
        judged.histories, came.reindex(ids).fillna(0).to_numpy(float), judged.spent, later.reindex(ids).to_numpy(float),
        truth["stays"].to_numpy(bool), truth["rate"].to_numpy(float), truth["value"].to_numpy(float),
    )  # fmt: skip


def planted(directory: Path, as_of: date) -> pd.DataFrame:
    """Of each user whether he has not left, and orders and money a day of his habits from `as_of` on."""
    people = pd.read_parquet(directory / "truth" / "users.parquet").set_index("user_id")
    habits = pd.read_parquet(directory / "truth" / "habits.parquet")
    world = json.loads((directory / "truth" / "parameters.json").read_text(encoding="utf-8"))
    items = pd.read_csv(directory / "items.csv", dtype={"item_id": str}).groupby("item_id")["price"].mean()
    gap = habits["mean_gap_days"] + world["pause_share"] * world["pause_days"]
    habits = habits.assign(rate=1 / gap, value=habits["favourite_item"].map(items) / gap)
    stays = people["left_at"] >= pd.Timestamp(as_of)
    # Who came for one thing only does not come back for his habits.
    comes = stays & (people["kind"] != "one_off")
    sums = habits.groupby("user_id")[["rate", "value"]].sum().reindex(people.index, fill_value=0.0)
    return sums.mul(comes.astype(float), axis=0).assign(stays=stays)


def shops(seeds: list[int], users: int) -> Iterator[tuple[int, Known]]:
    for seed in seeds:
        with tempfile.TemporaryDirectory(prefix="reprise-value-") as folder:
            yield seed, shop(Path(folder), seed, users)


def seconds(customers: int, users: int) -> None:
    """Prints processor seconds of the fit, and of each prediction of so many customers."""
    (_, known), *_ = shops([1], users)
    random = np.random.default_rng(1)
    many = known.histories.take(random.choice(len(known.histories), customers))
    # Seen some days longer each: else many histories were equal, and the fit takes equal ones together.
    many = replace(many, T=many.T + random.integers(0, HORIZON, customers))
    fitted = many.take(some(customers, MOST_FITTED))
    began = time.process_time()
    model = BuyTillYouDie.fit(fitted)
    print(f"fit to {len(fitted):,} customers\t{time.process_time() - began:.1f}")
    print(f"with a chance to be regular\t{(model.regular_probability(many) > 0).mean():.0%}")
    _timed(model, many)
    if model.regular is not None:
        print(f"the same with gaps of {max(STAGES)} stages instead of {model.regular.stages}, the most there are")
        _timed(replace(model, regular=replace(model.regular, stages=max(STAGES))), many)


def _timed(model: BuyTillYouDie, many: Histories) -> None:
    total = 0.0
    for name, told in (
        ("expected money", lambda: model.value(HORIZON, many)),
        ("P(at least one order)", lambda: model.buys_probability(HORIZON, many)),
        ("P(still a customer)", lambda: model.alive_probability(many)),
        ("next order with interval", lambda: model.next_order(many)),
    ):
        began = time.process_time()
        told()
        taken = time.process_time() - began
        total += taken
        print(f"{name} of {len(many):,}\t{taken:.1f}", flush=True)
    print(f"all four\t{total:.1f}")


@dataclass(frozen=True)
class Covered:
    """By customer: what was expected, and whether each interval held what came; what the draws promise of it."""

    expected: Floats
    purchases: Floats
    at_least: Floats
    amounts: Floats
    promised: Floats
    promised_at_least: Floats
    promised_amounts: Floats


def covered(known: Known, model: BuyTillYouDie) -> Covered:
    """Of 2,000 customers, chosen at random."""
    rows = some(len(known.histories), JUDGED)
    chosen = known.histories.take(rows)
    purchases, money = simulated(model, HORIZON, chosen, DRAWS, 7)
    low, high, promised = nearest(purchases)
    found = []
    for drawn, came, (low_, high_) in (
        (purchases, known.bought[rows], (low, high)),
        (purchases, known.bought[rows], shortest(purchases)),
        (money, known.spent[rows], shortest(money)),
    ):
        inside = ((drawn >= low_[:, None]) & (drawn <= high_[:, None])).mean(axis=1)
        found.append((((came >= low_) & (came <= high_)).astype(float), inside))
    (first, _), (second, promised_second), (third, promised_third) = found
    expected = model.expected_purchases(HORIZON, chosen)
    return Covered(expected, first, second, third, promised, promised_second, promised_third)


def coverage(seeds: list[int], users: int) -> None:
    """Prints what intervals held, and what they promised."""
    every, followed = [], []
    print(
        "\t".join(
            (
                "seed",
                "customers",
                "purchases",
                "of rates above .1",
                "at least 90 %",
                "amounts",
                "next order",
                "total",
                "there",
            )
        )
    )
    for seed, known in shops(seeds, users):
        model = BuyTillYouDie.fit(known.histories)
        found = covered(known, model)
        told = model.next_order(known.histories)
        again = np.isfinite(known.following) & (known.following <= FURTHEST)
        early = known.following < np.where(np.isfinite(told.earliest), told.earliest, np.inf)
        late = known.following > np.where(np.isfinite(told.latest), told.latest, np.inf)
        followed.append(np.column_stack([known.histories.x, early, late, again, known.stays]))
        every.append(found)
        real = found.expected >= TRIVIAL
        cells = (
            _both(found.purchases, found.promised), _both(found.purchases[real], found.promised[real]),
            _both(found.at_least, found.promised_at_least), _both(found.amounts, found.promised_amounts),
        )  # fmt: skip
        held = 1 - (early | late)[again].mean()
        total = model.value(HORIZON, known.histories).sum() / known.spent.sum()
        there = f"{known.stays.mean():.2f} (said {model.alive_probability(known.histories).mean():.2f})"
        print(
            "\t".join((str(seed), str(found.expected.size), *cells, f"{held:.3f}", f"{total:.2f}", there)), flush=True
        )
    print("\t".join(("expected purchases", "customers", "purchases", "at least 90 %", "amounts")))
    joined = Covered(*(np.concatenate(parts) for parts in zip(*(vars(each).values() for each in every), strict=True)))
    for low, high in RATES:
        which = (joined.expected >= low) & (joined.expected < high)
        pairs = (
            (joined.purchases, joined.promised), (joined.at_least, joined.promised_at_least),
            (joined.amounts, joined.promised_amounts),
        )  # fmt: skip
        shares = (_both(found[which], promised[which]) for found, promised in pairs)
        print("\t".join((f"{low:g} to {high:g}", str(which.sum()), *shares)))
    print("\t".join(("repeat purchases so far", "ordered again", "held", "before it", "after it")))
    rows = np.concatenate(followed)
    for least, most in (*SO_FAR, (0, 1000)):
        which = (rows[:, 0] >= least) & (rows[:, 0] <= most) & (rows[:, 3] > 0)
        early, late = rows[which, 1].mean(), rows[which, 2].mean()
        print(
            "\t".join((f"{least} to {most}", str(which.sum()), *(f"{v:.3f}" for v in (1 - early - late, early, late))))
        )
    stay = rows[rows[:, 4] > 0]
    print(f"of {len(stay):,} who had not left, {1 - stay[:, 3].mean():.1%} did so without another order")


def _both(found: Floats, promised: Floats) -> str:
    return f"{found.mean():.3f} (promised {promised.mean():.3f})"


def truth(seeds: list[int], users: int) -> None:
    """Prints rank correlations with what is planted."""
    print("\t".join(("seed", "of", "customers", "rate", "counts so far", "value", "money so far", "money that came")))
    for seed, known in shops(seeds, users):
        model, histories = BuyTillYouDie.fit(known.histories), known.histories
        so_far = (histories.x + 1) / np.maximum(histories.T, 30)
        pairs = (
            (model.expected_purchases(HORIZON, histories), known.rate), (so_far, known.rate),
            (model.value(HORIZON, histories), known.value), (spending_so_far(histories, HORIZON), known.value),
            (known.spent, known.value),
        )  # fmt: skip
        for name, which in (("all", np.ones(len(histories), dtype=bool)), ("not left", known.stays)):
            cells = (f"{spearmanr(told[which], true[which]).statistic:.3f}" for told, true in pairs)
            print("\t".join((str(seed), name, str(which.sum()), *cells)), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("seconds", "coverage", "truth"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--users", type=int, default=6000)
    parser.add_argument("--customers", type=int, default=1_000_000)
    asked = parser.parse_args()
    if asked.what == "seconds":
        seconds(asked.customers, asked.users)
    else:
        {"coverage": coverage, "truth": truth}[asked.what](asked.seeds, asked.users)


if __name__ == "__main__":
    main()
