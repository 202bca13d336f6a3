"""Exposures posted to the service: appended to one file by any number of processes, sealed by the next load.

    exposures/open.csv            what came since the last load; whoever writes holds it alone (flock) and syncs it
    exposures/posted-000001.csv   what a load has taken; never written again, but by an erasure

A line that was not acknowledged may be cut off by a crash; the next writer removes it. So what was answered is there,
and what is there is whole.
"""

from __future__ import annotations

import csv
import fcntl
import io
import os
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from warehouse.contracts import EXPOSURES
from warehouse.files import atomic_file, sweep, told
from warehouse.settings import TableSettings
from warehouse.workspace import Workspace

FOLDER = "exposures"
_OPEN = "open.csv"
_SEALED = "posted-*.csv"
_NAME = re.compile(rf"{FOLDER}/posted-[0-9]{{6,}}\.csv")
_TAIL = 1 << 22
"""More bytes than one body of a request can become."""


def with_posted(workspace: Workspace) -> Workspace:
    """The workspace with the sealed files among those of its table of exposures, declared or not.

    A table that comes from a database stays as it is.
    """
    if not _sealed(workspace.root):
        return workspace
    settings = workspace.settings
    declared = settings.tables.get(EXPOSURES.name) or TableSettings()
    if declared.source is not None:
        return workspace
    pattern = f"{FOLDER}/{_SEALED}"
    files = declared.files if pattern in declared.files else (*declared.files, pattern)
    tables = {**settings.tables, EXPOSURES.name: declared.model_copy(update={"files": files})}
    return replace(workspace, settings=settings.model_copy(update={"tables": tables}))


def is_sealed(name: str) -> bool:
    """Whether that is the name of a file of ours: one that an erasure may take away."""
    return _NAME.fullmatch(name) is not None


def append(root: Path, rows: Sequence[Sequence[str]]) -> None:
    """Adds rows of text, in the order of the contract's columns; all of them are on the disk when it returns, or none.

    `RepriseError` where the disk is full or the folder cannot be written.
    """
    path = root / FOLDER / _OPEN
    with told(path):
        path.parent.mkdir(mode=0o700, exist_ok=True)
        with _held(path) as file:
            size = _mended(file)
            try:
                _write(file, _text(rows) if size else _text([EXPOSURES.names, *rows]))
                os.fsync(file)
            except OSError:
                os.ftruncate(file, size)
                raise


def seal(root: Path) -> None:
    """What came so far becomes a file that loads read; nothing where nothing came."""
    path = root / FOLDER / _OPEN
    if not path.exists():
        return
    with told(path), _held(path) as file:
        if not _mended(file):
            return
        last = max((int(each.stem.rpartition("-")[2]) for each in _sealed(root)), default=0)
        os.rename(path, path.with_name(f"posted-{last + 1:06}.csv"))


def named(root: Path) -> frozenset[str]:
    """Every user whom a posted row names."""
    place = EXPOSURES.names.index("user_id")
    return frozenset(row[place] for path in _all(root) for row in _rows(path))


def forget(root: Path, users: Collection[str]) -> int:
    """Removes the rows of these users, those not sealed yet too; how many they were. A file of nobody else goes."""
    seal(root)
    sweep(root / FOLDER)
    place, gone = EXPOSURES.names.index("user_id"), 0
    for path in _sealed(root):
        rows = _rows(path)
        kept = [row for row in rows if row[place] not in users]
        gone += len(rows) - len(kept)
        if not kept:
            path.unlink()
        elif len(kept) < len(rows):
            with atomic_file(path) as temporary:
                temporary.write_bytes(_text([EXPOSURES.names, *kept]))
    return gone


def _sealed(root: Path) -> list[Path]:
    return sorted((root / FOLDER).glob(_SEALED))


def _all(root: Path) -> list[Path]:
    return [path for path in (*_sealed(root), root / FOLDER / _OPEN) if path.is_file()]


def _rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return [row for row in csv.reader(file) if len(row) == len(EXPOSURES.names)][1:]


def _text(rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


@contextmanager
def _held(path: Path) -> Iterator[int]:
    """The file of that name, made where there is none, held alone; one that was renamed meanwhile is let go."""
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            if _is_still(path, file):
                yield file
                return
        finally:
            os.close(file)


def _is_still(path: Path, file: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(file))
    except FileNotFoundError:
        return False


def _mended(file: int) -> int:
    """Takes off what a killed writer left of a line; the size that is then left."""
    size = os.fstat(file).st_size
    tail = os.pread(file, _TAIL, max(0, size - _TAIL))
    whole = size - len(tail) + tail.rfind(b"\n") + 1
    if whole < size:
        os.ftruncate(file, whole)
    return whole


def _write(file: int, text: bytes) -> None:
    while text:
        text = text[os.write(file, text) :]
