"""Starting and stopping the service: BentoML or the bare app, in a process of its own."""

from __future__ import annotations

import ipaddress
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import TracebackType
from typing import Any

from serving.access import VARIABLE
from serving.holder import WORKSPACE_VARIABLE
from serving.publication import current_directory
from warehouse.errors import NotReadyError, RepriseError, UsageError
from warehouse.workspace import Workspace

READY_SECONDS = 120.0
DRAIN_SECONDS = 10
_STDERR = 2
_ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Running:
    """A service that was started; it ends with `stop`, with the `with` it stands in, or with this process.

    Within the `with`, SIGTERM and SIGHUP are what Ctrl-C is: a KeyboardInterrupt. Left to themselves they would end
    this process on the spot, before it could stop the service.
    """

    process: subprocess.Popen[bytes]
    host: str
    port: int
    _handlers: dict[signal.Signals, Any] = field(default_factory=dict, repr=False)

    def __enter__(self) -> Running:
        for number in (signal.SIGTERM, signal.SIGHUP):
            # What is ignored stays so: `nohup` ignores SIGHUP.
            if signal.getsignal(number) != signal.SIG_IGN:
                self._handlers[number] = signal.signal(number, signal.default_int_handler)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.stop()
        finally:
            for number, handler in self._handlers.items():
                signal.signal(number, handler)

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    def wait_ready(self, seconds: float = READY_SECONDS) -> None:
        """Returns once `/readyz` answers 200; `NotReadyError` where it does not in time, or the process has ended."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise NotReadyError(f"The service ended while starting (exit code {self.process.returncode}).")
            if _is_ready(self.host, self.port):
                return
            time.sleep(0.05)
        raise NotReadyError(f"The service was not ready after {seconds:.0f} s.")

    def wait(self) -> int:
        """Waits until the service ends and returns its exit code."""
        return self.process.wait()

    def stop(self) -> int:
        """Lets requests at work finish for `DRAIN_SECONDS`, ends the service, and returns its exit code.

        Interrupted meanwhile (a second Ctrl-C), it ends the service at once.
        """
        if self.process.poll() is None:
            self.process.terminate()
            try:
                with suppress(subprocess.TimeoutExpired):
                    self.process.wait(DRAIN_SECONDS)
            finally:
                if self.process.poll() is None:
                    # The group, because a supervisor that is killed leaves its workers behind.
                    os.killpg(self.process.pid, signal.SIGKILL)
        if self.process.stdin:
            self.process.stdin.close()
        return self.process.wait()


def serve(
    workspace: Workspace,
    host: str | None = None,
    port: int | None = None,
    bare: bool = False,
    output: Path | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Running:
    """Starts the service of a workspace; host and port are those of its settings if not given.

    What the service prints goes to the file `output`, or to stderr if not given: stdout is for answers.

    `NotReadyError` where nothing has been published, `RepriseError` where the port is taken, `UsageError` where others
    could reach the service and no token guards it.
    """
    host, port = host or workspace.settings.serving.host, port or workspace.settings.serving.port
    current_directory(workspace.releases)
    _check_reach(host, environment)
    _check_port(host, port)
    with output.open("ab") if output else nullcontext() as log:
        process = subprocess.Popen(
            _command(host, port, bare),
            cwd=workspace.root,
            env=_environment(workspace, environment),
            stdin=subprocess.PIPE,
            stdout=log or _STDERR,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Running(process, host, port)


def _command(host: str, port: int, bare: bool) -> list[str]:
    program, place = [sys.executable, "-m", "serving.attached"], ["--host", host, "--port", str(port)]
    if bare:
        app = ["uvicorn", "serving.bare:make_app", "--factory", "--no-access-log", "--no-server-header"]
        return [*program, *app, "--timeout-graceful-shutdown", str(DRAIN_SECONDS - 1), *place]
    return [*program, "bentoml", "serve", "serving.service:Service", "--working-dir", str(_ROOT), *place]


def _environment(workspace: Workspace, environment: Mapping[str, str]) -> dict[str, str]:
    path = os.pathsep.join(part for part in (str(_ROOT), environment.get("PYTHONPATH", "")) if part)
    threads = {name: environment.get(name, "1") for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    home = environment.get("BENTOML_HOME", str(workspace.root / ".bentoml"))
    ours = {
        "BENTOML_HOME": home,
        WORKSPACE_VARIABLE: str(workspace.root),
        "PYTHONPATH": path,
        "BENTOML_DO_NOT_TRACK": "true",
    }
    return {**environment, **threads, **ours}


def _check_reach(host: str, environment: Mapping[str, str]) -> None:
    if not environment.get(VARIABLE) and not _is_loopback(host):
        raise UsageError(
            f"Others could reach the service on {host}, and no token guards it.",
            hint=f"Set {VARIABLE} to a token (or @FILE), or listen on 127.0.0.1 and put a proxy in front.",
        )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_port(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise RepriseError(
                f"Port {port} on {host} cannot be used: {os.strerror(error.errno or 0)}.",
                hint=f"Name another one, for example --port {port % 65535 + 1}.",
            ) from error


def _is_ready(host: str, port: int) -> bool:
    connection = HTTPConnection(host, port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
