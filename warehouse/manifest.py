"""What is written beside the rows: the manifest of a table version, and the pointer to the current versions."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

from warehouse.errors import RepriseError
from warehouse.files import write_text

FORMAT = 1
POINTER = "current.json"
ANEW = "Delete the store folder and run `reprise check`: it is made anew from your files."


@dataclass(frozen=True)
class SourceFile:
    """One loaded file: which bytes, when, and what became of its rows.

    read = accepted + rejected + duplicates + sum of set_aside.
    """

    path: str
    size: int
    sha256: str
    loaded_at: datetime
    columns: tuple[str, ...]
    read: int = 0
    accepted: int = 0
    rejected: int = 0
    duplicates: int = 0
    duplicates_kept: int = 0
    set_aside: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def balances(self) -> bool:
        return self.read == self.accepted + self.rejected + self.duplicates + sum(self.set_aside.values())


@dataclass(frozen=True)
class TableManifest:
    """One version of one table.

    `columns` are those of the contract that some source file has; `daily` counts rows by local day; `contents` is the
    SHA-256 of each file; `joined` that of files that hold `joined_rows` of these rows once more, as theirs whose they
    turned out to be. `erased` rows of the sources' accepted ones have been erased since.
    """

    table: str
    version: str
    settings: str
    rows: int
    entities: int
    anonymous_rows: int
    columns: tuple[str, ...]
    open_columns: tuple[str, ...]
    sources: tuple[SourceFile, ...]
    first_day: date | None
    observed_until: date | None
    loaded_at: datetime
    daily: dict[str, int]
    contents: dict[str, str]
    accepted_drift: tuple[str, ...] = ()
    erased: int = 0
    joined: dict[str, str] = field(default_factory=dict)
    joined_rows: int = 0
    format: int = FORMAT

    @property
    def hashes(self) -> dict[str, str]:
        """The SHA-256 of every file that is read."""
        return self.contents | self.joined

    @property
    def counts(self) -> dict[str, int]:
        """Over all sources: rows read, accepted, rejected, duplicates, and those set aside by each policy."""
        total = {
            name: sum(getattr(source, name) for source in self.sources)
            for name in ("read", "accepted", "rejected", "duplicates", "duplicates_kept")
        }
        for source in self.sources:
            for policy, count in source.set_aside.items():
                total[policy] = total.get(policy, 0) + count
        if self.erased:
            total["accepted"] -= self.erased
            total["erased"] = total.get("erased", 0) + self.erased
        return total

    def to_json(self) -> str:
        return json.dumps(asdict(self), default=str, ensure_ascii=False, indent=1, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> TableManifest:
        raw: dict[str, Any] = json.loads(text)
        if raw.get("format") != FORMAT:
            raise RepriseError(
                f"The store is of format {raw.get('format')}; this version reads format {FORMAT}.",
                hint=ANEW,
            )
        day = {name: date.fromisoformat(raw[name]) if raw[name] else None for name in ("first_day", "observed_until")}
        sources = tuple(
            SourceFile(
                **{
                    **source,
                    "loaded_at": datetime.fromisoformat(source["loaded_at"]),
                    "columns": tuple(source["columns"]),
                    "notes": tuple(source["notes"]),
                }
            )
            for source in raw["sources"]
        )
        texts = {name: tuple(raw[name]) for name in ("columns", "open_columns", "accepted_drift")}
        return cls(**{**raw, **day, **texts, "sources": sources, "loaded_at": datetime.fromisoformat(raw["loaded_at"])})


def read_pointer(store: Path) -> dict[str, str]:
    """The current version of each table."""
    try:
        found: dict[str, str] = dict(json.loads((store / POINTER).read_text(encoding="utf-8"))["tables"])
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(store / POINTER) from error
    return found


def swap_pointer(store: Path, tables: dict[str, str]) -> None:
    """Publishes those versions all at once; the ones before stay readable until the next load."""
    content = {"tables": tables, "previous": read_pointer(store)}
    write_text(store / POINTER, json.dumps(content, indent=1, sort_keys=True) + "\n")


def kept_versions(store: Path) -> set[tuple[str, str]]:
    """The (table, version) pairs that the pointer names, now and before."""
    try:
        content = json.loads((store / POINTER).read_text(encoding="utf-8"))
        return {pair for tables in (content["tables"], content["previous"]) for pair in tables.items()}
    except FileNotFoundError:
        return set()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(store / POINTER) from error


def next_version(folder: Path) -> str:
    """The name of the next version of a table in its folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    taken = [int(path.name) for path in folder.iterdir() if path.name.isdigit()]
    return f"{max(taken, default=0) + 1:06d}"


def read_manifest(folder: Path) -> TableManifest:
    path = folder / "manifest.json"
    try:
        return TableManifest.from_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise RepriseError(f"{path} is missing.", hint=ANEW) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(path) from error


def _damaged(path: Path) -> RepriseError:
    return RepriseError(f"{path} is damaged.", hint=ANEW)
