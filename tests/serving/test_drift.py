"""The gate between the release that serves and the next one (F13)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.catalogue import by_name
from serving.complements import Key
from serving.drift import FEWEST, Drift, compare, stability_index
from serving.release import Release, ReleaseContents

KEY = ("repurchase", 90)
"""A rule."""
TREES = ("repurchase", 30)
Move = Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]


def test_stability_index_by_hand() -> None:
    """Two bins split at the median; half a row is added to each: shares 5.5 / 11 and 2.5 / 11 against 8.5 / 11."""
    before, after = np.arange(10.0), np.array([0.0] * 2 + [9.0] * 8)
    share = (2.5 / 11, 8.5 / 11)
    expected = sum((new - 0.5) * np.log(new / 0.5) for new in share)
    assert stability_index(before, after, bins=2) == pytest.approx(expected)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=200))
def test_the_same_scores_have_not_moved(values: list[float]) -> None:
    sample = np.array(values)
    assert stability_index(sample, sample) == pytest.approx(0, abs=1e-12)


def test_nothing_to_compare() -> None:
    assert stability_index(np.empty(0), np.ones(3)) == 0.0


def moved(contents: ReleaseContents, move: Move, key: Key = KEY, **changed: Any) -> ReleaseContents:
    """The contents with other probabilities of one target, and what else is changed."""
    of = pc.and_(pc.equal(contents.scores["target"], key[0]), pc.equal(contents.scores["horizon_days"], key[1]))
    mine = pc.and_(of, pc.is_valid(contents.scores["probability"]))
    values = contents.scores["probability"].to_numpy().copy()
    chosen = mine.to_numpy()
    values[chosen] = move(values[chosen])
    column = pa.array(values, pa.float64(), from_pandas=True)
    place = contents.scores.column_names.index("probability")
    return replace(contents, scores=contents.scores.set_column(place, "probability", column), **changed)


def flat(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.full_like(values, 0.2)


def far(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return values / 1000


def other(contents: ReleaseContents, key: Key = KEY) -> dict[Any, Any]:
    """The models, of which that one has a new version."""
    return {**contents.models, key: replace(contents.models[key], version="another")}  # type: ignore[type-var]


def test_the_same_again_is_no_drift(release: Release, contents: ReleaseContents) -> None:
    assert compare(release, contents) == Drift()


def test_everybody_alike_is_refused_of_trees_new_or_old(release: Release, contents: ReleaseContents) -> None:
    assert contents.models[TREES].kind == "lightgbm"
    for made in (moved(contents, flat, TREES), moved(contents, flat, TREES, models=other(contents, TREES))):
        [problem] = compare(release, made).problems
        assert "repurchase, 30 days is 0.200 for all" in str(problem)
        assert "expected different ones, as in r1" in str(problem)
        assert "reprise models rollback repurchase --horizon 30" in str(problem)


def test_everybody_alike_by_a_rule_is_told_and_stops_nothing(release: Release, contents: ReleaseContents) -> None:
    """A rule reads a column or two: all customers may well be alike in them."""
    assert contents.models[KEY].kind == "rule"
    for made in (moved(contents, flat), moved(contents, flat, models=other(contents))):
        found = compare(release, made)
        assert found.problems == ()
        [note] = found.notes
        assert note.startswith("repurchase, 90 days: the rule gives 0.200 for all ")
        assert note.endswith("unlike in r1")


def test_everybody_alike_as_before_or_too_few_to_tell(release: Release, contents: ReleaseContents) -> None:
    before = replace(release, scores=_scores(release, lambda values: np.full_like(values, 0.3)))
    assert not any("for all" in str(problem) for problem in compare(before, moved(contents, flat, TREES)).problems)
    few = replace(release, scores=_scores(release, lambda values: np.linspace(0, 1, FEWEST - 1)))
    made = moved(contents, lambda values: np.where(np.arange(values.size) < FEWEST - 1, 0.2, np.nan), TREES)
    assert not any("for all" in str(problem) for problem in compare(few, made).problems)


def _scores(release: Release, move: Move) -> Any:
    """The scores of a release with another reference of the trees."""
    moved_reference = np.sort(move(release.scores.reference[TREES]))
    return SimpleNamespace(reference={**release.scores.reference, TREES: moved_reference})


def test_a_far_shift_is_refused_under_the_same_model_only(release: Release, contents: ReleaseContents) -> None:
    [problem] = compare(release, moved(contents, far)).problems
    assert "the scores of repurchase, 90 days have moved by" in str(problem)
    assert "since r1 under the same model" in str(problem)
    assert compare(release, moved(contents, far, models=other(contents))) == Drift()


def test_a_far_shift_over_many_days_is_none(release: Release, contents: ReleaseContents) -> None:
    week = timedelta(days=contents.settings.training.retrain_every)
    assert compare(release, moved(contents, far, as_of=contents.as_of + week)).problems
    for days in (week + timedelta(days=1), -week - timedelta(days=1)):
        assert compare(release, moved(contents, far, as_of=contents.as_of + days)) == Drift()


def test_chance_is_allowed_for(release: Release, contents: ReleaseContents) -> None:
    """Few customers: even two samples of the same scores lie apart, the fewer the further."""
    draws = np.random.default_rng(3)
    assert all(
        compare(release, moved(contents, lambda values: draws.choice(values, values.size))) == Drift()
        for _ in range(40)
    )


def test_a_target_that_is_new_is_not_compared(release: Release, contents: ReleaseContents) -> None:
    before = {key: values for key, values in release.scores.reference.items() if key != KEY}

    assert compare(replace(release, scores=SimpleNamespace(reference=before)), moved(contents, flat)) == Drift()  # type: ignore[arg-type]


def _without(contents: ReleaseContents, names: tuple[str, ...], null: bool) -> ReleaseContents:
    features = contents.features
    for name in names:
        place = features.column_names.index(name)
        nothing = pa.nulls(features.num_rows, features.schema.field(name).type)
        features = features.set_column(place, name, nothing) if null else features.drop_columns([name])
    return replace(contents, features=features)


@pytest.mark.parametrize("null", [True, False])
def test_a_column_that_a_model_needs_may_not_be_lost(release: Release, contents: ReleaseContents, null: bool) -> None:
    needed = contents.models[KEY].columns
    found = compare(release, _without(contents, needed, null)).problems
    told = "features: days_since_last_order is known for nobody; expected known for some, as in r1"
    assert any(str(problem).startswith(told) for problem in found)


def test_nothing_in_a_window_is_no_loss(release: Release, contents: ReleaseContents) -> None:
    """A shop that was closed for a week: shares of that week are known for nobody. Columns that are gone are lost."""
    shares = tuple(
        name
        for name in contents.models["repurchase", 30].columns
        if (told := by_name()[name]).window_days is not None and told.absent is None
    )
    assert compare(release, _without(contents, shares, null=True)) == Drift()
    assert compare(release, _without(contents, shares, null=False)).problems


def test_a_column_that_no_model_needs_may_go(release: Release, contents: ReleaseContents) -> None:
    needed = {name for model in contents.models.values() if hasattr(model, "needed") for name in model.needed}
    spare = tuple(name for name in contents.features.column_names if name not in needed and name != "entity_id")
    assert spare
    assert compare(release, _without(contents, spare, null=True)) == Drift()
