"""What runs have been done: one small file for each date, so that a finished run is not done again."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import date

from warehouse.errors import RepriseError, UsageError
from warehouse.files import write_text
from warehouse.workspace import Workspace

# Settings that change no score: a run that differs in these alone is the same run.
_PRESENTATION = {"audiences", "suppression", "serving", "memory_limit", "engine", "buckets", "language"}


@dataclass(frozen=True)
class Entry:
    """One finished run: what went in and which release came out."""

    as_of: str
    data: str
    settings: str
    release: str


def settings_fingerprint(workspace: Workspace) -> str:
    """A short hash of all settings that decide what a run computes."""
    kept = workspace.settings.model_dump(mode="json", exclude=_PRESENTATION)
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:16]


def finished(workspace: Workspace, as_of: date) -> Entry | None:
    """The finished run of that date, if there is one."""
    path = workspace.root / "runs" / f"{as_of}.json"
    try:
        return Entry(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (json.JSONDecodeError, TypeError, UnicodeDecodeError) as error:
        raise RepriseError(f"{path} is damaged.", hint="Delete it; the run of that date is then done again.") from error


def note(workspace: Workspace, entry: Entry) -> None:
    """Writes down a finished run; the last thing a run does."""
    write_text(workspace.root / "runs" / f"{entry.as_of}.json", json.dumps(asdict(entry), indent=2) + "\n")


def refuse_changed_settings(entry: Entry, settings: str) -> None:
    """The same date under other settings would silently replace what was already acted upon."""
    if entry.settings != settings:
        raise UsageError(
            f"A run for {entry.as_of} was done under other settings (release {entry.release}).",
            hint="Restore reprise.toml, choose another --as-of, or publish anew with --replace.",
        )
