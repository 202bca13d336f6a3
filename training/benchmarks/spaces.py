"""Which settings of a model are searched, and between what: for the benchmark as for `reprise tune recommend`."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import signature

from models import recommenders
from training.recommender_tuning import SPACE
from training.studies import Choice, Dimension, Numbers, Setting, Space

_DAYS = Numbers(7, 2000, log=True)
FURTHER: Mapping[str, Dimension] = {
    "popularity.half_life_days": _DAYS,
    "personal_decay.half_life_days": _DAYS,
    "tifu_knn.neighbours": Numbers(20, 900, log=True, whole=True),
    "tifu_knn.groups": Numbers(2, 24, log=True, whole=True),
    "tifu_knn.within_decay": Numbers(0.5, 1),
    "tifu_knn.group_decay": Numbers(0.2, 1),
    "tifu_knn.alpha": Numbers(0, 1),
    "next_purchase.days": Numbers(1, 90, log=True, whole=True),
    "next_purchase.shrinkage": Numbers(1, 1000, log=True),
    "next_purchase.half_life_days": _DAYS,
    "als.half_life_days": _DAYS,
    "bpr.factors": Numbers(16, 128, log=True, whole=True),
    "bpr.learning_rate": Numbers(0.01, 0.2, log=True),
    "bpr.regularization": Numbers(0.001, 0.1, log=True),
    "bpr.repeat": Numbers(0.01, 10, log=True),
    "bpr.half_life_days": _DAYS,
    "bm25.half_life_days": _DAYS,
    "ease.regularization": Numbers(1, 5000, log=True),
    "ease.repeat": Numbers(0.01, 10, log=True),
    "ease.half_life_days": _DAYS,
    "graph_filter.factors": Numbers(32, 512, log=True, whole=True),
    "graph_filter.alpha": Numbers(0, 1),
    "graph_filter.history": Numbers(0, 1),
    "graph_filter.user": Numbers(0, 1.5),
    "graph_filter.item": Numbers(0, 1),
    "graph_filter.half_life_days": _DAYS,
}
"""Settings that have no key in reprise.toml."""


def defaults_of(model: str) -> dict[str, Setting]:
    """The settings that are searched, as they are when nothing is said."""
    held = signature(type(recommenders.create(model))).parameters
    return {"model": model, **{name: held[name.split(".")[1]].default for name in _searched(model)}}


def space_of(model: str) -> Space:
    """The dimensions of the settings of a model."""
    return {"model": Choice((model,)), **_searched(model)}


def has_settings(model: str) -> bool:
    """Whether there is anything to search."""
    return bool(_searched(model))


def _searched(model: str) -> dict[str, Dimension]:
    held = signature(type(recommenders.create(model))).parameters
    both = {**SPACE, **FURTHER}
    return {n: each for n, each in both.items() if n.split(".")[0] == model and n.split(".")[1] in held}
