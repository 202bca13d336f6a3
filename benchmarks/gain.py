"""What columns that models do not read would bring a ranking: gain with its interval, on training cutoffs only.

    python -m benchmarks.gain WORKSPACE repurchase --horizon 30 --judge 2011-04-12 2011-05-12
    python -m benchmarks.gain WORKSPACE churn --judge 2011-05-12 --families lifetimes due --without regularity

For each date the default recipe is fitted twice on earlier closed cutoffs: with the features that models read, and with
each family beside them (`--without`: with all, and without that family, told as the gain of having it); both are judged
on the same customers of that date, whose draws they share. Then all dates together, a customer's rows drawn together.
The dates must lie before the cutoff on which the target's model is judged.

Two families are not of the catalogue, and are fitted anew to what was known on each cutoff: `lifetimes`, what the value
models say of a customer (`models.value`), and `due`, what the replenishment clock says (`pipeline.due`).
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.building import build_features
from features.catalogue import FEATURES, available, families_of, modelled_families
from features.source import StoreSource
from models.value import BuyTillYouDie, Histories, buyers
from pipeline.due import due_items
from serving.due import DUE_FIELDS, with_due
from training.candidates import Matrix
from training.evaluation.intervals import paired_interval, resample
from training.recipes import Recipe, tree_recipe
from training.snapshots import Sample, Snapshots, pool
from training.targets import Target, declared
from warehouse.store import Store
from warehouse.workspace import Workspace

Floats = NDArray[np.float64]
METRICS = ("auc", "average_precision")


def samples(source: StoreSource, target: Target, horizon: int, cutoffs: list[date], tried: list[str]) -> list[Sample]:
    """Population and labels of each cutoff, with the families that are tried beside those that models read."""
    taught = Snapshots(None, source)
    found = []
    for cutoff in cutoffs:
        sample = taught.sample(target, horizon, cutoff)
        every = build_features(source, cutoff, families=[*modelled_families(), *(set(tried) - set(FITTED))])
        if "lifetimes" in tried:
            every = with_lifetimes(every, horizon)
        if "due" in tried:
            every = with_clock(every, source, cutoff)
        kept = every.filter(pa.compute.is_in(every["entity_id"], value_set=sample.table["entity_id"]))
        found.append(Sample(cutoff, kept, sample.y))
    return found


def with_lifetimes(every: pa.Table, horizon: int) -> pa.Table:
    """What the lifetimes, fitted to these very histories, say of each customer; unknown of who has not ordered."""
    place = np.flatnonzero(buyers(every))
    known = Histories.of(every.take(place))
    model = BuyTillYouDie.fit(known)
    usual_gap = (model.lifetimes.alpha + known.T) / (model.lifetimes.r + known.x)
    told = {
        "lifetime_orders": model.expected_purchases(horizon, known),
        "lifetime_buys": model.buys_probability(horizon, known),
        "lifetime_alive": model.alive_probability(known),
        "lifetime_amount": model.expected_amount(known),
        "lifetime_value": model.value(horizon, known),
        "lifetime_regularity": model.regular_probability(known),
        "lifetime_next_order": model.next_order(known).expected,
        "lifetime_lateness": (known.T - known.t_x) / usual_gap,
    }
    for name, values in told.items():
        column = np.full(every.num_rows, np.nan)
        column[place] = values
        every = every.append_column(name, pa.array(column, from_pandas=True))
    return every


def with_clock(every: pa.Table, source: StoreSource, cutoff: date) -> pa.Table:
    """What the replenishment clock, fitted to what was known on the cutoff, says of each customer."""
    due = due_items(source, cutoff, cutoff)
    if due is None:
        raise SystemExit(f"Nothing is due on {cutoff}: nobody had bought an item on two days.")
    every = with_due(every, due, cutoff, DUE_FIELDS.names)
    ahead = every["next_due_date"].cast(pa.int32()).cast(pa.float64())
    days = pa.compute.subtract(ahead, float((cutoff - date(1970, 1, 1)).days))
    return every.set_column(every.column_names.index("next_due_date"), "days_until_next_due", days)


FITTED = {
    "lifetimes": ("orders", "buys", "alive", "amount", "value", "regularity", "next_order", "lateness"),
    "due": ("days_until_next_due", "due_item_count", "most_overdue_gaps"),
}
"""The columns of what is fitted as of each cutoff."""


def columns(families: list[str]) -> tuple[str, ...]:
    """The numbers and names of these families; segments cut what is read uncut."""
    counted = tuple(f.name for f in FEATURES if f.family in families and not f.is_segment)
    lifetimes = tuple(f"lifetime_{name}" for name in FITTED["lifetimes"]) if "lifetimes" in families else ()
    return (*counted, *lifetimes, *(FITTED["due"] if "due" in families else ()))


@dataclass
class Compared:
    """The rows of all judged dates: users, outcomes, and predictions with and without."""

    users: list[Floats]
    y: list[Floats]
    more: list[Floats]
    less: list[Floats]

    def line(self, judged: str, name: str) -> str:
        users, y, more, less = (np.concatenate(part) for part in (self.users, self.y, self.more, self.less))
        draws = resample(users, y, 500)
        gains = [paired_interval(draws, metric, more, less) for metric in METRICS]
        told = (f"{gain.value:+.4f} ({gain.low:+.4f} to {gain.high:+.4f})" for gain in gains)
        return "\t".join((judged, str(y.size), name, *told))


def main() -> None:
    """Prints a line for each family and date."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("target")
    parser.add_argument("--horizon", type=int, default=30)
    parser.add_argument("--judge", type=date.fromisoformat, nargs="+", required=True)
    parser.add_argument("--families", nargs="*")
    parser.add_argument("--without", nargs="*", default=[], help="families that models read")
    parser.add_argument("--train", type=int, default=3, help="cutoffs to train on")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=1, help="fits with other seeds, whose mean is judged")
    asked = parser.parse_args()
    workspace = Workspace.open(asked.workspace)
    source = StoreSource(Store(workspace))
    target = next(t for t in declared(workspace.settings, source.tables) if t.name == asked.target)
    there = families_of(feature.name for feature in available(source.tables))
    outside = [name for name in there if name not in modelled_families()]
    tried = outside if asked.families is None else asked.families
    base = tree_recipe(workspace.settings.training, source.tables)
    step = max(7, -(-asked.horizon // 4))
    print("\t".join(("judged", "customers", "family", *(f"{m} (95 % interval)" for m in METRICS))))
    every: dict[str, Compared] = {}
    for judge in asked.judge:
        last = judge - timedelta(days=asked.horizon)
        cutoffs = [last - timedelta(days=step * n) for n in range(asked.train)][::-1]
        *past, judged = samples(source, target, asked.horizon, [*cutoffs, judge], tried)
        users = judged.table["entity_id"].to_numpy(zero_copy_only=False)

        def told(recipe: Recipe, past: list[Sample] = past, judged: Sample = judged) -> Floats:
            return predicted(past, judged, recipe, asked.horizon, asked.rounds, asked.seeds)

        usual = told(base)
        for names in [*([name] for name in tried), *([tried] if len(tried) > 1 else [])]:
            more = told(replace(base, features=(*base.features, *columns(names))))
            name = names[0] if len(names) == 1 else "all"
            every.setdefault(name, Compared([], [], [], []))
            _add(every[name], users, judged.y, more, usual, str(judge), name)
        for name in asked.without:
            kept = tuple(column for column in base.features if column not in columns([name]))
            every.setdefault(f"having {name}", Compared([], [], [], []))
            less = told(replace(base, features=kept))
            _add(every[f"having {name}"], users, judged.y, usual, less, str(judge), f"having {name}")
    if len(asked.judge) > 1:
        for name, found in every.items():
            print(found.line("together", name), flush=True)


def _add(to: Compared, users: Floats, y: Floats, more: Floats, less: Floats, judge: str, name: str) -> None:
    print(Compared([users], [y], [more], [less]).line(judge, name), flush=True)
    for part, values in zip((to.users, to.y, to.more, to.less), (users, y, more, less), strict=True):
        part.append(values)


def predicted(past: list[Sample], judged: Sample, recipe: Recipe, horizon: int, rounds: int, seeds: int = 1) -> Floats:
    """Probabilities before calibration, which moves no rank; of several seeds those of their mean log-odds."""
    assert recipe.trees is not None
    rows, found = pool(past), []
    for seed in range(seeds):
        seeded = replace(recipe, trees=replace(recipe.trees, seed=recipe.trees.seed + seed))
        found.append(Matrix(rows, seeded, horizon).fit(rounds).raw(judged.table))
    return np.asarray(1 / (1 + np.exp(-np.mean(found, axis=0))))


if __name__ == "__main__":
    main()
