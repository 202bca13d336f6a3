"""The bytes of a text file as UTF-8, in blocks that end where a record ends, whatever its encoding and its quotes."""

from __future__ import annotations

import codecs
import gzip
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from warehouse.errors import DataProblemError, Problem
from warehouse.settings import TableSettings

_LONGEST_RECORD = 1 << 20
_CONTROLS = bytes(code for code in range(32) if code not in b"\t\r\n") + b"\x7f"
_HINTS = {
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
_WIDE = 'Set encoding = "gb18030" (Chinese Excel) or "cp1252" (Western Excel), or save the file as UTF-8.'


def broken(
    file: str, line: int | None, found: str, expected: str, fix: str, column: str | None = None
) -> DataProblemError:
    """The error of a file that cannot be read on."""
    return DataProblemError(f"{file} cannot be read.", [Problem(file, line, column, found, expected, fix)])


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    try:
        with gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb") as file:
            yield file  # type: ignore[misc]
    except FileNotFoundError as error:
        raise DataProblemError(f"There is no file {path}.", hint="Check the path in reprise.toml.") from error
    except (gzip.BadGzipFile, EOFError) as error:
        raise broken(
            path.name, None, "a damaged gzip file", "a whole one", "Copy or compress the file again."
        ) from error
    except IsADirectoryError as error:
        raise DataProblemError(f"{path} is a folder.", hint="Name files, or a pattern such as orders/*.csv.") from error
    except PermissionError as error:
        raise DataProblemError(f"{path} may not be read.", hint="Check the rights of the file.") from error
    except OSError as error:
        said = os.strerror(error.errno or 0)
        raise DataProblemError(f"{path} cannot be read: {said}.", hint="Check the disk it lies on.") from error


def share_read(file: IO[bytes], path: Path) -> float:
    """The share of a file that has been read, by the bytes on disk."""
    raw: Any = getattr(file, "fileobj", None) or file
    return min(1.0, float(raw.tell()) / max(1, path.stat().st_size))


class TextBlocks:
    """The bytes of a text file as UTF-8, block by block, each ending where a record ends."""

    def __init__(self, file: IO[bytes], name: str, settings: TableSettings, block: int, quoted: bool) -> None:
        self._file = file
        self._name = name
        self._block = block
        self._encoding = settings.encoding
        self._quote = settings.quote.encode() if quoted else b""
        self._decode: Callable[[bytes, bool], str] = codecs.getincrementaldecoder(self._encoding)("strict").decode

    def _utf8(self, raw: bytes, final: bool, line: int) -> bytes:
        try:
            return self._decode(raw, final).encode()
        except (UnicodeDecodeError, UnicodeEncodeError) as error:
            at = error.start if isinstance(error, UnicodeDecodeError) else 0
            seen = error.object if isinstance(error, UnicodeDecodeError) else raw
            wide = next((name for mark, name in _HINTS.items() if line == 1 and raw.startswith(mark)), None)
            hint = f'The file looks like {wide}: set encoding = "utf-16" or save it as UTF-8.' if wide else _WIDE
            raise broken(
                self._name,
                line + bytes(seen[:at]).count(b"\n"),
                "bytes that are no text in this encoding",
                self._encoding.upper(),
                hint,
            ) from error

    def __iter__(self) -> Iterator[tuple[bytes, npt.NDArray[np.int64], int]]:
        """Whole records, where each ends within the block, and the line on which the block begins."""
        rest, line, first = b"", 1, True
        while True:
            raw = self._file.read(self._block)
            text = self._utf8(raw, not raw, line + rest.count(b"\n"))
            if first and text:
                text, first = text.removeprefix(codecs.BOM_UTF8), False
            data = rest + text
            if not raw and data and not data.endswith(b"\n"):
                data += b"\n"
            self._refuse_controls(data, len(rest), line)
            ends = self._record_ends(data)
            cut = int(ends[-1]) + 1 if len(ends) else 0
            if len(data) - cut > (0 if not raw else max(_LONGEST_RECORD, self._block)):
                self._unclosed(line + data[:cut].count(b"\n"))
            if cut:
                yield data[:cut], ends, line
                line += data.count(b"\n", 0, cut)
            rest = data[cut:]
            if not raw:
                return

    def _unclosed(self, line: int) -> None:
        raise broken(
            self._name,
            line,
            "a quote that is never closed",
            f"every {self._quote.decode()} to have its partner",
            'Close it, write it twice if it is meant, or set quote = "" if the file has no quoting.',
        )

    def _refuse_controls(self, data: bytes, start: int, line: int) -> None:
        if len(data.translate(None, _CONTROLS)) == len(data):
            return
        at = next(i for i in range(start, len(data)) if data[i] in _CONTROLS)
        what, fix = f"the control character 0x{data[at]:02x}", "Remove it."
        if data[at] == 0:
            what = "a NUL byte"
            fix = (
                'Remove it; if every second byte is NUL the file is UTF-16: set encoding = "utf-16-le" or "utf-16-be".'
            )
        raise broken(
            self._name,
            line + data[:at].count(b"\n"),
            what,
            "text",
            fix,
        )

    def _record_ends(self, data: bytes) -> npt.NDArray[np.int64]:
        """Where line ends lie that are outside quotes."""
        octets = np.frombuffer(data, dtype=np.uint8)
        ends: npt.NDArray[np.int64] = np.flatnonzero(octets == 10)
        if not self._quote or self._quote not in data:
            return ends
        quotes = np.flatnonzero(octets == self._quote[0])
        outside: npt.NDArray[np.int64] = ends[np.searchsorted(quotes, ends) % 2 == 0]
        return outside
