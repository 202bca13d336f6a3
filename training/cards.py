"""A model card: what a model is asked, on which dates it was judged, how good it was, and what to beware of."""

from __future__ import annotations

from typing import Any, Literal

from training.backtest import interval_json, judged_json, sentence
from training.evaluation import propensity as metrics
from training.evaluation.decisions import Prices, decision_lines
from training.judging import TREES
from training.propensity import Made, Trained, drivers, in_words
from training.protocol import UNDATED

CARD_FILE, CARD_JSON = "card.md", "card.json"
"""The card in a model's folder, in words and as plain values."""

PROTOCOLS = {
    "full": "trained, stopped, calibrated and judged on four dates a horizon apart",
    "short": "trained and judged on dates a horizon apart; trees and calibration by cross-fitting over customers",
    "near": "trained and judged on dates less than a horizon apart, so that trained labels end after the judged date: "
    "better in the card than it will be",
    "random": "the labels have one date or none: a quarter of the customers, chosen at random, was judged, the others "
    "trained on",
    "file": "the labels have one date or none: the last quarter of the file was judged, the lines before it trained on",
    "too_short": "no LightGBM, too little history: a rule was chosen by cross-fitting on the judged date itself",
}
WORDS = {
    "auc": "ranks a random buyer above a random other (AUC)",
    "average_precision": "average precision",
    "lift_at_10": "lift in the top 10 %",
    "brier": "Brier score",
    "log_loss": "log loss",
    "calibration_error": "calibration error",
    "level_error": "level error (predicted − observed)",
    "shape_error": "shape error",
}
SHOWN_DRIVERS = 10


def card(trained: Trained, made: Made | None = None, prices: Prices | None = None) -> dict[str, Any]:
    """The card of one model of a training, of the candidate unless another is given, as plain values; with `prices`
    it tells what acting on it would have brought."""
    made = made or trained.candidate
    best, own = shown(trained, made), trained.inputs.get("own_features")
    return {
        "version": made.model.version,
        "target": trained.target.name,
        "horizon_days": trained.horizon,
        "as_of": trained.as_of.isoformat(),
        "kind": made.model.kind,
        "population": made.model.population,
        "outcome": trained.target.outcome,
        "base_rate": made.model.base_rate,
        "data_fingerprint": trained.inputs["data_fingerprint"],
        "recipe": made.recipe.to_json(),
        "rounds": trained.judged.rounds,
        "calibration": made.model.calibration.to_json(),
        "judged_model": best,
        "judged": judged_json(trained.judged, trained.target, prices),
        "gains": _gains(trained, best),
        "drivers": [
            {"feature": name, "share": share, "en": in_words(name, "en", own), "zh": in_words(name, "zh", own)}
            for name, share in drivers(made.model)
        ],
        "promoted": trained.promoted,
        "serves": trained.serves.model.version if trained.serves else None,
        "why": trained.why,
        "leak_check": {"clean": trained.leaks.clean, "problems": list(trained.leaks.problems)},
        "level": trained.level.to_json(),
        "notes": notes(trained),
    }


def _gains(trained: Trained, best: str) -> list[tuple[float, float]]:
    """The curve of gains; none where nobody was positive, as there was nothing to gain."""
    y = trained.judged.sample.y
    return metrics.gains(y, trained.judged.p(best), 20) if y.any() else []


