"""Two finished trainings beside each other: what the second is better or worse at, and what was changed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.evaluation.intervals import paired_interval, resample
from training.judgements import Judgement
from training.judging import FEWEST_IN_SLICE, INTERVAL_USERS
from warehouse.errors import UsageError

PAIRED = ("average_precision", "auc", "lift_at_10", "brier", "log_loss", "calibration_error", "shape_error")
IN_SLICES = ("average_precision", "auc")


@dataclass(frozen=True)
class Side:
    """One of the two: its card and inputs as they were logged, and its judged customers where they are at hand."""

    name: str
    card: Mapping[str, Any]
    inputs: Mapping[str, Any]
    judgement: Judgement | None

    @property
    def question(self) -> tuple[str, int]:
        return str(self.card["target"]), int(self.card["horizon_days"])

    @property
    def judge_day(self) -> str:
        return str(self.card["judged"]["as_of"])

    @property
    def measured(self) -> Mapping[str, Any]:
        """The metrics of what was judged, each with its interval under `intervals`."""
        return next(m for m in self.card["judged"]["models"] if m["name"] == self.card["judged_model"])


def compare(first: Side, second: Side, draws: int, seed: int) -> dict[str, Any]:
    """Everything about the two; differences are second − first.

    Intervals are paired where both were judged on the same date: the same customers, drawn together. Where they were
    not, `paired` is None and `unpaired_because` says why. `UsageError` where they answer different questions.
    """
    if first.question != second.question:
        told = " and ".join(
            f"{side.name} about {side.question[0]}, {side.question[1]} days" for side in (first, second)
        )
        raise UsageError(f"The two answer different questions: {told}.", hint="Compare runs of one target and horizon.")
    paired, why = _paired(first, second, draws, seed)
    return {
        "target": first.question[0],
        "horizon_days": first.question[1],
        "first": _told(first),
        "second": _told(second),
        "paired": paired,
        "unpaired_because": why,
        "changed": changes(first, second),
    }


def _told(side: Side) -> dict[str, Any]:
    judged = side.card["judged"]
    return {
        "name": side.name,
        "version": side.card["version"],
        "kind": side.card["kind"],
        "as_of": side.card["as_of"],
        "judged_on": side.judge_day,
        "protocol": judged["protocol"],
        "n": judged["n"],
        "base_rate": judged["base_rate"],
        "metrics": {name: side.measured["intervals"].get(name, {"value": side.measured[name]}) for name in PAIRED},
        "level_error": side.measured["level_error"],
        "deciles": judged["deciles"],
        "slices": judged["slices"],
    }


def _paired(first: Side, second: Side, draws: int, seed: int) -> tuple[dict[str, Any] | None, str | None]:
    if first.judge_day != second.judge_day:
        return None, f"they were judged on different dates, {first.judge_day} and {second.judge_day}"
    if first.judgement is None or second.judgement is None:
        absent = first.name if first.judgement is None else second.name
        return None, f"what {absent} said of each customer is not in this workspace"
    a, b = first.judgement.both(second.judgement)
    same = a.y == b.y
    if not same.any() or a.y.min() == a.y.max():
        return None, "hardly any customer was judged by both"
    found: dict[str, Any] = {
        "n": int(a.y.size),
        "only_first": int(first.judgement.y.size - a.y.size),
        "only_second": int(second.judgement.y.size - b.y.size),
        "other_labels": int((~same).sum()),
        "differences": _differences(a, b, PAIRED, draws, seed),
        "slices": {},
    }
    for name in sorted(a.slices.keys() & b.slices.keys()):
        one, other = (side.where(a.slices[name]) for side in (a, b))
        if other.y.size >= FEWEST_IN_SLICE and 0 < other.y.sum() < other.y.size:
            found["slices"][name] = {
                "n": int(one.y.size),
                "base_rate": float(one.y.mean()),
                "differences": _differences(one, other, IN_SLICES, draws, seed),
            }
    return found, None


def _differences(a: Judgement, b: Judgement, names: tuple[str, ...], draws: int, seed: int) -> dict[str, Any]:
    """second − first in each metric, by the labels of the second, which knows more where they differ."""
    drawn = resample(a.customers, b.y, draws, seed, INTERVAL_USERS)
    found = {name: paired_interval(drawn, name, b.p, a.p) for name in names}
    return {name: {key: _finite(getattr(i, key)) for key in ("value", "low", "high")} for name, i in found.items()}


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def changes(first: Side, second: Side) -> dict[str, Any]:
    """What differs in data, dates, settings and features; `data` is None where the rows are the same."""
    one, other = dict(first.inputs), dict(second.inputs)
    data = [str(each.pop("data_fingerprint")) for each in (one, other)]
    features = [set((each.get("recipe") or {}).get("features") or ()) for each in (one, other)]
    before, after = dict(_flat(one)), dict(_flat(other))
    differ = sorted(k for k in before.keys() | after.keys() if before.get(k) != after.get(k))
    return {
        "data": None if data[0] == data[1] else {"first": data[0], "second": data[1]},
        "features_added": sorted(features[1] - features[0]),
        "features_left_out": sorted(features[0] - features[1]),
        "settings": {
            key: {"first": before.get(key), "second": after.get(key)}
            for key in differ
            if not key.endswith(".features") and not key.startswith("champion")
        },
    }


def _flat(told: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Nested values by their dotted keys."""
    for key, value in told.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{key}.")
        else:
            yield above + key, value


