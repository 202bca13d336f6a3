"""Files are there whole or not at all, also where the disk fails; and what failed is said in words with its path."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from warehouse import files
from warehouse.errors import RepriseError
from warehouse.files import atomic_directory, atomic_file, exchange, explained, write_text


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS])
def test_what_was_there_stays_where_the_disk_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, number: int
) -> None:
    target = tmp_path / "a.txt"
    write_text(target, "before")

    def fails(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(files.os, step, fails)
    with pytest.raises(RepriseError, match=r"a\.txt"):
        write_text(target, "after")
    monkeypatch.undo()
    assert target.read_text() == "before"
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_that_failed_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RepriseError, match="The disk is full"), atomic_directory(tmp_path / "made") as empty:
        _fill(empty / "x")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_tells_how_much_was_not_enough(tmp_path: Path) -> None:
    with pytest.raises(RepriseError, match=r"a; it needs more than 3 MB\."), atomic_directory(tmp_path / "a") as empty:
        _fill(empty / "deep", 2_500_000)
    with pytest.raises(RepriseError, match=r"z; it needs more than 2 MB\."), atomic_file(tmp_path / "z") as temporary:
        _fill(temporary, 1_500_000)
    with pytest.raises(RepriseError, match=r"writing .*z\."), atomic_file(tmp_path / "z"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_as_other_libraries_tell_it_is_told_too(tmp_path: Path) -> None:
    with pytest.raises(RepriseError, match="The disk is full"), atomic_file(tmp_path / "x"):
        raise OSError("[Errno 28] Error writing bytes to file. Detail: [errno 28] No space left on device")


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "The disk is full while writing /data/x."),
        (errno.EACCES, "/data/x cannot be written or read."),
        (errno.EROFS, "/data/x cannot be written or read."),
        (errno.ENOTDIR, "a file stands in place of a folder"),
        (errno.EIO, "Reading or writing /data/x failed: Input/output error."),
    ],
)
def test_an_error_names_its_path_in_one_line(number: int, said: str) -> None:
    told = explained(OSError(number, os.strerror(number), "/data/x"))
    assert said in told.message
    assert "\n" not in told.message
    assert told.exit_code == 1


def _fill(path: Path, size: int = 1) -> None:
    path.write_bytes(b"x" * size)
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("kernel", [True, False])
def test_two_folders_change_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kernel: bool) -> None:
    if not kernel:
        monkeypatch.setattr("warehouse.files.ctypes.CDLL", lambda *_, **__: object())
    for name in ("fresh", "current"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "told").write_text(name)
    exchange(tmp_path / "fresh", tmp_path / "current")
    assert (tmp_path / "current" / "told").read_text() == "fresh"
    assert (tmp_path / "fresh" / "told").read_text() == "current"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["current", "fresh"]
