"""A real PostgreSQL for tests: made in a temporary folder, started on a free port, stopped and removed at the end."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

_FOLDERS = ("/usr/lib/postgresql/*/bin", "/usr/local/pgsql/bin", "/opt/homebrew/opt/postgresql*/bin")
_INSTALLS = ("apt-get", "install", "-y", "-qq", "--no-install-recommends", "postgresql")
_WAITS = ("-o", "DPkg::Lock::Timeout=300")


def programs() -> Path | None:
    """The folder of initdb and pg_ctl, if PostgreSQL is installed."""
    found = shutil.which("initdb")
    folders = [Path(found).parent] if found else []
    folders += [path for pattern in _FOLDERS for path in sorted(Path("/").glob(pattern[1:]), reverse=True)]
    return next((folder for folder in folders if (folder / "initdb").exists() and (folder / "pg_ctl").exists()), None)


def install() -> Path | None:
    """The same, installed first where that is allowed: by root, on a machine with apt."""
    if programs() is None and os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "update", "-qq"], check=False, capture_output=True)
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run([*_INSTALLS, *_WAITS], check=False, capture_output=True, env=environment)
    return programs()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """A server with an empty database; yields its address. Root runs it as postgres or nobody, as it must."""
    place = Path(mkdtemp(prefix="pg-"))
    become: list[str] = []
    if os.geteuid() == 0:
        known = Path("/etc/passwd").read_text(encoding="utf-8").splitlines()
        user = "postgres" if any(line.startswith("postgres:") for line in known) else "nobody"
        shutil.chown(place, user)
        become = [
            "setpriv",
            f"--reuid={user}",
            f"--regid={'postgres' if user == 'postgres' else 'nogroup'}",
            "--clear-groups",
        ]
    port = _free_port()

    def call(*words: str) -> None:
        done = subprocess.run(
            [*become, *words],
            capture_output=True,
            text=True,
            cwd=place,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
        )
        if done.returncode:
            raise RuntimeError(f"{words[0]}: {done.stdout}{done.stderr}")

    data = str(place / "data")
    try:
        call(str(folder / "initdb"), "-D", data, "-A", "trust", "-U", "reprise", "--no-sync", "-E", "UTF8")
        options = f"-p {port} -k {place} -c listen_addresses=127.0.0.1 -c fsync=off"
        call(str(folder / "pg_ctl"), "-D", data, "-w", "-l", str(place / "log"), "-o", options, "start")
        try:
            yield f"postgresql://reprise@127.0.0.1:{port}/postgres"
        finally:
            call(str(folder / "pg_ctl"), "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(place, ignore_errors=True)
