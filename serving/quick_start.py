"""Imported first by processes that only serve: LightGBM without what it would load for its scikit-learn wrappers.

LightGBM imports scikit-learn and pandas where they are installed, though predicting from arrays needs neither; that is
most of the time such a process takes to start.
"""

from __future__ import annotations

import sys

_UNUSED = ("sklearn", "pandas", "dask", "matplotlib")


def import_lightgbm() -> None:
    """Imports LightGBM as if those packages were not installed; they can be imported as usual afterwards."""
    if "lightgbm" in sys.modules:
        return
    hidden = [name for name in _UNUSED if name not in sys.modules]
    # None in sys.modules makes an import raise, which LightGBM takes as "not installed".
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        import lightgbm  # noqa: F401
    finally:
        for name in hidden:
            del sys.modules[name]


import_lightgbm()
