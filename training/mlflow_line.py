"""The line to the process that talks to MLflow (`mlflow_process`): one JSON job out, one JSON answer back."""

from __future__ import annotations

import errno
import json
import os
import re
import selectors
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from warehouse.errors import RepriseError
from warehouse.files import explained

SECONDS_FOR_START = 120.0
SECONDS_FOR_ANSWER = 60.0
ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "GIT_PYTHON_REFRESH": "quiet",
}
PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}
"""How long a server is waited for, unless the environment says it; MLflow's own defaults go on for many minutes."""

USER = re.compile(r"//[^/@\s]*@")


def shown(text: str) -> str:
    """A text without the names and passwords that addresses in it may hold."""
    return USER.sub("//…@", text)


class RefusedError(RepriseError):
    """The server answered, and would not do this job; it may well do the next."""


class Line:
    """One process and the line to it. Jobs are asked one after another, from one thread at a time.

    Every failure is a `RepriseError` that names the URI.
    """

    def __init__(self, uri: str, artifact_folder: Path | None) -> None:
        self.uri = uri
        self._told = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        roots = [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "training.mlflow_process", uri, str(artifact_folder or "")],
            env={**PATIENCE, **os.environ, **ENVIRONMENT, "PYTHONPATH": os.pathsep.join(filter(None, roots))},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._told,
            text=True,
            encoding="utf-8",
        )

    def ready(self) -> None:
        """Waits until MLflow is imported and the store has answered for the first time."""
        self._answer(SECONDS_FOR_START)

    def ask(self, job: dict[str, Any]) -> dict[str, Any]:
        """What the process answers to a job."""
        try:
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps(job) + "\n")
            self._process.stdin.flush()
        except (BrokenPipeError, ValueError) as error:
            raise self._failure("its process ended") from error
        return self._answer(SECONDS_FOR_ANSWER)

    def kill(self) -> None:
        """Ends the process at once."""
        self._process.kill()

    def end(self) -> None:
        """Ends the process when it has done what it was asked."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._told.close()

    def _answer(self, seconds: float) -> dict[str, Any]:
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as waiting:
            waiting.register(self._process.stdout, selectors.EVENT_READ)
            if not waiting.select(seconds):
                self._process.kill()
                raise self._failure(f"no answer within {seconds:.0f} seconds")
        line = self._process.stdout.readline()
        if not line:
            raise self._failure("its process ended")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise self._failure(str(answer["error"]), refused=bool(answer["refused"]))
        return answer

    def _failure(self, why: str, refused: bool = False) -> RepriseError:
        self._told.seek(0)
        last = [line for line in self._told.read().splitlines() if line.strip() and " INFO " not in line][-1:]
        told = f" It said: {last[0].strip()}" if last and "ended" in why else ""
        if "disk is full" in why or "No space left" in why:
            return explained(OSError(errno.ENOSPC, why), Path(self.uri.removeprefix("sqlite:///")))
        return (RefusedError if refused else RepriseError)(
            shown(f"MLflow at {self.uri} failed: {why}.{told}"),
            hint="Check [training] tracking_uri in reprise.toml. Published releases are served without MLflow.",
        )
