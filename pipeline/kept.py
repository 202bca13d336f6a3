"""What a command wrote down for those that follow it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from warehouse.errors import RepriseError


def read_kept(path: Path, command: str) -> dict[str, Any] | None:
    """What was written there last; None where nothing was yet. Damaged, `RepriseError` names the `command` to run."""
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise RepriseError(f"{path} is damaged.", hint=f"Delete it and run `{command}`.") from error
    return found
