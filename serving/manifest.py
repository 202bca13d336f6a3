"""The manifest of a release: what must be in the folder, byte for byte, and who says so."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from datetime import date
from io import BufferedReader
from pathlib import Path
from typing import Any

from warehouse.errors import RepriseError

MANIFEST = "manifest.json"
SIGNATURE = "manifest.hmac"
FORMAT = 1
_MANIFEST_LIMIT = 4_000_000


class ReleaseError(RepriseError):
    """A release is missing, damaged, incomplete or not signed by us; what was served before stays."""


def write_manifest(folder: Path, release: str, as_of: date, key: bytes | None) -> None:
    """Writes the manifest of everything now in `folder`, and its signature where there is a key."""
    files = {}
    for name in sorted(_listing(folder)):
        size, digest = _measure(folder / name)
        files[name] = {"size": size, "sha256": digest}
    told = {"format": FORMAT, "release": release, "as_of": as_of.isoformat(), "files": files}
    body = json.dumps(told, indent=1).encode()
    (folder / MANIFEST).write_bytes(body)
    if key is not None:
        (folder / SIGNATURE).write_text(_signature(body, key), encoding="ascii")


def check_files(folder: Path, key: bytes | None) -> dict[str, Any]:
    """The manifest, once signature, list of files, sizes and hashes agree; `ReleaseError` otherwise."""
    body = _manifest_bytes(folder)
    if key is not None:
        _check_signature(folder, body, key)
    manifest = _parsed(folder, body)
    expected = set(manifest["files"])
    found = _listing(folder) - {MANIFEST, SIGNATURE}
    if found != expected:
        odd = sorted(found ^ expected)[0]
        raise ReleaseError(
            f"The release {folder.name} has {len(found)} files, its manifest {len(expected)}; first difference: {odd}.",
            hint="Make it anew, or roll back.",
        )
    for name, wanted in manifest["files"].items():
        if _measure(folder / name) != (wanted["size"], wanted["sha256"]):
            raise ReleaseError(f"{name} of the release {folder.name} is damaged.", hint="Make it anew, or roll back.")
    return manifest


def _signature(body: bytes, key: bytes) -> str:
    return hmac.new(key, body, hashlib.sha256).hexdigest()


def _check_signature(folder: Path, body: bytes, key: bytes) -> None:
    found = _read(folder / SIGNATURE, 200) if (folder / SIGNATURE).exists() else b""
    if not hmac.compare_digest(found.strip(), _signature(body, key).encode()):
        raise ReleaseError(
            f"The release {folder.name} is not signed with the key in use.", hint="Publish it again with that key."
        )


def _manifest_bytes(folder: Path) -> bytes:
    if folder.is_symlink() or not folder.is_dir():
        raise ReleaseError(f"There is no release {folder.name}.", hint="See which there are, or make one.")
    if not (folder / MANIFEST).exists():
        raise ReleaseError(f"The release {folder.name} has no manifest.", hint="Make it anew, or roll back.")
    return _read(folder / MANIFEST, _MANIFEST_LIMIT)


def _parsed(folder: Path, body: bytes) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads(body)
        wrong = manifest["format"] != FORMAT
        for wanted in manifest["files"].values():
            wrong |= not isinstance(wanted["size"], int) or len(wanted["sha256"]) != 64
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ReleaseError(f"The manifest of the release {folder.name} cannot be read.") from error
    if wrong:
        raise ReleaseError(f"The release {folder.name} is of a format this version does not know.")
    return manifest


def _listing(folder: Path) -> set[str]:
    """Paths of all files below `folder`; a link or anything else that is no plain file or folder is refused."""
    names = set()
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(place, name)
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                raise ReleaseError(f"The release {folder.name} holds {name}, which is no plain file.")
        names |= {Path(place, name).relative_to(folder).as_posix() for name in files}
    return names


def _read(path: Path, limit: int) -> bytes:
    with _opened(path) as file:
        return file.read(limit)


def _measure(path: Path) -> tuple[int, str]:
    """Size and SHA-256 of a file that is no link."""
    with _opened(path) as file:
        return os.fstat(file.fileno()).st_size, hashlib.file_digest(file, "sha256").hexdigest()


def _opened(path: Path) -> BufferedReader:
    try:
        return os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb")
    except OSError as error:
        raise ReleaseError(f"{path.name} of a release cannot be read: {os.strerror(error.errno or 0)}.") from error
