"""Packages that most processes of ours do without, hidden from those that would load them: pandas and scikit-learn.

LightGBM imports both where they are installed, for its wrappers, and Arrow imports pandas to recognise data frames,
though nothing here needs either. Together they took nearly half of the time from start to ready.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType


class Hidden(MetaPathFinder):
    """Makes some packages look as if they were not installed, in this process and for good."""

    names = frozenset({"sklearn", "pandas", "dask", "matplotlib"})

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname in self.names:
            raise ModuleNotFoundError(f"{fullname} is hidden here: `reprise` does without it", name=fullname)
        return None


def hide() -> None:
    """Hides what is not needed; does nothing where it is already hidden."""
    if not any(isinstance(finder, Hidden) for finder in sys.meta_path):
        sys.meta_path.insert(0, Hidden())


def show() -> None:
    """Takes the hiding back, for what cannot do without: pyspark looks for pandas, though nothing passes through it."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, Hidden)]