def notes(trained: Trained) -> list[str]:
    """What a reader must know before using the model."""
    judged = trained.judged
    said = [
        "What was judged is the model before the refit, and so the recipe; then the recipe was refitted on all closed "
        "cutoffs and calibrated anew on predictions for customers that its fit had not seen.",
        "The level follows the past: where the share of buyers moves from month to month, all probabilities are too "
        "high or too low together (level error), while their order and proportions hold (shape error).",
        _level(trained),
    ]
    if trained.level.unseen:
        said.append(
            f"The {trained.horizon} days from {trained.as_of} hold {', '.join(trained.level.unseen)}, which no window "
            "that was learnt from did: what a season does to the level is not known here."
        )
    if any(name.startswith(("contact", "days_since_last_contact")) for name in trained.model.columns):
        said.append("Contacts are among the features: a probability means under usual contact.")
    if trained.target.of_labels and judged.protocol.kind == "random":
        said.append(
            "Without dates nobody can say how the model does later: judged at random it looks better than it will be. "
            'Give the labels an as_of, or say time_order = "file" where later lines are later.'
        )
    if trained.target.of_labels and not trained.target.settings.horizons:
        said.append(f"The labels declare no horizon; {trained.horizon} days were assumed.")
    said += [
        f"The cutoff {s.as_of} was skipped: {s.positives} of {s.n} customers were positive, too few of one kind."
        for s in judged.skipped
    ]
    return said


def _level(trained: Trained) -> str:
    """How uncertain the level is, at the share of y = 1 the judged customers had."""
    level, rate = trained.level, min(max(trained.judged.base_rate, 1e-3), 1 - 1e-3)
    low, high = level.of([rate])
    told = f"Over {len(level.steps)} past steps of {trained.horizon} days" if level.steps else "No past step was seen"
    how = "it is in the probabilities" if level.applied else "it is not in the probabilities"
    return (
        f"{told}; the drift of the level expected from them is {level.shift:+.2f} in log-odds ({how}). "
        f"Where {rate:.1%} are promised on average, 80 % of the time between {low:.1%} and {high:.1%} come."
    )


def markdown(
    trained: Trained,
    made: Made | None = None,
    language: Literal["en", "zh"] = "en",
    prices: Prices | None = None,
) -> str:
    """The card for reading, in plain words."""
    made = made or trained.candidate
    judged, protocol = trained.judged, trained.judged.protocol
    lines = [
        f"# {trained.target.name}, next {trained.horizon} days",
        "",
        f"Version `{made.model.version}`, as of {trained.as_of}. {trained.why}",
        "",
        f"- Asked about: customers with `{made.model.population}`",
        f"- y = 1: {_outcome(trained)}",
        f"- Judged on {protocol.judge}: {judged.n:,} customers, {judged.base_rate:.1%} of them y = 1",
        f"- Protocol: {protocol.kind} ({PROTOCOLS[protocol.kind]})",
        f"- Dates: {_dates(trained)}",
        f"- {sentence(judged, trained.target, shown(trained, made))}",
        "",
        *_metric_table(trained),
        "",
        *_differences(trained),
        f"## Tenths of the customers by {shown(trained, made)}, highest predictions first",
        "",
        *_decile_table(trained, shown(trained, made)),
        "",
    ]
    if drivers(made.model):
        lines += ["## What drives it", "", *_driver_lines(trained, made, language), ""]
    if prices and (decision := judged_json(judged, trained.target, prices).get("decision")):
        lines += [
            "## What acting on it would have brought",
            "",
            *(f"- {line}" for line in decision_lines(decision)),
            "",
        ]
    lines += ["## To know", "", *(f"- {note}" for note in notes(trained))]
    lines.append(f"- Leak check: {'clean' if trained.leaks.clean else ' '.join(trained.leaks.problems)}")
    return "\n".join(lines) + "\n"


def _outcome(trained: Trained) -> str:
    if trained.target.of_labels:
        return f"the labels table says so, for the {trained.horizon} days from its as_of"
    what = {"sale": "at least one sale", "no_sale": "no sale", "act": "at least one act", "no_act": "no act"}
    return f"{what[trained.target.outcome]} in the {trained.horizon} days from the cutoff"


