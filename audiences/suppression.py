"""Who must not be contacted. Every doubt means no contact: a missing, empty, old or unreadable list stops all."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from warehouse.errors import DataProblemError, NotReadyError
from warehouse.settings import SuppressionSettings

CHANNELS = ("sms", "email", "push")
CONSENTS = tuple(f"consent_{channel}" for channel in CHANNELS)
PROFILING = "consent_profiling"
REASONS = ("blocked", "no_consent", "no_profiling", "listed", "near")
"""Why somebody is left out, in the order in which they are counted."""
_ID = "user_id"
_CLOCK_ALLOWANCE = timedelta(minutes=5)


@dataclass(frozen=True)
class SuppressionList:
    """The ids of a suppression file, kept as text exactly as the store keeps them; `changed_at` in UTC."""

    ids: frozenset[str]
    rows: int
    sha256: str
    changed_at: datetime


@dataclass(frozen=True)
class Withheld:
    """For each customer of a table, in its order, the reasons to leave them out.

    `no_profiling` are those who refused profiling, where scores decided who is in the table; else nobody. `near` are
    customers whose id differs only by case, spaces or leading zeros from a listed id that is nobody's: they are left
    out too, and told, for the list means somebody.
    """

    blocked: npt.NDArray[np.bool_]
    no_consent: npt.NDArray[np.bool_]
    no_profiling: npt.NDArray[np.bool_]
    listed: npt.NDArray[np.bool_]
    near: npt.NDArray[np.bool_]

    @property
    def any(self) -> npt.NDArray[np.bool_]:
        return self.blocked | self.no_consent | self.no_profiling | self.listed | self.near


def read_list(path: Path, now: datetime, max_age_hours: int, allow_empty: bool = False) -> SuppressionList:
    """The list in a CSV or Parquet file with a `user_id` column; `DataProblemError` wherever it cannot be trusted.

    `now` is the time of the run; a time without zone is UTC. Age is the time since the file was last written.
    """
    try:
        content = path.read_bytes()
        changed_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except OSError as error:
        raise _closed(
            path, f"cannot be read ({error.strerror})", "Put it there, or take it out of reprise.toml."
        ) from error
    _check_age(path, changed_at, now if now.tzinfo else now.replace(tzinfo=UTC), max_age_hours)
    ids = _parquet_ids(path, content) if path.suffix == ".parquet" else _csv_ids(path, content)
    for line, one in enumerate(ids, start=2):
        _check_id(path, line, one)
    if not ids and not allow_empty:
        raise _closed(path, "holds no user", "If nobody is to be left out, allow an empty list.")
    return SuppressionList(frozenset(ids), len(ids), sha256(content).hexdigest(), changed_at.replace(tzinfo=None))


def list_named(settings: SuppressionSettings, root: Path, now: datetime) -> SuppressionList | None:
    """The list that the settings of the workspace in `root` name; None where they name none. Raises as `read_list`."""
    return read_list(root / settings.file, now, settings.max_age_hours) if settings.file else None


def withheld(
    customers: pa.Table,
    listed: SuppressionList | None,
    channel: str | None,
    known_ids: Iterable[str] | None = None,
    *,
    by_scores: bool = False,
) -> Withheld:
    """Who of `customers` (entity_id and, where the users table has them, blocked and consent_…) must be left out.

    Blocked counts where it is known to be true. With a `channel` its consent must be known to be true; without one,
    where any consent is recorded at all, that of some channel must be. `by_scores` says that scores decided who
    `customers` are, which those who refused profiling have forbidden.
    `known_ids` are all customers there are, by which a listed id is found to be nobody's; `customers` if absent.
    """
    ids = customers.column("entity_id").to_pylist()
    blocked = _flags(customers, "blocked") if "blocked" in customers.column_names else np.zeros(len(ids), bool)
    no_consent = ~_consents(customers, channel) if channel else _refused_all(customers)
    no_profiling = unprofiled(customers) if by_scores else np.zeros(len(ids), bool)
    on_list, near = np.zeros(len(ids), bool), np.zeros(len(ids), bool)
    if listed is not None:
        on_list = np.fromiter((one in listed.ids for one in ids), bool, len(ids))
        strays = {folded(one) for one in unmatched(listed, known_ids if known_ids is not None else ids)}
        near = np.fromiter((folded(one) in strays for one in ids), bool, len(ids)) if strays else near
    return Withheld(blocked, no_consent, no_profiling, on_list, near & ~on_list)


def unprofiled(customers: pa.Table) -> npt.NDArray[np.bool_]:
    """Who is known to have refused profiling; who never said has not refused."""
    if PROFILING not in customers.column_names:
        return np.zeros(customers.num_rows, bool)
    return _flags(customers, PROFILING, wanted=False)


def _refused_all(customers: pa.Table) -> npt.NDArray[np.bool_]:
    """Who has consented to no channel; nobody where no consent was ever recorded."""
    names = [name for name in customers.column_names if name in CONSENTS]
    asked = [name for name in names if customers.column(name).null_count < customers.num_rows]
    if not asked:
        return np.zeros(customers.num_rows, bool)
    return np.asarray(~np.any([_flags(customers, name) for name in asked], axis=0), dtype=bool)


def unmatched(listed: SuppressionList, known_ids: Iterable[str]) -> frozenset[str]:
    """The listed ids that are nobody's."""
    return listed.ids - frozenset(known_ids)


