"""The canary: a process of its own that loads a release's models first, because a damaged one kills its reader.

`python -m serving.canary DIRECTORY` exits 0 where every model loads and gives the golden rows their probabilities.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

from serving.manifest import ReleaseError

WORK_SECONDS = 10
"""Seconds of the processor's time, not of the clock's: a busy machine must not refuse a good release."""
WAIT_SECONDS = 120
_MEMORY = 8 << 30
_REFUSED = 3


class CanaryTimeoutError(ReleaseError):
    """The canary could not finish; nothing is known about the release, so it may be tried again."""


def try_in_subprocess(directory: Path) -> None:
    """Raises `ReleaseError` unless another process could load the release's models and check their golden rows."""
    root = str(Path(__file__).resolve().parent.parent)
    path = os.pathsep.join(part for part in (root, os.environ.get("PYTHONPATH", "")) if part)
    command = [sys.executable, "-m", "serving.canary", str(directory)]
    try:
        tried = subprocess.run(
            command,
            env=os.environ | {"PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=WAIT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise CanaryTimeoutError(f"The models of the release {directory.name} did not load in time.") from error
    if tried.returncode != 0:
        raise ReleaseError(
            f"The models of the release {directory.name} were tried in a process of their own and failed: "
            f"{_reason(tried.returncode, tried.stderr)}.",
            hint="Make it anew, or roll back.",
        )


def _reason(code: int, complaint: bytes) -> str:
    if code == -signal.SIGPROF:
        return f"not loaded after {WORK_SECONDS} s of work"
    if code < 0:
        return f"the process died of signal {-code}"
    if code == _REFUSED:
        return complaint.decode(errors="replace").strip().splitlines()[-1].rstrip(".")
    return f"the process ended with {code}"


def main(directory: Path) -> int:
    """Loads the models and compares the golden rows; the exit code says whether all is well."""
    import serving.quick_start  # noqa: F401
    from serving.release import check_golden, load_models
    from warehouse.streamed import read

    # SIGPROF ends the process even inside C code, where a Python timeout would wait.
    signal.setitimer(signal.ITIMER_PROF, WORK_SECONDS)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    try:
        check_golden(load_models(directory), read(directory / "golden.parquet"))
    except Exception as error:
        message = error.message if isinstance(error, ReleaseError) else f"{type(error).__name__} while loading"
        print(message, file=sys.stderr)
        return _REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