def _dates(trained: Trained) -> str:
    protocol = trained.judged.protocol
    if protocol.kind in UNDATED:
        return f"the labels have no dates that part them; features as of {protocol.judge}"
    parts = [f"trained on {', '.join(str(c) for c in protocol.train)}"] if protocol.train else []
    parts += [f"stopped on {protocol.stop}", f"calibrated on {protocol.calibrate}"] if protocol.stop else []
    return "; ".join([*parts, f"judged on {protocol.judge}"])


def _metric_table(trained: Trained) -> list[str]:
    judged = trained.judged
    shown = [name for name, found in judged.intervals.items() if len(found) == len(WORDS)]
    rows = ["## How good", "", "| | " + " | ".join(_model_name(name, trained) for name in shown) + " |"]
    rows.append("|---|" + "---|" * len(shown))
    for metric, words in WORDS.items():
        cells = []
        for name in shown:
            found = interval_json(judged.intervals[name][metric])
            value, low, high = found["value"], found["low"], found["high"]
            cells.append(
                "–" if value is None else f"{value:.3f}" + (f" ({low:.3f} … {high:.3f})" if low is not None else "")
            )
        rows.append(f"| {words} | " + " | ".join(cells) + " |")
    return rows


def _model_name(name: str, trained: Trained) -> str:
    return f"**{name}** (named rule)" if name == trained.judged.named_rule else name


def _differences(trained: Trained) -> list[str]:
    lines = []
    for other, compared in trained.judged.differences.items():
        told = "; ".join(
            f"{WORDS[metric]} {d.value:+.3f} ({d.low:+.3f} … {d.high:+.3f})" for metric, d in compared.items()
        )
        lines += [f"LightGBM − {other}, paired 95 % interval: {told}.", ""]
    return lines


def shown(trained: Trained, made: Made) -> str:
    """Whose predictions the card shows: a rule's own on the card of a rule, else the trees' where there are any."""
    if made.recipe.rule in trained.judged.contenders:
        return str(made.recipe.rule)
    return TREES if TREES in trained.judged.contenders else trained.judged.named_rule


def _decile_table(trained: Trained, best: str) -> list[str]:
    rows = ["| tenth | customers | predicted | observed | share of all y = 1 | so far |", "|---|---|---|---|---|---|"]
    some = trained.judged.sample.y.any()
    for d in metrics.decile_table(trained.judged.sample.y, trained.judged.p(best)):
        held = f"{d.captured_share:.1%} | {d.cumulative_captured_share:.1%}" if some else "– | –"
        rows.append(f"| {d.decile} | {d.rows:.0f} | {d.mean_predicted:.3f} | {d.observed_rate:.3f} | {held} |")
    return rows


def _driver_lines(trained: Trained, made: Made, language: Literal["en", "zh"]) -> list[str]:
    own = trained.inputs.get("own_features")
    return [f"- {share:.0%} {in_words(name, language, own)}" for name, share in drivers(made.model)[:SHOWN_DRIVERS]]


def calibration_figure(trained: Trained, made: Made | None = None) -> dict[str, Any]:
    """Predicted against observed in ten bins of equal count, as a Plotly figure (`plotly.io.from_json` reads it)."""
    best = shown(trained, made or trained.candidate)
    rows = metrics.decile_table(trained.judged.sample.y, trained.judged.p(best))
    predicted, observed = [d.mean_predicted for d in rows], [d.observed_rate for d in rows]
    most = max([*predicted, *observed, 0.01])
    return {
        "data": [
            {"type": "scatter", "mode": "lines", "x": [0, most], "y": [0, most], "name": "as promised",
             "line": {"dash": "dot"}},
            {"type": "scatter", "mode": "lines+markers", "x": predicted, "y": observed, "name": best},
        ],
        "layout": {
            "title": {"text": f"{trained.target.name}, {trained.horizon} days, {trained.judged.protocol.judge}"},
            "xaxis": {"title": {"text": "predicted probability"}, "rangemode": "tozero"},
            "yaxis": {"title": {"text": "observed rate"}, "rangemode": "tozero"},
        },
    }  # fmt: skip