def folded(one: str) -> str:
    """The id without what people and spreadsheets change: case, width, spaces, leading zeros, a trailing `.0`, and
    the apostrophe our own files guard an id with.
    """
    plain = "".join(unicodedata.normalize("NFKC", one).split()).casefold()
    return plain.removesuffix(".0").lstrip("'0") or "0"


def _consents(customers: pa.Table, channel: str) -> npt.NDArray[np.bool_]:
    name = f"consent_{channel}"
    if name not in customers.column_names:
        raise NotReadyError(
            f"The audience is for {channel}, but nobody's {name} is known.",
            hint=f"Load a users table with the column {name}, or name no channel.",
        )
    return _flags(customers, name)


def _flags(customers: pa.Table, name: str, wanted: bool = True) -> npt.NDArray[np.bool_]:
    """Where the column is known to be what is wanted."""
    column = customers.column(name)
    if pa.types.is_null(column.type):
        return np.zeros(len(column), bool)
    if not pa.types.is_boolean(column.type):
        raise DataProblemError(f"{name} is {column.type}, not yes or no, so nobody can be contacted.")
    return np.asarray(pc.fill_null(pc.equal(column, wanted), False).to_numpy(), dtype=bool)


def _closed(path: Path, found: str, fix: str) -> DataProblemError:
    return DataProblemError(f"The suppression list {path.name} {found}, so no audience is written.", hint=fix)


def _check_age(path: Path, changed_at: datetime, now: datetime, max_age_hours: int) -> None:
    hours = (now - changed_at).total_seconds() / 3600
    if hours > max_age_hours:
        raise _closed(path, f"is {hours:.0f} hours old; at most {max_age_hours} are allowed", "Fetch it anew.")
    if changed_at > now + _CLOCK_ALLOWANCE:
        raise _closed(path, "was written in the future", "Set the clock right, so that its age can be known.")


def _csv_ids(path: Path, content: bytes) -> list[str]:
    try:
        rows = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        header = next(rows, None)
        if header is None:
            raise _closed(path, "is empty", f"It needs a line with the column name {_ID} and a line for each user.")
        place = _place(path, header)
        return [_cell(path, rows.line_num, row, place, len(header)) for row in rows if row]
    except UnicodeDecodeError as error:
        raise _closed(path, "is not UTF-8 text", "Save it as UTF-8.") from error
    except csv.Error as error:
        raise _closed(path, f"cannot be read as CSV ({error})", "Mend the line, or write the list anew.") from error


def _place(path: Path, header: list[str]) -> int:
    if header.count(_ID) != 1:
        found = ", ".join(header)[:200]
        raise _closed(path, f"has the columns {found}; exactly one {_ID} is needed", f"Name the column {_ID}.")
    return header.index(_ID)


def _cell(path: Path, line: int, row: list[str], place: int, width: int) -> str:
    if len(row) != width:
        raise _closed(path, f"has {len(row)} cells in line {line}; {width} are needed", "Mend that line.")
    return row[place]


def _parquet_ids(path: Path, content: bytes) -> list[str]:
    try:
        table = pq.read_table(pa.BufferReader(content))
    except (pa.ArrowInvalid, OSError) as error:
        raise _closed(path, "cannot be read as Parquet", "Write the list anew.") from error
    column = table.column(_place(path, table.column_names))
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        raise _closed(path, f"holds {_ID} as {column.type}, which loses leading zeros", "Write ids as text.")
    return ["" if one is None else one for one in column.to_pylist()]


def _check_id(path: Path, line: int, one: str) -> None:
    if not one.strip():
        raise _closed(path, f"has no {_ID} in line {line}", "Mend that line.")
    if len(one) > 128 or any(unicodedata.category(character) == "Cc" for character in one):
        raise _closed(path, f"has an unusable {_ID} in line {line}", "Ids have at most 128 visible characters.")
