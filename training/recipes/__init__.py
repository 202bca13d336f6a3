"""Named recipes: the settings of a fit, apart from its data. Champion and challenger are compared as recipes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from pydantic import ValidationError

from features.catalogue import Feature, available
from models.boosting import BoostingSettings
from training.recipes.default import DEFAULT_START, DEFAULT_TREES
from warehouse.errors import UsageError
from warehouse.settings import TrainingSettings, TreeSettings

OWN = "own"
"""The name of a recipe that somebody has changed."""


@dataclass(frozen=True)
class Recipe:
    """How one kind of model is made: trees with their settings and the features they read, or a simple rule.

    `start` names the simple rule that trees are grown on top of, if any.

    `max_rows` bounds the rows of one fit: beyond it negatives are sampled, and calibration, which sees all rows,
    brings the level back. Two recipes are the same exactly when their JSON is equal; seed and threads are no part.
    """

    name: str
    trees: BoostingSettings | None = None
    features: tuple[str, ...] = ()
    rule: str | None = None
    start: str | None = None
    max_rows: int = 100_000

    def to_json(self) -> dict[str, Any]:
        """Plain values, from which `from_json` makes an equal recipe."""
        trees = asdict(self.trees) if self.trees is not None else None
        for personal in ("seed", "threads"):
            (trees or {}).pop(personal, None)
        return {
            "name": self.name,
            "trees": trees,
            "features": list(self.features),
            "rule": self.rule,
            "start": self.start,
            "max_rows": self.max_rows,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any], settings: TrainingSettings) -> Recipe:
        """What `to_json` wrote, with the seed and threads of this workspace."""
        trees = document["trees"]
        made = BoostingSettings(**trees, seed=settings.seed, threads=settings.threads) if trees is not None else None
        return cls(
            str(document["name"]),
            made,
            tuple(document["features"]),
            document["rule"],
            document["start"],
            int(document["max_rows"]),
        )

    def same_as(self, other: Recipe | None) -> bool:
        """Whether both would give the same model on the same data and seed."""
        return other is not None and self.to_json() == other.to_json()


RECIPES: Mapping[str, tuple[BoostingSettings, str | None]] = {"default": (DEFAULT_TREES, DEFAULT_START)}


def tree_recipe(
    settings: TrainingSettings, tables: Collection[str], name: str = "default", own: Sequence[Feature] = ()
) -> Recipe:
    """The tree recipe of that name, reading every feature these tables give, and those of the workspace's
    own, but segments, families that are not modelled, protected and excluded ones.

    `UsageError` where there is no recipe of that name.
    """
    if name not in RECIPES:
        raise UsageError(f'There is no recipe "{name}".', hint=f"There are: {', '.join(RECIPES)}.")
    named, start = RECIPES[name]
    trees = replace(named, rounds=settings.rounds, seed=settings.seed, threads=settings.threads)
    columns = tuple(
        feature.name
        for feature in (*available(tables), *own)
        if feature.modelled
        and not feature.is_segment
        and feature.family not in settings.exclude_families
        and (settings.use_protected or not feature.protected)
    )
    return Recipe(name, trees, columns, start=start, max_rows=settings.max_rows)


def changed(recipe: Recipe, wishes: TreeSettings | None) -> Recipe:
    """The recipe with the settings that are said; under the name "own" where that makes it another one."""
    said = wishes.model_dump(exclude_none=True) if wishes is not None else {}
    start = said.pop("start", recipe.start)
    assert recipe.trees is not None
    made = replace(recipe, trees=replace(recipe.trees, **said), start=None if start == "none" else start)
    return recipe if made.same_as(recipe) else replace(made, name=OWN)


def tree_settings(said: Mapping[str, Any]) -> TreeSettings:
    """Settings of trees from what somebody typed; `UsageError` says which key or value is wrong, and what there is."""
    try:
        return TreeSettings.model_validate(dict(said))
    except ValidationError as error:
        wrong = error.errors()[0]
        key = ".".join(str(part) for part in wrong["loc"])
        raise UsageError(
            f"{key} = {said.get(key)!r} is no setting of trees: {wrong['msg'].lower()}.",
            hint=f"There are: {', '.join(TreeSettings.model_fields)}.",
        ) from error


def rule_recipe(name: str) -> Recipe:
    """A simple rule as a recipe."""
    return Recipe(name, rule=name)
