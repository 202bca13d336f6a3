"""What runs have been done: one small file for each date, so that a finished run is not done again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from typing import Any

from features.own_features import FOLDER
from warehouse.errors import RepriseError, UsageError
from warehouse.files import sha256, write_text
from warehouse.workspace import Workspace

# What changes nothing that is published. Everything else does until it is listed here: a setting that was forgotten
# then refuses a run too many, and never replaces silently what was acted upon.
_CHANGE_NOTHING: Mapping[str, Any] = {
    "preset": True,
    "engine": True,
    "memory_limit": True,
    # Counted in the fingerprint of the data: other buckets are other files.
    "buckets": True,
    "serving": True,
    "audiences": True,
    "survey": True,
    "training": {"threads", "retrain_every", "tracking_uri"},
    # Another file is other data; whether bad rows stop a load decides if rows come in, not which.
    "tables": {"__all__": {"files", "source", "table", "query", "cursor", "on_problem", "max_bad_ratio"}},
}
# What is published, but not learnt from: it makes no training due.
_TEACH_NOTHING: Mapping[str, Any] = {
    **_CHANGE_NOTHING,
    "language": True,
    "suppression": True,
    "recommend": {"k", "explore"},
}
_SHOWN = 5


@dataclass(frozen=True)
class Entry:
    """One finished run: what went in and which release came out. `declared` are the settings that decide it."""

    as_of: str
    data: str
    settings: str
    release: str
    declared: Mapping[str, Any] = field(default_factory=dict)


def declared(workspace: Workspace) -> dict[str, Any]:
    """The settings that decide what a run publishes, as plain values."""
    return {**workspace.settings.model_dump(mode="json", exclude=dict(_CHANGE_NOTHING)), **_own_files(workspace)}


def settings_fingerprint(workspace: Workspace) -> str:
    """A short hash of all settings that decide what a run publishes."""
    return _hashed(declared(workspace))


def teaching_fingerprint(workspace: Workspace) -> str:
    """A short hash of all settings that decide what a training learns; the language of sentences does not."""
    told = workspace.settings.model_dump(mode="json", exclude=dict(_TEACH_NOTHING))
    return _hashed({**told, **_own_files(workspace)})


def _own_files(workspace: Workspace) -> dict[str, Any]:
    """The SQL files of the workspace's own, by a hash of their text; nothing where there is none."""
    paths = sorted((workspace.root / FOLDER).glob("*.sql"))
    return {str(FOLDER): {path.name: sha256(path)[:12] for path in paths}} if paths else {}


def _hashed(told: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def finished(workspace: Workspace, as_of: date) -> Entry | None:
    """The finished run of that date, if there is one."""
    path = workspace.runs / f"{as_of}.json"
    try:
        return Entry(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (json.JSONDecodeError, TypeError, UnicodeDecodeError) as error:
        raise RepriseError(f"{path} is damaged.", hint="Delete it; the run of that date is then done again.") from error


def note(workspace: Workspace, entry: Entry) -> None:
    """Writes down a finished run; the last thing a run does."""
    text = json.dumps(asdict(entry), ensure_ascii=False, indent=1)
    write_text(workspace.runs / f"{entry.as_of}.json", text + "\n")


def renew(workspace: Workspace, before: str, after: str) -> None:
    """Finished runs of those data are runs of these: an erasure makes no run due that published them already."""
    for path in sorted(workspace.runs.glob("[0-9]*-[0-9]*-[0-9]*.json")):
        if (entry := finished(workspace, date.fromisoformat(path.stem))) and entry.data == before:
            note(workspace, replace(entry, data=after))


def refuse_changed_settings(entry: Entry, workspace: Workspace) -> None:
    """The same date under other settings would silently replace what was already acted upon."""
    if entry.settings != settings_fingerprint(workspace):
        raise UsageError(
            f"A run for {entry.as_of} was done under other settings (release {entry.release})"
            f"{_changes(entry.declared, declared(workspace))}.",
            hint="Restore reprise.toml, choose another --as-of, or publish anew with `reprise run --replace`.",
        )


def _changes(was: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Every key whose value is another one; nothing where the run was written down without its settings."""
    if not was:
        return ""
    before, after = dict(_flat(was)), dict(_flat(now))
    keys = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
    told = [f"{key} was {_value(before.get(key))}, now {_value(after.get(key))}" for key in keys[:_SHOWN]]
    more = [f"{len(keys) - _SHOWN} more"] if len(keys) > _SHOWN else []
    return f": {'; '.join([*told, *more])}" if told else ""


def _flat(told: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Settings by their dotted keys."""
    for key, value in told.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{key}.")
        else:
            yield above + key, value


def _value(value: Any) -> str:
    return "not set" if value is None else json.dumps(value, ensure_ascii=False)
