"""The store without some users or sellers: every table that holds them is written anew, and no older version is left.

What comes out is what loading their files would give if the erased had never been in them.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from warehouse.checking import id_column
from warehouse.contracts import CONTRACTS
from warehouse.engine import connect
from warehouse.erasures import Person, act_texts
from warehouse.errors import NotReadyError
from warehouse.files import sweep
from warehouse.layout import file_schema, listed
from warehouse.loading import Job, Staged, Without, settings_hash
from warehouse.manifest import kept_versions, next_version, read_pointer, swap_pointer
from warehouse.merging import write_version
from warehouse.progress import Progress, silent
from warehouse.row_keys import row_keys
from warehouse.rulebook import KEY
from warehouse.settings import Settings
from warehouse.spooling import Spool
from warehouse.store import Store

DEVICE_KINDS = ("device", "device_id")
MENTIONS = {"users": "referred_by"}
"""Columns that name another user; that name is removed, the row is somebody else's and stays."""
_USERS, _DEVICES, _ACTS, _KEYS = "erased_users", "erased_devices", "erased_acts", "erased_keys"


@dataclass(frozen=True)
class Found:
    """What the store holds of users (or sellers): rows by table, devices only they used, how many others use too."""

    users: frozenset[str]
    devices: tuple[str, ...]
    shared_devices: int
    rows: dict[str, int]
    mentions: int
    acts: frozenset[str] = frozenset()
    """By what their acts of nobody on devices of others, too, are known again (`erasures.act_texts`)."""


def find(store: Store, users: Collection[str], of: Person = "user") -> Found:
    """Looks for users, or sellers, in every table; `users` of the answer are those that are there."""
    ids = _ids(store, of)
    with connect([store.workspace.store], memory_limit=store.workspace.settings.memory_limit) as connection:
        _register(connection, users, ())
        asked = [f"select distinct {one} as id from {_all(store, t)} where {one} in (select id from {_USERS})"
                 for t, one in ids.items()]  # fmt: skip
        there = {row[0] for row in connection.execute(" union ".join(asked)).fetchall()} if asked else set()
        devices, shared = _devices(connection, store, ids) if of == "user" else ([], 0)
        connection.executemany(f"insert into {_DEVICES} values (?)", [[one] for one in devices]) if devices else None
        _register_acts(connection, store)
        rows = {}
        for table in ids:
            gone = _gone(table, ids[table])
            count = connection.execute(f"select count(*) from {_all(store, table)} where {gone}").fetchall()
            rows[table] = int(count[0][0])
        mentions = 0
        if of == "user" and "users" in ids:
            sql = f"select count(*) from {_all(store, 'users')} where referred_by in (select id from {_USERS}) and not "
            mentions = int(connection.execute(f"{sql}({_gone('users', ids['users'])})").fetchall()[0][0])
        acts = _acts(connection)
    return Found(frozenset(there), tuple(devices), shared, {t: n for t, n in rows.items() if n}, mentions, acts)


def erase(
    store: Store,
    users: Collection[str],
    devices: Collection[str],
    progress: Progress = silent,
    of: Person = "user",
) -> None:
    """Writes every table that holds the users (or sellers) anew; older versions and rejected rows go.

    `NotReadyError` where the settings of such a table have changed since it was loaded: its rows might be looked for
    in the wrong place.
    """
    workspace = store.workspace
    root, settings = workspace.store, workspace.settings
    if not root.exists():
        return
    with workspace.lock("store"):
        sweep(root)
        current = read_pointer(root)
        ids = _ids(store, of)
        mentions = MENTIONS if of == "user" else {}
        with (
            tempfile.TemporaryDirectory(prefix=".writing-", dir=root) as scratch,
            connect([root], memory_limit=settings.memory_limit) as connection,
        ):
            for number, (table, one) in enumerate(ids.items()):
                progress(f"{table}: erasing", number, len(ids))
                _register(connection, users, devices, _theirs(settings, table))
                _register_acts(connection, store)
                every, gone, mention = _all(store, table), _gone(table, one), mentions.get(table)
                touched = f"{gone} or {_named(table)}" if mention else gone
                connection.execute(f"create or replace table {_KEYS} as select {KEY} from {every} where {gone}")
                if not connection.execute(f"select 1 from {every} where {touched} limit 1").fetchall():
                    continue
                without = Without(f"not ({gone})", mention, f"{KEY} not in (select {KEY} from {_KEYS})", _USERS)
                current[table] = _rewritten(store, table, without, connection, Path(scratch), progress)
        # Twice, so that the versions before are named nowhere any more.
        swap_pointer(root, current)
        swap_pointer(root, current)
        shutil.rmtree(root / "rejects", ignore_errors=True)
        kept = kept_versions(root)
        for table in sorted({*CONTRACTS, *store.tables}):
            if (root / table).is_dir():
                sweep(root / table)
                for version in (root / table).iterdir():
                    if (table, version.name) not in kept:
                        shutil.rmtree(version)


def check_settings(store: Store) -> None:
    """`NotReadyError` where a table was loaded under other settings than those of now."""
    settings = store.workspace.settings
    for table in _personal(store):
        if table not in settings.tables or store.manifest(table).settings != settings_hash(settings, table):
            raise NotReadyError(
                f"The settings of {table} have changed since it was loaded, so its rows cannot be found for sure.",
                hint="Load it with `reprise check`, then erase.",
            )


