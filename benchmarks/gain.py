"""What families that models do not read would bring a ranking: gain with its interval, on training cutoffs only.

    python -m benchmarks.gain WORKSPACE repurchase --horizon 30 --judge 2011-04-12 2011-05-12

For each date the default recipe is fitted twice on earlier closed cutoffs: with the features that models read, and with
each family beside them; both are judged on the same customers of that date, whose draws they share. The dates must lie
before the cutoff on which the target's model is judged.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
import pyarrow as pa

from features.building import build_features
from features.catalogue import FEATURES, available, families_of, modelled_families
from features.source import StoreSource
from training.candidates import Matrix
from training.evaluation.intervals import paired_interval, resample
from training.recipes import Recipe, tree_recipe
from training.snapshots import Sample, Snapshots, pool
from training.targets import Target, declared
from warehouse.store import Store
from warehouse.workspace import Workspace

METRICS = ("auc", "average_precision")


def samples(source: StoreSource, target: Target, horizon: int, cutoffs: list[date], tried: list[str]) -> list[Sample]:
    """Population and labels of each cutoff, with the families that are tried beside those that models read."""
    taught = Snapshots(None, source)
    found = []
    for cutoff in cutoffs:
        sample = taught.sample(target, horizon, cutoff)
        every = build_features(source, cutoff, families=[*modelled_families(), *tried])
        kept = every.filter(pa.compute.is_in(every["entity_id"], value_set=sample.table["entity_id"]))
        found.append(Sample(cutoff, kept, sample.y))
    return found


def columns(families: list[str]) -> tuple[str, ...]:
    """The numbers and names of these families; segments cut what is read uncut."""
    return tuple(f.name for f in FEATURES if f.family in families and not f.is_segment)


def main() -> None:
    """Prints a line for each family and date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("target")
    parser.add_argument("--horizon", type=int, default=30)
    parser.add_argument("--judge", type=date.fromisoformat, nargs="+", required=True)
    parser.add_argument("--families", nargs="+")
    parser.add_argument("--train", type=int, default=3, help="cutoffs to train on")
    parser.add_argument("--rounds", type=int, default=200)
    asked = parser.parse_args()
    workspace = Workspace.open(asked.workspace)
    source = StoreSource(Store(workspace))
    target = next(t for t in declared(workspace.settings, source.tables) if t.name == asked.target)
    there = families_of(feature.name for feature in available(source.tables))
    tried = asked.families or [name for name in there if name not in modelled_families()]
    base = tree_recipe(workspace.settings.training, source.tables)
    step = max(7, -(-asked.horizon // 4))
    print("\t".join(("judged", "customers", "family", *(f"{m} (95 % interval)" for m in METRICS))))
    for judge in asked.judge:
        last = judge - timedelta(days=asked.horizon)
        cutoffs = [last - timedelta(days=step * n) for n in range(asked.train)][::-1]
        *past, judged = samples(source, target, asked.horizon, [*cutoffs, judge], tried)
        usual = predicted(past, judged, base, asked.horizon, asked.rounds)
        draws = resample(judged.table["entity_id"].to_numpy(zero_copy_only=False), judged.y, 500)
        for names in [*([name] for name in tried), tried]:
            recipe = replace(base, features=(*base.features, *columns(names)))
            with_family = predicted(past, judged, recipe, asked.horizon, asked.rounds)
            gains = [paired_interval(draws, metric, with_family, usual) for metric in METRICS]
            told = (f"{gain.value:+.4f} ({gain.low:+.4f} to {gain.high:+.4f})" for gain in gains)
            print("\t".join((str(judge), str(judged.n), names[0] if len(names) == 1 else "all", *told)), flush=True)


def predicted(past: list[Sample], judged: Sample, recipe: Recipe, horizon: int, rounds: int) -> np.ndarray:
    """Probabilities before calibration, which moves no rank."""
    raw = Matrix(pool(past), recipe, horizon).fit(rounds).raw(judged.table)
    return 1 / (1 + np.exp(-raw))


if __name__ == "__main__":
    main()
