"""Places given by chance: what is drawn, how often, and that the recorded chance is the real one."""

from __future__ import annotations

from collections import Counter
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.exploring import drawn
from pipeline.exposures import BESIDE, _origins
from serving.fallbacks import suggestion_id
from serving.schemas import EXPLORED, SUGGESTIONS
from warehouse.errors import SettingsError
from warehouse.recommender_settings import ExploreSettings
from warehouse.settings import parse_settings
from warehouse.workspace import Workspace


def lists(lengths: list[int]) -> pa.Table:
    """A list of so many items for each user."""
    rows = [(f"u{user}", rank, f"i{rank:02}") for user, length in enumerate(lengths) for rank in range(1, length + 1)]
    users, ranks, items = zip(*rows, strict=True) if rows else ((), (), ())
    return pa.table({"user_id": pa.array(users, pa.string()), "rank": pa.array(ranks, pa.int32()),
                     "item_id": pa.array(items, pa.string())})  # fmt: skip


@settings(max_examples=12, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 14), max_size=6),
    places=st.integers(1, 3),
    more=st.integers(1, 8),
    fixed=st.integers(3, 6),
)
def test_the_first_places_stay_and_the_last_are_of_the_next_candidates(
    lengths: list[int], places: int, more: int, fixed: int
) -> None:
    asked, k = ExploreSettings(places=places, among=places + more), fixed + places
    found = lists([min(length, k + asked.deeper) for length in lengths])
    told = drawn(found, "r1", asked, k)
    for user, length in enumerate(lengths):
        mine = [row for row in told.to_pylist() if row["user_id"] == f"u{user}"]
        assert [row["rank"] for row in mine] == list(range(1, min(length, k) + 1))
        assert [row["item_id"] for row in mine] == sorted({row["item_id"] for row in mine})
        assert [row["item_id"] for row in mine[:fixed]] == [f"i{rank:02}" for rank in range(1, min(length, fixed) + 1)]
        candidates = min(max(length - fixed, 0), asked.among)
        chances = [1.0] * min(length, fixed) + [min(places / max(candidates, 1), 1.0)] * min(candidates, places)
        assert [row["propensity"] for row in mine] == pytest.approx(chances)
    alone = found.filter(pa.compute.equal(found["user_id"], "u1"))
    assert drawn(alone, "r1", asked, k).to_pylist() == [row for row in told.to_pylist() if row["user_id"] == "u1"]


def test_every_candidate_comes_as_often_as_its_propensity_says() -> None:
    """4,000 lists of two releases: of each candidate a share within four standard errors, and anew in each release."""
    asked, n = ExploreSettings(places=2, among=8), 4000
    found = lists([16] * n)
    first, second = (drawn(found, release, asked, 10) for release in ("r1", "r2"))
    for told in (first, second):
        counted = Counter(told["item_id"].to_pylist())
        assert {counted[f"i{rank:02}"] for rank in range(1, 9)} == {n}
        shares = np.array([counted[f"i{rank:02}"] / n for rank in range(9, 17)])
        assert np.abs(shares - 2 / 8).max() < 4 * (0.25 * 0.75 / n) ** 0.5
    last = [
        set(told.filter(pa.compute.greater(told["rank"], 8))["item_id"].to_pylist()[:400]) for told in (first, second)
    ]
    assert len(last[0]) == len(last[1]) == 8
    both = zip(*(told["item_id"].to_pylist() for told in (first, second)), strict=True)
    assert np.mean([a == b for a, b in both]) < 0.9


def test_what_may_be_asked_for() -> None:
    assert "explore" not in parse_settings("").model_dump()["recommend"]
    told = parse_settings("[recommend.explore]\nplaces = 2\n").recommend
    assert told.explore is not None
    assert (told.explore.among, told.explore.deeper, told.fits()) == (20, 18, {})
    for text, words in (
        ("[recommend.explore]\nplaces = 20\n", "an among that is larger than places"),
        ("[recommend]\nk = 3\n[recommend.explore]\nplaces = 2\n", "at most half of k"),
        ("[recommend]\nnew_items = 1\n[recommend.explore]\nplaces = 2\n", "explore without new_items"),
    ):
        with pytest.raises(SettingsError, match=words):
            parse_settings(text)


def test_what_was_shown_finds_its_propensity_in_the_release_it_is_of(tmp_path: Path) -> None:
    """By `suggestion_id`; of a release without drawn places, of what was answered beside the list, and of an unknown id
    it is 1."""
    told = [("r1", "u0", "i01"), ("r1", "u0", "i09"), ("r0", "u1", "i02"), ("r1", "u1", "other")]
    _, users, items = zip(*told, strict=True)
    shown = pa.table({"user_id": users, "item_id": items, "suggestion_id": [suggestion_id(*each) for each in told]})
    for release, schema in (("r0", SUGGESTIONS), ("r1", EXPLORED)):
        rows = [
            {"user_id": user, "item_id": item, "suggestion_id": suggestion_id(release, user, item), "source": "similar",
             "propensity": chance, "as_of": date(2024, 6, 1), "model_version": "als-1"}
            for user, item, chance in (("u0", "i01", 1.0), ("u0", "i09", 0.05), ("u1", "i02", 0.25))
        ]  # fmt: skip
        (tmp_path / "releases" / release).mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(rows, schema), tmp_path / "releases" / release / "suggestions.parquet")
    found = _origins(Workspace(tmp_path, parse_settings("")), shown)
    assert found.propensity.tolist() == [1.0, 0.05, 1.0, 1.0]
    assert found.source.tolist() == ["similar", "similar", "similar", BESIDE]
