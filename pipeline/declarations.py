"""What `reprise.toml` names that only other packages know: families, recommenders, fields of rules, tables' policies.

Judged before any work starts, and told like every other wrong setting.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import replace

from features import rules
from features.catalogue import available, fields
from features.families import FAMILIES
from features.funnels import parse_step
from features.own import NOTHING, Own
from features.own_features import FOLDER
from features.rules.language import SHARES, Best, Condition, walk
from models import recommenders
from training.targets import BUILT_IN, Target
from warehouse.commented import OF_TABLE
from warehouse.contracts import EXTRA
from warehouse.engine import connect
from warehouse.errors import RepriseError, UsageError
from warehouse.settings import Settings, TargetSettings, refuse
from warehouse.settings_problems import Wrong
from warehouse.store import Store
from warehouse.workspace import Workspace


def check(workspace: Workspace) -> None:
    """Nothing, or one `SettingsError` with every name that means nothing."""
    settings = workspace.settings
    # Features of the workspace's own are known when its tables are loaded: `check_own` judges what may name them.
    own = _may_be_own(workspace)
    wrongs = [*_names(settings, own), *_policies(settings), *_acts(settings), *_targets(settings, own)]
    refuse(workspace.root, [*wrongs, *_stages(settings), *_funnels(settings)])


def check_own(workspace: Workspace, own: Own, targets: Iterable[Target]) -> None:
    """Nothing, or a `SettingsError` with what only loaded tables can tell: populations over features of the
    workspace's own, and families that are excluded."""
    settings = workspace.settings
    families = [*(family.name for family in FAMILIES), *own.families]
    wrongs = [
        Wrong.word(("training", "exclude_families", k), name, families)
        for k, name in enumerate(settings.training.exclude_families)
        if name not in families
    ]
    for target in targets:
        asked = settings.targets.get(target.name)
        if asked is not None and asked.population is not None and (why := _misread(asked.population, settings, own)):
            wrongs.append(Wrong(("targets", target.name, "population"), asked.population, why))
    refuse(workspace.root, wrongs)


def _funnels(settings: Settings) -> Iterator[Wrong]:
    for name, told in settings.funnels.items():
        for k, step in enumerate(told.steps):
            try:
                parse_step(step)
            except UsageError as error:
                yield Wrong(("funnels", name, "steps", k), step, str(error.hint).removeprefix("Write "))


def check_acts(store: Store) -> None:
    """Nothing, or a `SettingsError` with every act that is no event of the loaded ones: it would never happen."""
    acts = store.workspace.settings.activity.acts
    if isinstance(acts, str):
        return
    files = [str(store.bucket("events", k)) for k in range(store.buckets)] + [str(store.anonymous("events"))]
    with connect([store.workspace.store]) as connection:
        rows = connection.execute("select distinct event from read_parquet($files)", {"files": files}).fetchall()
    seen = sorted(row[0] for row in rows)
    wrongs = [Wrong.word(("activity", "acts", k), act, seen) for k, act in enumerate(acts) if act not in seen]
    refuse(store.workspace.root, wrongs)


def _names(settings: Settings, own: bool) -> Iterator[Wrong]:
    """Families and recommenders that do not exist."""
    families = [family.name for family in FAMILIES]
    for k, name in enumerate(settings.training.exclude_families):
        if name not in families and not own:
            yield Wrong.word(("training", "exclude_families", k), name, families)
    for k, name in enumerate(settings.recommend.models):
        if name not in recommenders.names():
            yield Wrong.word(("recommend", "models", k), name, recommenders.names())


def _policies(settings: Settings) -> Iterator[Wrong]:
    """Policies of one table in the section of another, where nobody would read them."""
    for table, told in settings.tables.items():
        for name in sorted(told.model_fields_set & OF_TABLE.keys()):
            kind = EXTRA if table.startswith(EXTRA) else table
            if kind not in OF_TABLE[name]:
                homes = ", ".join(f"[tables.{home}{'NAME' if home == EXTRA else ''}]" for home in OF_TABLE[name])
                yield Wrong(("tables", table, name), getattr(told, name), f"only in {homes}")


def _acts(settings: Settings) -> Iterator[Wrong]:
    """Acts that are events where there are none."""
    acts = settings.activity.acts
    if acts != "sales" and "events" not in settings.tables:
        yield Wrong(("activity", "acts"), acts, "sales, as there is no [tables.events]")


def _targets(settings: Settings, own: bool) -> Iterator[Wrong]:
    """Targets whose population cannot be asked of one customer, or whose name is a built-in one misspelt."""
    for name, asked in settings.targets.items():
        if asked.outcome == "labels":
            yield from _of_labels(name, asked, settings)
        if asked.population is not None and not own and (why := _misread(asked.population, settings)):
            yield Wrong(("targets", name, "population"), asked.population, why)
        near = difflib.get_close_matches(name, BUILT_IN, n=1, cutoff=0.8)
        if near and name not in BUILT_IN and not _says_something(asked):
            built_in = ", ".join(BUILT_IN)
            yield Wrong(("targets", name), name, f"{built_in}, or a target with an outcome of its own", near[0])


def _stages(settings: Settings) -> Iterator[Wrong]:
    """Stages whose rule cannot be asked of one customer; only the last may be the rest."""
    for name, stage in settings.stages.items():
        if stage.rule is None and name != [*settings.stages][-1]:
            yield Wrong(("stages", name, "rule"), None, "a rule: only the last stage can be the rest")
        if stage.rule is not None and (why := _misread(stage.rule, settings)):
            yield Wrong(("stages", name, "rule"), stage.rule, why)


def _of_labels(name: str, asked: TargetSettings, settings: Settings) -> Iterator[Wrong]:
    """What a target of the labels table cannot be asked: other rows, or two horizons of one answer."""
    if "labels" not in settings.tables:
        yield Wrong(
            ("targets", name, "outcome"), "labels", "sale, no_sale, act, no_act, as there is no [tables.labels]"
        )
    for key in ("items", "categories", "channels", "min_amount", "activity_days"):
        if key in asked.model_fields_set:
            yield Wrong(("targets", name, key), getattr(asked, key), 'nothing, where outcome = "labels"')
    if asked.horizons is not None and len(asked.horizons) > 1:
        yield Wrong(("targets", name, "horizons"), list(asked.horizons), "one horizon, as a label says one thing")


def _may_be_own(workspace: Workspace) -> bool:
    """Whether there may be features of the workspace's own."""
    tables = workspace.settings.tables
    alone = not {"orders", "events"} & tables.keys()
    of_users = "users" in tables and (alone or tables["users"].features)
    of_tables = any(name == "labels" or name.startswith(EXTRA) for name in tables)
    return bool(of_users or of_tables or (workspace.root / FOLDER).is_dir())


def _says_something(asked: TargetSettings) -> bool:
    """Whether a target asks another question than a built-in one."""
    return bool(asked.model_fields_set - {"horizons", "activity_days"})


def _misread(population: str, settings: Settings, own: Own = NOTHING) -> str | None:
    """Why the rule of a population cannot be used."""
    # Populations are kept with the models as written, so they say the values themselves.
    asked = fields((*available(settings.tables), *own.features))
    plain = {name: replace(field, names=()) for name, field in asked.items()}
    try:
        rule = rules.check(rules.parse(population.replace("{A}", "60")), plain)
    except RepriseError as error:
        return f"a rule over features. {error.message}"
    if any(isinstance(n, Best) or (isinstance(n, Condition) and n.operator in SHARES) for n in walk(rule.root)):
        return "a rule about each customer alone: who is among the top depends on the others"
    return None
