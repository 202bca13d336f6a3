"""The files of a table, as its settings name them."""

from __future__ import annotations

import glob
from pathlib import Path

from warehouse.errors import DataProblemError, SettingsError


def files_of(root: Path, table: str, patterns: tuple[str, ...]) -> list[tuple[str, Path]]:
    """The files that patterns find from `root`, sorted by name: their name in the settings' terms, and where they are.

    `DataProblemError` where a pattern finds none, `SettingsError` where there is no pattern.
    """
    found: dict[str, Path] = {}
    for pattern in patterns:
        whole = root / pattern
        matches = [whole] if whole.is_file() else sorted(map(Path, glob.glob(str(whole), recursive=True)))
        matches = [path for path in matches if path.is_file()]
        if not matches:
            raise DataProblemError(
                f"tables.{table}.files: there is no file {pattern}.",
                hint="Check the path in reprise.toml; it is relative to the folder of that file.",
            )
        for path in matches:
            found[str(path if Path(pattern).is_absolute() else path.relative_to(root))] = path
    if not found:
        raise SettingsError(f"tables.{table}.files names no file.", hint="List at least one.")
    return sorted(found.items())
