"""Model versions by their name alone: what there is, what serves, and changing that by hand."""

from __future__ import annotations

import getpass
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
    for target, horizon in registry.names():
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


def promote(workspace: Workspace, version: str, reason: str) -> dict[str, Any]:
    """Makes a version the one that serves from the next scoring on; the change is written down."""
    registry = Registry(workspace)
    target, horizon = _place(registry, version)
    return {
        "target": target,
        "horizon_days": horizon,
        **asdict(registry.promote(target, horizon, version, reason, _who())),
    }


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
    for target, horizon in registry.names():
        if version in registry.versions(target, horizon):
            return target, horizon
    if not registry.names():
        raise NotReadyError("There are no models yet.", hint="Run `reprise run` first.")
    raise UsageError(f'There is no version "{version}".', hint="`reprise models list` shows those there are.")


def _who() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"
