"""PostgreSQL and SQLite: where a database is, how it is opened, and how its errors are told.

An address holds no password: `${NAME}` in it stands for an environment variable, and PostgreSQL's own ways (PGPASSWORD,
.pgpass, PGCONNECT_TIMEOUT) work as well. What is told of an address is told without what the variables hold.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote, urlsplit

from warehouse.casting import literal, quoted
from warehouse.errors import RepriseError, UsageError

SECONDS_TO_CONNECT = 10
EXAMPLES = "postgresql://analyst@db.example/shop or sqlite:///shop.db"
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_TABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_$]{0,62}(\.[A-Za-z_][A-Za-z0-9_$]{0,62})?")


def address_problem(address: str) -> str | None:
    """What an address may be, where this is none; the address itself may hold a secret and is not told."""
    if _VARIABLE.fullmatch(address):
        return None
    if not address.startswith(("postgresql://", "postgres://", "sqlite:///")):
        return f"an address such as {EXAMPLES}"
    if re.search(r"password=[^&$]", address) or re.search(r"//[^/@]*:(?!\$\{)[^/@]*@", address):
        told = "an address without a password; write ${NAME} in its place (in a shell in single quotes)"
        return f"{told} and set the environment variable NAME"
    return None


def table_name(name: str) -> str:
    """The name of a table, safely quoted; `UsageError` for what is none."""
    if not _TABLE.fullmatch(name):
        raise UsageError(f"{name!r} is no name of a table.", hint="Use letters, digits and _; schema.table is allowed.")
    return ".".join(quoted(part) for part in name.split("."))


@dataclass(frozen=True)
class Database:
    """One database: `uri` is what the driver is given, `shown` what people are told."""

    kind: Literal["postgresql", "sqlite"]
    uri: str
    shown: str

    @classmethod
    def at(cls, address: str, root: Path, environment: Mapping[str, str] = os.environ) -> Database:
        """The database at an address; paths of SQLite are relative to `root`."""
        problem = address_problem(address)
        if problem:
            raise UsageError("That is no address of a database.", hint=f"Allowed is {problem}.")
        whole = _filled(address, environment)
        if whole.startswith("sqlite:///"):
            return cls("sqlite", str(root / whole.removeprefix("sqlite:///")), address)
        if not whole.startswith(("postgresql://", "postgres://")):
            raise UsageError(f"{address} holds no address of a database.", hint=f"Allowed is {EXAMPLES}.")
        return cls("postgresql", whole, address)

    @contextmanager
    def session(self, *, read_only: bool = False) -> Iterator[Any]:
        """A cursor in one transaction: committed at the end, rolled back on any error, which is told as ours."""
        import adbc_driver_manager.dbapi as dbapi

        try:
            connection = self._connect(read_only)
        except dbapi.Error as error:
            raise RepriseError(
                f"{self.shown} cannot be reached: {said(error)}.", hint="Check the address, the rights and the network."
            ) from error
        cursor = connection.cursor()
        try:
            if self.kind == "postgresql":
                for setting in ("timezone = 'UTC'", "datestyle = 'ISO'"):
                    cursor.execute(f"set local {setting}")
                if read_only:
                    cursor.execute("set transaction read only")
            yield cursor
            self._commit(connection, dbapi.Error)
        except dbapi.Error as error:
            raise self._told(error, read_only) from error
        finally:
            _closed(connection, cursor)

    def _commit(self, connection: Any, failure: type[Exception]) -> None:
        try:
            connection.commit()
        except failure as error:
            raise RepriseError(
                f"{self.shown} did not answer whether all was written: {said(error)}.",
                hint="Run the same command again: it writes what is not there yet, and nothing twice.",
            ) from error

    def _connect(self, read_only: bool) -> Any:
        if self.kind == "postgresql":
            import adbc_driver_postgresql.dbapi as postgresql

            # libpq waits for ever by itself; connect_timeout in the address goes before this.
            os.environ.setdefault("PGCONNECT_TIMEOUT", str(SECONDS_TO_CONNECT))
            return postgresql.connect(self.uri)
        import adbc_driver_sqlite.dbapi as sqlite

        if read_only:
            return sqlite.connect(f"file:{quote(self.uri)}?mode=ro")
        return sqlite.connect(self.uri)

    def _told(self, error: Exception, read_only: bool) -> RepriseError:
        if read_only:
            return RepriseError(f"{self.shown} could not be read: {said(error)}.", hint="Nothing was loaded.")
        return RepriseError(
            f"{self.shown} could not be written: {said(error)}.",
            hint="All was rolled back, the table is as it was; run the same command again.",
        )


def said(error: Exception) -> str:
    """What the database says, on one line, without its statement and without rows, which hold values of people."""
    text = re.split(r"\n(?:DETAIL|CONTEXT|LINE \d+):|\. SQLSTATE", str(error))[0]
    text = re.sub(r"(?s)Failed to (execute|prepare) query.*?: (?=ERROR|FATAL|near|no such)", "", text)
    text = re.sub(r"\[[a-z]+\] |'(?:create|insert|update|delete|select).*", "", text, flags=re.DOTALL | re.IGNORECASE)
    text = re.sub(r"//[^@/\s]*@", "//…@", text)
    return " ".join(text.split()).rstrip(".")[:300]


def _filled(address: str, environment: Mapping[str, str]) -> str:
    """The address with its variables filled in: as they are if it is nothing but one, else as parts of an address."""
    alone = _VARIABLE.fullmatch(address) is not None

    def value(found: re.Match[str]) -> str:
        if found[1] not in environment:
            raise UsageError(
                f"The environment variable {found[1]} is not set, which the address of a database names.",
                hint=f"export {found[1]}=…",
            )
        return environment[found[1]] if alone else quote(environment[found[1]], safe="")

    return _VARIABLE.sub(value, address)


def _closed(connection: Any, cursor: Any) -> None:
    # On a broken connection rolling back fails as well; the server has done it then.
    for close in (cursor.close, connection.rollback, connection.close):
        with suppress(Exception):
            close()


def host_of(shown: str) -> str:
    """The last part of an address, by which a report names it."""
    return urlsplit(shown).path.rsplit("/", 1)[-1] or shown


def constant(value: str, kind: str) -> str:
    """A value read as text, as a constant that compares with its column: SQLite tells numbers from texts."""
    if kind == "sqlite" and re.fullmatch(r"-?\d+(\.\d+)?", value):
        return value
    return literal(value)
