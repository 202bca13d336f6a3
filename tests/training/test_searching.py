"""The search among the settings that a model names, and the users it is judged by."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest

from models import recommenders
from models.recommenders.bm25 import BM25
from models.recommenders.graph_filter import GraphFilter
from models.recommenders.interactions import Interactions
from tests.models.conftest import AS_OF, DAY, days_table
from training.benchmarks.measures import sampled
from training.benchmarks.searching import searched, worth_trying
from training.evaluation.recommendation import TestItems


class Bowl(GraphFilter):
    """Needs no data: only its settings count."""

    published: ClassVar = ({"alpha": 0.3},)
    alternatives: ClassVar = {"alpha": (0.1, 0.5), "user": (0.6, 1.0)}

    def varied(self, **settings: Any) -> Bowl:
        return Bowl(**{**self.settings(), **settings})


def test_it_begins_at_the_best_of_what_was_published_and_moves_one_setting_at_a_time() -> None:
    tried = list(searched(Bowl(), lambda model: -abs(model.alpha - 0.5) - abs(model.user - 1.0), Bowl.alternatives))
    settings = [(found["alpha"], found["user"]) for _, found in tried]
    # the model's own, the published, the better alpha, both users beside it, the other alpha; nothing is judged twice
    assert settings == [(0.1, 0.8), (0.3, 0.8), (0.5, 0.8), (0.5, 0.6), (0.5, 1.0), (0.1, 1.0)]
    assert max(tried, key=lambda each: each[0])[1]["alpha"] == 0.5


def test_some_users_of_a_test_keep_what_they_took() -> None:
    keys = np.array([0, 3, 4, 9, 10])  # users 0, 0, 1, 2, 2 of a catalogue of four
    counts = {part: np.array([2.0, 1, 2]) for part in ("both", "repeat", "explore")}
    test = TestItems(np.array([5, -1, 7]), keys, np.array([True, False, False, True, False]), counts, 1)
    assert sampled(test, 4, 3, 1) is test
    some = sampled(test, 4, 2, 1)
    whole = {int(row): [key % 4 for key in keys if key // 4 == place] for place, row in enumerate(test.user_rows)}
    for place, row in enumerate(some.user_rows):
        assert [key % 4 for key in some.keys if key // 4 == place] == whole[int(row)]
    assert some.unknown_users == int((some.user_rows < 0).sum())
    assert len(some) == 2


@pytest.mark.parametrize(("days", "tried"), [(200, False), (300, True)])
def test_where_days_span_years_no_fading_is_worth_a_try(days: int, tried: bool) -> None:
    held = Interactions.from_table(days_table([("ann", "tea", DAY - days), ("ben", "tea", DAY - 1)]), AS_OF)
    for name in ("bm25", "graph_filter", "als"):
        model = recommenders.create(name)
        assert ("half_life_days" in worth_trying(model, held)) == tried
        assert "half_life_days" not in worth_trying(recommenders.create(name, {"half_life_days": 0.0}), held)
    assert worth_trying(recommenders.create("gp_topfreq"), held) == {}
    # so that whoever chooses by what is held out finds that all of it counts
    found = list(searched(BM25().fit(held), lambda model: -model.half_life_days, worth_trying(BM25(), held)))
    assert min(settings["half_life_days"] for _, settings in found) == (0.0 if tried else 60.0)
