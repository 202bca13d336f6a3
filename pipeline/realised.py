"""What past releases predicted, beside what then happened."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.labels import labels_of
from features.outcomes import outcome_counts
from features.source import Source
from serving.schemas import SCORES
from training.evaluation.propensity import captured
from training.label_dates import members
from training.targets import Target
from warehouse.workspace import Workspace

LINES = 3


@dataclass(frozen=True)
class Realised:
    """One target and horizon of one past release: the mean probability, the share it came true for, and the lift.

    `top_share` is the share of all hits that the tenth with the highest probability held; of equal ones at its edge
    their mean counts, as in a backtest.
    """

    release: str
    as_of: date
    target: str
    horizon_days: int
    customers: int
    predicted: float
    realised: float
    top_share: float | None

    def line(self) -> str:
        held = f"; the top 10 % held {self.top_share:.0%} of them" if self.top_share is not None else ""
        return (
            f"{self.as_of} {self.target} {self.horizon_days} d: predicted {self.predicted:.1%}, "
            f"realised {self.realised:.1%} of {self.customers:,} customers{held}"
        )


@dataclass(frozen=True)
class Review:
    """What came due, newest first; the releases that are too damaged to be compared; the first date of the others."""

    found: list[Realised]
    damaged: list[str]
    first: date | None

    def lines(self, as_of: date, targets: list[Target]) -> list[str]:
        """Three lines for people, fewer only where so few predictions are closed; the day of the first where none is;
        then a line for each damaged release."""
        skipped = [f"predicted against realised: {name} is damaged and was left out" for name in self.damaged]
        if self.found or not targets:
            return [*(each.line() for each in self.found[:LINES]), *skipped]
        shortest = min(horizon for target in targets for horizon in target.horizons)
        due = (self.first or as_of) + timedelta(days=shortest)
        return [f"predicted against realised: the first prediction made here comes due on {due}", *skipped]


def review(workspace: Workspace, source: Source, targets: list[Target], known_until: date) -> Review:
    """The latest closed predictions of past releases, at most one for each target and horizon.

    A prediction is closed when its whole window lies before `known_until`.
    """
    found: dict[tuple[str, int], Realised] = {}
    releases, damaged = _releases(workspace)
    for folder, as_of in releases:
        due = [
            (target, horizon)
            for target in targets
            for horizon in target.horizons
            if (target.name, horizon) not in found and as_of + timedelta(days=horizon) <= known_until
        ]
        scores = _scores(folder) if due else None
        if due and scores is None:
            damaged.append(folder.name)
            continue
        for target, horizon in due:
            if compared := _compared(folder.name, as_of, scores, source, target, horizon):
                found[target.name, horizon] = compared
    newest = sorted(found.values(), key=lambda r: (r.as_of, r.customers), reverse=True)
    return Review(newest, damaged, min((day for _, day in releases), default=None))


def _releases(workspace: Workspace) -> tuple[list[tuple[Path, date]], list[str]]:
    """Every release there is with its date, newest first; of several for one date the one made last. Then the names
    of those that do not tell their date."""
    dated: dict[date, Path] = {}
    damaged = []
    for path in sorted(workspace.releases.glob("*/release.json"), key=lambda p: p.stat().st_mtime):
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            dated[date.fromisoformat(told["as_of"])] = path.parent
        except (OSError, ValueError, KeyError, TypeError):
            damaged.append(path.parent.name)
    return [(dated[day], day) for day in sorted(dated, reverse=True)], damaged


def _scores(folder: Path) -> pa.Table | None:
    """What a release predicted; None where its file cannot be read."""
    try:
        return pq.read_table(folder / "scores.parquet", columns=SCORES.names)
    except (OSError, pa.ArrowException):
        return None


def _compared(
    release: str, as_of: date, scores: pa.Table, source: Source, target: Target, horizon: int
) -> Realised | None:
    asked = pc.and_(pc.equal(scores["target"], target.name), pc.equal(scores["horizon_days"], horizon))
    rows = scores.filter(pc.and_(asked, pc.is_valid(scores["probability"])))
    if not rows.num_rows:
        return None
    if target.of_labels:
        return _by_labels(release, as_of, rows, source, target, horizon)
    hits = outcome_counts(source, as_of, horizon, target.counted, target.settings).column("entity_id")
    y = pc.is_in(rows["user_id"], value_set=hits).to_numpy(zero_copy_only=False).astype(float)
    y = 1 - y if target.positive_when_absent else y
    return _beside(release, as_of, rows, y, target, horizon)


def _by_labels(
    release: str, as_of: date, rows: pa.Table, source: Source, target: Target, horizon: int
) -> Realised | None:
    """The same where the labels table says what happened: of those whom it then spoke of."""
    labels = members(labels_of(source, target.name, as_of), as_of, horizon)
    if not labels.num_rows or labels["day"].null_count:
        return None
    place = pc.index_in(rows["user_id"], value_set=labels["entity_id"])
    y = pc.take(labels["y"], pc.drop_null(place)).to_numpy()
    return _beside(release, as_of, rows.filter(pc.is_valid(place)), y, target, horizon) if y.size else None


def _beside(
    release: str, as_of: date, rows: pa.Table, y: NDArray[np.float64], target: Target, horizon: int
) -> Realised:
    p = rows["probability"].to_numpy()
    share = captured(y, p)[0] if y.any() else None
    return Realised(release, as_of, target.name, horizon, rows.num_rows, float(p.mean()), float(y.mean()), share)
