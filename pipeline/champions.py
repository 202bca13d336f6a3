"""Model versions by their name alone: what there is, what serves, and changing that by hand."""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from models.propensity import PropensityModel
from training.cards import CARD_FILE
from training.registry import Registry
from warehouse.errors import NotReadyError, UsageError
from warehouse.workspace import Workspace


def versions(workspace: Workspace) -> list[dict[str, Any]]:
    """Every version there is: target, horizon, kind, since when and why it serves where it does."""
    registry, found = Registry(workspace), []
    for target, horizon in registry.kept():
        history = registry.history(target, horizon)
        for version in registry.versions(target, horizon):
            model = PropensityModel.load(registry.directory(target, horizon, version))
            last = next((entry for entry in reversed(history) if entry.version == version), None)
            found.append(
                {
                    "target": target,
                    "horizon_days": horizon,
                    "version": version,
                    "kind": model.kind,
                    "champion": bool(history) and history[-1].version == version,
                    "at": last.at if last else None,
                    "reason": last.reason if last else None,
                }
            )
    return found


def card(workspace: Workspace, version: str) -> dict[str, Any]:
    """The card of a version in plain words; a rule that was kept instead of a challenger has no card of its own."""
    registry = Registry(workspace)
    target, horizon = _place(registry, version)
    path = registry.directory(target, horizon, version) / CARD_FILE
    if path.exists():
        text = path.read_text(encoding="utf-8")
    else:
        entry = next((e for e in reversed(registry.history(target, horizon)) if e.version == version), None)
        text = f"# {target}, next {horizon} days\n\nVersion `{version}`. {entry.reason if entry else ''}"
    history = [asdict(entry) for entry in registry.history(target, horizon)]
    return {"version": version, "target": target, "horizon_days": horizon, "text": text, "history": history}


def promote(workspace: Workspace, version: str, reason: str, run: str | None = None) -> dict[str, Any]:
    """Makes a version the one that serves from the next scoring on; the change is written down.

    `run` is the run on the tracking server by which it was named.
    """
    registry = Registry(workspace)
    target, horizon = _place(registry, version)
    entry = registry.promote(target, horizon, version, reason, _who(), by="hand", run=run)
    return {"target": target, "horizon_days": horizon, **asdict(entry)}


def history(workspace: Workspace, target: str | None = None) -> list[dict[str, Any]]:
    """Every promotion, by a training's gate or by hand, and every rollback, oldest first: who, when and why."""
    registry = Registry(workspace)
    if target is not None and target not in {name for name, _ in registry.names()}:
        _check_name(registry, target, 0)
    rows = [
        {"target": name, "horizon_days": horizon, **asdict(entry)}
        for name, horizon in registry.names()
        if target in (None, name)
        for entry in registry.history(name, horizon)
    ]
    return sorted(rows, key=lambda row: str(row["at"]))


def told(entry: Mapping[str, Any]) -> str:
    """A change of champion in one line."""
    by = {"gate": " (by its gate)", "hand": " (by hand)"}.get(str(entry["by"]), "")
    run = f", run {entry['run']}" if entry["run"] else ""
    return f"{entry['at']}  {entry['action']}{by} {entry['version']} by {entry['who']}{run}: {entry['reason']}"


def rollback(workspace: Workspace, target: str, horizon: int, reason: str) -> dict[str, Any]:
    """Goes back to the version that served before; the change is written down.

    `UsageError` where there is no such model, `NotReadyError` where nothing served before.
    """
    _check_name(Registry(workspace), target, horizon)
    entry = Registry(workspace).rollback(target, horizon, reason, _who())
    return {"target": target, "horizon_days": horizon, **asdict(entry)}


def _check_name(registry: Registry, target: str, horizon: int) -> None:
    names = registry.names()
    if not names:
        raise NotReadyError("There are no models yet.", hint="Run `reprise run` first.")
    if (target, horizon) not in names:
        listed = ", ".join(f"{name} --horizon {days}" for name, days in names)
        raise UsageError(f"There is no model of {target}, {horizon} days.", hint=f"There are: {listed}.")


def _place(registry: Registry, version: str) -> tuple[str, int]:
    """The target and horizon a version belongs to."""
    if found := registry.place(version):
        return found
    if not registry.names():
        raise NotReadyError("There are no models yet.", hint="Run `reprise run` first.")
    raise UsageError(f'There is no version "{version}".', hint="`reprise models list` shows those there are.")


def _who() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"
