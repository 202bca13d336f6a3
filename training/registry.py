"""Which model of each (target, horizon) is the champion, since when, and why.

    models/<target>_<H>d/<version>/     a model, never changed once it is there
    models/judged/<version>.parquet     what it said of each judged customer (`judgements`)
    models/<target>_<H>d/history.json   every promotion and rollback, newest last; the last line is the champion

The history is the pointer: it is replaced whole, so that a kill leaves either the old champion or the new one, and
an audit row for each.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from warehouse.errors import NotReadyError, RepriseError, UsageError
from warehouse.files import atomic_directory, sweep, write_text
from warehouse.workspace import Workspace

HISTORY = "history.json"
JUDGED = "judged"
By = Literal["gate", "hand"]


@dataclass(frozen=True)
class Entry:
    """One change of champion: the version that serves from then on, who wanted it, when (UTC) and why.

    `by` says whether a training decided it by its gate or somebody by hand; None in rows older than this field. `run`
    is the run on the tracking server that was named by hand.
    """

    version: str
    action: Literal["promote", "rollback"]
    reason: str
    who: str
    at: str
    by: By | None = None
    run: str | None = None


class Registry:
    """The champions of one workspace. Every change holds the workspace's lock `models`."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    def folder(self, target: str, horizon: int) -> Path:
        """Where the versions of one model live."""
        return self.workspace.inside(self.workspace.models, f"{target}_{horizon}d")

    def names(self) -> list[tuple[str, int]]:
        """All (target, horizon) that have a champion, sorted."""
        return [name for name in self.kept() if (self.folder(*name) / HISTORY).exists()]

    def kept(self) -> list[tuple[str, int]]:
        """All (target, horizon) of which there are versions, whether or not any of them ever served; sorted."""
        found = []
        for path in self.workspace.models.glob("*_*d"):
            target, _, horizon = path.name.removesuffix("d").rpartition("_")
            if horizon.isdigit():
                found.append((target, int(horizon)))
        return sorted(found)

    def place(self, version: str) -> tuple[str, int] | None:
        """The target and horizon a version belongs to, whether any of that model ever served; None for no version."""
        return next((name for name in self.kept() if version in self.versions(*name)), None)

    def judged(self, version: str) -> Path:
        """The file of what a version said of each judged customer."""
        return self.workspace.inside(self.workspace.models / JUDGED, f"{version}.parquet")

    def versions(self, target: str, horizon: int) -> list[str]:
        """All versions there are, champions or not, sorted by name and so by date."""
        folder = self.folder(target, horizon)
        if not folder.is_dir():
            return []
        return sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))

    def directory(self, target: str, horizon: int, version: str) -> Path:
        """The folder of a version; `UsageError` where there is none of that name."""
        path = self.workspace.inside(self.folder(target, horizon), version)
        if not path.is_dir():
            known = self.versions(target, horizon)
            raise UsageError(
                f"There is no version {version} of {target}, {horizon} days.",
                hint=f"There are: {', '.join(known[-10:]) or 'none; train first'}.",
            )
        return path

    def history(self, target: str, horizon: int) -> list[Entry]:
        """Every change of champion, oldest first."""
        path = self.folder(target, horizon) / HISTORY
        try:
            return [Entry(**row) for row in json.loads(path.read_text(encoding="utf-8"))]
        except FileNotFoundError:
            return []
        except (ValueError, TypeError) as error:
            raise RepriseError(
                f"{path} is damaged: {error}.", hint="Restore it from a backup, or train again."
            ) from error

    def champion_version(self, target: str, horizon: int) -> str | None:
        """The version that serves now."""
        history = self.history(target, horizon)
        return history[-1].version if history else None

    def champion(self, target: str, horizon: int) -> Path | None:
        """The folder of the model that serves now, or None where nothing has been promoted."""
        version = self.champion_version(target, horizon)
        return self.directory(target, horizon, version) if version else None

    def add(self, target: str, horizon: int, version: str, write: Callable[[Path], None]) -> Path:
        """Adds a version, written by `write` into an empty folder; a version that is there already is kept as it is."""
        folder = self.folder(target, horizon)
        path = self.workspace.inside(folder, version)
        with self._locked():
            if not path.exists():
                folder.mkdir(parents=True, exist_ok=True)
                sweep(folder)
                with atomic_directory(path) as empty:
                    write(empty)
        return path

    def promote(
        self,
        target: str,
        horizon: int,
        version: str,
        reason: str,
        who: str,
        at: datetime | None = None,
        by: By = "gate",
        run: str | None = None,
    ) -> Entry:
        """Makes a version the champion; one that already is stays so without a new row."""
        self.directory(target, horizon, version)
        with self._locked():
            history = self.history(target, horizon)
            if history and history[-1].version == version:
                return history[-1]
            return self._append(target, horizon, history, Entry(version, "promote", reason, who, _instant(at), by, run))

    def rollback(self, target: str, horizon: int, reason: str, who: str, at: datetime | None = None) -> Entry:
        """Goes back to the champion before the present one; once more goes one further back.

        `NotReadyError` where there was none before it.
        """
        with self._locked():
            history = self.history(target, horizon)
            earlier = _line_of_succession(history)[:-1]
            if not earlier:
                raise NotReadyError(
                    f"There is no earlier champion of {target}, {horizon} days, to go back to.",
                    hint="`reprise models list` shows the versions; `reprise models promote` takes any of them.",
                )
            self.directory(target, horizon, earlier[-1])
            return self._append(
                target, horizon, history, Entry(earlier[-1], "rollback", reason, who, _instant(at), "hand")
            )

    def _append(self, target: str, horizon: int, history: list[Entry], entry: Entry) -> Entry:
        rows = [asdict(row) for row in [*history, entry]]
        write_text(self.folder(target, horizon) / HISTORY, json.dumps(rows, ensure_ascii=False, indent=1) + "\n")
        return entry

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self.workspace.lock("models"):
            yield


def _line_of_succession(history: list[Entry]) -> list[str]:
    """The champions that stand behind one another: a rollback removes the one it left."""
    line: list[str] = []
    for entry in history:
        line = line[:-1] if entry.action == "rollback" else [*line, entry.version]
    return line


def _instant(at: datetime | None) -> str:
    """When a person or the nightly run changed the champion: an audit row, read by no computation."""
    return (at or datetime.now(UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
