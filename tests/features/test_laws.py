"""Laws: the future is not seen, parts change nothing, one customer alone is what it is among all."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features import source as source_module
from features.building import build_features
from features.source import FramesSource
from tests.features.conftest import PartedSource, World, differences, make_world
from warehouse.clock import instant
from warehouse.contracts import CONTRACTS

SLOW = settings(max_examples=20, suppress_health_check=list(HealthCheck))
SEEDS = st.integers(0, 10_000)
USERS = 25


def _hidden(table: str, row: dict[str, Any], cutoff: datetime) -> bool:
    """Whether a row happened or was recorded at or after the cutoff."""
    moments = [row.get(CONTRACTS[table].happened or ""), row.get("recorded_at")]
    return any(moment is not None and moment >= cutoff for moment in moments)


def _altered(row: dict[str, Any], rng: np.random.Generator, cutoff: datetime) -> dict[str, Any]:
    """The row with other values; what happened or was recorded late still did."""
    changed = dict(row)
    for name, value in row.items():
        if isinstance(value, str) and name not in ("kind", "arm", "event"):
            changed[name] = (
                str(rng.choice([value, value + "x", "i1"])) if name != "user_id" else f"u{rng.integers(0, 30):03d}"
            )
        elif isinstance(value, float):
            changed[name] = value + float(rng.integers(1, 9))
        elif isinstance(value, datetime) and value >= cutoff:
            changed[name] = value + timedelta(days=int(rng.integers(0, 90)))
    return changed


def other_future(world: World, seed: int) -> World:
    """The same past: hidden rows are dropped, altered or doubled."""
    rng = np.random.default_rng(seed)
    cutoff = instant(world.as_of, world.zone)

    def again(table: str, rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        for row in rows:
            if not _hidden(table, row, cutoff):
                yield row
                continue
            fate = rng.integers(0, 3)
            if fate:
                yield _altered(row, rng, cutoff)
            if fate == 2:
                yield row

    return replace(world, rows={table: list(again(table, rows)) for table, rows in world.rows.items()})


def _leaks(seed: int) -> list[str]:
    world = make_world(seed, USERS)
    now = build_features(world.source(), world.as_of)
    other = build_features(other_future(world, seed + 1).source(), world.as_of)
    return differences(now, other)


@SLOW
@given(SEEDS)
def test_what_happened_or_was_recorded_later_changes_nothing(seed: int) -> None:
    assert _leaks(seed) == []


@pytest.mark.parametrize(
    "leak",
    [
        r"and recorded_at < timestamp '[^']+' and entity_id",
        r"\b(?:ordered_at|occurred_at|touched_at) < timestamp '[^']+' and",
        r"coalesce\(recorded_at < timestamp '[^']+', false\)",
        r"coalesce\(set_at < timestamp '[^']+', false\)",
    ],
)
def test_planted_leaks_are_caught(leak: str, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = source_module.visible_of

    def leaky(*arguments: Any) -> str:
        kept = "and entity_id" if leak.startswith("and") else "" if leak.endswith("and") else "true"
        return re.sub(leak, kept, honest(*arguments))

    monkeypatch.setattr(source_module, "visible_of", leaky)
    assert any(_leaks(seed) for seed in range(6))


@settings(SLOW, max_examples=4)
@given(SEEDS, st.integers(2, 7))
def test_the_number_of_parts_changes_nothing(seed: int, parts: int) -> None:
    world = make_world(seed, USERS)
    parted = PartedSource(world.frames(), world.zone)
    object.__setattr__(parted, "count", parts)
    assert differences(build_features(world.source(), world.as_of), build_features(parted, world.as_of)) == []


@settings(SLOW, max_examples=4)
@given(SEEDS)
def test_the_order_of_rows_changes_nothing(seed: int) -> None:
    world = make_world(seed, USERS)
    rng = np.random.default_rng(seed)
    mixed = {name: table.take(pa.array(rng.permutation(len(table)))) for name, table in world.frames().items()}
    assert (
        differences(
            build_features(world.source(), world.as_of), build_features(FramesSource(mixed, world.zone), world.as_of)
        )
        == []
    )


@settings(SLOW, max_examples=4)
@given(SEEDS)
def test_one_customer_alone_is_what_it_is_among_all(seed: int) -> None:
    world = make_world(seed, USERS)
    whole_source = world.source()
    whole = build_features(whole_source, world.as_of)
    population = whole_source.population_tables(world.as_of)
    for who in whole["entity_id"].to_pylist()[seed % 5 :: 14]:
        frames = {
            name: table if name == "items" else table.filter(pc.equal(table["entity_id"], who))
            for name, table in world.frames().items()
        }
        alone = build_features(FramesSource({**frames, **population}, world.zone), world.as_of)
        assert differences(whole.filter(pc.equal(whole["entity_id"], who)), alone, 1e-9) == []


@settings(SLOW, max_examples=3)
@given(SEEDS)
def test_numbers_are_finite_or_unknown(seed: int) -> None:
    world = make_world(seed, USERS)
    table = build_features(world.source(), world.as_of)
    for name in table.column_names[1:]:
        if table[name].type == pa.float64():
            assert pc.all(pc.is_finite(table[name])).as_py() is not False, name
    assert table["entity_id"].to_pylist() == sorted(set(table["entity_id"].to_pylist()))
