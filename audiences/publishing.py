"""How an audience's folder comes to be there: whole or not at all, the same when nothing changed, never by surprise."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from audiences.suppression import SuppressionList
from warehouse.errors import DataProblemError, UsageError
from warehouse.files import atomic_directory, sha256

MANIFEST = "manifest.json"


class Changed(Exception):  # noqa: N818 - a signal between two functions, not an error
    """What the folder was made from is no longer so."""


class _Same(Exception):  # noqa: N818 - as above
    """The folder there already holds the same bytes."""


def publish(target: Path, write: Callable[[Path], None], check: Callable[[], None]) -> str:
    """Fills a new folder by `write`, asks `check` (which may raise `Changed`), and makes it `target`.

    Returns "new", "unchanged" (the folder there held the same bytes and stays) or "updated".
    """
    state = "new"
    aside = _aside(target)
    try:
        with atomic_directory(target) as folder:
            write(folder)
            check()
            if target.is_dir():
                if _hashes(target) == _hashes(folder):
                    raise _Same
                os.rename(target, aside)
                state = "updated"
    except _Same:
        return "unchanged"
    except BaseException:
        recover(target)
        raise
    shutil.rmtree(aside, ignore_errors=True)
    return state


def recover(target: Path) -> None:
    """Puts back the folder that a killed `publish` had moved out of the way. Call it before any sweep."""
    if _aside(target).is_dir() and not target.exists():
        os.rename(_aside(target), target)


def _aside(target: Path) -> Path:
    return target.with_name(f".writing-old-{target.name}")


def refuse_other_settings(target: Path, declared: dict[str, Any]) -> None:
    """`UsageError` where `target` was made from other settings: the same name and date must mean the same people."""
    try:
        before = json.loads((target / MANIFEST).read_text(encoding="utf-8"))["declared"]
    except FileNotFoundError:
        return
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataProblemError(
            f"{target.parent.name}/{target.name}/{MANIFEST} cannot be read.", hint="Use --replace to write it anew."
        ) from error
    keys = dict.fromkeys((*declared, *before))
    different = [key for key in keys if before.get(key) != declared.get(key) and key != "rule_json"]
    if different:
        told = "; ".join(f"{key} was {before.get(key)}, is {declared.get(key)}" for key in different)
        raise UsageError(
            f"The audience {target.parent.name} of {target.name} was made otherwise: {told}.",
            hint="Give it another name, or use --replace.",
        )


def refuse_shrunk_list(base: Path, listed: SuppressionList | None) -> None:
    """`DataProblemError` where the list has lost more than half of its ids since the last audience of that name."""
    earlier = sorted(base.glob(f"[0-9]*/{MANIFEST}"))
    if listed is None or not earlier:
        return
    try:
        before = json.loads(earlier[-1].read_text(encoding="utf-8"))["suppression"]["list"]
        count = int(before["ids"]) if before else 0
    except (OSError, ValueError, KeyError, TypeError):
        return
    if 2 * len(listed.ids) < count:
        raise DataProblemError(
            f"The suppression list has {len(listed.ids):,} ids; for {base.name} of {earlier[-1].parent.name} it had "
            f"{count:,}, so no audience is written.",
            hint="Fetch it anew. If so many may really be contacted again, use --replace once.",
        )


def _hashes(folder: Path) -> dict[str, str]:
    return {path.name: sha256(path) for path in sorted(folder.iterdir()) if path.is_file()}
