"""Training in the nightly run: whether it is due, all targets and the recommender taught, what was learnt."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from pipeline import journal, ruling, suggestions, valuing
from pipeline.opening import Loaded
from training import act_counts, recommender_runs, rule_costs
from training.cards import PROTOCOLS
from training.outbox import Outbox
from training.propensity import Trained
from training.registry import Registry
from training.snapshots import some
from training.tracking import Tracker, prepare
from training.trainer import TrainingReport, champions
from warehouse.errors import RepriseError
from warehouse.files import write_text
from warehouse.progress import Progress
from warehouse.workspace import Workspace

RECOMMEND = "recommend"
WHO = "reprise"
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Lesson:
    """What a training gave, as rows for people and machines."""

    as_of: date
    rows: list[Row]

    def as_dict(self) -> dict[str, Any]:
        return {"as_of": self.as_of, "trained": self.rows}

    def lines(self) -> list[str]:
        return [f"{row['model']}: {row['why']}" for row in self.rows]


def due(workspace: Workspace, as_of: date) -> bool:
    """Whether training is due: never done or without a result, done under other settings, or `retrain_every` days
    ago or more."""
    told = _last(workspace)
    if not told or not Registry(workspace).names() or told["settings"] != journal.teaching_fingerprint(workspace):
        return True
    last = date.fromisoformat(told["as_of"])
    return not last <= as_of < last + timedelta(days=workspace.settings.training.retrain_every)


def absent(workspace: Workspace) -> list[Mapping[str, str]]:
    """What the last training of everything could not give, with what each needs."""
    return list(_last(workspace).get("absent", []))


def serving_versions(workspace: Workspace) -> list[str]:
    """The versions of all models that serve, for names of releases."""
    chosen = suggestions.chosen(workspace)
    recommender = [f"{chosen['name']} {chosen['as_of']}"] if chosen else []
    return [model.version for model in champions(workspace)] + recommender + valuing.version(workspace)


def train(
    loaded: Loaded,
    only: str | None,
    progress: Progress,
    step: Callable[[str], None],
    tracker: Tracker | None = None,
) -> list[Row]:
    """Trains every declared target, the recommender and value, or `only` one of them; rows say what was learnt."""
    rows: list[Row] = []
    with tracker or prepare(loaded.workspace, patient=True) as open_tracker, ThreadPoolExecutor(1) as beside:
        recommender = beside.submit(_recommender, loaded, open_tracker) if only in (None, RECOMMEND) else None
        if only not in (RECOMMEND, valuing.VALUE):
            report = loaded.trainer.train_all(loaded.as_of, open_tracker, only=only, who=WHO)
            rows += [row(trained) for trained in report.trained]
            step(_told(report))
            for line in _of_labels(report):
                step(line)
            if only is None:
                _remember(loaded, report)
        if only in (None, valuing.VALUE) and (of_value := valuing.choose(loaded, open_tracker, progress)):
            rows.append(of_value)
            step(f"{valuing.VALUE}: {of_value['why']}")
        if recommender is not None:
            rows.append(recommender.result())
            step(f"recommend: {rows[-1]['why']}")
            for line in (*act_counts.lines(rows[-1].get("acts", ())), *rule_costs.lines(rows[-1])):
                step(line)
    step(open_tracker.told())
    return rows


def send_waiting(workspace: Workspace, step: Callable[[str], None]) -> None:
    """Sends the runs that a dead tracking server has not had yet; nothing where none wait."""
    if Outbox(workspace.root).waiting():
        with prepare(workspace, patient=True) as tracker:
            pass
        step(tracker.told())


def row(trained: Trained) -> Row:
    """One training for people: what was judged, and what serves from now on."""
    judged = trained.judged
    name = "lightgbm" if "lightgbm" in judged.contenders else judged.named_rule
    told = judged.intervals[name]
    return {
        "model": f"{trained.target.name} {trained.horizon} d",
        "target": trained.target.name,
        "horizon_days": trained.horizon,
        "serves": trained.serves.model.version if trained.serves else None,
        "kind": trained.serves.model.kind if trained.serves else None,
        "promoted": trained.promoted,
        "why": trained.why,
        "protocol": judged.protocol.to_json(),
        "n": judged.n,
        "base_rate": judged.base_rate,
        "judged": {metric: {"value": i.value, "low": i.low, "high": i.high} for metric, i in told.items()},
        "skipped": [each.to_json() for each in judged.skipped],
    }


def _told(report: TrainingReport) -> str:
    """What serves from now on; why it does is in `models list`."""
    names = ", ".join(f"{t.target.name} {t.horizon} d ({_kind(t)})" for t in report.trained)
    also = ", ".join(f"{name} {h} d" for name, h, _ in report.complements)
    return f"trained; what serves: {names or 'nothing'}" + (f"; {also} (1 − repurchase)" if also else "")


def _of_labels(report: TrainingReport) -> list[str]:
    """How each target of the labels table was judged, and what was assumed of it."""
    lines = []
    for trained in report.trained:
        if trained.target.of_labels:
            protocol = trained.judged.protocol
            assumed = (
                ""
                if trained.target.settings.horizons
                else f"; {trained.horizon} days are assumed, as none are declared"
            )
            kind = "too short" if protocol.kind == "too_short" else protocol.kind
            said = f"{trained.target.name} {trained.horizon} d, from labels, judged on {protocol.judge} ({kind}): "
            lines.append(f"{said}{PROTOCOLS[protocol.kind]}{assumed}")
    return lines


def _kind(trained: Trained) -> str:
    """Of a served model its kind in a word; a champion that was not replaced counts as what it is."""
    if trained.serves is None:
        return "nothing"
    return "model" if trained.serves.model.kind == "lightgbm" else "rule"


def _remember(loaded: Loaded, report: TrainingReport) -> None:
    settings = journal.teaching_fingerprint(loaded.workspace)
    told = {"as_of": loaded.as_of.isoformat(), "settings": settings, "absent": [vars(each) for each in report.absent]}
    write_text(_path(loaded.workspace), json.dumps(told, ensure_ascii=False, indent=1) + "\n")


def _recommender(loaded: Loaded, tracker: Tracker) -> Row:
    """Recommenders judged on closed windows; the one that serves is written down and logged."""
    if "orders" not in loaded.store.tables:
        trained = suggestions.nothing(loaded.workspace, loaded.as_of)
    else:
        inputs = asked(loaded)
        trained = suggestions.choose(loaded.workspace, loaded.source, inputs, loaded.trainer.progress)
        recommender_runs.log(tracker, trained, inputs)
    more: Row = {name: trained.card[name] for name in ("rules", "acts") if name in trained.card}
    return {"model": RECOMMEND, "serves": trained.name, "why": trained.why, "metrics": trained.metrics, **more}


def asked(loaded: Loaded) -> recommender_runs.Inputs:
    """What the choice of a recommender depends on."""
    settings = loaded.workspace.settings
    first_day, until = loaded.trainer.reach_of("orders", loaded.as_of)
    levels = ruling.levels_asked(settings)
    return recommender_runs.Inputs(
        loaded.store.fingerprint(),
        loaded.as_of,
        first_day,
        until,
        settings.recommend.horizon,
        _competing(loaded),
        settings.training.bootstrap_draws,
        settings.training.seed,
        settings.recommend.fits(),
        settings.training.max_customers,
        settings.recommend.rules.model_dump(mode="json", exclude_defaults=True) if settings.recommend.rules else {},
        settings.recommend.left_out_days,
        settings.recommend.acts,
        levels.model_dump(mode="json", exclude_defaults=True) if levels else {},
    )


def _competing(loaded: Loaded) -> tuple[str, ...]:
    """The recommenders that are asked for. Trees that order a hundred candidates of each of very many customers take
    most of a night, so that they are named by whoever wants them there."""
    recommend, most = loaded.workspace.settings.recommend, loaded.workspace.settings.training.max_customers
    if "models" in recommend.model_fields_set or some(loaded.source, most) is loaded.source:
        return recommend.models
    return tuple(name for name in recommend.models if name != "two_stage")


def _path(workspace: Workspace) -> Any:
    return workspace.models / "trained.json"


def _last(workspace: Workspace) -> dict[str, Any]:
    path = _path(workspace)
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise RepriseError(f"{path} is damaged.", hint="Delete it; training is then done again.") from error
    return found
