"""The benchmark of recommenders: settings that are said reach the models they are said of."""

from __future__ import annotations

import pytest

from benchmarks.recommenders import said_settings
from models import recommenders
from warehouse.errors import UsageError


def test_settings_are_of_the_kind_of_their_defaults() -> None:
    said = said_settings(
        ["two_stage.trees=300", "two_stage.candidates=bm25,als", "als.alpha=3", 'two_stage.fits={"a":1}']
    )
    assert said == {"two_stage": {"trees": 300, "candidates": "bm25,als", "fits": '{"a":1}'}, "als": {"alpha": 3.0}}
    assert recommenders.create("two_stage", said["two_stage"]).settings()["trees"] == 300


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("als.alhpa=3", '"als.alhpa=3" sets nothing'),
        ("als", '"als" sets nothing'),
        ("als.factors=many", "factors of als is a number, 64 by default"),
        ("asl.alpha=3", 'There is no recommender "asl"'),
    ],
)
def test_what_sets_nothing_is_told(text: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        said_settings([text])
