"""What a load did, for people and for programs."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from warehouse.manifest import SourceFile


@dataclass(frozen=True)
class LoadReport:
    """What a load did: for each new file what became of its rows, and what else is worth knowing."""

    changed: bool
    files: tuple[tuple[str, SourceFile], ...]
    rows: dict[str, int]
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        files = [
            {"table": table, **json.loads(json.dumps(asdict(source), default=str))} for table, source in self.files
        ]
        return {"changed": self.changed, "rows": self.rows, "files": files, "notes": list(self.notes)}

    def lines(self) -> list[str]:
        """One line a file: read = accepted + rejected + duplicates + set aside."""
        if not self.changed:
            kept = ", ".join(f"{table} {rows:,} rows" for table, rows in self.rows.items())
            return [f"Nothing new to load: {kept}.", *self.notes]
        return [line for table, source in self.files for line in _file_lines(table, source)] + list(self.notes)


def _file_lines(table: str, source: SourceFile) -> list[str]:
    aside = ", ".join(f"{policy} {count:,}" for policy, count in source.set_aside.items())
    kept = f" ({source.duplicates_kept:,} of the accepted are duplicates, kept)" if source.duplicates_kept else ""
    first = (
        f"{table}: {source.read:,} rows read from {Path(source.path).name} = {source.accepted:,} accepted"
        f" + {source.rejected:,} rejected + {source.duplicates:,} duplicates"
        f" + {sum(source.set_aside.values()):,} set aside"
        f"{f' ({aside})' if aside else ''}{kept}"
    )
    return [first, *(f"  {note}" for note in source.notes)]
