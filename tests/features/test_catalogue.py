"""The catalogue says what is built, and the page of it is current."""

from __future__ import annotations

import re

import pyarrow as pa

from features.building import build_features
from features.catalogue import DOCUMENT, FEATURES, available, by_name, families_of, markdown, modelled_families
from features.families import FAMILIES
from features.statements import statements
from tests.features.conftest import make_world


def test_there_are_at_least_sixty_when_the_windows_of_one_count_are_one() -> None:
    assert len({re.sub(r"_(\d+d|lifetime)$", "", feature.name) for feature in FEATURES}) >= 60


def test_names_are_unique_and_every_meaning_is_told_in_both_languages() -> None:
    assert len(by_name()) == len(FEATURES)
    for feature in FEATURES:
        assert feature.en and feature.zh and "{" not in feature.en + feature.zh, feature  # noqa: PT018
        assert (feature.unit is None) == (feature.kind == "category"), feature


def test_a_window_in_the_name_is_the_window_of_the_feature() -> None:
    for feature in FEATURES:
        found = re.search(r"_(\d+)d$", feature.name)
        assert (int(found[1]) if found else None) == feature.window_days, feature


def test_every_family_has_one_file_that_lists_exactly_its_features() -> None:
    files = statements("families")
    assert set(files) == {family.name for family in FAMILIES}
    for family in FAMILIES:
        listed = set(files[family.name].outputs) - {"entity_id"}
        assert listed == {feature.name for feature in FEATURES if feature.family == family.name}, family.name


def test_the_page_is_current() -> None:
    assert DOCUMENT.read_text("utf-8") == markdown(), "run `python -m features.catalogue`"


def test_the_table_holds_what_is_available_with_the_kinds_of_the_catalogue() -> None:
    world = make_world(3, 8)
    for left_out in ((), ("events",), ("orders",), ("items", "tags"), ("users", "contacts")):
        frames = {name: table for name, table in world.frames().items() if name not in left_out}
        table = build_features(type(world.source())(frames, world.zone), world.as_of)
        promised = available(frames)
        assert table.column_names == ["entity_id", *(feature.name for feature in promised)]
        for feature in promised:
            assert table[feature.name].type == (pa.float64() if feature.kind == "number" else pa.string())


def test_only_gender_and_birth_year_are_protected() -> None:
    assert {feature.name for feature in FEATURES if feature.protected} == {"gender", "birth_year"}


def test_families_are_found_by_what_they_hold() -> None:
    assert families_of(["amount_90d", "nothing", "days_since_last_order", "amount_7d"]) == ("recency", "money")
    assert set(modelled_families()) == {feature.family for feature in FEATURES if feature.modelled}
