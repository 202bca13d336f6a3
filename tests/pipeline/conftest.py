"""One tracking store for tests that are not about MLflow: importing it takes seconds of processor time each time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext

import pytest

from pipeline import teaching
from training.tracking import Tracker
from warehouse.workspace import Workspace


@pytest.fixture(scope="session")
def tracker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tracker]:
    """A real store. Leaving it raises what failed to be logged."""
    root = tmp_path_factory.mktemp("tracked")
    (root / "reprise.toml").write_text("")
    with Tracker(Workspace.open(root)) as opened:
        yield opened


@pytest.fixture(scope="module")
def tracked(tracker: Tracker) -> Iterator[None]:
    """Trainings of this module log to the shared store."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(teaching, "prepare", lambda workspace: nullcontext(tracker))
        yield
