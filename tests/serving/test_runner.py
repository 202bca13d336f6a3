"""What is checked before a service is started (F45, T13)."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from serving.runner import serve
from warehouse.errors import NotReadyError, RepriseError, UsageError
from warehouse.settings import Settings
from warehouse.workspace import Workspace


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as holding:
        holding.bind(("127.0.0.1", 0))
        holding.listen()
        yield holding.getsockname()[1]


def test_a_busy_port_is_named(releases: Path, taken: int) -> None:
    with pytest.raises(RepriseError, match=f"Port {taken} on 127.0.0.1 cannot be used"):
        serve(Workspace(releases.parent, Settings()), port=taken)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_nobody_else_may_reach_an_open_service(releases: Path, host: str) -> None:
    with pytest.raises(UsageError, match="no token guards it"):
        serve(Workspace(releases.parent, Settings()), host=host, environment={})


def test_nothing_published(tmp_path: Path) -> None:
    with pytest.raises(NotReadyError, match="Nothing has been published"):
        serve(Workspace(tmp_path, Settings()))
