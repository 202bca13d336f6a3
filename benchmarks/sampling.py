"""What sampling negatives costs: trees of all rows beside trees of a quarter of them, on the same judged customers.

    python -m benchmarks.sampling
    python -m benchmarks.pipeline --steps "make the shop" load --folder big
    python -m benchmarks.sampling --folder big

Without a folder: 400,000 made-up rows, 5 % positive, of which 100,000 are kept. With a folder of the benchmark's shop:
its customers without an order in 60 days (win back, 30 days) at every training cutoff; both fits stop on the same later
cutoff and are judged on the same last one, once as the trees say it, where only the correction for sampling sets the
level, and once calibrated.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from models.boosting import boost, parse, raw_scores, sample_negatives
from models.calibration import IDENTITY, Calibration
from training.candidates import Fitted, Matrix
from training.evaluation.intervals import Resample, paired_interval, resample
from training.evaluation.propensity import METRICS
from training.judging import Parts
from training.recipes.default import DEFAULT_TREES
from training.trainer import Trainer
from warehouse.store import Store
from warehouse.workspace import Workspace

Floats = NDArray[np.float64]
SHOWN = ("auc", "average_precision", "level_error", "shape_error", "log_loss")
HORIZON = 30


def made_up(draws: int) -> None:
    """Trees of the default recipe on rows whose probabilities are known to nobody but us."""
    rng, seen, judged = np.random.default_rng(11), slice(0, 400_000), slice(400_000, None)
    X = rng.normal(size=(500_000, 12)).astype(np.float32)
    odds = X[:, 0] - 0.8 * X[:, 1] + 0.6 * (X[:, 2] > 1) * X[:, 0] + 0.4 * np.abs(X[:, 3]) + 0.3 * X[:, 4] * X[:, 5]
    y = (rng.random(len(X)) < expit(odds - 4)).astype(float)
    p = {}
    for name, most in (("all rows", 400_000), ("sampled", 100_000)):
        rows, share = sample_negatives(y[seen], most, 7)
        started = time.process_time()
        made = boost(X[rows], y[rows], DEFAULT_TREES, kept_share=share)
        print(
            f"{name}: {rows.size:,} rows, {y[rows].sum():,.0f} positive, {time.process_time() - started:.1f} s of cpu"
        )
        p[name] = np.asarray(expit(raw_scores(parse(made.text), X[judged])))
    shown("as the trees say it", y[judged], p, resample(np.arange(100_000), y[judged], draws))


def shown(told: str, y: Floats, p: dict[str, Floats], draws: Resample) -> None:
    print(f"{told}:  all rows  sampled  sampled - all rows, 95 % interval")
    for metric in SHOWN:
        found = paired_interval(draws, metric, p["sampled"], p["all rows"])
        both = "  ".join(f"{METRICS[metric](y, one):8.4f}" for one in p.values())
        print(f"  {metric:<18} {both}  {found.value:+.4f} ({found.low:+.4f} … {found.high:+.4f})")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--share", type=float, default=0.25, help="rows of the sampled fit, of all")
    parser.add_argument("--draws", type=int, default=500)
    given = parser.parse_args()
    if given.folder is None:
        made_up(given.draws)
    else:
        of_shop(given.folder, given.share, given.draws)


def of_shop(folder: Path, share: float, count: int) -> None:
    """The trainer's own fits of one target."""
    workspace = Workspace.open(folder)
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
    for name, most in (("all rows", rows), ("sampled", round(rows * share))):
        matrix.recipe = replace(recipe, max_rows=most)
        started = time.perf_counter(), time.process_time()
        fitted[name] = matrix.fit(later=parts.stop)
        seconds, cpu = time.perf_counter() - started[0], time.process_time() - started[1]
        print(f"{name}: at most {most:,} rows, {fitted[name].rounds} trees, {seconds:.1f} s, {cpu:.1f} s of cpu")
    ids = np.asarray(parts.judged.table["entity_id"].to_pylist()).astype(str)
    draws = resample(ids, parts.judged.y, count)
    for told in ("as the trees say it", "calibrated"):
        p = {}
        for name, trees in fitted.items():
            raw = trees.raw(parts.calibrate.table)
            calibration = IDENTITY if told == "as the trees say it" else Calibration.fit(raw, parts.calibrate.y)
            p[name] = calibration.apply(trees.raw(parts.judged.table))
        shown(told, parts.judged.y, p, draws)


if __name__ == "__main__":
    main()
