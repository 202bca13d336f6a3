"""What is checked before a service is started (F45, T13)."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from serving.runner import Running, serve
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


@pytest.fixture
def deaf() -> Iterator[Running]:
    """A service that does not hear SIGTERM."""
    program = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); signal.pause()"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        yield Running(process, "127.0.0.1", 1)
        process.kill()


def test_a_service_that_does_not_end_in_time_is_killed(deaf: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.runner.DRAIN_SECONDS", 0.01)
    assert deaf.stop() == -signal.SIGKILL


def test_stopping_that_is_interrupted_ends_at_once(deaf: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    wait = deaf.process.wait

    def interrupted(timeout: float | None = None) -> int:
        monkeypatch.setattr(deaf.process, "wait", wait)
        raise KeyboardInterrupt

    monkeypatch.setattr(deaf.process, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        deaf.stop()
    assert wait() == -signal.SIGKILL


def test_within_it_sigterm_is_as_ctrl_c_and_afterwards_what_it_was(deaf: Running) -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    deaf.process.kill()
    for number in before:
        with pytest.raises(KeyboardInterrupt), deaf:
            signal.raise_signal(number)
        assert signal.getsignal(number) == before[number]


def test_nothing_published(tmp_path: Path) -> None:
    with pytest.raises(NotReadyError, match="Nothing has been published"):
        serve(Workspace(tmp_path, Settings()))
