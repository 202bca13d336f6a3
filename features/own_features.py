"""Which features a workspace adds: further columns of its tables, and the files of `features/extra`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from features.attributes import readings
from features.catalogue import by_name
from features.own import Own, OwnTable, family_of_file, repeated
from features.own_files import checked_files
from warehouse.contracts import EXTRA
from warehouse.engine import connect
from warehouse.errors import DataProblemError, SettingsError
from warehouse.settings import refuse
from warehouse.settings_problems import Wrong

if TYPE_CHECKING:
    from warehouse.store import Store

FOLDER = Path("features") / "extra"
"""Where a workspace keeps its SQL files."""


def own_of(store: Store) -> Own:
    """The features of a workspace's own, from what its store holds and its files say.

    `SettingsError` for a column that is named and not there, a name that is taken, and a file that breaks a rule.
    """
    files = checked_files(store.workspace.root / FOLDER)
    tables, notes = _tables(store)
    families = [*(table.family for table in tables), *(family_of_file(file.name) for file in files)]
    if twice := repeated(families):
        raise SettingsError(
            f"{FOLDER}/{twice[0].removeprefix(EXTRA)}.sql and [tables.{twice[0]}] have one name.", hint="Rename one."
        )
    own = Own(tables, files, tuple(notes))
    names = [feature.name for feature in own.features]
    taken = sorted(set(names) & {*by_name(), "entity_id", "user_id"})
    if clash := repeated(names) + taken:
        raise SettingsError(
            f'Two features are called "{clash[0]}": {" and ".join(_homes(own, clash[0]))}.',
            hint="Rename the column, or leave it out: list in `features` of its table those that are to be read.",
        )
    return own


def _homes(own: Own, name: str) -> list[str]:
    """Where features of that name come from, for people."""
    known = by_name().get(name)
    homes = [f"the family {known.family}"] if known else []
    homes += [
        f"the column {column.column} of {table.table}"
        for table in own.tables
        for column in table.columns
        if column.feature.name == name
    ]
    homes += [f"{FOLDER}/{file.name}.sql" for file in own.files for feature in file.features if feature.name == name]
    return homes if len(homes) > 1 else [*homes, "a column that every table has"]


def _tables(store: Store) -> tuple[tuple[OwnTable, ...], list[str]]:
    found, notes = [], []
    settings = store.workspace.settings
    alone = not store.tables & {"orders", "events"}
    with connect([store.workspace.store], memory_limit=settings.memory_limit) as connection:
        for table, told in settings.tables.items():
            if not (table in ("users", "labels") or table.startswith(EXTRA)) or not store.has(table):
                continue
            there = store.manifest(table).open_columns
            asked = told.features
            named = [(("features", k), name) for k, name in enumerate(asked or ())]
            named += [(("categories", k), name) for k, name in enumerate(told.categories)]
            refuse(
                store.workspace.root,
                [Wrong.word(("tables", table, *at), name, there) for at, name in named if name not in there],
            )
            wanted = there if asked is None and (table != "users" or alone) else asked or ()
            if not wanted:
                continue
            files = [store.bucket(table, k) for k in range(store.buckets)]
            read, said = readings(connection, table, files, wanted, told.categories)
            notes += said
            found.append(read)
    return tuple(table for table in found if table.columns), notes


def refuse_repeated(family: str, counted: pa.ChunkedArray, customers: pa.Array) -> None:
    """`DataProblemError` where a file of the workspace gives more than one row for a customer, or none of an id."""
    numbers = np.asarray(counted.drop_null().to_numpy())
    name = f"{FOLDER}/{family.removeprefix(EXTRA)}.sql"
    for who in _repeated(numbers):
        raise DataProblemError(
            f'{name} gives more than one row for the customer "{customers[int(who)].as_py()}".',
            hint="Group by entity_id: a file has one row for each customer.",
        )
    if len(numbers) < len(counted):
        raise DataProblemError(f"{name} gives rows without entity_id.", hint="Take entity_id from the table it counts.")


def _repeated(numbers: np.ndarray) -> Iterator[int]:
    once, times = np.unique(numbers, return_counts=True)
    yield from once[times > 1]
