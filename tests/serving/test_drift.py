"""The gate between an old and a new release (F13)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.drift import LARGE, lost_features, shifts, stability_index
from serving.release import Release, ReleaseContents, open_release, write_release
from serving.scoring import score


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


def test_a_constant_model_is_suspicious(tmp_path: Path, release: Release, contents: ReleaseContents) -> None:
    key = ("repurchase", 90)
    model = contents.models[key]
    flat = replace(model, rule=replace(model.rule, logistic=replace(model.rule.logistic, slope=0.0)))  # type: ignore[union-attr,type-var,arg-type]
    models = {**contents.models, key: flat}
    scores = score(models, contents.features, as_of=contents.as_of, release="r2")
    write_release(tmp_path / "r2", replace(contents, release="r2", models=models, scores=scores))
    found = {(s.target, s.horizon_days): s for s in shifts(release, open_release(tmp_path / "r2", canary=False))}
    assert found[key].constant
    assert found[key].suspicious
    assert not found[("repurchase", 30)].suspicious
    assert found[("repurchase", 30)].stability_index == pytest.approx(0, abs=1e-12)
    assert found[key].stability_index > LARGE or found[key].constant


def test_lost_features(release: Release) -> None:
    fewer = {**release.models, ("repurchase", 30): release.models[("repurchase", 90)]}
    lost = lost_features(release, replace(release, models=fewer))
    assert list(lost) == [("repurchase", 30)]
    assert "order_count_lifetime" in lost[("repurchase", 30)]
