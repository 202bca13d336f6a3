"""Recommenders behind one interface: each model is a file of this folder, found by listing.

`names()` lists them, `create(name)` makes one, `save` and `load` keep one as plain arrays in one npz file.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from inspect import isabstract, signature
from pathlib import Path
from typing import TYPE_CHECKING

from warehouse.errors import DataProblemError, UsageError

if TYPE_CHECKING:
    from models.recommenders.recommender import Recommender


@cache
def _classes() -> dict[str, type[Recommender]]:
    from models.recommenders.recommender import Recommender

    found: dict[str, type[Recommender]] = {}
    for module in pkgutil.iter_modules(__path__):
        loaded = importlib.import_module(f"{__name__}.{module.name}")
        for held in vars(loaded).values():
            is_model = isinstance(held, type) and issubclass(held, Recommender) and not isabstract(held)
            if is_model and held.__module__ == loaded.__name__:
                found[held.name] = held
    return dict(sorted(found.items()))


def names() -> list[str]:
    """The names of all recommenders, sorted."""
    return list(_classes())


def create(name: str, settings: Mapping[str, float] | None = None) -> Recommender:
    """A recommender, with its default settings but for those given, not yet fitted; `UsageError` for an unknown name
    or setting."""
    if name not in _classes():
        raise UsageError(f'There is no recommender "{name}".', hint=f"Known are {', '.join(names())}.")
    known = signature(_classes()[name]).parameters
    if unknown := sorted(set(settings or ()) - set(known)):
        raise UsageError(
            f'The recommender {name} has no setting "{unknown[0]}".', hint=f"It has: {', '.join(known) or 'none'}."
        )
    return _classes()[name](**(settings or {}))


def save(model: Recommender, path: Path) -> None:
    """Writes a fitted recommender with its interactions as one npz file; its name is the one of the model."""
    import numpy as np

    from models.recommenders.plain_arrays import write_arrays

    write_arrays(path, model.arrays() | {"name": np.frombuffer(model.name.encode(), np.uint8)})


def load(path: Path) -> Recommender:
    """Reads what `save` wrote, without pickle; `DataProblemError` where the file is damaged."""
    from models.recommenders.plain_arrays import read_arrays

    arrays = read_arrays(path)
    name = bytes(arrays.pop("name", [])).decode("utf-8", "replace")
    if name not in _classes():
        raise DataProblemError(f"{path.name} holds no recommender known here.", hint=f"Known are {', '.join(names())}.")
    return _classes()[name].from_arrays(arrays)
