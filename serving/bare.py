"""The service without BentoML, for uvicorn: `uvicorn serving.bare:make_app --factory`."""

from __future__ import annotations

from starlette.applications import Starlette

import serving.quick_start  # noqa: F401 - before anything imports LightGBM
from serving.access import tokens_from_environment
from serving.holder import Holder, key_from_environment, releases_from_environment
from serving.lookups import create_app


def make_app() -> Starlette:
    """The app of the workspace in REPRISE_WORKSPACE."""
    return create_app(Holder(releases_from_environment(), key_from_environment()), tokens_from_environment())
