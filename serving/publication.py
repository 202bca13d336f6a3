"""Which release is served: a pointer swapped last, with a history to walk back."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

from serving.manifest import MANIFEST, ReleaseError
from warehouse.errors import NotReadyError
from warehouse.files import read_pointer, swap_pointer

CURRENT = "CURRENT"
HISTORY = "history.jsonl"


def publish(releases: Path, release: str) -> None:
    """Makes `release` the one that is served. The history line comes first, the pointer last."""
    _check_there(releases, release)
    current = current_release(releases)
    if current != release:
        _swap(releases, release, current, "publish")


def current_release(releases: Path) -> str | None:
    """The name of the release that is served, None where nothing has been published."""
    return read_pointer(releases / CURRENT)


def current_directory(releases: Path) -> Path:
    """The folder of the release that is served; `NotReadyError` where nothing has been published."""
    current = current_release(releases)
    if current is None:
        raise NotReadyError("Nothing has been published yet.", hint="Make a release with `reprise run`.")
    _check_there(releases, current)
    return releases / current


def rollback(releases: Path) -> str:
    """Serves the release before the current one again and returns its name. Twice walks back two."""
    current = current_release(releases)
    earlier = next(
        (
            line["previous"]
            for line in reversed(history(releases))
            if line["action"] == "publish" and line["release"] == current and line["previous"]
        ),
        None,
    )
    if current is None or earlier is None:
        raise NotReadyError("There is no earlier release to go back to.")
    _check_there(releases, earlier)
    _swap(releases, earlier, current, "rollback")
    return str(earlier)


def history(releases: Path) -> list[dict[str, str]]:
    """What was published and rolled back, oldest first: action, release, previous, at."""
    try:
        lines = (releases / HISTORY).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in lines if line.endswith("}")]


def _check_there(releases: Path, release: str) -> None:
    if not (releases / release / MANIFEST).is_file() or Path(release).name != release:
        raise ReleaseError(f"There is no release {release}.", hint="See which there are with `reprise models list`.")


def _swap(releases: Path, release: str, previous: str | None, action: str) -> None:
    line = {"action": action, "release": release, "previous": previous, "at": datetime.now(UTC).isoformat()}
    with (releases / HISTORY).open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
        file.flush()
        os.fsync(file.fileno())
    swap_pointer(releases / CURRENT, release)
