"""Had we used this before, what would have happened: backtests of targets, of recommenders and of value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from features.outcomes import purchases
from features.shown import learnt_from
from models.recommenders.interactions import Interactions
from pipeline import valuing
from pipeline.opening import Loaded, load
from training import backtest as propensity
from training.evaluation.decisions import Prices, decision_lines
from training.label_dates import time_order_of
from training.protocol import replay_dates
from training.recommendation import evaluate_recommenders
from training.value import LIFETIMES
from training.value_backtest import replay_value, to_json
from warehouse.errors import NotReadyError
from warehouse.progress import Progress
from warehouse.workspace import Workspace

RECOMMEND = "recommend"
_MEASURES = ("top_decile_share", "mean_absolute_error", "rank_correlation", "total_ratio")


@dataclass(frozen=True)
class Replayed:
    """A backtest: the payload for `--json` and lines for people."""

    payload: list[dict[str, Any]]
    text: list[str]

    def lines(self) -> list[str]:
        return self.text


def backtest(
    workspace: Workspace,
    target: str,
    horizon: int | None,
    days: Sequence[date] | None,
    loaded_at: datetime,
    progress: Progress,
) -> Replayed:
    """Replays a target, recommenders or value at past dates; without dates every 30 days back from the latest one."""
    with workspace.lock("run"):
        loaded, _ = load(workspace, None, loaded_at, progress)
        if target == RECOMMEND:
            return _recommenders(loaded, horizon, days, progress)
        if target == valuing.VALUE:
            return _value(loaded, horizon, days, progress)
        return _propensity(loaded, target, horizon, days, progress)


def _propensity(
    loaded: Loaded, name: str, horizon: int | None, days: Sequence[date] | None, progress: Progress
) -> Replayed:
    trainer = loaded.trainer
    target = trainer.target(name, loaded.as_of)
    first_day, until = (loaded.first_day, loaded.as_of) if target.of_labels else trainer.reach(target)
    serving = {key: version for key in trainer.registry.names() if (version := trainer.registry.champion_version(*key))}
    replays = propensity.backtest(
        trainer.snapshots,
        [target],
        trainer.settings.training,
        trainer.recipe_for(target),
        until,
        first_day,
        days or (),
        horizon,
        serving,
        progress,
        time_order_of(trainer.settings),
        Prices.of(trainer.settings.value),
    )
    payload = [replay.to_json() for replay in replays]
    lines = [line for each in payload for line in _judged_lines(each)]
    lines += [propensity.sentence(j, r.target) for r in replays for j in r.judged]
    return Replayed(payload, lines + [line for each in payload for line in _acted_lines(each)])


def _acted_lines(replay: dict[str, Any]) -> list[str]:
    """What acting on each date would have brought, and how steady the list was."""
    lines = []
    for cutoff in replay["cutoffs"]:
        head = f"{replay['target']} {replay['horizon_days']} d, {cutoff['as_of']}: "
        lines += [head + line for line in decision_lines(cutoff["decision"])] if "decision" in cutoff else []
        if steady := cutoff.get("stability"):
            lines.append(
                f"{head}of {steady['unchanged']:,} customers who did nothing in the week before, "
                f"{steady['overlap']:.0%} of the top 10 % were in it then, too"
            )
    return lines


def _judged_lines(replay: dict[str, Any]) -> list[str]:
    """A table of one target and horizon: a line for each date and model."""
    columns = ("auc", "average_precision", "lift_at_10", "brier", "level_error", "shape_error")
    lines = ["\t".join(("target", "days", "as_of", "protocol", "customers", "base rate", "model", *columns))]
    for cutoff in replay["cutoffs"]:
        for model in cutoff["models"]:
            named = " (named rule)" if model["name"] == cutoff["named_rule"] else ""
            cells = ["" if model[name] is None else f"{model[name]:.3f}" for name in columns]
            head = (replay["target"], str(replay["horizon_days"]), cutoff["as_of"], cutoff["protocol"])
            lines.append(
                "\t".join((*head, f"{cutoff['n']:,}", f"{cutoff['base_rate']:.3f}", model["name"] + named, *cells))
            )
    return lines


def _value(loaded: Loaded, horizon: int | None, days: Sequence[date] | None, progress: Progress) -> Replayed:
    if "orders" not in loaded.store.tables:
        raise NotReadyError("There is no value of customers.", hint="It needs orders with amounts.")
    trainer, settings = loaded.trainer, loaded.trainer.settings
    first_day, until = trainer.reach_of("orders")
    champion = (valuing.chosen(loaded.workspace) or {}).get("name")
    window, serves = horizon or valuing.horizon_of(settings), champion or LIFETIMES
    found = replay_value(
        trainer.snapshots, window, serves, settings.training, trainer.recipe(), until, first_day, days or (), progress
    )
    payload = to_json(found, champion)
    lines = ["\t".join(("days", "as_of", "protocol", "customers", "spent", "model", *_MEASURES))]
    for cutoff in payload["cutoffs"]:
        head = (str(window), cutoff["as_of"], cutoff["protocol"], f"{cutoff['n']:,}", f"{cutoff['spent']:,.0f}")
        for model in cutoff["models"]:
            cells = ("" if model[name] is None else f"{model[name]:.3f}" for name in _MEASURES)
            lines.append("\t".join((*head, model["name"], *cells)))
    lines += [cutoff["sentence"] for cutoff in payload["cutoffs"]]
    return Replayed([payload], lines + _acted_lines(payload))


def _recommenders(loaded: Loaded, horizon: int | None, days: Sequence[date] | None, progress: Progress) -> Replayed:
    asked = loaded.workspace.settings.recommend
    window = horizon or asked.horizon
    if "orders" not in loaded.store.tables:
        raise NotReadyError("There are no suggestions: no sale names an item.", hint="It needs orders with an item_id.")
    dates = days or replay_dates(loaded.observed_until, loaded.first_day, window)
    cutoffs = []
    for done, cutoff in enumerate(dates):
        if cutoff + timedelta(days=window) > loaded.observed_until:
            raise NotReadyError(
                f"The {window} days from {cutoff} are not over: sales are known to {loaded.observed_until}.",
                hint="Choose an earlier --as-of.",
            )
        progress("replaying", done, len(dates))
        held = learnt_from(loaded.trainer.learning, cutoff, 0, **asked.acts)
        held = held.filter(held["item_id"].is_valid())
        if not held.num_rows:
            raise NotReadyError(
                "There are no suggestions: no sale names an item.", hint="It needs orders with an item_id."
            )
        rows = evaluate_recommenders(
            Interactions.from_table(held, cutoff),
            purchases(loaded.trainer.learning, cutoff, window),
            asked.models,
            fits=asked.fits(),
        )
        cutoffs.append({"as_of": cutoff.isoformat(), "models": rows})
    payload = [{"target": RECOMMEND, "horizon_days": window, "cutoffs": cutoffs}]
    return Replayed(payload, _table(cutoffs))


def _table(cutoffs: Sequence[dict[str, Any]]) -> list[str]:
    """Recall of each recommender at each date: all purchases, repeats, and new items."""
    columns = ("recall@10", "recall@20", "repeat_recall@10", "explore_recall@10", "hit_rate@10")
    lines = ["\t".join(("as_of", "recommender", *columns))]
    for cutoff in cutoffs:
        for row in cutoff["models"]:
            cells = [f"{row[name]:.3f}" if row.get(name) is not None else "" for name in columns]
            lines.append("\t".join((cutoff["as_of"], row["name"], *cells)))
    return lines
