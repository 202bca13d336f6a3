"""What is run to build features: which staging, which families, which columns come out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa

from features.catalogue import Feature, available
from features.families import FAMILIES
from features.source import Source, chosen_staging
from features.statements import POPULATION, Statement, staging_for, statements
from warehouse.errors import NotReadyError, UsageError


@dataclass(frozen=True)
class Plan:
    """What is run for every part: staging, then families."""

    features: tuple[Feature, ...]
    staging: tuple[Statement, ...]
    families: tuple[Statement, ...]

    @property
    def populations(self) -> tuple[str, ...]:
        """The tables of the population that are read."""
        return tuple(sorted(POPULATION & frozenset[str]().union(*(s.reads for s in (*self.staging, *self.families)))))

    @property
    def schema(self) -> pa.Schema:
        kinds = {"number": pa.float64(), "category": pa.string()}
        return pa.schema([("entity_id", pa.string()), *((f.name, kinds[f.kind]) for f in self.features)])


def plan_for(source: Source, wanted: Iterable[str] | None = None) -> Plan:
    """What builds the features of a source; `wanted` leaves out the other families, the workspace's own among them."""
    names = [*(family.name for family in FAMILIES), *source.own.families]
    chosen = names if wanted is None else list(wanted)
    if unknown := sorted(set(chosen) - set(names)):
        raise UsageError(f'There is no feature family "{unknown[0]}".', hint=f"There are: {', '.join(names)}.")
    if not source.tables & {"orders", "events", "users", "labels"}:
        raise NotReadyError("There are no orders, events or users to count.", hint="Name their files in reprise.toml.")
    features = tuple(feature for feature in available(source.tables) if feature.family in chosen)
    used = {feature.family for feature in features}
    files = statements("families")
    features += tuple(feature for feature in source.own.features if feature.family in chosen)
    own = (file.statement for file in source.own.files if file.statement.name in chosen)
    families = (*(files[name] for name in names if name in used), *own)
    return Plan(features, tuple(staging_for(families, *chosen_staging(source))), families)


def typed(feature: Feature) -> str:
    """A feature as every table of features holds it: numbers as float64, categories as text."""
    return f"cast({feature.name} as {'string' if feature.kind == 'category' else 'double'}) as {feature.name}"
