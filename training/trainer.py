"""All targets of a workspace at once: trained, kept, promoted, logged; and the models that serve from then on."""

from __future__ import annotations

import getpass
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from threading import Lock
from typing import Any

from features.labels import label_targets
from features.source import StoreSource, act_statement
from models.propensity import PropensityModel
from training import cards, gates, label_dates, protocol, targets
from training.evaluation.decisions import Prices
from training.judgements import Judgement
from training.propensity import RECIPE_FILE, Made, Trained, train_target
from training.protocol import Protocol
from training.reach import reach
from training.recipes import Recipe, changed, tree_recipe
from training.records import log
from training.registry import Registry
from training.snapshots import Snapshots, some
from training.targets import Absent, Target
from training.time_trial import changed_rows
from training.tracking import Logged, Tracker
from warehouse.errors import DataProblemError, NotReadyError, RepriseError, UsageError
from warehouse.files import write_text
from warehouse.progress import Progress, silent
from warehouse.settings import TreeSettings
from warehouse.store import Store
from warehouse.workspace import Workspace

COMPLEMENTS_FILE = "complements.json"
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")


@dataclass(frozen=True)
class TrainingReport:
    """What was trained, what is answered by another model's complement (churn by repurchase), and what is absent."""

    trained: tuple[Trained, ...]
    complements: tuple[tuple[str, int, str], ...]
    absent: tuple[Absent, ...]
    runs: dict[str, str]


