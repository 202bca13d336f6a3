"""What tests of several packages share: a real PostgreSQL server."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a PostgreSQL server that lives as long as the tests; skips where there is none to install."""
    spec = importlib.util.spec_from_file_location("postgres_server", Path(__file__).parent / "postgres_server.py")
    assert spec is not None
    assert spec.loader is not None
    server = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(server)
    folder = server.install()
    if folder is None:
        pytest.skip("PostgreSQL is not installed, and only root may install it: apt-get install postgresql")
    with server.running(folder) as address:
        yield address
