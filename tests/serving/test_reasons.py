"""Reasons in plain words: no raw feature name, both languages, rules too, and the numbers add up."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest

from features.catalogue import FEATURES
from serving.reasons import TOP, explain
from serving.release import Release
from warehouse.errors import UsageError


@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_raw_feature_name_appears(release: Release, language: Literal["en", "zh"]) -> None:
    raw = {feature.name for feature in FEATURES if "_" in feature.name}
    for user in ("007", "u003", "u005", "u010", "u011", "u020"):
        for explained in explain(release, user, language):
            text = " ".join(explained.sentences)
            assert not [name for name in raw if name in text]
            assert "_" not in text
            assert any("\u4e00" <= letter <= "\u9fff" for letter in text) == (language == "zh")


def test_at_most_three_up_and_three_down_strongest_first(release: Release) -> None:
    seen = 0
    for user in release.features(["entity_id"])["entity_id"].to_pylist()[:30]:
        for explained in explain(release, user):
            up = [reason.log_odds for reason in explained.reasons if reason.raises]
            down = [reason.log_odds for reason in explained.reasons if not reason.raises]
            assert len(up) <= TOP
            assert len(down) <= TOP
            assert up == sorted(up, reverse=True)
            assert down == sorted(down)
            assert all(weight > 0 for weight in up)
            assert all(weight < 0 for weight in down)
            assert (explained.probability is None) == (explained.state is not None)
            assert explained.probability is not None or not explained.reasons
            seen += len(up) + len(down)
    assert seen > 50


def test_churn_is_told_with_the_signs_of_repurchase_turned(release: Release) -> None:
    for user in release.features(["entity_id"])["entity_id"].to_pylist():
        told = {(each.target, each.horizon_days): each for each in explain(release, user)}
        churn, repurchase = told[("churn", 30)], told[("repurchase", 30)]
        if churn.reasons and repurchase.reasons:
            assert {(r.text, r.log_odds) for r in churn.reasons} == {(r.text, -r.log_odds) for r in repurchase.reasons}
            return
    raise AssertionError("nobody is in both populations")


def test_a_rule_is_told_by_what_it_reads(release: Release) -> None:
    explained = next(each for each in explain(release, "u005", "en") if each.horizon_days == 90)
    days = release.features_of("u005")["days_since_last_order"][0].as_py()
    assert explained.reasons[0].text == f"days since the last order: {days:.0f} days"


def test_contributions_add_up_to_the_probability(release: Release) -> None:
    row, model = release.features_of("u005"), release.models[("repurchase", 30)]
    _, contributions, start = model.contributions(row)  # type: ignore[union-attr]
    odds = np.exp(start + contributions.sum(axis=1))
    assert np.allclose(odds / (1 + odds), model.predict(row), atol=1e-9)


def test_an_unknown_user(release: Release) -> None:
    with pytest.raises(UsageError, match="does not know this user"):
        explain(release, "nobody")


def test_a_rule_lowers_what_is_below_the_average_and_raises_what_is_above(release: Release) -> None:
    seen = set()
    for user in release.features(["entity_id"])["entity_id"].to_pylist():
        for explained in explain(release, user):
            model = release.models[(explained.target, explained.horizon_days)]
            if model.kind == "rule" and explained.probability is not None:
                (reason,) = explained.reasons
                assert reason.raises == (explained.probability > model.base_rate)
                seen.add(reason.raises)
    assert seen == {True, False}
