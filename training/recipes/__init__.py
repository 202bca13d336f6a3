"""Named recipes: the settings of a fit, apart from its data. Champion and challenger are compared as recipes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from models.boosting import BoostingSettings
from training.recipes.default import DEFAULT_TREES
from warehouse.errors import UsageError
from warehouse.settings import TrainingSettings


@dataclass(frozen=True)
class Recipe:
    """How one kind of model is made: trees with their settings, or the simple rule of that name.

    `max_rows` bounds the rows of one fit: beyond it negatives are sampled, and calibration, which sees all rows,
    brings the level back. Two recipes are the same exactly when their JSON is equal; seed and threads are no part.
    """

    name: str
    trees: BoostingSettings | None = None
    rule: str | None = None
    max_rows: int = 1_000_000

    @property
    def kind(self) -> str:
        return "lightgbm" if self.trees is not None else "rule"

    def to_json(self) -> dict[str, Any]:
        """Plain values, from which `from_json` makes an equal recipe."""
        trees = asdict(self.trees) if self.trees is not None else None
        for personal in ("seed", "threads"):
            (trees or {}).pop(personal, None)
        return {"name": self.name, "trees": trees, "rule": self.rule, "max_rows": self.max_rows}

    @classmethod
    def from_json(cls, document: Mapping[str, Any], settings: TrainingSettings) -> Recipe:
        """What `to_json` wrote, with the seed and threads of this workspace."""
        trees = document["trees"]
        made = BoostingSettings(**trees, seed=settings.seed, threads=settings.threads) if trees is not None else None
        return cls(str(document["name"]), made, document["rule"], int(document["max_rows"]))


RECIPES: Mapping[str, BoostingSettings] = {"default": DEFAULT_TREES}


def recipe(settings: TrainingSettings, name: str = "default") -> Recipe:
    """The tree recipe of that name under these settings; `UsageError` where there is none."""
    if name not in RECIPES:
        raise UsageError(f'There is no recipe "{name}".', hint=f"There are: {', '.join(RECIPES)}.")
    return Recipe(name, replace(RECIPES[name], rounds=settings.rounds, seed=settings.seed, threads=settings.threads))


def rule_recipe(name: str) -> Recipe:
    """A simple rule as a recipe."""
    return Recipe(name, rule=name)
