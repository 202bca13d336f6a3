"""Records that the tracking server could not take: kept in the workspace in their order, sent when it answers again."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

from warehouse.errors import RepriseError
from warehouse.files import atomic_directory

FOLDER = "mlflow-waiting"
_RECORD, _MODEL = "record.json", "model"


class Outbox:
    """The folder of what waits: one folder a record, named by when it was put there, with a copy of its model."""

    def __init__(self, root: Path) -> None:
        self.folder = root / FOLDER

    def waiting(self) -> list[Path]:
        """What waits, oldest first."""
        return sorted(self.folder.glob("[0-9]*")) if self.folder.is_dir() else []

    def keep(self, record: dict[str, Any]) -> None:
        """Puts a record there, whole or not at all; a model's files are copied, so nothing else need stay."""
        with atomic_directory(self.folder / f"{time.time_ns():020d}-{record['key'][:8]}") as folder:
            if record["model_files"]:
                shutil.copytree(record["model_files"], folder / _MODEL)
            (folder / _RECORD).write_text(json.dumps(record, ensure_ascii=False), encoding="utf-8")

    def read(self, kept: Path) -> dict[str, Any]:
        """A record as it was, marked as one that the server may already hold in part."""
        try:
            record: dict[str, Any] = json.loads((kept / _RECORD).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise RepriseError(
                f"{kept} is damaged ({error}).", hint="Delete it; that run is then not logged."
            ) from error
        return record | {"again": True, "model_files": str(kept / _MODEL) if record["model_files"] else None}

    def drop(self, kept: Path) -> None:
        """Removes what has been sent."""
        shutil.rmtree(kept, ignore_errors=True)
