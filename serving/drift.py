"""Is a new release like the one it is to replace? Asked before publication; what is not does not serve.

A model that has lost what it reads still answers, and its answers are valid. What gives it away is that everybody gets
the same, that a column is gone, or that the same model's scores have moved further than days can move them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.catalogue import by_name
from serving.complements import Key, base_models
from serving.release import Release, ReleaseContents
from warehouse.errors import Problem
from warehouse.streamed import Streamed

BINS = 10
TOLD = 0.25
"""A population stability index above this is commonly taken as another population, and told."""
REFUSED = 1.0
"""Above this the same model's scores do not serve. Six days over a festival move a rule of recency by up to 0.7 on the
made-up shop and 0.35 on Online Retail; a model that has lost a column it needs moves by 2 to 8."""
FEWEST = 30
"""Fewer customers may all have the same by chance."""
_CHANCE = 27.9
"""99.9 % quantile of χ² with `BINS` − 1 degrees of freedom: times 1/n + 1/m, what chance alone gives samples of n and m
(Yurdakul 2018)."""
_SAME = 1e-9
_KNOWN_SHARE = 0.05
"""A column counts as lost where at least so many customers had it and now nobody has."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Drift:
    """What stops a publication, and what is only worth knowing."""

    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()


def compare(old: Release, new: ReleaseContents) -> Drift:
    """How a release about to be written differs from the one that serves.

    Everybody alike where they were not, and a column that a model needs and that nobody has any more, stop it always,
    except that a rule, which reads a column or two, may find everybody alike: that is told. A shift of the scores stops
    it only under the same model version and at most `retrain_every` days apart, for a new model is allowed to see
    things differently. What was not there before is not compared.
    """
    problems, notes = _lost_columns(old, new), []
    comparable = abs(new.as_of - old.as_of) <= timedelta(days=new.settings.training.retrain_every)
    for key, after in _probabilities(new).items():
        before = old.scores.reference.get(key)
        if before is None:
            continue
        if _constant(after) and not _constant(before):
            if new.models[key].kind == "rule":
                notes.append(f"{_named(key)}: the rule gives {_all_the_same(after)}, unlike in {old.id}")
            else:
                problems.append(_alike(key, after, old))
        elif comparable and new.models[key].version == old.models[key].version:
            index = stability_index(before, after)
            chance = _CHANCE * (1 / before.size + 1 / after.size) if before.size and after.size else 0.0
            if index > REFUSED + chance:
                problems.append(_shifted(key, index, REFUSED + chance, old))
            elif index > TOLD + chance:
                notes.append(f"the scores of {_named(key)} have moved by {index:.2f} since {old.id} (stability index)")
    return Drift(tuple(problems), tuple(notes))


def stability_index(before: Floats, after: Floats, bins: int = BINS) -> float:
    """Population stability index of two samples: Σ (a − b) ln(a / b) over bins of equal count of the first.

    a and b are the shares in a bin; half a row is added to each bin, so that an empty one stays finite. 0 where either
    sample is empty.
    """
    if not before.size or not after.size:
        return 0.0
    edges = np.unique(np.quantile(before, np.linspace(0, 1, bins + 1)[1:-1]))
    shares = []
    for sample in (before, after):
        counts = np.bincount(np.searchsorted(edges, sample, side="right"), minlength=edges.size + 1) + 0.5
        shares.append(counts / counts.sum())
    old, new = shares
    return float(np.sum((new - old) * np.log(new / old)))


def _probabilities(contents: ReleaseContents) -> Mapping[Key, Floats]:
    """Of each target the known probabilities."""
    found: dict[Key, list[Floats]] = {key: [np.empty(0)] for key in contents.models}
    for chunk in Streamed.of(contents.scores).chunks(["target", "horizon_days", "probability"]):
        known = chunk.filter(pc.is_valid(chunk["probability"]))
        for (target, horizon), parts in found.items():
            mine = known.filter((pc.field("target") == target) & (pc.field("horizon_days") == horizon))
            parts.append(np.asarray(mine["probability"].to_numpy(), dtype=np.float64))
    return {key: np.concatenate(parts) for key, parts in found.items()}


def _constant(probabilities: Floats) -> bool:
    return probabilities.size >= FEWEST and float(np.ptp(probabilities)) <= _SAME


def _lost_columns(old: Release, new: ReleaseContents) -> list[Problem]:
    """The columns that a model needs, that some customers had in the release before, and that nobody has now."""
    before = _known_columns(old)
    needed = {key: [name for name in model.needed if name in before] for key, model in base_models(new.models).items()}
    gone = _gone(Streamed.of(new.features), {name for names in needed.values() for name in names})
    problems = []
    for key, names in needed.items():
        lost = [name for name in names if name in gone]
        if lost:
            more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
            expected = f"known for some, as in {old.id}, because the model of {_named(key)} needs it"
            fix = "Look for a table or a column that is no longer loaded, or train again with --retrain."
            problems.append(Problem("features", None, f"{lost[0]}{more}", "known for nobody", expected, fix))
    return problems


def _gone(features: Streamed, names: Collection[str]) -> set[str]:
    """Those of the columns that are absent or known for nobody; one of a window may be so as nothing happened in it."""
    there = [name for name in names if name in features.schema.names]
    known = by_name()
    unknown = {name for name in there if name not in known or known[name].window_days is None}
    for chunk in features.chunks(sorted(unknown)):
        unknown = {name for name in unknown if chunk[name].null_count == chunk.num_rows}
    return unknown | set(names).difference(there)


def _known_columns(release: Release) -> frozenset[str]:
    """The features that at least 5 % of a release's customers have, by the statistics of its file."""
    with pq.ParquetFile(release.directory / "features.parquet") as file:
        told, names, rows = file.metadata, file.schema_arrow.names, file.metadata.num_rows
        missing = np.zeros(len(names))
        for group in range(told.num_row_groups):
            for column in range(len(names)):
                statistics = told.row_group(group).column(column).statistics
                missing[column] += statistics.null_count if statistics is not None else 0
    return frozenset(name for name, gone in zip(names, missing, strict=True) if rows - gone >= _KNOWN_SHARE * rows > 0)


def _alike(key: Key, after: Floats, old: Release) -> Problem:
    found = _all_the_same(after)
    fix = f"Go back to the model before with `reprise models rollback {key[0]} --horizon {key[1]}`."
    return Problem("scores", None, f"the probability of {_named(key)}", found, f"different ones, as in {old.id}", fix)


def _all_the_same(after: Floats) -> str:
    return f"{after[0]:.3f} for all {after.size:,} customers"


def _shifted(key: Key, index: float, allowed: float, old: Release) -> Problem:
    found = f"the scores of {_named(key)} have moved by {index:.2f} since {old.id} under the same model"
    fix = "Look at what was loaded since."
    return Problem("scores", None, None, found, f"a stability index of at most {allowed:.2f}", fix)


def _named(key: Key) -> str:
    return f"{key[0]}, {key[1]} days"
