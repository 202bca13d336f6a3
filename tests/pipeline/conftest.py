"""One tracking store for tests that are not about MLflow: importing it takes seconds of processor time each time.

And the settings of a quick training.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext

import pytest

from pipeline import teaching
from training.tracking import Tracker
from warehouse.workspace import Workspace

QUICK = """
[targets]
repurchase.horizons = [30]
churn.horizons = [30]
second_order.horizons = [30]
win_back.horizons = [30]
[recommend]
models = ["popularity", "personal_frequency", "gp_topfreq", "als", "bm25"]
[training]
max_cutoffs = 2
max_rows = 1000
rounds = 10
bootstrap_draws = 100
"""
"""For the end of a `reprise.toml`; further keys of `[training]` may follow."""


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
        patched.setattr(teaching, "prepare", lambda workspace, patient: nullcontext(tracker))
        yield
