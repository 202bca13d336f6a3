"""What is in stock right now, from a file that the shop writes beside the workspace, while the service runs."""

from __future__ import annotations

import io
import logging
from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from serving import metrics
from serving.release import Release
from warehouse.errors import DataProblemError, RepriseError
from warehouse.settings import SETTINGS_FILE, ServingSettings
from warehouse.workspace import Workspace

logger = logging.getLogger("reprise.serving")

_HINT = "It needs a column item_id, and may have one quantity; each item in stock is a line."


@dataclass(frozen=True)
class Stock:
    """The items in stock by a file that was last written at `changed_at` (UTC)."""

    items: frozenset[str]
    changed_at: datetime


def read_stock(path: Path) -> Stock:
    """The items of a CSV or Parquet file with a column `item_id`, but those whose `quantity` is 0 or less.

    `DataProblemError` where it cannot be read, has no such column, a quantity is no number, or nothing is in stock,
    which is a broken export more often than an empty shop.
    """
    try:
        content = path.read_bytes()
        changed_at = datetime.fromtimestamp(path.stat().st_mtime, UTC).replace(tzinfo=None)
        table = pq.read_table(io.BytesIO(content)) if path.suffix == ".parquet" else _csv(content)
        ids = table.column("item_id").cast(pa.string())
        known = pc.is_valid(ids)
        if "quantity" in table.column_names:
            known = pc.and_(known, pc.greater(table["quantity"].cast(pa.float64()), 0).fill_null(False))
    except OSError as error:
        raise DataProblemError(f"{path.name} cannot be read ({error.strerror}).", hint=_HINT) from error
    except KeyError as error:
        raise DataProblemError(f"{path.name} has no column item_id.", hint=_HINT) from error
    except (pa.ArrowException, ValueError) as error:
        raise DataProblemError(f"{path.name} is no such table, or a quantity is no number.", hint=_HINT) from error
    items = frozenset(ids.filter(known).to_pylist())
    if not items:
        raise DataProblemError(f"{path.name} says that nothing is in stock.", hint=_HINT)
    return Stock(items, changed_at)


def _csv(content: bytes) -> pa.Table:
    as_text = pacsv.ConvertOptions(
        column_types={"item_id": pa.string(), "quantity": pa.string()}, strings_can_be_null=True, null_values=[""]
    )
    return pacsv.read_csv(io.BytesIO(content), convert_options=as_text)


class StockBeside:
    """The file that the settings of the workspace in a folder name, read again whenever it was written anew.

    One that cannot be believed changes nothing: what the one before said holds until it is older than allowed.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._settings: tuple[int, ServingSettings] | None = None
        self._seen: tuple[Path, int, int] | None = None
        self._stock: Stock | None = None
        self._why: str | None = None

    def believed(self, now: datetime) -> tuple[Stock | None, str | None]:
        """What is in stock as far as a file says so, and why the newest file does not; `now` is a naive UTC instant.

        None, None where no file is named.
        """
        told = self._told()
        if told is None or told.stock_file is None:
            self._seen = self._stock = self._why = None
            return None, None
        self._look(self._root / told.stock_file)
        stock, hours = self._stock, told.stock_max_age_hours
        if stock is not None and now - stock.changed_at > timedelta(hours=hours):
            return None, self._why or f"{told.stock_file} is older than {hours} hours."
        return stock, self._why

    def _told(self) -> ServingSettings | None:
        """The settings as they are now; those before where they are broken, which is told to whoever needs them."""
        try:
            changed = (self._root / SETTINGS_FILE).stat().st_mtime_ns
            if self._settings is None or self._settings[0] != changed:
                self._settings = (changed, Workspace.open(self._root).settings.serving)
        except (OSError, RepriseError):
            pass
        return self._settings[1] if self._settings else None

    def _look(self, path: Path) -> None:
        try:
            status = path.stat()
            seen = (path, status.st_mtime_ns, status.st_size)
        except OSError:
            seen = (path, 0, 0)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._stock, self._why = read_stock(path), None
            metrics.event("stock_read")
        except DataProblemError as error:
            self._why = error.message
            metrics.event("stock_refused")
            logger.error("stock not read: %s", error.message)


def in_stock(release: Release, stock: Stock) -> Release:
    """The release with what is not in stock not for sale: a copy that keeps what was read of it already."""
    less = copy(release)
    less.__dict__["not_for_sale"] = release.not_for_sale | (release.items - stock.items)
    return less
