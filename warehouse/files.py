"""Files and folders that are there whole or not at all: temporary name, fsync, rename."""

from __future__ import annotations

import ctypes
import errno
import hashlib
import math
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from warehouse.errors import RepriseError

RIGHTS = "Check the owner and the rights of that folder, and that its disk is not mounted read-only."
_TEMPORARY = ".writing-"
# Of Linux: paths as they are (AT_FDCWD), and the flag of renameat2 by which two names are exchanged.
_HERE, _EXCHANGE = -100, 2


def _fsync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def explained(error: OSError, target: Path | None = None, written: int = 0) -> RepriseError:
    """An error of the disk in words, with the path it names unless another is given; `written`: bytes until then."""
    path = target or error.filename or "a file"
    if error.errno in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(error):
        needs = f"; it needs more than {math.ceil(written / 1e6):,} MB" if written else ""
        return RepriseError(f"The disk is full while writing {path}{needs}.", hint="Free some space and run again.")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return RepriseError(f"{path} cannot be written or read.", hint=RIGHTS)
    if error.errno in (errno.ENOTDIR, errno.EISDIR, errno.EEXIST):
        return RepriseError(f"{path}: a file stands in place of a folder, or a folder of a file.", hint="Move it away.")
    return RepriseError(f"Reading or writing {path} failed: {os.strerror(error.errno) if error.errno else error}.")


def _size(path: Path) -> int:
    """The bytes of a file, or of all files of a folder; 0 where there is none."""
    with suppress(OSError):
        return sum(part.stat().st_size for part in (path, *path.rglob("*")) if part.is_file())
    return 0


@contextmanager
def told(target: Path) -> Iterator[None]:
    """Errors of the disk while `target` is written are told as our own."""
    try:
        yield
    except OSError as error:
        raise explained(error, target) from error


@contextmanager
def atomic_file(target: Path) -> Iterator[Path]:
    """Yields a temporary path beside `target`; at the end it is synced and renamed, on an error removed."""
    temporary = target.with_name(f"{_TEMPORARY}{uuid.uuid4().hex[:12]}-{target.name}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, target)
        _fsync_directory(target.parent)
    except OSError as error:
        raise explained(error, target, _size(temporary)) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_text(target: Path, text: str) -> None:
    """Writes UTF-8 text whole or not at all."""
    with atomic_file(target) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextmanager
def atomic_directory(target: Path) -> Iterator[Path]:
    """Yields an empty temporary folder; at the end every file in it is synced and the folder renamed to `target`.

    `target` must not exist: what is published is never changed.
    """
    temporary = target.with_name(f"{_TEMPORARY}{uuid.uuid4().hex[:12]}-{target.name}")
    try:
        temporary.mkdir(parents=True)
        yield temporary
        for path in sorted(temporary.rglob("*")):
            if path.is_file():
                with path.open("rb") as written:
                    os.fsync(written.fileno())
            else:
                _fsync_directory(path)
        _fsync_directory(temporary)
        os.rename(temporary, target)
        _fsync_directory(target.parent)
    except OSError as error:
        raise explained(error, target, _size(temporary)) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def exchange(fresh: Path, current: Path) -> None:
    """The two folders change places: in one step where the file system can, else with an instant between.

    `fresh` then holds what `current` held.
    """
    kernel = ctypes.CDLL(None, use_errno=True)
    renamed = getattr(kernel, "renameat2", None)
    if renamed and renamed(_HERE, os.fsencode(fresh), _HERE, os.fsencode(current), _EXCHANGE) == 0:
        _fsync_directory(current.parent)
        return
    aside = current.with_name(f"{_TEMPORARY}{uuid.uuid4().hex[:12]}-{current.name}")
    with told(current):
        os.rename(current, aside)
        os.rename(fresh, current)
        os.rename(aside, fresh)
        _fsync_directory(current.parent)


def swap_pointer(pointer: Path, name: str) -> None:
    """Makes the text file `pointer` name the published folder `name`; the last step of every publication."""
    write_text(pointer, name + "\n")


def read_pointer(pointer: Path) -> str | None:
    """The name a pointer holds, or None where nothing has been published."""
    try:
        return pointer.read_text(encoding="utf-8").strip() or None
    except FileNotFoundError:
        return None


def sweep(folder: Path) -> None:
    """Removes what killed writers left behind in `folder`. Call it only while holding the folder's lock."""
    for left in folder.glob(f"{_TEMPORARY}*"):
        shutil.rmtree(left, ignore_errors=True) if left.is_dir() else left.unlink(missing_ok=True)


def sha256(path: Path) -> str:
    """The hexadecimal SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
