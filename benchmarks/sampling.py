"""What sampling negatives costs: trees of all rows beside trees of a quarter of them, on the same judged customers.

    python -m benchmarks.pipeline --steps "make the shop" load train --folder big
    python -m benchmarks.sampling --folder big

The rows are those of the benchmark's shop: the customers without an order in 60 days (win back, 30 days) at every
training cutoff. Both fits stop on the same later cutoff and are judged on the same last one; once as the trees say
it, where only the correction for sampling sets the level, and once calibrated.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from models.calibration import IDENTITY, Calibration
from training.candidates import Fitted, Matrix
from training.evaluation.intervals import paired_interval, resample
from training.evaluation.propensity import METRICS
from training.judging import Parts
from training.trainer import Trainer
from warehouse.store import Store
from warehouse.workspace import Workspace

SHOWN = ("auc", "average_precision", "level_error", "shape_error", "log_loss")
HORIZON = 30


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--share", type=float, default=0.25, help="rows of the sampled fit, of all")
    parser.add_argument("--draws", type=int, default=500)
    given = parser.parse_args()
    workspace = Workspace.open(given.folder)
    trainer = Trainer(workspace, Store(workspace))
    day = trainer.store.default_as_of()
    target = trainer.target("win_back", day)
    planned = trainer.plan(target, HORIZON, day)
    parts = Parts.of(trainer.snapshots.as_known(day), target, HORIZON, planned, 10**9)
    assert parts.stop is not None
    assert parts.calibrate is not None
    rows = parts.training.y.size
    recipe = trainer.recipe_for(target)
    print(f"{rows:,} training rows, {parts.training.y.mean():.3f} positive; judged: {parts.judged.n:,} customers")
    fitted: dict[str, Fitted] = {}
    matrix = Matrix(parts.training, recipe, HORIZON)
    for name, most in (("all rows", rows), ("sampled", round(rows * given.share))):
        matrix.recipe = replace(recipe, max_rows=most)
        started = time.perf_counter(), time.process_time()
        fitted[name] = matrix.fit(later=parts.stop)
        seconds, cpu = time.perf_counter() - started[0], time.process_time() - started[1]
        print(f"{name}: at most {most:,} rows, {fitted[name].rounds} trees, {seconds:.1f} s, {cpu:.1f} s of cpu")
    ids = np.asarray(parts.judged.table["entity_id"].to_pylist()).astype(str)
    draws = resample(ids, parts.judged.y, given.draws)
    for told in ("as the trees say it", "calibrated"):
        p = {}
        for name, trees in fitted.items():
            raw = trees.raw(parts.calibrate.table)
            calibration = IDENTITY if told == "as the trees say it" else Calibration.fit(raw, parts.calibrate.y)
            p[name] = calibration.apply(trees.raw(parts.judged.table))
        print(f"{told}:  all rows  sampled  sampled - all rows, 95 % interval")
        for metric in SHOWN:
            found = paired_interval(draws, metric, p["sampled"], p["all rows"])
            both = "  ".join(f"{METRICS[metric](parts.judged.y, one):8.4f}" for one in p.values())
            print(f"  {metric:<18} {both}  {found.value:+.4f} ({found.low:+.4f} … {found.high:+.4f})")


if __name__ == "__main__":
    main()
