"""Models as plain numeric arrays, and those in one npz file: nothing that could run code when read.

Every count, range and shape is checked on the way in, because a wrong index would answer wrongly instead of failing.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.sparse import csr_matrix

from warehouse.errors import DataProblemError
from warehouse.files import atomic_file

Arrays = Mapping[str, npt.NDArray[Any]]

MOST_BYTES = 8 * 1024**3


def write_arrays(path: Path, arrays: Arrays) -> None:
    """Writes numeric arrays as one npz file, whole or not at all; the same arrays give the same bytes."""
    for name, array in arrays.items():
        if array.dtype.kind not in "biuf":
            raise TypeError(f"{name} holds {array.dtype}; only numbers are written")
    with atomic_file(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def read_arrays(path: Path, most_bytes: int = MOST_BYTES) -> dict[str, npt.NDArray[Any]]:
    """Reads what `write_arrays` wrote; `DataProblemError` for anything else, or for more than `most_bytes`."""
    try:
        with zipfile.ZipFile(path) as archive:
            held = archive.infolist()
            if sum(member.file_size for member in held) > most_bytes:
                raise DataProblemError(f"{path.name} holds more than {most_bytes:,} bytes.")
            return {member.filename.removesuffix(".npy"): _read_member(archive, member) for member in held}
    except (zipfile.BadZipFile, ValueError, EOFError, KeyError, NotImplementedError, RuntimeError) as error:
        raise DataProblemError(f"{path.name} is not a file of recommender arrays: {error}") from error


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> npt.NDArray[Any]:
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        if version != (1, 0):
            raise ValueError(f"{member.filename} has format {version}")
        shape, by_column, dtype = np.lib.format.read_array_header_1_0(file)
        count = int(np.prod([int(side) for side in shape], dtype=object))
        if dtype.kind not in "biuf" or by_column or min(shape, default=0) < 0:
            raise ValueError(f"{member.filename} holds {dtype} of shape {shape}")
        # the header alone may claim any size: believe the archive, which has been bounded
        data = file.read(member.file_size)
        if len(data) != count * dtype.itemsize:
            raise ValueError(f"{member.filename} is cut short")
        return np.frombuffer(data, dtype=dtype).reshape(shape).copy()


def texts_to_arrays(values: pa.Array, prefix: str) -> dict[str, npt.NDArray[Any]]:
    """Texts as their UTF-8 bytes and where each begins."""
    encoded = [text.encode() for text in values.to_pylist()]
    starts = np.concatenate([[0], np.cumsum([len(text) for text in encoded], dtype=np.int64)]).astype(np.int64)
    return {f"{prefix}bytes": np.frombuffer(b"".join(encoded), dtype=np.uint8).copy(), f"{prefix}starts": starts}


def texts_from_arrays(arrays: Arrays, prefix: str) -> pa.Array:
    """The texts back, sorted and unique as ids must be."""
    held, starts = (needed(arrays, f"{prefix}{name}") for name in ("bytes", "starts"))
    _refuse(starts.ndim != 1 or not _rising(starts, len(held)), f"{prefix}starts do not fit {prefix}bytes")
    raw = held.astype(np.uint8).tobytes()
    try:
        texts = [raw[a:b].decode() for a, b in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True)]
    except UnicodeDecodeError as error:
        raise DataProblemError(f"The recommender arrays are damaged: {prefix}bytes are not UTF-8.") from error
    _refuse(any(a >= b for a, b in pairwise(texts)), f"{prefix} ids are not sorted and unique")
    return pa.array(texts, pa.large_string())


def csr_to_arrays(matrix: Any, prefix: str) -> dict[str, npt.NDArray[Any]]:
    """The three arrays of a csr_matrix."""
    return {f"{prefix}{name}": getattr(matrix, name) for name in ("data", "indices", "indptr")}


def csr_from_arrays(arrays: Arrays, prefix: str, shape: tuple[int, int]) -> Any:
    """The csr_matrix back; `DataProblemError` where an index lies outside `shape` or a value is not finite."""
    data, indices, indptr = (needed(arrays, f"{prefix}{name}") for name in ("data", "indices", "indptr"))
    _refuse(data.shape != indices.shape or data.ndim != 1, f"{prefix}data and {prefix}indices differ in length")
    _refuse(indptr.shape != (shape[0] + 1,) or not _rising(indptr, len(indices)), f"{prefix}indptr does not fit")
    _refuse(bool(indices.size) and (indices.min() < 0 or indices.max() >= shape[1]), f"{prefix}indices leave the items")
    _refuse(not np.isfinite(data).all(), f"{prefix}data are not finite")
    matrix = csr_matrix((data.astype(np.float64), indices.astype(np.int32), indptr.astype(np.int64)), shape=shape)
    _refuse(not matrix.has_canonical_format, f"{prefix}indices are not sorted and unique")
    return matrix


def starts_from_arrays(
    arrays: Arrays, starts: str, values: str, stretches: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
    """Where each of so many stretches of whole numbers begins, and the numbers; `DataProblemError` where these do not
    fit."""
    begins, held = needed(arrays, starts), needed(arrays, values)
    _refuse(begins.shape != (stretches + 1,) or begins.dtype.kind not in "iu", f"{starts} does not fit")
    _refuse(held.ndim != 1 or held.dtype.kind not in "iu", f"{values} are no whole numbers")
    _refuse(not _rising(begins, len(held)), f"{starts} do not fit {values}")
    return begins.astype(np.int64), held


def factors_from_arrays(arrays: Arrays, name: str, items: int) -> npt.NDArray[np.float64]:
    """A vector for each item; `DataProblemError` where there are more or fewer, or a number is not finite."""
    held = needed(arrays, name)
    if held.ndim != 2 or len(held) != items or held.dtype.kind != "f" or not np.isfinite(held).all():
        raise DataProblemError(f"The recommender arrays are damaged: {name} do not fit the items.")
    return held.astype(np.float64)


def needed(arrays: Arrays, name: str) -> npt.NDArray[Any]:
    """The array of that name; `DataProblemError` where it is missing."""
    if name not in arrays:
        raise DataProblemError(f"The recommender arrays are damaged: {name} is missing.")
    return arrays[name]


def _rising(starts: npt.NDArray[Any], end: int) -> bool:
    return bool(starts.size and starts[0] == 0 and starts[-1] == end and (np.diff(starts) >= 0).all())


def _refuse(wrong: bool | np.bool_, what: str) -> None:
    if wrong:
        raise DataProblemError(f"The recommender arrays are damaged: {what}.")