class Trainer:
    """Trains what a workspace declares. Open it once for a store; snapshots are shared by all targets."""

    def __init__(self, workspace: Workspace, store: Store | None = None, progress: Progress = silent) -> None:
        self.workspace = workspace
        self.settings = workspace.settings
        self.store = store or Store(workspace)
        self.source = StoreSource.counted_as_set(self.store)
        self.learning = some(self.source, self.settings.training.max_customers)
        self.snapshots = Snapshots(workspace, self.source, self.fingerprint, progress, self.learning)
        self.registry = Registry(workspace)
        self.progress = progress
        self._lock = Lock()
        self._reaches: dict[tuple[str, date], tuple[date, date]] = {}
        self._trying: defaultdict[date, Lock] = defaultdict(Lock)
        self._trials: dict[date, gates.LeakCheck] = {}

    @property
    def fingerprint(self) -> str:
        """Changes with the data, and with what the features of the workspace's own are."""
        return self.source.own.fingerprint_with(self.store.fingerprint())

    def declared(self, as_of: date) -> list[Target]:
        """The targets of this workspace on that day."""
        days = max((self._days(table, as_of) for table in ("orders", "events") if self.store.has(table)), default=0)
        return targets.declared(self.settings, self.store.tables, days, self._labelled())

    def _labelled(self) -> tuple[str, ...]:
        """The targets of the labels table; `DataProblemError` for one that cannot be a name."""
        found = label_targets(self.source) if self.store.has("labels") else ()
        if wrong := [name for name in found if not NAME.fullmatch(name)]:
            raise DataProblemError(
                f'The target "{wrong[0]}" of the labels cannot be a name.',
                hint="Use letters, digits and _, a letter first, at most 63 of them.",
            )
        return found

    def target(self, name: str, as_of: date) -> Target:
        """The declared target of that name; `RepriseError` lists those there are."""
        declared = self.declared(as_of)
        for target in declared:
            if target.name == name:
                return target
        raise UsageError(
            f'There is no target "{name}" here.', hint=f"There are: {', '.join(t.name for t in declared) or 'none'}."
        )

    def complement(self, target: Target, horizon: int, as_of: date) -> Target | None:
        """The target that answers this one by one minus it, so that nothing is trained; None where none does."""
        return targets.complement_of(target, horizon, self.declared(as_of))

    def reach(self, target: Target, as_of: date | None = None) -> tuple[date, date]:
        """First day, and the day until which rows are observed, of the table that holds the target's outcome; with
        `as_of` as far as they were known then, else of all rows."""
        of_events = target.counted == "act" and act_statement(self.source) == "acts_of_events"
        return self.reach_of("events" if of_events else "orders", as_of)

    def reach_of(self, table: str, as_of: date | None = None) -> tuple[date, date]:
        """The same of a table."""
        if as_of is not None:
            with self._lock:
                if (table, as_of) not in self._reaches:
                    self._reaches[table, as_of] = reach(self.source, table, as_of)
                return self._reaches[table, as_of]
        first = self.store.manifest(table).first_day
        if first is None:
            raise NotReadyError(f"The table {table} has no rows with a time.")
        return first, self.store.observed_until(table)

    def _days(self, table: str, as_of: date) -> int:
        """How many local days of rows of a table were known on that day."""
        try:
            first, until = self.reach_of(table, as_of)
        except NotReadyError:
            return 0
        return (until - first).days

    def plan(self, target: Target, horizon: int, as_of: date) -> Protocol:
        """The protocol of a model made on the day `as_of`; `NotReadyError` where no label exists."""
        if target.of_labels:
            return self._plan_of_labels(target, horizon, as_of)
        first, until = self.reach(target, as_of)
        return protocol.plan(as_of, until, first, horizon, self.settings.training.max_cutoffs)

    def _plan_of_labels(self, target: Target, horizon: int, as_of: date) -> Protocol:
        known = self.snapshots.as_known(as_of).labels(target, horizon, as_of)
        told, order = self.settings.training, label_dates.time_order_of(self.settings)
        if order == "file" and (files := len(self.store.manifest("labels").sources)) > 1:
            raise NotReadyError(
                f"The labels come from {files} files, so the order of their lines is no order in time.",
                hint='It needs one file, an as_of for every label, or no time_order = "file".',
            )
        return label_dates.plan(known, horizon, as_of, told.min_positives, told.max_cutoffs, order)

    def recipe(self, name: str = "default") -> Recipe:
        """The tree recipe of that name for the tables of this workspace."""
        return tree_recipe(self.settings.training, self.store.tables, name, self.source.own.features)

    def recipe_for(self, target: Target) -> Recipe:
        """The default recipe with what the settings say of this target's trees."""
        return changed(self.recipe(), target.settings.trees)

    def champion_recipe(self, target: str, horizon: int) -> Recipe | None:
        """The recipe of the model that serves now."""
        folder = self.registry.champion(target, horizon)
        if folder is None:
            return None
        document = json.loads((folder / RECIPE_FILE).read_text(encoding="utf-8"))
        return Recipe.from_json(document, self.settings.training)

    def train(self, target: Target, horizon: int, as_of: date, recipe: Recipe | None = None) -> Trained:
        """Trains one target at one horizon and changes nothing."""
        planned = self.plan(target, horizon, as_of)
        return train_target(
            self.snapshots.as_known(as_of),
            target,
            horizon,
            planned,
            self.settings.training,
            recipe or self.recipe_for(target),
            as_of,
            self.champion_recipe(target.name, horizon),
            self._time_trial(planned.judge),
        )

    def _time_trial(self, cutoff: date) -> gates.LeakCheck:
        with self._lock:
            trying = self._trying[cutoff]
        with trying:  # once for each date, two dates side by side
            if cutoff not in self._trials:
                table = self.snapshots.learnt_from(cutoff)
                self._trials[cutoff] = gates.check_unchanged(*changed_rows(self.learning, cutoff, table))
            return self._trials[cutoff]

    def train_all(
        self,
        as_of: date,
        tracker: Tracker | None = None,
        only: str | None = None,
        horizon: int | None = None,
        recipe: Recipe | None = None,
        who: str | None = None,
        wishes: TreeSettings | None = None,
        experiment: str | None = None,
    ) -> TrainingReport:
        """Trains every declared target at every horizon (or only those named), keeps what was made, promotes what
        passed its gate and logs each training. What cannot be trained is told in `absent`, and nothing else stops.

        `wishes` change each target's recipe. With an `experiment`, the name under which it is logged, nothing is
        promoted.
        """
        declared = self.declared(as_of)
        wanted = [self.target(only, as_of)] if only else declared
        pairs = [(t, h) for t in wanted for h in t.horizons if horizon in (None, h)]
        trained: list[Trained] = []
        absent = list(targets.unavailable(self.store.tables))
        waiting: dict[str, Future[Logged]] = {}
        asked = [(t, h) for t, h in pairs if targets.complement_of(t, h, declared) is None]
        for done, made in enumerate(self._side_by_side(asked, as_of, recipe, wishes)):
            self.progress("training", done + 1, len(asked))
            if isinstance(made, Absent):
                absent.append(made)
                continue
            self.keep(made, declared, who or _who(), promote=experiment is None)
            trained.append(made)
            if tracker is not None:
                waiting |= log(tracker, made, self._directory, experiment)
        served = {(t.target.name, t.horizon) for t in trained}
        complements = tuple(
            (t.name, h, other.name)
            for t, h in pairs
            if (other := targets.complement_of(t, h, declared)) and ((other.name, h) in served or only)
        )
        runs = {version: run for version, asked in waiting.items() if (run := asked.result().run_id)}
        return TrainingReport(tuple(trained), complements, tuple(absent), runs)

    def _side_by_side(
        self,
        asked: Sequence[tuple[Target, int]],
        as_of: date,
        recipe: Recipe | None,
        wishes: TreeSettings | None = None,
    ) -> Iterator[Trained | Absent]:
        """The trainings in their order, as many at once as there are threads; what cannot be trained says why."""
        # Where all are learnt from, the customers of `as_of`, who are scored next, are built beside the others.
        scored = {as_of} if self.learning is self.source else set()
        self.snapshots.prepare(self._cutoffs(asked, as_of) | scored, self.settings.training.threads)

        def one(pair: tuple[Target, int]) -> Trained | Absent:
            target, horizon = pair
            try:
                return self.train(target, horizon, as_of, changed(recipe or self.recipe_for(target), wishes))
            except NotReadyError as error:
                return Absent(f"{target.name}, {horizon} days", error.message.rstrip("."), _needs(error))

        with ThreadPoolExecutor(self.settings.training.threads) as workers:
            yield from workers.map(one, asked)

    def _cutoffs(self, asked: Sequence[tuple[Target, int]], as_of: date) -> set[date]:
        """Every date that the trainings will look at, as far as it can be planned."""
        dates: set[date] = set()
        for target, horizon in asked:
            with suppress(NotReadyError):
                dates |= set(self.plan(target, horizon, as_of).closed)
        return dates

    def keep(self, trained: Trained, declared: Sequence[Target], who: str, promote: bool = True) -> None:
        """Writes the models of a training into the registry and promotes the one that is to serve; without `promote`
        only the candidate is kept."""
        complements = [
            self._complement(t, trained)
            for t in declared
            if (other := targets.complement_of(t, trained.horizon, declared)) and other.name == trained.target.name
        ]
        for made in filter(None, (trained.candidate, trained.serves if promote else None)):
            self._add(made, trained, complements)
        if trained.serves is not None and promote:
            version = trained.serves.model.version
            self.registry.promote(trained.target.name, trained.horizon, version, trained.why, who)

    def _complement(self, target: Target, trained: Trained) -> dict[str, object]:
        sample = self.snapshots.as_known(trained.as_of).sample(target, trained.horizon, trained.judged.protocol.judge)
        rate = float(sample.y.mean()) if sample.n else 1 - trained.model.base_rate
        return {"target": target.name, "population": target.population(trained.horizon), "base_rate": rate}

    def _directory(self, made: Made) -> Path:
        return self.registry.directory(made.model.target, made.model.horizon_days, made.model.version)

    def _add(self, made: Made, trained: Trained, complements: Sequence[dict[str, object]]) -> Path:
        prices = Prices.of(self.settings.value)

        def write(folder: Path) -> None:
            made.write(folder, trained.inputs)
            write_text(folder / COMPLEMENTS_FILE, json.dumps(list(complements), ensure_ascii=False, indent=1) + "\n")
            write_text(folder / cards.CARD_FILE, cards.markdown(trained, made, prices=prices))
            write_text(
                folder / cards.CARD_JSON,
                json.dumps(cards.card(trained, made, prices), ensure_ascii=False, indent=1) + "\n",
            )

        said = Judgement.of(trained.judged, trained.target, cards.shown(trained, made))
        said.write(self.registry.judged(made.model.version))
        return self.registry.add(trained.target.name, trained.horizon, made.model.version, write)


def _needs(error: RepriseError) -> str:
    """What an error's hint says is needed, as the end of a sentence."""
    text = (error.hint or "more data").rstrip(".")
    return text.removeprefix("It needs ").removeprefix("Needed: ")


def _who() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


def champions(workspace: Workspace) -> list[PropensityModel]:
    """The fitted models that serve now, sorted by target and horizon."""
    registry = Registry(workspace)
    folders = (registry.champion(target, horizon) for target, horizon in registry.names())
    return [PropensityModel.load(folder) for folder in folders if folder is not None]


def complements(workspace: Workspace, model: PropensityModel) -> list[dict[str, Any]]:
    """The targets answered by one minus a kept model: `target`, `population` and `base_rate` of each."""
    folder = Registry(workspace).directory(model.target, model.horizon_days, model.version)
    found: list[dict[str, Any]] = json.loads((folder / COMPLEMENTS_FILE).read_text(encoding="utf-8"))
    return found
