"""The search among the settings that a model names, and the users it is judged by."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from models.recommenders.graph_filter import GraphFilter
from training.benchmarks.measures import sampled
from training.benchmarks.searching import searched
from training.evaluation.recommendation import TestItems


class Bowl(GraphFilter):
    """Needs no data: only its settings count."""

    published: ClassVar = ({"alpha": 0.3},)
    alternatives: ClassVar = {"alpha": (0.1, 0.5), "user": (0.6, 1.0)}

    def varied(self, **settings: Any) -> Bowl:
        return Bowl(**{**self.settings(), **settings})


def test_it_begins_at_the_best_of_what_was_published_and_moves_one_setting_at_a_time() -> None:
    tried = list(searched(Bowl(), lambda model: -abs(model.alpha - 0.5) - abs(model.user - 1.0)))
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