def _theirs(settings: Settings, table: str) -> str:
    """What the files of a table call the column that names another user."""
    policy = next(policy for name, policy in settings.tables.items() if name == table)
    mention = MENTIONS.get(table, "")
    return policy.columns.get(mention, mention)


def _rewritten(
    store: Store,
    table: str,
    without: Without,
    connection: duckdb.DuckDBPyConnection,
    scratch: Path,
    progress: Progress,
) -> str:
    base, settings = store.manifest(table), store.workspace.settings
    root = store.workspace.store
    version = next_version(root / table)
    folder = scratch / table
    folder.mkdir()
    name = next(name for name in settings.tables if name == table)
    job = Job(name, base, root / table / base.version, (), base.settings, (), without)
    staged = Staged(folder)
    staged.open_columns = base.open_columns
    schema = file_schema(CONTRACTS[table], base.open_columns)
    with Spool(connection, folder, schema, settings.buckets) as staged.spool:
        staged.spool.finish()
    write_version(job, staged, settings, connection, root / table / version, progress)
    return version


def _personal(store: Store) -> list[str]:
    """The tables that are about people and have rows."""
    return [t for t in sorted(store.tables) if "user_id" in CONTRACTS[t].names]


def _all(store: Store, table: str) -> str:
    manifest = store.manifest(table)
    folder = store.workspace.store / table / manifest.version
    return listed(folder / name for name in sorted(manifest.contents))


def _ids(store: Store, of: Person) -> dict[str, str]:
    """By table the column that holds ids of users, or of sellers."""
    settings = store.workspace.settings
    return {t: one for t in _personal(store) if (one := id_column(CONTRACTS[t], settings, of)) is not None}


def _gone(table: str, ids: str) -> str:
    """The condition under which a row is one of the erased, whose ids are in the column `ids`."""
    users = f"coalesce({ids} in (select id from {_USERS}), false)"
    if ids != "user_id" or "device_id" not in CONTRACTS[table].names:
        return users
    of_nobody = f"coalesce(device_id in (select id from {_DEVICES}), false) or {KEY} in (select {KEY} from {_ACTS})"
    return f"({users} or (user_id is null and ({of_nobody})))"


def _named(table: str) -> str:
    return f"coalesce({MENTIONS[table]} in (select id from {_USERS}), false)"


def _register(
    connection: duckdb.DuckDBPyConnection, users: Collection[str], devices: Collection[str], column: str = "referred_by"
) -> None:
    """The erased as tables every cursor sees; `mention` is what their id adds to the key of a row that names them."""
    ids = pa.array(sorted(users), pa.string())
    held = pa.table({"id": ids, "mention": row_keys(pa.table({column: ids}))})
    for name, table in ((_USERS, held), (_DEVICES, pa.table({"id": pa.array(sorted(devices), pa.string())}))):
        connection.register("given", table)
        connection.execute(f"create or replace table {name} as select * from given")
        connection.unregister("given")


def _register_acts(connection: duckdb.DuckDBPyConnection, store: Store) -> None:
    """The acts of nobody that a login made the erased users' (`warehouse.joining`), by the keys of their rows.

    They go with the user: left behind, the next login of such a device would make them somebody else's.
    """
    manifest = store.manifest("events") if store.has("events") else None
    joined = (
        [store.workspace.store / "events" / manifest.version / name for name in manifest.joined] if manifest else []
    )
    told = f"{KEY}, device_id, occurred_at"
    theirs = f"select {told} from {listed(joined)} where entity_id in (select id from {_USERS})"
    none = f"select 0::ubigint as {KEY}, ''::varchar as device_id, null::timestamp as occurred_at limit 0"
    connection.execute(f"create or replace table {_ACTS} as {theirs if joined else none}")


def _acts(connection: duckdb.DuckDBPyConnection) -> frozenset[str]:
    """Of those acts the ones on devices that are not only theirs: nothing else would keep them out of later loads."""
    sql = f"select * from {_ACTS} where device_id not in (select id from {_DEVICES})"
    texts = act_texts(connection.sql(sql).to_arrow_table())
    return frozenset(one for each in texts for one in each.to_pylist())


def _devices(connection: duckdb.DuckDBPyConnection, store: Store, ids: Collection[str]) -> tuple[list[str], int]:
    """The devices of the users that nobody else has used, and how many others have used too."""
    used = []
    if "events" in ids:
        used.append(f"select user_id, device_id from {_all(store, 'events')} where user_id is not null")
    if "identities" in ids:
        kinds = ", ".join(f"'{kind}'" for kind in DEVICE_KINDS)
        used.append(f"select user_id, value from {_all(store, 'identities')} where lower(kind) in ({kinds})")
    if not used:
        return [], 0
    found = connection.execute(
        f"with used(user_id, device_id) as ({' union '.join(used)})"
        f" select device_id, bool_and(user_id in (select id from {_USERS})) from used where device_id is not null"
        f" group by device_id having bool_or(user_id in (select id from {_USERS})) order by 1"
    ).fetchall()
    return [device for device, alone in found if alone], sum(not alone for _, alone in found)
