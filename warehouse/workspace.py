"""A workspace: one folder with `reprise.toml` and everything made from it."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from warehouse.errors import RepriseError, UsageError
from warehouse.files import RIGHTS, told
from warehouse.settings import SETTINGS_FILE, Settings, load_settings

_HOLDER = re.compile(r"process [0-9]{1,20} since [0-9TZ:-]{20}")
_SLUG = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$")


@dataclass(frozen=True)
class Workspace:
    """Paths and settings of one workspace. Opening it changes nothing on disk."""

    root: Path
    settings: Settings

    @classmethod
    def open(cls, root: Path | str = ".") -> Workspace:
        """The workspace in that folder; `SettingsError` where there is none or its settings are wrong."""
        folder = Path(root).resolve()
        return cls(folder, load_settings(folder / SETTINGS_FILE))

    @property
    def store(self) -> Path:
        return self.root / "store"

    @property
    def snapshots(self) -> Path:
        """Features as of dates, cached; may be deleted at any time."""
        return self.root / "snapshots"

    @property
    def models(self) -> Path:
        return self.root / "models"

    @property
    def releases(self) -> Path:
        return self.root / "releases"

    @property
    def audiences(self) -> Path:
        return self.root / "audiences"

    @property
    def exposures(self) -> Path:
        """What was posted to the service as shown (`posted`)."""
        return self.root / "exposures"

    @property
    def runs(self) -> Path:
        """The journal: what runs have been done."""
        return self.root / "runs"

    @property
    def tracking_uri(self) -> str:
        return self.settings.training.tracking_uri or f"sqlite:///{self.root / 'mlflow.db'}"

    def inside(self, folder: Path, name: str) -> Path:
        """`folder / name` for a name a person gave; `UsageError` for anything that could leave the folder."""
        if not _SLUG.match(name) or ".." in name:
            raise UsageError(f"{name!r} cannot be a name.", hint="Use letters, digits, dot, dash and underscore.")
        return folder / name

    def check_folders(self) -> None:
        """`RepriseError` where a folder of the workspace is a file, or cannot be written."""
        for folder in (self.root, self.store, self.snapshots, self.models, self.releases, self.audiences, self.runs):
            if folder.exists() and not folder.is_dir():
                raise RepriseError(f"{folder} is a file, and must be a folder.", hint="Move it away and run again.")
            if folder.exists() and not os.access(folder, os.W_OK | os.X_OK, effective_ids=True):
                raise RepriseError(f"{folder} cannot be written.", hint=RIGHTS)

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Holds the workspace's lock of that name; a second holder is refused and told who has it.

        The lock is the kernel's (flock): it ends with its process, so a kill leaves nothing to clean up.
        """
        self.check_folders()
        path = self.root / f".{name}.lock"
        with told(path):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise RepriseError(
                    f"Another command is at work in {self.root} ({name}, {holder(path)}).",
                    hint="Wait until it has ended and run again.",
                ) from error
            with told(path):
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, f"process {os.getpid()} since {_now()}".encode(), 0)
            yield
        finally:
            os.close(descriptor)


def holder(lock: Path) -> str:
    """Who holds a lock, and since when (UTC), as its file says."""
    found = _HOLDER.match(lock.read_text(encoding="utf-8", errors="replace"))
    return found[0] if found else "an unknown process"


def _now() -> str:
    """When a lock was taken: told to people, read by no computation."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
