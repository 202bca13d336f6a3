"""What every command shares: the workspace named, the way to answer, and progress."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import typer
from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Table
from rich.text import Text

from warehouse.errors import UsageError
from warehouse.workspace import Workspace

SECONDS_BETWEEN_LINES = 5.0
NARROWEST, GAP = 20, "   "
"""Columns of a table are drawn whole from the left, so that names and versions can be copied, as long as so much is
left for those that are broken into lines; and what stands between two.
"""


def plain(value: Any) -> Any:
    """A value as JSON can hold it: dates as ISO text, decimals and numpy scalars as numbers, never NaN."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "item"):
        return plain(value.item())
    if isinstance(value, float) and not (float("-inf") < value < float("inf")):
        return None
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(inner) for inner in value]
    return value


def percent(share: float | None) -> str | None:
    """A share as people read it; None where it is not known."""
    return None if share is None else f"{share:.1%}"


class Told:
    """Progress for people: one bar on a terminal, a plain line now and then elsewhere. Always to stderr."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar: Bars | None = None
        self._label = ""
        self._last = time.monotonic()

    def __call__(self, label: str, done: float, total: float | None = None) -> None:
        if self._console.is_terminal:
            self._draw(label, done, total)
        elif time.monotonic() - self._last > SECONDS_BETWEEN_LINES:
            self._last = time.monotonic()
            self._console.print(label + _share(done, total), markup=False, highlight=False, soft_wrap=True)

    def _draw(self, label: str, done: float, total: float | None) -> None:
        if self._bar is None:
            self._bar = Bars(
                TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn(),
                console=self._console, transient=True,
            )  # fmt: skip
            self._bar.add_task("")
            self._bar.start()
        if label != self._label:
            self._label = label
            self._bar.reset(TaskID(0))
        self._bar.update(TaskID(0), description=label + _share(done, total), completed=done, total=total)

    def close(self) -> None:
        """Takes the bar away; what was learnt is printed by the command."""
        if self._bar is not None:
            self._bar.stop()
            self._bar, self._label = None, ""


def _share(done: float, total: float | None) -> str:
    """How far it is: of steps their number, of a share of 1 the per cent, nothing where no end is known."""
    if not total:
        return ""
    return f" {done / total:.0%}" if total == 1 else f" {done:,.0f} of {total:,.0f}"


@dataclass
class Session:
    """One call of the command line."""

    named: Path | None
    """The workspace after -w; None where none is given."""
    as_json: bool
    out: Console = field(default_factory=lambda: Console(highlight=False, soft_wrap=True))
    err: Console = field(default_factory=lambda: Console(stderr=True, highlight=False, soft_wrap=True))

    def __post_init__(self) -> None:
        self.progress = Told(self.err)

    @property
    def directory(self) -> Path:
        """The workspace: the one named, else the current folder."""
        return self.named or Path()

    def workspace(self) -> Workspace:
        return Workspace.open(self.directory)

    def answer(self, payload: Any, lines: Iterable[str] = ()) -> None:
        """Prints the answer: the payload as JSON under `--json`, else the lines."""
        self.progress.close()
        if self.as_json:
            print(json.dumps(plain(payload), ensure_ascii=False, allow_nan=False, indent=2), flush=True)
            return
        for line in _aligned(list(lines)) if self.out.is_terminal else lines:
            print(line, flush=True)

    def say(self, line: str) -> None:
        """A line on the way; under `--json` it goes to stderr, so that stdout is JSON only."""
        self.progress.close()
        print(line, file=sys.stderr if self.as_json else sys.stdout, flush=True)

    def table(
        self,
        payload: Any,
        columns: Sequence[str],
        rows: Iterable[Sequence[Any]],
        shown: Sequence[str] | None = None,
        notes: Iterable[str] = (),
    ) -> None:
        """Prints rows: a drawn table on a terminal, tab-separated lines when piped, the payload under `--json`.

        On a terminal only the columns `shown` are drawn (all if absent), and `notes` stand below.
        """
        if self.as_json:
            self.answer(payload)
            return
        self.progress.close()
        if not self.out.is_terminal:
            print("\t".join(columns))
            for row in rows:
                print("\t".join("" if cell is None else str(cell) for cell in row))
            return
        places = [columns.index(name) for name in shown or columns]
        cells = [["" if row[k] is None else str(row[k]) for k in places] for row in rows]
        drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        left = self.out.width - NARROWEST
        for n, place in enumerate(places):
            left -= max(cell_len(text) for text in (columns[place], *(row[n] for row in cells))) + len(GAP)
            drawn.add_column(columns[place], no_wrap=left >= 0 and n + 1 < len(places), overflow="fold")
        for row in cells:
            # Text, not markup: a name may hold brackets.
            drawn.add_row(*(Text(cell) for cell in row))
        self.out.print(drawn)
        for note in notes:
            self.out.print(Text(note), soft_wrap=False)


def _aligned(lines: list[str]) -> list[str]:
    """Lines whose cells are parted by tabs, with their columns under each other; other lines as they are."""
    rows = [line.split("\t") for line in lines]
    widths: dict[int, int] = {}
    for row in rows:
        for k, cell in enumerate(row[:-1]):
            widths[k] = max(widths.get(k, 0), len(cell))
    return ["  ".join([*(cell.ljust(widths[k]) for k, cell in enumerate(row[:-1])), row[-1]]) for row in rows]


def session(context: typer.Context) -> Session:
    """The session of a running command."""
    found = context.find_object(Session)
    if found is None:
        raise RuntimeError("a command was called outside the application")
    return found


def language(asked: str | None, workspace: Workspace) -> Literal["en", "zh"]:
    """The language asked for, else the workspace's."""
    if asked is None:
        return workspace.settings.language
    if asked == "en":
        return "en"
    if asked == "zh":
        return "zh"
    raise UsageError(f"--lang {asked!r} is not known.", hint="Use en or zh.")


def now() -> datetime:
    """The time of loading, the only clock that is read: naive UTC."""
    return datetime.now(UTC).replace(tzinfo=None, microsecond=0)
