"""Questions about the future, declared and not coded: who is asked about, what may happen, how far ahead.

The built-in targets follow from what the tables hold; a workspace may change them or declare its own in
`[targets.NAME]`. Each (target, horizon) becomes one model.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Literal

from warehouse.errors import SettingsError
from warehouse.settings import LABEL_HORIZON, Settings, TargetSettings

Outcome = Literal["sale", "no_sale", "act", "no_act", "labels"]
DEFAULT_HORIZONS = (30, 90)
EVENT_HORIZONS = (90, 30, 14, 7)
REPURCHASE, CHURN, SECOND_ORDER, WIN_BACK = BUILT_IN = ("repurchase", "churn", "second_order", "win_back")


@dataclass(frozen=True)
class Target:
    """One question. `population` is a rule over features in which `{A}` stands for the activity window in days.

    `settings` narrows the outcome (items, categories, channels, least amount). `complements` names the target whose
    probability p answers this one by 1 − p on this one's own population, at the horizons both have: then nothing is
    trained, and outside the population the state is `already inactive`.
    """

    name: str
    population_rule: str
    outcome: Outcome
    horizons: tuple[int, ...]
    settings: TargetSettings = field(default_factory=lambda: TargetSettings.model_validate({}))
    complements: str | None = None

    def activity_days(self, horizon: int) -> int:
        """A, the days in which an act makes somebody active; twice the horizon unless declared."""
        return self.settings.activity_days or 2 * horizon

    def population(self, horizon: int) -> str:
        """The rule, over features as of a date, of those the question is asked about."""
        return self.population_rule.replace("{A}", str(self.activity_days(horizon)))

    @property
    def counted(self) -> Literal["sale", "act"]:
        """What is looked for in the window: sales, or acts; means nothing where the labels table says the outcome."""
        return "act" if self.outcome in ("act", "no_act") else "sale"

    @property
    def of_labels(self) -> bool:
        """Whether the labels table says who y = 1 was."""
        return self.outcome == "labels"

    @property
    def positive_when_absent(self) -> bool:
        """True where y = 1 means that nothing happened (churn)."""
        return self.outcome in ("no_sale", "no_act")


@dataclass(frozen=True)
class Absent:
    """Something the data could not give: what, why, and what it needs. Goes into the release's manifest."""

    what: str
    why: str
    needs: str

    def __str__(self) -> str:
        return f"{self.what}: {self.why}. It needs {self.needs}."


def event_horizon(days_of_data: int) -> int:
    """The horizon where there are only events: the largest of 7, 14, 30, 90 days with data of four times its length."""
    return next((horizon for horizon in EVENT_HORIZONS if days_of_data >= 4 * horizon), EVENT_HORIZONS[-1])


def _built_in(settings: Settings, tables: Collection[str], days_of_data: int) -> list[Target]:
    """The default targets for these tables, before the workspace's own wishes."""
    if "orders" in tables:
        acts_are_sales = settings.activity.acts == "sales"
        return [
            Target(REPURCHASE, "order_count_lifetime >= 1", "sale", DEFAULT_HORIZONS),
            Target(
                CHURN,
                "days_since_last_act <= {A}",
                "no_sale" if acts_are_sales else "no_act",
                DEFAULT_HORIZONS,
                complements=REPURCHASE if acts_are_sales else None,
            ),
            Target(SECOND_ORDER, "order_count_lifetime = 1", "sale", DEFAULT_HORIZONS),
            Target(WIN_BACK, "days_since_last_act > {A}", "sale", DEFAULT_HORIZONS),
        ]
    if "events" in tables:
        horizons = (event_horizon(days_of_data),)
        return [
            Target(CHURN, "days_since_last_act <= {A}", "no_act", horizons),
            Target(WIN_BACK, "days_since_last_act > {A}", "act", horizons),
        ]
    return []


def _narrowed(outcome: TargetSettings) -> bool:
    """Whether only some sales count."""
    return bool(outcome.items or outcome.categories or outcome.channels or outcome.min_amount)


def _with_wishes(target: Target, wishes: TargetSettings) -> Target:
    """A built-in target with the keys the workspace names; a changed question is trained for itself."""
    changed = wishes.population is not None or wishes.outcome is not None or _narrowed(wishes)
    return replace(
        target,
        population_rule=wishes.population or target.population_rule,
        outcome=wishes.outcome or target.outcome,
        horizons=wishes.horizons or target.horizons,
        settings=wishes,
        complements=None if changed else target.complements,
    )


