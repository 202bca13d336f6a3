"""Which settings of a model are searched, and between what: for the benchmark as for `reprise tune recommend`."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import signature

from models import recommenders
from training.recommender_tuning import SPACE
from training.studies import Choice, Dimension, Setting, Space

FURTHER: Mapping[str, Dimension] = {}
"""Settings of models that have no section in reprise.toml."""


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
