"""A choice of a value model as its card tells it, and as it is logged."""

from __future__ import annotations

import json
import math
from typing import Any

from training.records import CARD
from training.tracking import Record, Tracker
from training.value import ChosenValue

EXPERIMENT = MODEL_NAME = "value"
RECIPE = "value.json"
_COLUMNS = ("top_decile_share", "mean_absolute_error", "rank_correlation", "total_ratio")


def card(found: ChosenValue) -> dict[str, Any]:
    """What was judged, on whom and how it came out, as plain values."""
    return {
        "model": found.name,
        "target": "value",
        "horizon_days": found.horizon,
        "as_of": found.as_of.isoformat(),
        "why": found.why,
        "protocol": found.planned.to_json() if found.planned else None,
        "judged_customers": found.customers,
        "judged": {name: {k: _finite(v) for k, v in row.items()} for name, row in found.judged.items()},
        "differences": {
            pair: {name: {k: _finite(getattr(i, k)) for k in ("value", "low", "high")} for name, i in told.items()}
            for pair, told in found.differences.items()
        },
        "deciles": [dict(row) for row in found.deciles],
        "stability": dict(found.stability) if found.stability else None,
        "trees": {"form": found.trees.form, "rounds": list(found.trees.rounds)} if found.trees else None,
    }


def markdown(found: ChosenValue) -> str:
    """The card in plain words."""
    lines = [
        f"# Value of customers, next {found.horizon} days: {found.name}",
        "",
        f"As of {found.as_of}. {found.why}",
        "",
    ]
    if found.planned:
        lines += [
            f"Judged on {found.customers:,} customers of {found.planned.judge}: share of the money in the tenth "
            "expected to spend most, mean absolute error, rank correlation, expected over spent.",
            "",
            "| | " + " | ".join(_COLUMNS) + " |",
            "|---|" + "---|" * len(_COLUMNS),
        ]
        lines += [f"| {n} | " + " | ".join(f"{row[c]:.3f}" for c in _COLUMNS) + " |" for n, row in found.judged.items()]
    if steady := found.stability:
        lines += [
            "",
            f"Of {steady['unchanged']:,} customers who did nothing in the week before, {steady['overlap']:.0%} of the "
            "tenth expected to spend most were in it then, too.",
        ]
    return "\n".join(lines) + "\n"


def log(tracker: Tracker, found: ChosenValue, fingerprint: str) -> None:
    """Queues the record of a choice, registered as the champion. Parameters and trees name no customer."""
    told = card(found)
    recipe = {
        "name": found.name,
        "horizon_days": found.horizon,
        "trees": found.trees.to_json() if found.trees else None,
    }
    tracker.log(
        Record(
            EXPERIMENT,
            f"{found.name}-{found.as_of:%Y%m%d}",
            {"serves": found.name, "why": found.why[:500], "horizon_days": str(found.horizon), "data": fingerprint},
            {f"judge/{name}/{metric}": value for name, row in found.judged.items() for metric, value in row.items()},
            {"serves": found.name},
            {"card.md": markdown(found), CARD: json.dumps(told, ensure_ascii=False, indent=1)},
            MODEL_NAME,
            alias="champion",
            model_texts={RECIPE: json.dumps(recipe, indent=1, sort_keys=True) + "\n"},
            data=fingerprint,
        )
    )


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
