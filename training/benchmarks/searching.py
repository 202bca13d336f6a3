"""Which of the settings that a model names as worth trying do best on what is held out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from models.recommenders.interactions import Interactions
from models.recommenders.recommender import Recommender

ROUNDS = 3


LONG = 4
"""Half-lives that data must span before it is worth a try not to let it fade at all."""


def worth_trying(model: Recommender, interactions: Interactions) -> dict[str, Sequence[Any]]:
    """Per setting what `searched` is to try: what the model names, and no fading where days span many half-lives."""
    half_life = model.settings().get("half_life_days", 0.0)
    days = interactions.days
    long = half_life > 0 and len(days) > 0 and int(days.max()) - int(days.min()) > LONG * half_life
    return {**({"half_life_days": (0.0,)} if long else {}), **model.alternatives}


def searched(
    model: Recommender, value: Callable[[Recommender], float], alternatives: Mapping[str, Sequence[Any]]
) -> Iterator[tuple[float, dict[str, Any]]]:
    """(value, settings) of one fitted variant of `model` after another, the model's own first; each is judged once.

    From the best of what was published, one setting at a time goes through its alternatives and stays at the best,
    until a round over all settings changes nothing.
    """
    seen: dict[str, float] = {}
    best, reached = model, -1.0
    for settings in ({}, *model.published):
        other = model.varied(**settings)
        seen[str(other.settings())] = found = value(other)
        yield found, other.settings()
        best, reached = (other, found) if found > reached else (best, reached)
    for _ in range(ROUNDS):
        before = reached
        for name, values in alternatives.items():
            for each in values:
                settings = {**best.settings(), name: each}
                if str(settings) in seen:
                    continue
                other = best.varied(**settings)
                seen[str(settings)] = found = value(other)
                yield found, settings
                best, reached = (other, found) if found > reached else (best, reached)
        if reached == before:
            return
