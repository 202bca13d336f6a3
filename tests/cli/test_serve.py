"""`reprise serve` as a process: however it is ended, nothing of it is left and its port is free."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]
Start = Callable[..., tuple[subprocess.Popen[str], int]]


@pytest.fixture
def start(shop: str) -> Iterator[Start]:
    """Starts `reprise serve` and waits until it says where it serves; gives the process and its port."""
    started: list[psutil.Process] = []
    opened: list[subprocess.Popen[str]] = []

    def starting(*arguments: str) -> tuple[subprocess.Popen[str], int]:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = int(free.getsockname()[1])
        command = [sys.executable, "-m", "cli.main", "-w", shop, "serve", "--port", str(port), "--json", *arguments]
        running = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        opened.append(running)
        started.append(psutil.Process(running.pid))
        assert running.stdout is not None
        told = ""
        while not told.rstrip().endswith("}"):
            told += running.stdout.readline()
        assert json.loads(told)["url"] == f"http://127.0.0.1:{port}"
        started.extend(started[0].children(recursive=True))
        return running, port

    yield starting
    for each in started:
        with suppress(psutil.NoSuchProcess):
            each.kill()
    for running in opened:
        with running:
            pass


def gone(running: subprocess.Popen[str], sent: signal.Signals, port: int) -> tuple[int, str]:
    """The exit code and the rest of what was said, once everything has ended that was started and the port is free."""
    family = psutil.Process(running.pid).children(recursive=True)
    assert family
    running.send_signal(sent)
    rest = running.communicate(timeout=30)[0]
    assert not psutil.wait_procs(family, timeout=20)[1]
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("127.0.0.1", port))
    return running.returncode, rest


@pytest.mark.parametrize(
    ("sent", "engine"),
    [(signal.SIGINT, ["--bare"]), (signal.SIGHUP, ["--bare"]), (signal.SIGTERM, [])],
    ids=["SIGINT", "SIGHUP", "SIGTERM of BentoML"],
)
def test_asked_to_end_it_leaves_nothing_behind(start: Start, sent: signal.Signals, engine: list[str]) -> None:
    running, port = start(*engine)
    assert gone(running, sent, port) == (0, "")


def test_killed_it_leaves_nothing_behind(start: Start) -> None:
    running, port = start()
    assert gone(running, signal.SIGKILL, port) == (-signal.SIGKILL, "")


def test_a_service_that_ends_by_itself_is_a_failure(start: Start) -> None:
    running, _ = start("--bare")
    [service] = psutil.Process(running.pid).children()
    service.kill()
    told = json.loads(running.communicate(timeout=30)[0])
    assert "ended by itself (exit code -9)" in told["error"]["message"]
    assert running.returncode == 1