def _own(name: str, wishes: TargetSettings, tables: Collection[str], days_of_data: int) -> Target:
    """A target of the workspace's own; what it does not say is as for repurchase (or, with events only, activity)."""
    sales = "orders" in tables
    return Target(
        name,
        wishes.population or ("order_count_lifetime >= 1" if sales else "act_day_count_lifetime >= 1"),
        wishes.outcome or ("sale" if sales else "act"),
        wishes.horizons or (DEFAULT_HORIZONS if sales else (event_horizon(days_of_data),)),
        wishes,
    )


def _of_labels(name: str, wishes: TargetSettings) -> Target:
    """A target whose outcome is in the labels table: asked of everyone unless a population is declared."""
    return Target(name, wishes.population or "everyone", "labels", wishes.horizons or (LABEL_HORIZON,), wishes)


def declared(
    settings: Settings, tables: Collection[str], days_of_data: int = 0, labelled: Collection[str] = ()
) -> list[Target]:
    """All targets of a workspace: the built-in ones its tables allow, changed as declared, then its own, then those
    of the labels table, whose names are `labelled`.

    `tables` are the names of the tables that have rows; `days_of_data` the local days from the first accepted row to
    the cutoff, which decides the horizon where there are only events. A horizon whose label cannot exist is still
    listed: planning it says why not. `SettingsError` where a target asks for sales and there are no orders.
    """
    wishes = settings.targets
    possible = {target.name: target for target in _built_in(settings, tables, days_of_data)}
    by_labels = _by_labels(settings, labelled, possible)
    built_in = {name: target for name, target in possible.items() if name not in by_labels}
    if clash := sorted(set(labelled) & built_in.keys()):
        raise SettingsError(
            f'The labels speak of "{clash[0]}", which is also the name of a built-in target.',
            hint=f'Rename it in the file, or take its place: [targets.{clash[0]}] outcome = "labels".',
        )
    targets = [_with_wishes(t, wishes[t.name]) if t.name in wishes else t for t in built_in.values()]
    targets += [
        _own(name, asked, tables, days_of_data) for name, asked in wishes.items() if name not in {*built_in, *by_labels}
    ]
    targets += [_of_labels(name, wishes.get(name, TargetSettings.model_validate({}))) for name in by_labels]
    targets = [_served_by_complement(target, targets) for target in targets]
    for target in targets:
        if not target.of_labels and target.counted == "sale" and "orders" not in tables:
            raise SettingsError(
                f'The target "{target.name}" asks for sales, but there are no orders.',
                hint='Add orders, or write outcome = "act" (or "no_act") in its section.',
            )
    return targets


def _by_labels(settings: Settings, labelled: Collection[str], built_in: Collection[str]) -> list[str]:
    """The targets that the labels table answers: those it speaks of, unless a built-in one has the name; and those
    declared so. `SettingsError` for one of which it says nothing."""
    asked = [name for name, told in settings.targets.items() if told.outcome == "labels"]
    if silent := [name for name in asked if name not in labelled]:
        raise SettingsError(
            f'The target "{silent[0]}" has outcome = "labels", but the labels say nothing of it.',
            hint=f"They speak of: {', '.join(sorted(labelled)) or 'nothing'}; the column target holds its name.",
        )
    other = [name for name, told in settings.targets.items() if told.outcome not in (None, "labels")]
    return [*asked, *(n for n in sorted(labelled) if n not in {*asked, *other, *built_in})]


def _served_by_complement(target: Target, targets: Collection[Target]) -> Target:
    """Keeps `complements` only where the other target is the plain question about the same sales."""
    other = next((t for t in targets if t.name == target.complements), None)
    plain = other is not None and other.population_rule == "order_count_lifetime >= 1" and other.outcome == "sale"
    if other is None or not plain or _narrowed(other.settings):
        return replace(target, complements=None)
    return target


def complement_of(target: Target, horizon: int, targets: Collection[Target]) -> Target | None:
    """The target whose model answers `target` at this horizon by 1 − p; None where it is trained for itself."""
    return next((t for t in targets if t.name == target.complements and horizon in t.horizons), None)


def unavailable(tables: Collection[str]) -> list[Absent]:
    """The built-in targets these tables cannot give, for `absent`."""
    if "orders" in tables:
        return []
    names = (REPURCHASE, SECOND_ORDER) if "events" in tables else (REPURCHASE, CHURN, SECOND_ORDER, WIN_BACK)
    return [Absent(name, "there are no orders", "the table orders") for name in names]