def lines(compared: Mapping[str, Any]) -> list[str]:
    """The comparison for reading; cells are parted by tabs."""
    first, second = compared["first"], compared["second"]
    told = [f"{compared['target']}, next {compared['horizon_days']} days: second − first"]
    for place, side in (("first", first), ("second", second)):
        told.append(
            f"{place}\t{side['version']}\tas of {side['as_of']}, judged on {side['judged_on']} ({side['protocol']}): "
            f"{side['n']:,} customers, {side['base_rate']:.1%} of them y = 1"
        )
    paired = compared["paired"]
    told.append("\t".join(("", "first", "second", "difference", "paired 95 % interval" if paired else "")))
    for name in PAIRED:
        told.append("\t".join((name, *_values(first, second, name), *_difference(paired, name))))
    told.append("\t".join(("level_error", f"{first['level_error']:+.4f}", f"{second['level_error']:+.4f}")))
    if paired is None:
        told.append(f"no paired interval: {compared['unpaired_because']}")
    else:
        for name, part in sorted(paired["slices"].items()):
            cells = (f"{name} ({part['n']:,}): {metric}\t\t" for metric in IN_SLICES)
            told += [c + "\t".join(("", *_difference(part, m))) for c, m in zip(cells, IN_SLICES, strict=True)]
    told.append("calibration by tenths of customers, predicted / observed:")
    for one, other in zip(first["deciles"], second["deciles"], strict=False):
        told.append(
            f"{one['decile']}\t{one['mean_predicted']:.3f} / {one['observed_rate']:.3f}"
            f"\t{other['mean_predicted']:.3f} / {other['observed_rate']:.3f}"
        )
    return told + _changed_lines(compared["changed"])


def _values(first: Mapping[str, Any], second: Mapping[str, Any], name: str) -> tuple[str, str]:
    values = (first["metrics"][name]["value"], second["metrics"][name]["value"])
    one, other = ("–" if v is None else f"{v:.4f}" for v in values)
    return one, other


def _difference(part: Mapping[str, Any] | None, name: str) -> tuple[str, ...]:
    found = (part or {}).get("differences", {}).get(name)
    if not found or found["value"] is None:
        return ()
    between = "" if found["low"] is None else f"{found['low']:+.4f} to {found['high']:+.4f}"
    return f"{found['value']:+.4f}", between


def _changed_lines(changed: Mapping[str, Any]) -> list[str]:
    data = changed["data"]
    told = [
        "the data are the same" if data is None else f"the data: {data['first'][:12]}…, then {data['second'][:12]}…"
    ]
    told += [f"feature {what}: {name}" for what in ("added", "left_out") for name in changed[f"features_{what}"]]
    for key, values in changed["settings"].items():
        one, other = (json.dumps(values[side], ensure_ascii=False) for side in ("first", "second"))
        told.append(f"{key}: {one}, then {other}")
    return told if len(told) > 1 else [*told, "nothing was changed in settings"]
