"""Features of a workspace's own: columns of its tables, and its SQL files. They travel with a release as JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, Literal

from features.catalogue import Feature
from features.statements import Statement

Reading = Literal["number", "category", "days_until"]
"""How the text of a column becomes a feature: as a number, as a name, or, a date, as the days from the cutoff to it."""


@dataclass(frozen=True)
class OwnColumn:
    """A column of a table, as it is called there, and the feature it becomes."""

    column: str
    reading: Reading
    feature: Feature


@dataclass(frozen=True)
class OwnTable:
    """A table about people whose further columns are features: `users`, `labels`, or one of the user's own."""

    table: str
    columns: tuple[OwnColumn, ...]

    @property
    def family(self) -> str:
        """The name of its features as a family."""
        return self.table if self.table.startswith("extra_") else f"own_{self.table}"


@dataclass(frozen=True)
class OwnFile:
    """A SQL file of the workspace, checked: its name without suffix, its text, and the features it counts."""

    name: str
    text: str
    features: tuple[Feature, ...]

    @property
    def statement(self) -> Statement:
        """The file as it is run; its name is that of its family."""
        return Statement(family_of_file(self.name), self.text)


def family_of_file(name: str) -> str:
    """The family of the features of `features/extra/NAME.sql`."""
    return f"extra_{name}"


@dataclass(frozen=True)
class Own:
    """All features of a workspace's own; `notes` say which columns were left out, and why."""

    tables: tuple[OwnTable, ...] = ()
    files: tuple[OwnFile, ...] = ()
    notes: tuple[str, ...] = field(default=(), compare=False)

    @cached_property
    def features(self) -> tuple[Feature, ...]:
        """The features in the order of their columns, those of tables first."""
        of_tables = (column.feature for table in self.tables for column in table.columns)
        return (*of_tables, *(feature for file in self.files for feature in file.features))

    @property
    def families(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(feature.family for feature in self.features))

    def of(self, table: str) -> OwnTable | None:
        """What is read of a table; None where nothing is."""
        return next((one for one in self.tables if one.table == table), None)

    @property
    def fingerprint(self) -> str:
        """Changes with any column that is read and with the text of any file; empty where there is none."""
        if not self.tables and not self.files:
            return ""
        return hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()

    def fingerprint_with(self, data: str) -> str:
        """The fingerprint of data with these features; that of the data alone where there are none."""
        return hashlib.sha256(f"{data}{self.fingerprint}".encode()).hexdigest() if self.fingerprint else data

    def to_json(self) -> dict[str, Any]:
        """Plain values, from which `from_json` makes an equal one."""
        return {"tables": [asdict(table) for table in self.tables], "files": [asdict(file) for file in self.files]}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Own:
        """What `to_json` wrote."""
        return cls(
            tuple(OwnTable(told["table"], tuple(_column(c) for c in told["columns"])) for told in document["tables"]),
            tuple(OwnFile(f["name"], f["text"], _features(f["features"])) for f in document["files"]),
        )

    def words(self) -> dict[str, tuple[str, str]]:
        """The meaning of each feature, English and Chinese."""
        return {feature.name: (feature.en, feature.zh) for feature in self.features}


NOTHING = Own()


def _column(told: Mapping[str, Any]) -> OwnColumn:
    return OwnColumn(told["column"], told["reading"], _feature(told["feature"]))


def _features(told: Iterable[Mapping[str, Any]]) -> tuple[Feature, ...]:
    return tuple(_feature(each) for each in told)


def _feature(told: Mapping[str, Any]) -> Feature:
    return Feature(**{**told, "values": ()})


def repeated(names: Sequence[str]) -> list[str]:
    """The names that occur more than once."""
    return sorted({name for name in names if names.count(name) > 1})
