"""The release that was made for a date."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from pathlib import Path

from serving.holder import key_from_environment
from serving.manifest import ReleaseError
from serving.publication import history
from serving.release import Release, open_release
from warehouse.workspace import Workspace


def release_at(workspace: Workspace, as_of: date, *, exactly: bool = False) -> Release | None:
    """The published release of the latest date up to `as_of`, of several of one date the one published last; with
    `exactly` only one of that very date. None where there is none; one that is damaged is passed over.
    """
    dated = sorted(_published(workspace), key=lambda each: each[0], reverse=True)
    for day, folder in dated:
        if day == as_of or (day < as_of and not exactly):
            with suppress(ReleaseError):
                return open_release(folder, key_from_environment(), canary=False)
    return None


def _published(workspace: Workspace) -> Iterator[tuple[date, Path]]:
    """Every published release that is still there, with its date, the one published last first."""
    for name in dict.fromkeys(line["release"] for line in reversed(history(workspace.releases))):
        folder = workspace.releases / name
        with suppress(OSError, ValueError, KeyError, TypeError):
            told = json.loads((folder / "release.json").read_text(encoding="utf-8"))
            yield date.fromisoformat(told["as_of"]), folder
